"""Pages and API over one published version: thin, what they show a library function or a query of the marts returns."""
