"""The questions that pages ask a published version, a module a place: functions from a ``Reading`` to rows."""
