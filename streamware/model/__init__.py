"""What can the caller choose for a table?  Columns, cells, styles, rules and sheet options.

`columns` has the columns and sheets, `cell` a single cell with a look of its own.  `style`,
`number_format` and `sheet_options` are how they look, `rules` what is highlighted or may be typed
in.  `formula` checks formulas, and `utf16` counts characters as spreadsheets do.
"""
