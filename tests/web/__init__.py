"""Pages and API over a real published version."""
