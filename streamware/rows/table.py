"""Table: numbers the rows of one sheet and arranges them in batches.

A layout knows how a row becomes cells; a table knows which rows have come.  They are two classes
because a layout can be made only when the first row is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Literal

from streamware.model.columns import Batch, Cells, Column
from streamware.model.sheet_options import SheetOptions
from streamware.rows.batching import FIRST_ROWS, spans
from streamware.rows.held import UnheldError
from streamware.rows.layout import Layout
from streamware.rows.weighing import MOST_CHARACTERS, Sizer

_SLICE = 8  # rows whose cells are made before they are weighed


class Table:
    """The rows of one sheet, whose layout the first of them decides.

    Args:
        columns: The caller's columns; None: the source or the first row decides.
        names: Names of the source's own columns, if it has any.
        extra: As in `Layout`.
        name: Name of the sheet.
        options: Options of the sheet.
        count: The number of its rows, if it is known.
        size: Returns the characters of a cell.
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
        size: Sizer | None = None,
    ) -> None:
        self.name = name  # of the sheet
        self.layout: Layout | None = None  # of its rows, once the first one has come
        self._columns = columns  # the caller's
        self._names = names  # of the source's own columns
        self._extra: Literal["error", "ignore"] = extra  # what to do with new keys
        self._options = options  # of the sheet
        self._count = count  # of its rows, if it is known
        self._row = 1  # number of the next row
        self._size = size or Sizer()  # of a cell

    def batches(self, rows: Sequence[Any], *, last: bool = False) -> Iterator[Batch]:
        """Yield the next rows in batches; this may call attributes and functions of the caller.

        There is one batch, unless such calls return so much text that memory would not be bounded.

        Args:
            rows: The rows.
            last: Whether it is known that no others follow.

        Raises:
            EncodeError: A chosen column is in none of the first rows.
        """
        layout = self.layout or self._make_layout(rows[0])
        if layout.unseen:
            self._look_for_unseen(layout, rows, last=last)
        if not layout.made:
            with suppress(UnheldError):
                columns = layout.cells(rows, self._row)
            if not layout.made:
                yield self._batch(layout, columns, len(rows))
                return
        waiting: list[Sequence[Cells]] = []  # the columns of some rows each
        count, room = 0, MOST_CHARACTERS  # rows that wait; characters that they may still have
        for start in range(0, len(rows), _SLICE):
            some = rows[start : start + _SLICE]
            columns = layout.cells_of_few(some, self._row + count)
            text = sum([self._size.column(columns[at]) for at in layout.made])
            if waiting and text > room:
                yield self._batch(layout, _joined(waiting), count)
                waiting, count, room = [], 0, MOST_CHARACTERS
            if text <= room:
                waiting.append(columns)
                count, room = count + len(some), room - text
                continue
            made = zip(*(columns[at] for at in layout.made), strict=True)
            weights = [sum(map(self._size, cells)) for cells in made]
            for first, stop in spans(weights):
                yield self._batch(layout, [cells[first:stop] for cells in columns], stop - first)
        if waiting:
            yield self._batch(layout, _joined(waiting), count)

    def finish(self) -> None:
        """Raise EncodeError if a chosen column is in none of the rows, which were few."""
        if self.layout is not None and self.layout.unseen:
            raise self.layout.missing(self._row - 1)

    def _look_for_unseen(self, layout: Layout, rows: Sequence[Any], *, last: bool) -> None:
        before = self._row - 1
        layout.look_for_unseen(rows[: FIRST_ROWS - before])
        seen = before + len(rows)
        if layout.unseen and (last or seen >= FIRST_ROWS):
            raise layout.missing(min(seen, FIRST_ROWS))

    def empty(self) -> Batch:
        """Return a batch without rows, for a sheet that has none."""
        layout = self._make_layout(Layout.NO_ROWS)
        return Batch(layout.head, 1, 0, [()] * len(layout.head.columns))

    def any_thread(self, row: Any) -> bool:
        """Return whether any thread may read the cells of rows like `row`.

        If so, no attribute, callable or conversion of the caller is involved.
        """
        columns = self._columns or ()
        plain = not any(callable(c.key) or c.convert is not None for c in columns)
        direct = not any(isinstance(c.key, str) and "." in c.key for c in columns)
        return plain and direct and hasattr(row, "__len__") and hasattr(row, "__getitem__")

    def _batch(self, layout: Layout, columns: Sequence[Cells], count: int) -> Batch:
        batch = Batch(layout.head, self._row, count, columns)
        self._row += count
        return batch

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


def _joined(slices: list[Sequence[Cells]]) -> Sequence[Cells]:
    """Return the columns of some rows, which come in slices, each with all columns."""
    if len(slices) == 1:
        return slices[0]
    return [list(chain.from_iterable(parts)) for parts in zip(*slices, strict=True)]
