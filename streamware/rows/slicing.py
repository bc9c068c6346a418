"""Reads a table that is in memory as rows, a slice at a time, so that few Python objects are made.

The slices are bounded by the bytes of their buffers, or if these are not known, by the text of
the objects: equal texts of a dictionary are stored once, and become many objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streamware.rows.weighing import MOST_CHARACTERS, Sizer

_FIRST, _MOST = 8, 1024  # rows of a slice
_MOST_UNKNOWN = 8  # rows of a slice whose bytes are not known


def sliced_rows(
    count: int,
    read: Callable[[int, int], Sequence[Sequence[object]]],
    size_of: Callable[[int, int], int | None],
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table.

    Args:
        count: The number of rows.
        read: Returns the columns of the rows between two positions.
        size_of: Returns the bytes of these rows; None if they are not known.
    """
    made = Sizer().column
    start, rows = 0, _FIRST
    while start < count:
        stop = min(start + rows, count)
        size = size_of(start, stop)
        if rows > 1 and (size or 0) > MOST_CHARACTERS:
            rows //= 2
            continue
        if size is None and rows > _MOST_UNKNOWN:
            rows = _MOST_UNKNOWN
            continue
        columns = read(start, stop)
        yield from zip(*columns, strict=True)
        start = stop
        long = size is None and sum(map(made, columns)) > MOST_CHARACTERS
        rows = max(1, rows // 2) if long else min(2 * rows, _MOST)
