"""Rows of pandas: a DataFrame or a Series, a slice at a time.

pandas exports itself as an Arrow stream, too, but that copies the whole frame first, invents a name
for an index that has none, gives periods as numbers, and refuses columns of mixed types or of one
name.  pandas is recognised by the names of its classes, and never imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streamware.rows.slicing import sliced_rows

_CLASSES = frozenset({"DataFrame", "Series", "Index"})


def is_frame(rows: object) -> bool:
    """Return whether `rows` is a DataFrame, a Series or an Index of pandas, or of a subclass."""
    return any(
        base.__name__ in _CLASSES and base.__module__.partition(".")[0] == "pandas"
        for base in type(rows).__mro__
    )


class FrameRows:
    """The rows of a frame, as tuples, with those levels of its index first that have a name.

    What is missing to pandas (NaN, NaT, NA) is None.

    Args:
        frame: A DataFrame; or a Series, which is a frame of one column, or an Index, which is one
            of a column for each of its levels.
    """

    def __init__(self, frame: Any) -> None:
        if not hasattr(frame, "columns"):
            frame = frame.to_frame() if hasattr(frame, "index") else frame.to_frame(index=False)
        self._frame = frame
        # Positions of the levels of the index that have a name.
        self._levels = [at for at, name in enumerate(frame.index.names) if name is not None]
        self._rows = self._read()

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self._frame)

    @property
    def description(self) -> list[tuple[str]]:
        """Names of the columns, in PEP 249's form; the parts of a name in levels have a dot."""
        index = [self._frame.index.names[at] for at in self._levels]
        return [(_name(label),) for label in (*index, *self._frame.columns)]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return self._rows

    def _read(self) -> Iterator[tuple[object, ...]]:
        return sliced_rows(len(self._frame), self._columns, self._size)

    def _columns(self, start: int, stop: int) -> list[Sequence[object]]:
        piece = self._frame.iloc[start:stop]
        levels = [_cells(piece.index.get_level_values(at)) for at in self._levels]
        return [*levels, *(_cells(piece.iloc[:, at]) for at in range(piece.shape[1]))]

    def _size(self, start: int, stop: int) -> int:
        """Return the bytes of the columns; those of objects that exist already do not count."""
        return int(self._frame.iloc[start:stop].memory_usage().sum())


def _name(label: object) -> str:
    if isinstance(label, tuple):
        return ".".join(str(part) for part in label if part != "")
    return str(label)


def _cells(column: Any) -> Sequence[object]:
    """Return the cells of a column or of a level of an index."""
    cells: list[object] | None = None
    if getattr(column.dtype, "kind", None) == "M":
        cells = _datetimes(column.array)
    if cells is None:
        cells = column.tolist()
    missing = column.isna()
    if missing.any():
        cells = [None if none else cell for cell, none in zip(cells, missing, strict=True)]
    return cells


def _datetimes(array: Any) -> list[object] | None:
    """Return Python's date-times, which are much faster to write; None if they are not enough."""
    try:
        if (array.nanosecond > 0).any():
            return None
        found: list[object] = array.to_pydatetime().tolist()
    except (AttributeError, ValueError, OverflowError):  # not of NumPy, or of other years
        return None
    return found
