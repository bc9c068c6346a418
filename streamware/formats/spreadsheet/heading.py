"""The heading of a sheet: the title rows and the header above its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.model.cell import Cell
from streamware.model.columns import Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style

TITLE = Style(bold=True, size=14)
"""The style of a title row that is one text."""


def rows_above(head: Head, options: SheetOptions) -> int:
    """Return the number of rows above the first data row."""
    return len(options.title_rows) + bool(head.titles)


def title_cells(row: str | Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a title row; a text is its only cell."""
    return [Cell(row, TITLE)] if isinstance(row, str) else row
