"""What can the caller choose for a table?  Columns, cells, styles, rules and sheet options."""
