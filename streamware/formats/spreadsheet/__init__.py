"""What do the spreadsheet formats, XLSX and ODS, have in common?"""
