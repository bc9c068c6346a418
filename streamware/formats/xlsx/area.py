"""Area: where the rows of a table stand in a sheet.

Source: ECMA-376 Part 1 §18.18.62 (ST_Ref).
"""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.spreadsheet.reference import column_letters


class Area(NamedTuple):
    """Some rows of a sheet, from its first column on.

    Attributes:
        columns: So many.
        first: The first row, from 1.
        last: The last one.
    """

    columns: int
    first: int
    last: int

    def reference(self, *, dollar: str = "") -> str:
        """All of it: `A1:C9`; with a dollar `$A$1:$C$9`."""
        last = column_letters(max(self.columns, 1) - 1)
        return f"{dollar}A{dollar}{self.first}:{dollar}{last}{dollar}{self.last}"

    def column(self, at: int) -> str:
        """One column of it, counted from 0: `B1:B9`."""
        letters = column_letters(at)
        return f"{letters}{self.first}:{letters}{self.last}"
