"""Pulls rows in batches that are bounded by rows, text and time.

The first batches are small, so that the first bytes leave early; each is at most twice as long as
the one before.  A row that exhausts the text of a batch ends it, and is encoded alone if it is
wide, so that memory stays flat when cells of a megabyte follow small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import length_hint
from time import monotonic
from typing import Any

from streamware.errors import EncodeError
from streamware.kernel import native
from streamware.model.columns import Tagged
from streamware.rows.weighing import (
    MOST_CHARACTERS,
    SMALL,
    Places,
    RowWeigher,
    Sizer,
    cells_of,
    places_of,
)

FIRST_ROWS = 32
MOST_ROWS = 512
MOST_CELLS = 10_240  # in a batch, of any kind
_FEW_ROWS, _MOST_OF_FEW = 4, 65_536  # however wide, 4 rows are a batch up to this many cells
# Methods by which cells are read.
_READING: dict[type, list[str]] = {
    tuple: ["__iter__", "__getitem__", "__len__"],
    dict: ["__getitem__"],
}
_WEIGHTLESS = tuple(SMALL)
_EARLY_LOOKS = 8
_WIDE = 65_536  # characters; the last row of a batch is encoded alone if it has more text
_END = object()


class RowBatcher:
    """Pulls rows from one iterator into `pending`, a batch at a time.

    Only the thread that pulls appends to `pending`.  Another thread may `take` what is there while
    a pull is blocked, so that a clock can flush the rows that have come so far.  One thread at a
    time takes.

    Args:
        rows: The rows.
        sheets: The list that gets the sheets of `Tagged` rows, each before its row is pending; None
            if rows are not tagged.
        size: Returns the characters of a cell.
    """

    def __init__(
        self, rows: Iterable[Any], sheets: list[Any] | None = None, size: Sizer | None = None
    ) -> None:
        self.pending: list[Any] = []  # rows pulled and not yet taken
        self.ended = False  # whether the iterator is exhausted
        # The rows that are still to come, without their tags.
        self._rows = iter(rows) if sheets is None else _untagged(rows, sheets)
        self._cell_size = size or Sizer()  # of a cell
        # Knows which cells may be long; made with the first row, unless the kernel weighs the rows.
        self._weigher: RowWeigher
        self._started = False  # whether the first row has come
        self._by_kernel = False  # whether the kernel weighs the rows, every cell of them
        self._places: Places | None = None  # where they are, if rows are objects
        self._gap = 1  # rows up to the next one that the weigher looks at
        # Rows that it will look at before, because they are unlike the ones so far: a cell that was
        # None in all of them may be a number.
        self._early_looks = _EARLY_LOOKS
        self._size = FIRST_ROWS  # rows in the next batch, at most
        self._characters = 0  # in the last pull; in one in flight, as many as there may be
        self._most = MOST_ROWS  # rows of this width that a batch may have
        # Whether cells of the last pull may be long that were not weighed.
        self._unweighed = False
        # The time after which the next row ends the batch; in a list that the kernel looks into.
        self._due = [0.0]
        self._stopped = False  # whether the next row ends the pull in flight

    def stop(self) -> None:
        """Make the next row end the pull in flight; any thread may call this."""
        self._stopped = True
        self._due[0] = 0.0

    def pull(self, due: float) -> None:
        """Pull a batch; return earlier when a row arrives after `due`, or the text is enough.

        Text in cells that belong to no column counts too, because it is in memory.

        Raises:
            EncodeError: A row is not `Tagged`, and the first one was.
        """
        self._due[0] = due
        if self._stopped:  # checked after the assignment, which could undo a stop in between
            self._due[0] = 0.0
        self._characters = MOST_CHARACTERS
        room, whole, started = MOST_CHARACTERS, True, self._started
        if not started:
            room, whole = self._pull_first(room)
        if whole:
            most = min(self._size, self._most) - (not started)
            if self._by_kernel:
                room, whole, self.ended = self._pull_natively(self._rows, most, room)
            else:
                room, whole = self._pull_rows(most, room)
        if whole:
            self._size = min(2 * self._size, MOST_ROWS)
        elif room < 0:
            self._size = max(1, self._size // 2)
        self._characters = MOST_CHARACTERS - room

    def take(self) -> list[Any]:
        """Return the pending rows, and remove them from `pending`."""
        rows = self.pending[:]
        del self.pending[: len(rows)]
        return rows

    def portions(self) -> list[tuple[list[Any], int]]:
        """Take the pending rows, in lists to encode one after the other; with their characters.

        A wide last row is encoded alone.
        """
        rows, total = self.take(), self._characters
        unweighed, self._unweighed = self._unweighed, False
        if unweighed:
            weights = list(map(self._cell_size.row, rows))
            return [(rows[start:stop], sum(weights[start:stop])) for start, stop in spans(weights)]
        # The kernel has weighed every cell: if all together are not too wide, no row is.
        if len(rows) < 2 or (self._by_kernel and total <= _WIDE):
            return [(rows, total)]
        wide = (self._cell_size.row if self._by_kernel else self._weigher.weigh)(rows[-1])
        if wide <= _WIDE:
            return [(rows, total)]
        return [(rows[:-1], total - wide), (rows[-1:], wide)]

    def _pull_first(self, room: int) -> tuple[int, bool]:
        """Append the first row to `pending`: its width bounds the batches, its type who weighs it.

        The arguments and the result are those of `_pull_rows`.
        """
        row: Any = next(self._rows, _END)
        if row is _END:
            self.ended = True
            return room, False
        self._started = True
        if native is not None:
            is_weighed = _is_weighed(type(row))
            self._places = None if is_weighed else places_of(row)
            self._by_kernel = is_weighed or self._places is not None
        if self._by_kernel:
            room, whole, _ = self._pull_natively(iter((row,)), 1, room)
            width = len(cells_of(row)) or 1
        else:
            self.pending.append(row)
            self._weigher = RowWeigher(self._cell_size)
            self._gap = next(self._weigher.gaps)
            if self._weigher.look(row):
                room -= self._cell_size.row(row)
            whole = room >= 0 and monotonic() <= self._due[0]
            width = self._weigher.width
        self._most = max(1, MOST_CELLS // width, min(_FEW_ROWS, _MOST_OF_FEW // width))
        return room, whole

    def _pull_natively(self, rows: Iterator[Any], most: int, room: int) -> tuple[int, bool, bool]:
        """Do what `_pull_rows` does, by the kernel; return also whether there are no more rows."""
        pulled: tuple[int, bool, bool] = native.pull(  # type: ignore[union-attr]  # `_by_kernel` says so
            rows,
            most,
            self.pending,
            room,
            self._due,
            monotonic,
            _WEIGHTLESS,
            self._cell_size,
            self._cell_size.row,
            self._places,
        )
        return pulled

    def _pull_rows(self, most: int, room: int) -> tuple[int, bool]:
        """Append `most` rows to `pending`; fewer if the text is enough, or a row comes late.

        This is the innermost loop of every export.  It never looks at `pending`, because another
        thread may empty it at any time.

        Args:
            most: The number of rows.
            room: The characters that they may have.

        Returns:
            What is left of `room`, and whether `most` rows were there.
        """
        append, weigher, gap, looked = self.pending.append, self._weigher, self._gap, self._gap
        texts, whole, rest = weigher.texts, weigher.whole, weigher.has_rest
        for row in islice(self._rows, most):
            append(row)
            try:
                if type(row) is whole:
                    text = len("".join(row)) if weigher.joins else sum(map(length_hint, row))
                else:
                    text = 0
                    for key in texts:
                        text += len(row[key] or "")
                    if rest:
                        text += weigher.weigh_rest(row)
            except Exception:  # noqa: BLE001 - of the caller's code: raised again where cells are read
                text = weigher.weigh_unlike(row)
                whole = weigher.whole
                if self._early_looks:
                    self._early_looks -= 1
                    looked, gap = looked - gap + 1, 1
            gap -= 1
            if not gap:
                gap = next(weigher.gaps)
                looked += gap
                if weigher.look(row):
                    text = self._cell_size.row(row)
                    self._unweighed = True
                whole, rest = weigher.whole, weigher.has_rest
            room -= text
            if room < 0 or monotonic() > self._due[0]:
                self._gap = gap
                return room, False
        self._gap = gap
        self.ended = looked - gap < most
        return room, not self.ended


def _is_weighed(type_: Any) -> bool:
    """Return whether the kernel weighs rows of this type, and need not ask for each."""
    if type_ in (tuple, list, dict):
        return True
    # Of a named tuple the cells are where those of any tuple are; so is it with an OrderedDict.
    own = dict if issubclass(type_, dict) else tuple
    same = issubclass(type_, own)
    return same and all(getattr(type_, name) is getattr(own, name) for name in _READING[own])


def spans(weights: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of runs whose weights are together as much as a batch may have.

    A weight that is more is alone.
    """
    start = total = 0
    for at, weight in enumerate(weights):
        if at > start and total + weight > MOST_CHARACTERS:
            yield start, at
            start, total = at, 0
        total += weight
    yield start, len(weights)


def _untagged(rows: Iterable[Any], sheets: list[Any]) -> Iterator[Any]:
    """Yield the rows of `Tagged` ones, after appending the sheet of each to `sheets`."""
    for number, row in enumerate(rows, 1):
        if type(row) is not Tagged:
            kind = type(row).__name__
            raise EncodeError(f"row {number} must be Tagged like the first row, not {kind}")
        sheets.append(row.sheet)
        yield row.row
