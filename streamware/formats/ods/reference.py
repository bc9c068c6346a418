"""References to cells, as ODF writes them outside formulas.

Source: OpenDocument 1.3 Part 3 §18.3.4 (cellAddress), §18.3.5 (cellRangeAddress).
"""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.spreadsheet.reference import column_letters, quoted


class Table(NamedTuple):
    """Some rows of a sheet, from its first column on.

    Attributes:
        sheet: Name of the sheet.
        columns: So many.
        first: The first row, from 1.
        last: The last one.
    """

    sheet: str
    columns: int
    first: int
    last: int

    def range(self) -> str:
        """All of it: `'Sheet1'.A1:'Sheet1'.C9`."""
        return self._range("A", column_letters(max(self.columns, 1) - 1))

    def column(self, at: int) -> str:
        """One column of it, counted from 0."""
        return self._range(column_letters(at), column_letters(at))

    def cell(self, at: int) -> str:
        """The first cell of a column, counted from 0."""
        return f"{quoted(self.sheet)}.{column_letters(at)}{self.first}"

    def formula(self, at: int) -> str:
        """One column of it in a formula of the same sheet: `[.B2:.B9]`."""
        letters = column_letters(at)
        return f"[.{letters}{self.first}:.{letters}{self.last}]"

    def _range(self, first: str, last: str) -> str:
        sheet = quoted(self.sheet)
        return f"{sheet}.{first}{self.first}:{sheet}.{last}{self.last}"
