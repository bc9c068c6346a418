"""SheetOptions: what surrounds the rows of a sheet of a spreadsheet.

Source: ECMA-376 Part 1 §18.3.1.99 (worksheet) and its children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamware.style import Style, color_of

MAX_PASSWORD = 255  # characters (Excel's own dialog)


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
        table: A native table of the program that opens it: True, or the name of its style, such
            as "TableStyleLight9".  Its titles must differ; it has filter buttons of its own.
        tab_color: Colour of the sheet's tab.
        zoom: Percent, 10 to 400.
        right_to_left: Columns go from right to left.
        landscape: Printed across.
        fit_to_width: Printed as wide as one page.
        protect: Cells cannot be changed: True, or the password that allows it.  It keeps from
            mistakes, not from readers: nothing is encrypted.

    Raises:
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
        if not isinstance(self.header, Style):
            raise TypeError(f"header is a Style, not {type(self.header).__name__}")
        rows = (None,) if isinstance(self.title_rows, str) else tuple(self.title_rows)
        if not all(isinstance(row, (str, list, tuple)) for row in rows):
            raise TypeError("title_rows is a list of rows, each a text or a sequence of cells")
        object.__setattr__(self, "title_rows", rows)
        if isinstance(self.zebra, str):
            object.__setattr__(self, "zebra", color_of(self.zebra))
        if self.tab_color is not None:
            object.__setattr__(self, "tab_color", color_of(self.tab_color))
        if not 10 <= self.zoom <= 400:
            raise ValueError("zoom is 10 to 400 percent")
        if not 0 <= self.freeze_columns < 16_384:
            raise ValueError("freeze_columns is 0 to 16,383")
        if self.table == "":
            raise ValueError("table=True, or the name of its style; an empty one is none")
        if self.protect == "":
            raise ValueError("protect=True needs no password; an empty one is none")
        if isinstance(self.protect, str) and len(self.protect) > MAX_PASSWORD:
            raise ValueError(f"a password has at most {MAX_PASSWORD} characters")
