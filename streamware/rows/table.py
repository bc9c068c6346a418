"""Table: numbers the rows of one sheet and arranges them in batches.

A layout knows how a row becomes cells; a table knows which rows have come.  They are two classes
because a layout can be made only when the first row is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from streamware.model.columns import Batch, Column
from streamware.model.sheet_options import SheetOptions
from streamware.rows.layout import Layout


class Table:
    """The rows of one sheet, whose layout the first of them decides.

    Args:
        columns: The caller's columns; None: the source or the first row decides.
        names: Names of the source's own columns, if it has any.
        extra: As in `Layout`.
        name: Name of the sheet.
        options: Options of the sheet.
        count: The number of its rows, if it is known.
    """

    def __init__(
        self,
        columns: tuple[Column, ...] | None,
        names: list[str] | None,
        *,
        extra: Literal["error", "ignore"],
        name: str | None = None,
        options: SheetOptions | None = None,
        count: int | None = None,
    ) -> None:
        self.name = name  # of the sheet
        self.layout: Layout | None = None  # of its rows, once the first one has come
        self._columns = columns  # the caller's
        self._names = names  # of the source's own columns
        self._extra: Literal["error", "ignore"] = extra  # what to do with new keys
        self._options = options  # of the sheet
        self._count = count  # of its rows, if it is known
        self._row = 1  # number of the next row

    def batch(self, rows: list[Any]) -> Batch:
        """Return the next rows as a batch; this may call attributes and functions of the caller."""
        layout = self.layout or self._make_layout(rows[0])
        batch = Batch(layout.head, self._row, len(rows), layout.cells(rows, self._row))
        self._row += len(rows)
        return batch

    def empty(self) -> Batch:
        """Return a batch without rows, for a sheet that has none."""
        layout = self._make_layout(Layout.NO_ROWS)
        return Batch(layout.head, 1, 0, [()] * len(layout.head.columns))

    @property
    def heavy_keys(self) -> Sequence[Any] | None:
        """Keys of the cells whose length counts; None if all of them do."""
        return None if self.layout is None else self.layout.heavy_keys

    def any_thread(self, row: Any) -> bool:
        """Return whether any thread may read the cells of rows like `row`.

        If so, no attribute, callable or conversion of the caller is involved.
        """
        columns = self._columns or ()
        plain = not any(callable(c.key) or c.convert is not None for c in columns)
        direct = not any(isinstance(c.key, str) and "." in c.key for c in columns)
        return plain and direct and hasattr(row, "__len__") and hasattr(row, "__getitem__")

    def _make_layout(self, first: Any) -> Layout:
        self.layout = Layout(
            self._columns,
            self._names,
            first,
            extra=self._extra,
            name=self.name,
            options=self._options,
            count=self._count,
        )
        return self.layout
