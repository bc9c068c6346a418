"""Rows of anything that exports an Arrow stream: Polars, DuckDB, a record batch reader.

Iterating such a table would give its columns, or their names, instead of rows.

Source: the Arrow PyCapsule interface (`__arrow_c_stream__`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from streamware.errors import CellError
from streamware.rows.slicing import sliced_rows

# Words in the names of types whose equal values are stored once, or whose slices have all bytes.
_SHARED = ("dictionary", "view", "run_end", "union", "extension")


def speaks_arrow(rows: object) -> bool:
    """Return whether `rows` can export itself as an Arrow stream, or as an array."""
    type_ = type(rows)
    return hasattr(type_, "__arrow_c_stream__") or hasattr(type_, "__arrow_c_array__")


def _count(table: object) -> int | None:
    """Return the number of rows of a table or data frame; None of anything else.

    Only attributes of known classes are asked: others may compute it, or have columns of that name.
    """
    name = {"pyarrow": "num_rows", "polars": "height"}.get(type(table).__module__.partition(".")[0])
    count = getattr(table, name, None) if name else None
    return count if type(count) is int else None


class ArrowRows:
    """The rows of an Arrow stream, as tuples, a record batch at a time.

    Args:
        table: An object with `__arrow_c_stream__`.

    Attributes:
        count: The number of rows, if the object is a whole table; None if it is not known.

    Raises:
        ImportError: pyarrow, which reads the stream, is not installed.
    """

    def __init__(self, table: Any) -> None:
        import pyarrow  # noqa: PLC0415 - needed for Arrow only

        self.count = _count(table)
        self._reader = _reader_of(table, pyarrow)
        self._rows: Generator[tuple[object, ...], None, None] = self._read()

    @property
    def description(self) -> list[tuple[str]]:
        """Names of the columns, in PEP 249's form."""
        return [(name,) for name in self._reader.schema.names]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return self._rows

    def close(self) -> None:
        """Release the stream."""
        self._rows.close()
        self._reader.close()

    def _read(self) -> Any:
        names, first = self._reader.schema.names, 1
        for batch in self._reader:

            def read(
                start: int, stop: int, batch: Any = batch, first: int = first
            ) -> list[Sequence[object]]:
                columns = zip(names, batch.slice(start, stop - start).columns, strict=True)
                return [_cells(column, name, first + start) for name, column in columns]

            def size_of(start: int, stop: int, batch: Any = batch) -> int | None:
                return _size_of(batch.slice(start, stop - start))

            yield from sliced_rows(batch.num_rows, read, size_of)
            first += batch.num_rows


def _reader_of(table: Any, pyarrow: Any) -> Any:
    """Return a reader of the batches of a table.

    Raises:
        TypeError: It is a single column without a name.
    """
    try:
        if hasattr(table, "__arrow_c_stream__"):
            return pyarrow.RecordBatchReader.from_stream(table)
        batch = pyarrow.record_batch(table)
    except (pyarrow.ArrowInvalid, TypeError, ValueError):
        if hasattr(table, "to_frame"):  # a Series of Polars
            return _reader_of(table.to_frame(), pyarrow)
        raise TypeError(
            f"rows must be a table, not a single column ({type(table).__name__}): give it a name,"
            " such as by pyarrow.table({'name': column})"
        ) from None
    return pyarrow.RecordBatchReader.from_batches(batch.schema, [batch])


def _cells(column: Any, name: str, first: int) -> Sequence[object]:
    """Return the cells of a column of a batch.

    Args:
        column: The column.
        name: Its name, for messages.
        first: Number of its first row, for messages.

    Raises:
        CellError: Python has no such date or duration.
    """
    try:
        cells: Sequence[object] = column.to_pylist()
    except (OverflowError, ValueError):
        row = first + next(at for at, cell in enumerate(column) if not _has_value(cell))
    else:
        return cells
    raise CellError(
        row, name, str(column.type), "is beyond what Python can hold; cast the column to text"
    )


def _has_value(cell: Any) -> bool:
    try:
        cell.as_py()
    except (OverflowError, ValueError):
        return False
    return True


def _size_of(batch: Any) -> int | None:
    """Return the bytes of the values of a record batch; None if its buffers do not show them."""
    sizes = [_column_size(column) for column in batch.columns]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _column_size(column: Any) -> int | None:
    kind = str(column.type)
    if kind in ("string_view", "binary_view"):  # views of 16 bytes, each with a length in front
        views = memoryview(column.buffers()[1]).cast("i")
        return sum(views[4 * column.offset : 4 * (column.offset + len(column)) : 4].tolist())
    if any(word in kind for word in _SHARED):
        return None
    return int(column.nbytes)
