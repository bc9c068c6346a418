"""Area: rows of a sheet, and references to them.

Source: ECMA-376 Part 1 §18.18.62 (ST_Ref).
"""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.spreadsheet.reference import column_letters


class Area(NamedTuple):
    """Rows of a sheet, from its first column on.

    Attributes:
        columns: The number of columns.
        first: Number of the first row, from 1.
        last: Number of the last row.
    """

    columns: int
    first: int
    last: int

    def reference(self, *, dollar: str = "") -> str:
        """Return the reference to all of it: `A1:C9`, or `$A$1:$C$9` with `dollar="$"`."""
        last = column_letters(max(self.columns, 1) - 1)
        return f"{dollar}A{dollar}{self.first}:{dollar}{last}{dollar}{self.last}"

    def column(self, at: int) -> str:
        """Return the reference to one column of it, counted from 0: `B1:B9`."""
        letters = column_letters(at)
        return f"{letters}{self.first}:{letters}{self.last}"
