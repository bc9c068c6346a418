"""Table: the rows of one sheet, from the first to the last, as batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from streamware.model.columns import Batch, Column
from streamware.model.sheet_options import SheetOptions
from streamware.rows.layout import Layout


class Table:
    """Rows that lie in the same columns; their layout is settled by the first of them.

    Args:
        columns: The chosen ones, or None: the source or the first row decides.
        names: Names of the source's own columns, where it tells them.
        extra: As of `Layout`.
        name: Name of the sheet.
        options: What surrounds its rows.

    Attributes:
        name: Name of the sheet.
        layout: How its rows lie, once there is one.
    """

    def __init__(
        self,
        columns: tuple[Column, ...] | None,
        names: list[str] | None,
        *,
        extra: Literal["error", "ignore"],
        name: str | None = None,
        options: SheetOptions | None = None,
    ) -> None:
        self.name = name
        self.layout: Layout | None = None
        self._columns = columns
        self._names = names
        self._extra: Literal["error", "ignore"] = extra
        self._options = options
        self._row = 1

    def batch(self, rows: list[Any]) -> Batch:
        """The next rows; attributes, callables and conversions of the caller's are called."""
        layout = self.layout or self._laid_out(rows[0])
        batch = Batch(layout.head, self._row, len(rows), layout.cells(rows, self._row))
        self._row += len(rows)
        return batch

    def empty(self) -> Batch:
        """No rows, where there were none."""
        layout = self._laid_out(Layout.NO_ROWS)
        return Batch(layout.head, 1, 0, [()] * len(layout.head.columns))

    @property
    def heavy(self) -> Sequence[Any] | None:
        """Keys of the cells whose length counts; None where all of them do."""
        return None if self.layout is None else self.layout.heavy

    def any_thread(self, row: Any) -> bool:
        """Whether any thread may reach the cells of rows like `row`.

        No attribute, callable or conversion of the caller's is involved then.
        """
        columns = self._columns or ()
        plain = not any(callable(c.key) or c.convert is not None for c in columns)
        direct = not any(isinstance(c.key, str) and "." in c.key for c in columns)
        return plain and direct and hasattr(row, "__len__") and hasattr(row, "__getitem__")

    def _laid_out(self, first: Any) -> Layout:
        self.layout = Layout(
            self._columns,
            self._names,
            first,
            extra=self._extra,
            name=self.name,
            options=self._options,
        )
        return self.layout
