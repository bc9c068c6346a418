"""Rows of an Arrow stream that the compiled kernel reads, which stay columns of Arrow's buffers.

They pass the engine in slices of a record batch.  Python objects are made of a column only if
something asks for its cells: the kernel writes most of them straight from the buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import chain
from time import monotonic
from typing import Any, NamedTuple

from streamware.errors import CellError, EncodeError
from streamware.kernel import native
from streamware.model.columns import Cells, StoredColumns
from streamware.rows.batching import FIRST_ROWS, MOST_CELLS, MOST_ROWS
from streamware.rows.weighing import MOST_CHARACTERS

BEYOND = "is beyond what Python can hold; cast the column to text"

# What the types are called whose values Python may not have.
_NAMES = {
    "u": "string", "U": "large_string", "vu": "string_view",
    "tdD": "date32[day]", "tdm": "date64[ms]",
    "tDs": "duration[s]", "tDm": "duration[ms]", "tDu": "duration[us]", "tDn": "duration[ns]",
    "+l": "list", "+L": "large_list", "+s": "struct", "+m": "map",
}  # fmt: skip
_UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}


class ArrowSlice(Sequence[Any]):
    """Some rows of a record batch: a sequence of tuples, which are made when they are asked for.

    Args:
        names: The names of the columns.
        columns: The columns, as the kernel has them.
        first: Number of the first row, for messages.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[Any], first: int) -> None:
        self._names = names
        self._columns = columns
        self._first = first
        self._count = len(columns[0])

    def chosen(self, places: Sequence[int]) -> StoredColumns:
        """Return the columns at these places."""
        if list(places) == list(range(len(self._columns))):
            return StoredColumns(self._columns, self._cells)
        width = len(self._columns)
        places = [place % width for place in places]
        stored = tuple([self._columns[place] for place in places])
        return StoredColumns(stored, lambda at: self._cells(places[at]))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return zip(*map(self._cells, range(len(self._columns))), strict=True)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            start, stop, _ = at.indices(self._count)
            return list(self.part(start, stop))
        return next(iter(self.part(at, at + 1)))

    def part(self, start: int, stop: int) -> ArrowSlice:
        """Return the rows between two positions."""
        columns = tuple([column.slice(start, stop) for column in self._columns])
        return ArrowSlice(self._names, columns, self._first + start)

    def weight(self, start: int, stop: int) -> int:
        """Return the bytes of the texts between two positions.

        Raises:
            EncodeError: The stream is malformed.
        """
        try:
            return sum([column.weigh(start, stop) for column in self._columns])
        except BufferError as error:
            raise _malformed(error) from None

    def _cells(self, at: int) -> Cells:
        """Return the cells of a column.

        Raises:
            CellError: Python has no such date or duration.
            EncodeError: The stream is malformed.
        """
        column, name = self._columns[at], self._names[at]
        try:
            cells: Cells = column.tolist()
        except BufferError as error:
            raise _malformed(error, name) from None
        except (OverflowError, ValueError):
            row = next(row for row in range(len(column)) if not _has_value(column, row))
            raise CellError(self._first + row, name, _kind(column.format), BEYOND) from None
        return cells


class ColumnarRows:
    """The rows of an Arrow stream.

    Args:
        stream: The kernel's stream.
        count: The number of rows, if it is known.

    Attributes:
        count: The number of rows, if it is known.
        description: Names of the columns, in PEP 249's form.
        most: The most rows of a slice.
    """

    def __init__(self, stream: Any, count: int | None) -> None:
        self.count = count  # of the rows, if it is known
        self.description = [(name,) for name in stream.names]  # in PEP 249's form
        self._names: list[str] = stream.names  # of the columns
        self._stream = stream  # the kernel's
        self._batch: ArrowSlice | None = None  # that is being read
        self._at = 0  # rows of it that were read
        self._row = 1  # number of its first row
        self._rows = FIRST_ROWS  # of the next slice, at most
        # Rows of a slice, at most.
        self.most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, len(self._names))))

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return chain.from_iterable(iter(self.pull, None))

    def first(self) -> tuple[object, ...] | None:
        """Return the first row, which is still to be read; None if there are no rows.

        Raises:
            OSError: As `pull`.
            EncodeError: As `pull`.
        """
        batch = self._current()
        return None if batch is None else batch[self._at]

    def pull(self) -> ArrowSlice | None:
        """Return the next rows; None if there are no others.

        Raises:
            OSError: The stream has failed.
            EncodeError: It is malformed.
        """
        batch = self._current()
        if batch is None:
            return None
        start, rows = self._at, min(self._rows, self.most)
        stop = min(start + rows, len(batch))
        while stop - start > 1 and batch.weight(start, stop) > MOST_CHARACTERS:
            rows = (stop - start) // 2
            stop = start + rows
        self._rows = min(2 * rows, MOST_ROWS)
        self._at = stop
        return batch.part(start, stop)

    def close(self) -> None:
        """Release the stream."""
        self._batch = None
        self._stream.close()

    def _current(self) -> ArrowSlice | None:
        """Return the record batch that has the next row; None at the end."""
        while self._batch is None or self._at == len(self._batch):
            if self._batch is not None:
                self._row += len(self._batch)
                self._batch = None
            self._at = 0
            try:
                given = self._stream.next()
            except BufferError as error:
                raise _malformed(error) from None
            if given is None:
                return None
            count, columns = given
            if count and columns:
                self._batch = ArrowSlice(self._names, columns, self._row)
        return self._batch


class SliceBatcher:
    """Pulls slices of an Arrow stream: what `RowBatcher` is for rows.

    Args:
        rows: The rows.
    """

    def __init__(self, rows: ColumnarRows) -> None:
        self.pending: list[ArrowSlice] = []  # slices pulled and not yet taken
        self.ended = False  # whether there are no more
        self._rows = rows  # where they come from
        self._few = min(FIRST_ROWS, rows.most)  # rows of a slice that goes alone
        self._stopped = False  # whether nothing more is to be pulled

    def stop(self) -> None:
        """Have no more pulled; any thread may call this."""
        self._stopped = True

    def pull(self, due: float) -> None:
        """Pull a slice, or a few of which each has only some rows; return if one comes after `due`.

        Raises:
            OSError: The stream has failed.
            EncodeError: It is malformed.
        """
        rows = weight = 0
        while not self._stopped:
            piece = self._rows.pull()
            if piece is None:
                self.ended = True
                return
            self.pending.append(piece)
            rows += len(piece)
            weight += piece.weight(0, len(piece))
            large = len(piece) >= self._few or rows >= self._rows.most
            if large or weight > MOST_CHARACTERS // 8 or monotonic() > due:
                return

    def portions(self) -> list[tuple[Sequence[Any], int]]:
        """Take the pending slices, to encode one after the other; those of few rows as one."""
        pieces = self.pending[:]
        del self.pending[: len(pieces)]
        small = pieces if pieces and len(pieces[-1]) < self._few else pieces[:-1]
        if len(small) < 2:
            return [(piece, 0) for piece in pieces]
        rows = list(chain.from_iterable(small))
        return [(piece, 0) for piece in (rows, *pieces[len(small) :])]


def columnar_rows(capsule: object, count: int | None) -> ColumnarRows | None:
    """Return the rows of an Arrow stream; None if the kernel does not know the type of a column.

    Args:
        capsule: What `__arrow_c_stream__` returned.  It is empty afterwards, unless None is
            returned.
        count: The number of rows, if it is known.

    Raises:
        OSError: The stream has failed.
        EncodeError: It is malformed.
    """
    try:
        stream = native.ArrowStream(capsule, _zone, marked, _span)  # type: ignore[union-attr]  # `arrow_rows` has looked
    except TypeError:
        return None
    except BufferError as error:
        raise _malformed(error) from None
    return ColumnarRows(stream, count)


def _malformed(error: BufferError, name: str | None = None) -> EncodeError:
    where = "" if name is None else f" in column {name}"
    return EncodeError(f"the Arrow stream is malformed{where}: {error}")


def _has_value(column: Any, row: int) -> bool:
    try:
        column[row]
    except (OverflowError, ValueError):
        return False
    return True


def _kind(format_: str) -> str:
    """Return what messages call the type of a column."""
    if format_.startswith("ts"):
        zone = format_[4:]
        return f"timestamp[{_UNITS[format_[2]]}{', tz=' if zone else ''}{zone}]"
    return _NAMES.get(format_, format_)


def _zone(name: str) -> tzinfo | None:
    """Return a time zone by its name or offset; None if there is none."""
    if name in ("UTC", "Etc/UTC"):
        return UTC
    try:
        if name[:1] in "+-":
            return datetime.strptime(name, "%z").tzinfo
        # Importing it takes time, and fails where sysconfig does.
        from zoneinfo import ZoneInfo  # noqa: PLC0415

        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return None


# Values that Python does not have -------------------------------------------------------------


class _FineDatetime(datetime):
    """A date-time that has lost nanoseconds, which is counted when it is written."""

    nanosecond = 1


class _FineTime(time):
    """The same of a time."""

    nanosecond = 1


class _FineDuration(timedelta):
    """The same of a duration."""

    nanoseconds = 1


def marked(cell: Any) -> object:
    """Return a value that has lost nanoseconds, so that this is counted."""
    if isinstance(cell, datetime):
        return _FineDatetime.combine(cell.date(), cell.timetz())
    if isinstance(cell, time):
        return _FineTime(cell.hour, cell.minute, cell.second, cell.microsecond)
    return _FineDuration(cell.days, cell.seconds, cell.microseconds)


class MonthDayNano(NamedTuple):
    """An interval, as Arrow's libraries for Python have it."""

    months: int
    days: int
    nanoseconds: int


def _span(months: int, days: int, fine: int, nested: bool) -> object:
    if nested:
        return timedelta(days=30 * months + days, microseconds=fine // 1000)
    return MonthDayNano(months, days, fine)
