"""Heading: what stands above the rows of a sheet, which is title rows and a header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.model.cell import Cell
from streamware.model.columns import Head
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style

TITLE = Style(bold=True, size=14)
"""How a text looks that is all of a title row."""


def rows_above(head: Head, options: SheetOptions) -> int:
    """So many rows stand above the first data row."""
    return len(options.title_rows) + bool(head.titles)


def title_cells(row: str | Sequence[Any]) -> Sequence[Any]:
    """The cells of a title row, of which a text is the only one."""
    return [Cell(row, TITLE)] if isinstance(row, str) else row
