"""What can the caller say about a table?  Columns, cells, styles, rules, options of a sheet."""
