"""What can the caller say about a table?  Its columns, cells, styles, rules and sheet options."""
