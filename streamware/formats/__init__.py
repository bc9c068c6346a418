"""How do rows become the bytes of a format?  One module or folder for each format.

`protocol` is what a format has to be, and `registry` finds it by its name.  `text` has what formats
share, `zip` the archive of XLSX and ODS, and `spreadsheet` what else these two share.  `language`
and `localized` are for CSV in the reader's language, `text_columns` for formats of other packages.
"""
