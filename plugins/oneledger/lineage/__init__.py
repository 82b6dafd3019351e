"""Where a number comes from: models, columns, rows and lines of a published version, and what they influence."""
