"""What do XLSX and ODS have in common?  Names, references, headings, totals, widths."""
