"""Rows of anything that exports an Arrow stream: Polars, DuckDB, a record batch reader.

Iterating such a table would give its columns, or their names, instead of rows.

Source: the Arrow PyCapsule interface (`__arrow_c_stream__`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any


def speaks_arrow(rows: object) -> bool:
    """Return whether `rows` can export itself as an Arrow stream."""
    return hasattr(rows, "__arrow_c_stream__")


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
        self._reader = pyarrow.RecordBatchReader.from_stream(table)
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
        for batch in self._reader:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
