"""What do the spreadsheet formats, XLSX and ODS, have in common?

Their `options`; the `names` of sheets and the `reference` of a cell; the `heading` above the rows,
the `width` and the `column_style` of columns; which `address` is a link; the `totals`, the `table`
and the `table_formula` in its rows, and the names of `functions`; custom `properties`; how many
rows a `sheet` holds.
"""
