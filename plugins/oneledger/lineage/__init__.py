"""Where a figure comes from: rows, columns, and events for other lineage tools."""
