"""The size of a sheet, and the rows of a batch that it has room for.

Source: Microsoft, "Excel specifications and limits"; LibreOffice 7.4 has the same limits.
"""

from __future__ import annotations

from streamware.errors import LimitError
from streamware.model.columns import Batch
from streamware.model.sheet_options import MAX_COLUMNS

MAX_ROWS = 1_048_576  # including the header


def check_columns(sheet: str, count: int) -> None:
    """Raise LimitError if a sheet cannot have `count` columns."""
    if count > MAX_COLUMNS:
        what = f"sheet {sheet!r}: columns of the sheet"
        raise LimitError(what, limit=MAX_COLUMNS, actual=count)


def batch_rows(batch: Batch, start: int, stop: int) -> Batch:
    """Return the rows of a batch from `start`, counted from 0, up to but excluding `stop`."""
    columns = [cells[start:stop] for cells in batch.columns]
    return Batch(batch.head, batch.first + start, min(stop, batch.count) - start, columns)
