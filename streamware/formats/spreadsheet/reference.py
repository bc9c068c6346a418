"""References to cells: the letters of columns, and the quoted names of sheets.

Source: ECMA-376 Part 1 §18.18.62 (ST_Ref); OpenDocument 1.3 Part 3 §18.3.4 (cellAddress).
"""

from __future__ import annotations


def column_letters(at: int) -> str:
    """Return the letters of a column, counted from 0: A … Z, AA … XFD."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def quoted(sheet: str) -> str:
    """Return the name of a sheet as it is written in a reference, always quoted."""
    return "'" + sheet.replace("'", "''") + "'"
