"""Rows of anything that exports an Arrow stream: Polars, DuckDB, a record batch reader.

Iterating such a table would give its columns, or their names, instead of rows.

Source: the Arrow PyCapsule interface (`__arrow_c_stream__`).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from errno import EINVAL, EIO, ENOMEM, ENOSYS
from typing import Any

from streamware.errors import CellError
from streamware.kernel import native
from streamware.rows.columnar import BEYOND, ColumnarRows, columnar_rows, marked
from streamware.rows.slicing import sliced_rows

# Words in the names of types whose equal values are stored once, or whose slices have all bytes.
_UNKNOWN = "is known to its library only; cast the column to a plain type, or leave it out"
_KNOWN = ("arrow.json", "arrow.uuid", "arrow.bool8", "arrow.fixed_shape_tensor")
_IN_STORAGE = ("arrow.json",)  # extension types whose storage is the value, if nobody knows them
_FINE = ("timestamp[ns", "time64[ns", "duration[ns")  # types of nanoseconds
_UTC = ("tz=UTC]", "tz=Etc/UTC]")
_OTHER_KEYS = re.compile("map<(?!(?:large_)?string|u?int)")  # a map whose keys are no texts
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


class _Given:
    """A stream that was asked for already."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._capsule


def arrow_rows(table: Any) -> ColumnarRows | ArrowRows:
    """Return the rows of something that speaks Arrow: by the kernel if it can, else by pyarrow.

    Raises:
        ImportError: It takes pyarrow, which is not installed.
        OSError: The stream has failed.
        EncodeError: It is malformed.
    """
    if native is None or not hasattr(table, "__arrow_c_stream__"):
        return ArrowRows(table)
    capsule = table.__arrow_c_stream__()
    return columnar_rows(capsule, _count(table)) or ArrowRows(table, _Given(capsule))


class ArrowRows:
    """The rows of an Arrow stream, as tuples, a record batch at a time.

    Args:
        table: An object with `__arrow_c_stream__`.
        stream: The stream that it has given, if it was asked for it.

    Attributes:
        count: The number of rows, if the object is a whole table; None if it is not known.

    Raises:
        ImportError: pyarrow, which reads the stream, is not installed.
    """

    def __init__(self, table: Any, stream: _Given | None = None) -> None:
        try:
            import pyarrow  # noqa: PLC0415 - needed for Arrow only
        except ImportError as error:
            kind = type(table).__name__
            raise ImportError(f"a {kind} is read by pyarrow: pip install pyarrow") from error
        self.count = _count(table)
        self._pyarrow = pyarrow
        self._reader = _reader_of(table, pyarrow, stream)
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

    def _refuse_unknown(self) -> None:
        """Raise CellError if only its library knows what the values of a column are."""
        for field in self._reader.schema:
            if kind := _unknown(field, self._pyarrow):
                raise CellError(1, field.name, kind, _UNKNOWN)

    def _next(self) -> Any:
        """Return the next record batch; None at the end.

        Raises:
            OSError: The stream has failed.
        """
        try:
            return next(self._reader, None)
        except (self._pyarrow.ArrowException, OSError) as error:
            raise OSError(_code_of(error), f"the Arrow stream failed: {error}") from error

    def _read(self) -> Any:
        names, first = self._reader.schema.names, 1
        for batch in iter(self._next, None):
            if first == 1 and batch.num_rows:
                self._refuse_unknown()

            def read(
                start: int, stop: int, batch: Any = batch, first: int = first
            ) -> list[Sequence[object]]:
                columns = zip(names, batch.slice(start, stop - start).columns, strict=True)
                return [_cells(column, name, first + start) for name, column in columns]

            def size_of(start: int, stop: int, batch: Any = batch) -> int | None:
                return _size_of(batch.slice(start, stop - start))

            yield from sliced_rows(batch.num_rows, read, size_of)
            first += batch.num_rows


def _reader_of(table: Any, pyarrow: Any, stream: _Given | None = None) -> Any:
    """Return a reader of the batches of a table, or of the stream that it has given.

    Raises:
        TypeError: It is a single column without a name.
    """
    try:
        if hasattr(table, "__arrow_c_stream__"):
            return pyarrow.RecordBatchReader.from_stream(stream or table)
        batch = pyarrow.record_batch(table)
    except pyarrow.ArrowInvalid as error:
        if "non-struct" not in str(error):
            raise
        if hasattr(table, "to_frame"):  # a Series of Polars
            return _reader_of(table.to_frame(), pyarrow)
        raise TypeError(
            f"rows must be a table, not a single column ({type(table).__name__}): give it a name,"
            " such as by pyarrow.table({'name': column})"
        ) from None
    return pyarrow.RecordBatchReader.from_batches(batch.schema, [batch])


def _unknown(field: Any, pyarrow: Any) -> str | None:
    """Return the extension type in a field whose values are not those of its storage, or None."""
    name = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    if name and name not in _IN_STORAGE:
        return f"extension<{name}>"
    return _unknown_type(field.type, pyarrow)


def _unknown_type(type_: Any, pyarrow: Any) -> str | None:
    if isinstance(type_, pyarrow.BaseExtensionType):
        opaque = type_.extension_name == "arrow.opaque" and "binary" not in str(type_.storage_type)
        known = opaque or type_.extension_name in _KNOWN
        return None if known else f"extension<{type_.extension_name}>"
    if pyarrow.types.is_dictionary(type_) or pyarrow.types.is_run_end_encoded(type_):
        return _unknown_type(type_.value_type, pyarrow)
    inner = (_unknown(type_.field(at), pyarrow) for at in range(type_.num_fields))
    return next(filter(None, inner), None)


def _code_of(error: Exception) -> int:
    """Return the number that the C interface gives the error of a stream."""
    if isinstance(error, OSError):
        return error.errno or EIO
    if isinstance(error, MemoryError):
        return ENOMEM
    return ENOSYS if isinstance(error, NotImplementedError) else EINVAL


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
        return _values(column)
    except (OverflowError, ValueError):
        row = first + next((at for at, cell in enumerate(column) if not _has_value(cell)), 0)
    kind, problem = str(column.type), BEYOND
    if "struct<" in kind:
        problem = "cannot be a value of Python; do two of its fields have the same name?"
    raise CellError(row, name, kind, problem)


def _values(column: Any) -> Sequence[object]:
    kind = str(column.type)
    if kind.startswith("timestamp") and kind.endswith(_UTC):
        column = _in_utc(column)
    if kind.startswith(_FINE):
        return _rounded(column)
    cells: list[object]
    if "map<" in kind and not _OTHER_KEYS.search(kind):
        cells = [_of_map(cell) for cell in column]
    else:
        cells = column.to_pylist()
    if "month_day_nano" in kind and kind != "month_day_nano_interval":
        return [_with_spans(cell) for cell in cells]
    return cells


def _in_utc(column: Any) -> Any:
    """Return date-times in UTC itself, and not in an equal zone of zoneinfo."""
    import pyarrow  # noqa: PLC0415 - needed for Arrow only

    return column.cast(pyarrow.timestamp(column.type.unit, "+00:00"))


def _of_map(cell: Any) -> object:
    """Return a value with maps in it, which are dicts unless a key is twice in one."""
    try:
        return cell.as_py(maps_as_pydicts="strict")
    except (KeyError, TypeError, ValueError):
        return cell.as_py()


def _with_spans(cell: Any) -> object:
    """Return a nested value with durations in place of Arrow's intervals, which are tuples."""
    if isinstance(cell, dict):
        return {key: _with_spans(value) for key, value in cell.items()}
    if isinstance(cell, list):
        return [_with_spans(value) for value in cell]
    if hasattr(cell, "nanoseconds") and isinstance(cell, tuple):
        months, days, fine = cell
        return timedelta(days=30 * months + days, microseconds=fine // 1000)
    return cell


def _rounded(column: Any) -> Sequence[object]:
    """Return the cells of a column of nanoseconds, which Python does not have."""
    fine = column.cast("int64").to_pylist()
    micros = [None if value is None else value // 1000 for value in fine]
    cells: list[Any] = _of_micros(column.type, micros).to_pylist()
    for at, value in enumerate(fine):
        if value is not None and value % 1000:
            cells[at] = marked(cells[at])
    return cells


def _of_micros(type_: Any, values: Sequence[int | None]) -> Any:
    import pyarrow  # noqa: PLC0415 - needed for Arrow only

    plain = pyarrow.array(values, "int64")
    if pyarrow.types.is_timestamp(type_):
        return plain.cast(pyarrow.timestamp("us", type_.tz))
    return plain.cast(
        pyarrow.time64("us") if pyarrow.types.is_time(type_) else pyarrow.duration("us")
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
