"""Tables as rows: one that is given whole, or one after the other, as an iterator of them gives.

pandas' `read_sql(chunksize=)`, Arrow's batches and Polars' `collect_batches` are such iterators.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from streamware.errors import EncodeError
from streamware.rows.array import ArrayRows, is_structured
from streamware.rows.arrow import ArrowRows, arrow_rows, speaks_arrow
from streamware.rows.columnar import ColumnarRows
from streamware.rows.frame import FrameRows, is_frame

# Types of Polars that Arrow does not have; of an object it would get the address.
_ODD_TYPES = ("Object", "Int128")


class PlainRows:
    """The rows of a frame of Polars, as tuples that it makes itself.

    Args:
        frame: A DataFrame.

    Attributes:
        count: The number of rows.
    """

    def __init__(self, frame: Any) -> None:
        self.count = frame.height
        self.description = [(name,) for name in frame.columns]
        self._rows = frame.iter_rows()

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return iter(self._rows)


TableRows: TypeAlias = ArrayRows | ArrowRows | ColumnarRows | FrameRows | PlainRows
_ITERROWS = (
    "row 1 is a pair with a {} of pandas, as iterrows() and items() give; pass the frame itself"
)
_GROUPS = (
    "row 1 is a pair with a {}, as a grouped frame gives; pass a sheet for each group:"
    " [sw.Sheet(str(key), group) for key, group in grouped]"
)


def is_table(rows: object) -> bool:
    """Return whether `rows` is a table that has to be read as one, because iterating is no use."""
    return is_frame(rows) or speaks_arrow(rows) or is_structured(rows)


def table_rows(table: Any) -> TableRows:
    """Return the rows of a table, with the names of its columns.

    Raises:
        TypeError: Its columns have no names.
    """
    if is_frame(table):
        return FrameRows(table)
    types = " ".join(map(str, getattr(table, "dtypes", ())))
    if any(type_ in types for type_ in _ODD_TYPES):
        return PlainRows(table)
    return arrow_rows(table) if speaks_arrow(table) else ArrayRows(table)


def is_piece(row: object) -> bool:
    """Return whether the first of some rows is a table, so that all of them are.

    Raises:
        EncodeError: It is a pair of a label with a table, which is not what its caller meant.
    """
    if type(row) is tuple and len(row) == 2 and is_frame(row[1]):
        columns = hasattr(row[1], "columns")
        raise EncodeError((_GROUPS if columns else _ITERROWS).format(type(row[1]).__name__))
    if type(row) in (tuple, list, dict):
        return False
    if is_frame(row):  # a Series is one row of a frame
        return hasattr(row, "columns")
    return (speaks_arrow(row) and not hasattr(row, "_fields")) or is_structured(row)


class Pieces:
    """The rows of several tables, with the columns of the first.

    Args:
        first: The first table.
        rest: The others.
        chosen: Whether the caller chose columns; other columns of later tables are ignored then.
    """

    def __init__(self, first: Any, rest: Iterator[Any], *, chosen: bool) -> None:
        self._table = table_rows(first)  # that is being read
        self.names = [name for (name,) in self._table.description]  # of the columns
        self._rest = rest  # the other tables
        self._chosen = chosen  # whether the caller chose columns

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        number = 1
        while True:
            names = [name for (name,) in self._table.description]
            if names == self.names:
                yield from self._table
            else:
                yield from self._arranged(names, number)
            self.close()
            table = next(self._rest, None)
            if table is None:
                return
            number += 1
            if not is_piece(table):
                kind = type(table).__name__
                raise EncodeError(f"table {number} must be a table as the first one, not {kind}")
            self._table = table_rows(table)

    def close(self) -> None:
        """Release the table that is being read."""
        if isinstance(self._table, ArrowRows | ColumnarRows):
            self._table.close()

    def _arranged(self, names: Sequence[str], number: int) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a table whose columns are others, or in another order."""
        new = [name for name in names if name not in self.names]
        if (new and not self._chosen) or len(set(names)) < len(names):
            raise EncodeError(
                f"table {number} has the columns {', '.join(names)}; the first one had"
                f" {', '.join(self.names)} (to leave some out, choose with columns=)"
            )
        places = [names.index(name) if name in names else None for name in self.names]
        for row in self._table:
            yield tuple([None if at is None else row[at] for at in places])
