"""Rows of NumPy: a structured array, a slice at a time, with the names of its fields.

Iterating one gives scalars that know their names, but that are slow to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streamware.rows.slicing import sliced_rows


def is_structured(rows: Any) -> bool:
    """Return whether `rows` is an array of one dimension whose items have named fields."""
    fields = getattr(getattr(rows, "dtype", None), "names", None)
    return type(fields) is tuple and getattr(rows, "ndim", None) == 1


class ArrayRows:
    """The rows of a structured array, as tuples.  What is masked is None.

    Args:
        array: An array of one dimension.

    Attributes:
        count: The number of rows.
    """

    def __init__(self, array: Any) -> None:
        self.count = len(array)
        self._array = array
        self._rows = sliced_rows(self.count, self._columns, self._size)

    @property
    def description(self) -> list[tuple[str]]:
        """Names of the fields, in PEP 249's form."""
        return [(name,) for name in self._array.dtype.names]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return self._rows

    def _columns(self, start: int, stop: int) -> list[Sequence[object]]:
        piece = self._array[start:stop]
        return [_cells(piece[name]) for name in piece.dtype.names]

    def _size(self, start: int, stop: int) -> int | None:
        return None if self._array.dtype.hasobject else (stop - start) * self._array.dtype.itemsize


def _cells(column: Any) -> Sequence[object]:
    """Return the cells of a field; times and odd numbers are left to the formatter."""
    plain = column.dtype.kind in "biufUSO" and column.dtype.itemsize <= _DOUBLE
    if column.ndim == 1 and (plain or column.dtype.kind in "USO"):
        cells: list[object] = column.tolist()  # of a masked array with None where it is masked
        return cells
    return list(column)


_DOUBLE = 8  # bytes; `tolist` leaves a longer number as it is
