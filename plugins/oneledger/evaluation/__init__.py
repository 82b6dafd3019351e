"""The evaluation: its rules as dated data."""
