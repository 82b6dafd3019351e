"""Faults of the source systems, by name: what each spoils, what is decided about it, and how it is undone."""
