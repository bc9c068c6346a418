"""Sheets: how large one can be, and the rows of a batch that still go into one.

Source: Microsoft, "Excel specifications and limits"; LibreOffice 7.4 has the same.
"""

from __future__ import annotations

from streamware.errors import LimitError
from streamware.model.columns import Batch
from streamware.model.sheet_options import MAX_COLUMNS

MAX_ROWS = 1_048_576  # the header counted


def check_columns(sheet: str, count: int) -> None:
    """Whether a sheet can have so many columns.

    Raises:
        LimitError: It cannot.
    """
    if count > MAX_COLUMNS:
        what = f"sheet {sheet!r}: columns of the sheet"
        raise LimitError(what, limit=MAX_COLUMNS, actual=count)


def taken(batch: Batch, start: int, stop: int) -> Batch:
    """Some rows of a batch, by their places from 0, `stop` excluded."""
    columns = [cells[start:stop] for cells in batch.columns]
    return Batch(batch.head, batch.first + start, min(stop, batch.count) - start, columns)
