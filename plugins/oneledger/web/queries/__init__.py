"""What the pages ask, a module a place: functions that take a reading of a version and return typed rows."""
