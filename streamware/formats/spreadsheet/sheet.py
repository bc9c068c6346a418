"""The size of a sheet, and the rows of a batch that it has room for.

Source: Microsoft, "Excel specifications and limits"; LibreOffice 7.4 has the same limits.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamware.errors import LimitError
from streamware.model.columns import Batch, Column
from streamware.model.sheet_options import MAX_COLUMNS

MAX_ROWS = 1_048_576  # including the header


def by_python(columns: Sequence[Column]) -> list[int]:
    """Return the positions of the columns whose cells the kernel cannot write."""
    # Of a link the text is in a formula; what is added up has to be seen.
    return [at for at, each in enumerate(columns) if each.url is not None or each.total is not None]


def check_columns(sheet: str, count: int) -> None:
    """Raise LimitError if a sheet cannot have `count` columns."""
    if count > MAX_COLUMNS:
        what = f"sheet {sheet!r}: columns of the sheet"
        raise LimitError(what, limit=MAX_COLUMNS, actual=count)


def batch_rows(batch: Batch, start: int, stop: int) -> Batch:
    """Return the rows of a batch from `start`, counted from 0, up to but excluding `stop`."""
    columns = [cells[start:stop] for cells in batch.columns]
    return Batch(batch.head, batch.first + start, min(stop, batch.count) - start, columns)
