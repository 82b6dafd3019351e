"""What pages ask of a published version, a module a place: functions that take a `Reading` and return typed rows."""
