"""SheetOptions: what surrounds the rows of a sheet of a spreadsheet.

Source: ECMA-376 Part 1 §18.3.1.99 (worksheet) and its children.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from streamware.errors import LimitError
from streamware.model.style import Style, color_of, expect

MAX_COLUMNS = 16_384  # of a sheet (Microsoft's limits page)
MAX_PASSWORD = 255  # characters (Excel's own dialog)

_FLAGS = ("freeze", "autofilter", "right_to_left", "landscape", "fit_to_width")
_TABLE_STYLE = re.compile(
    "TableStyle(?:Light(?:[1-9]|1[0-9]|2[01])|Medium(?:[1-9]|1[0-9]|2[0-8])|Dark(?:[1-9]|1[01]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOptions:
    """What surrounds the rows of a sheet, and how the sheet is shown and printed.

    None of this costs time or memory per row.  In XLSX, the header is repeated on every printed
    page.

    Attributes:
        title_rows: Rows above the table: each a str, which is bold and spans the table, or a
            sequence of cells (a `Cell` with a style among them).
        header: How the titles look.
        freeze: Whether the header, with the title rows above it, stays visible when scrolling.
        freeze_columns: The number of first columns that stay visible when scrolling.
        autofilter: Whether the header has filter buttons.
        zebra: Whether every second row has a background: True, or its colour.
        table: Whether the rows are a native table of the program that opens it: True, or the name
            of its style: "TableStyleLight1" to 21, "TableStyleMedium1" to 28, "TableStyleDark1" to
            11.  Its titles must differ from each other; it brings its own filter buttons.
        tab_color: Colour of the sheet's tab.
        zoom: Percent, 10 to 400.
        right_to_left: Whether columns run from right to left.
        landscape: Whether pages are printed in landscape.
        fit_to_width: Whether all columns are printed on the width of one page.
        protect: Whether cells are locked: True, or the password that unlocks them.  This prevents
            mistakes, not reading: nothing is encrypted.

    Raises:
        TypeError: An attribute has the wrong type; a bool does not count as a number.
        ValueError: A value is not one of those allowed.
    """

    title_rows: Sequence[str | Sequence[Any]] = ()
    header: Style = Style(bold=True)  # noqa: RUF009 - it is frozen
    freeze: bool = True
    freeze_columns: int = 0
    autofilter: bool = True
    zebra: bool | str = False
    table: bool | str = False
    tab_color: str | None = None
    zoom: int = 100
    right_to_left: bool = False
    landscape: bool = False
    fit_to_width: bool = False
    protect: bool | str = False

    def __post_init__(self) -> None:
        header: object = self.header
        if header is False or header is None:
            raise TypeError(
                f"header must be a Style, not {header}; for a sheet without a header, give columns"
                " by position alone: columns=[0, 1]"
            )
        expect(self, "a Style", Style, "header")
        expect(self, "True or False", bool, *_FLAGS)
        expect(self, "True, False or a str", bool | str, "zebra", "table", "protect")
        expect(self, "an int", int, "freeze_columns", "zoom")
        expect(self, "a list of rows", Iterable, "title_rows")
        object.__setattr__(self, "title_rows", _frozen_rows(self.title_rows))
        if isinstance(self.zebra, str):
            object.__setattr__(self, "zebra", color_of(self.zebra))
        if self.tab_color is not None:
            object.__setattr__(self, "tab_color", color_of(self.tab_color))
        if not 10 <= self.zoom <= 400:
            raise ValueError(f"zoom must be 10 to 400 percent, not {self.zoom}")
        if not 0 <= self.freeze_columns < MAX_COLUMNS:
            raise ValueError(f"freeze_columns must be 0 to 16,383, not {self.freeze_columns}")
        if isinstance(self.table, str) and not _TABLE_STYLE.fullmatch(self.table):
            raise ValueError(
                "table must be True or the name of a style such as 'TableStyleLight9',"
                f" not {self.table!r}"
            )
        if self.protect == "":
            raise ValueError("protect must be True or a password, not an empty str")
        if isinstance(self.protect, str) and len(self.protect) > MAX_PASSWORD:
            raise ValueError(
                f"the password of protect must have at most {MAX_PASSWORD} characters,"
                f" not {len(self.protect)}"
            )


def _frozen_rows(rows: Iterable[Any]) -> tuple[str | tuple[Any, ...], ...]:
    """Return copies of the title rows that cannot be changed later."""
    given = tuple(rows)
    wrong = [type(row).__name__ for row in given if not isinstance(row, (str, list, tuple))]
    if isinstance(rows, str) or wrong:
        raise TypeError(
            "title_rows must be a list of rows, each a str, a list or a tuple of cells, not"
            f" {wrong[0] if wrong else 'a single str'}"
        )
    frozen = tuple(row if isinstance(row, str) else tuple(row) for row in given)
    longest = max((len(row) for row in frozen if not isinstance(row, str)), default=0)
    if longest > MAX_COLUMNS:
        raise LimitError("cells of a title row", limit=MAX_COLUMNS, actual=longest)
    return frozen
