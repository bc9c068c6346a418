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

    Nothing of it costs time or memory by the row.  A printed header is repeated on every page.

    Attributes:
        title_rows: Rows above the table: a text, which takes the width of the table and is bold,
            or a sequence of cells (`Cell` with a style among them).
        header: How the titles look.
        freeze: The header, and what stands above it, stays in sight.
        freeze_columns: So many of the first columns stay in sight.
        autofilter: The header has filter buttons.
        zebra: Every second row has a background: True, or its colour.
        table: A native table of the program that opens it: True, or the name of its style:
            "TableStyleLight1" to 21, "TableStyleMedium1" to 28, "TableStyleDark1" to 11.  Its
            titles must differ; it has filter buttons of its own.
        tab_color: Colour of the sheet's tab.
        zoom: Percent, 10 to 400.
        right_to_left: Columns go from right to left.
        landscape: Printed across.
        fit_to_width: Printed as wide as one page.
        protect: Cells cannot be changed: True, or the password that allows it.  It keeps from
            mistakes, not from readers: nothing is encrypted.

    Raises:
        TypeError: An attribute of another type; a bool is no number.
        ValueError: A choice that there is not.
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
                "header is a Style; to have none, choose columns by position alone: columns=[0, 1]"
            )
        expect(self, "a Style", Style, "header")
        expect(self, "True or False", bool, *_FLAGS)
        expect(self, "True, False or a text", bool | str, "zebra", "table", "protect")
        expect(self, "a whole number", int, "freeze_columns", "zoom")
        expect(self, "a list of rows", Iterable, "title_rows")
        object.__setattr__(self, "title_rows", _settled(self.title_rows))
        if isinstance(self.zebra, str):
            object.__setattr__(self, "zebra", color_of(self.zebra))
        if self.tab_color is not None:
            object.__setattr__(self, "tab_color", color_of(self.tab_color))
        if not 10 <= self.zoom <= 400:
            raise ValueError("zoom is 10 to 400 percent")
        if not 0 <= self.freeze_columns < MAX_COLUMNS:
            raise ValueError("freeze_columns is 0 to 16,383")
        if isinstance(self.table, str) and not _TABLE_STYLE.fullmatch(self.table):
            raise ValueError(
                f"table={self.table!r}: True, or the name of its style, such as 'TableStyleLight9'"
            )
        if self.protect == "":
            raise ValueError("protect=True needs no password; an empty one is none")
        if isinstance(self.protect, str) and len(self.protect) > MAX_PASSWORD:
            raise ValueError(f"a password has at most {MAX_PASSWORD} characters")


def _settled(rows: Iterable[Any]) -> tuple[str | tuple[Any, ...], ...]:
    """Title rows that nobody changes any more."""
    given: tuple[Any, ...] = (None,) if isinstance(rows, str) else tuple(rows)
    if not all(isinstance(row, (str, list, tuple)) for row in given):
        raise TypeError("title_rows is a list of rows, each a text or a sequence of cells")
    settled = tuple(row if isinstance(row, str) else tuple(row) for row in given)
    longest = max((len(row) for row in settled if not isinstance(row, str)), default=0)
    if longest > MAX_COLUMNS:
        raise LimitError("cells of a title row", limit=MAX_COLUMNS, actual=longest)
    return settled
