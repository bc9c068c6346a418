"""References to cells, as ODF writes them.

Source: OpenDocument 1.3 Part 3 §18.3.4 (cellAddress), §18.3.5 (cellRangeAddress).
"""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.spreadsheet.reference import column_letters, quoted


class CellRange(NamedTuple):
    """A range of rows of a sheet, from the first column on.

    Attributes:
        sheet: Name of the sheet.
        columns: Number of columns.
        first: Number of the first row, from 1.
        last: Number of the last row.
    """

    sheet: str
    columns: int
    first: int
    last: int

    def address(self) -> str:
        """Return the address of the range: `'Sheet1'.A1:'Sheet1'.C9`."""
        return self._address("A", column_letters(max(self.columns, 1) - 1))

    def column_address(self, at: int) -> str:
        """Return the address of a column, counted from 0."""
        return self._address(column_letters(at), column_letters(at))

    def first_cell(self, at: int) -> str:
        """Return the address of the first cell of a column, counted from 0."""
        return f"{quoted(self.sheet)}.{column_letters(at)}{self.first}"

    def formula_reference(self, at: int) -> str:
        """Return a column, counted from 0, as a formula of the sheet refers to it: `[.B2:.B9]`."""
        letters = column_letters(at)
        return f"[.{letters}{self.first}:.{letters}{self.last}]"

    def _address(self, first: str, last: str) -> str:
        sheet = quoted(self.sheet)
        return f"{sheet}.{first}{self.first}:{sheet}.{last}{self.last}"
