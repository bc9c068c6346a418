"""Adoption: makes rows of what libraries offer in place of rows, or says in an error what does.

Iterated as it is, a QuerySet or a query reads its whole result into memory; a source does not.
Others look like rows and are none: a statement, a session, a LazyFrame, a group of frames.

Classes are recognised by their names: a library that is not there is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import GEN_CREATED, getgeneratorstate
from types import GeneratorType
from typing import Any

from streamware.errors import EncodeError
from streamware.model.columns import Column, numbered

LISTS = frozenset({list, tuple})
"""Types of rows that can be nothing else, so that most questions need not be asked of them."""

_BATCH = 1000  # rows that a cursor or a file is asked for at a time
_OPENED = (
    *("__iter__", "__aiter__", "__getitem__", "open_rows"),
    *("__arrow_c_stream__", "__arrow_c_array__"),
)
_OF_CLASS = "pass rows of it, such as a QuerySet, or sqlalchemy.rows(engine, select(…))"


def adopted(rows: Any) -> Any:
    """Return rows for what is in place of them, and other rows as they are.

    Raises:
        TypeError: They are no rows yet; the message says what makes rows of them.
    """
    if type(rows) in LISTS:
        return rows
    for base in type(rows).__mro__:
        adopt = _ADOPT.get((base.__module__.partition(".")[0], base.__name__))
        if adopt is not None:
            return adopt(rows)
    if isinstance(rows, type) and not any(hasattr(rows, name) for name in _OPENED):
        raise TypeError(
            f"rows must be an iterable of rows, not the class {rows.__name__}: {_OF_CLASS}"
        )
    if _is_cursor(rows):
        return _fetched(rows)
    queryset = _iterated(rows)  # whose truth would be a query
    if queryset is not None:
        return _queryset(queryset)
    if _is_connection(rows):
        raise _no_rows(rows, _OF_CONNECTION.format(_source_of(rows)))
    return rows


def is_object_row(row: Any) -> bool:
    """Return whether a row is one of SQLAlchemy's that holds nothing but an object.

    Raises:
        EncodeError: It holds others beside an object.
    """
    if not hasattr(type(row), "_mapping"):
        return False
    mapped = [cell for cell in row if hasattr(cell, "_sa_instance_state")]
    if mapped and len(row) > 1:
        raise EncodeError(
            f"row 1 holds {_article(type(mapped[0]).__name__)} among others: select the class and"
            " reach others by a path, such as columns=['number', 'customer.name'], or select the"
            " columns"
        )
    return bool(mapped)


def nested_columns(row: Any) -> tuple[Column, ...] | None:
    """Return the columns of a row of SQLAlchemy that holds rows, of a `Bundle`; None of others."""
    if not hasattr(type(row), "_mapping") or not any(map(_is_of_sqlalchemy, row)):
        return None
    cells = list(_nested(row if len(row) > 1 else row[0], () if len(row) > 1 else (0,)))
    titles = numbered([name for name, _ in cells])
    return tuple(
        Column(partial(_cell_at, path), title)
        for title, (_, path) in zip(titles, cells, strict=True)
    )


def _nested(row: Any, path: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name of each cell, and the positions that lead to it."""
    names = row._fields or ("_no_label",) * len(row)  # as SQLAlchemy calls them
    for at, (name, cell) in enumerate(zip(names, row, strict=True)):
        if _is_of_sqlalchemy(cell):
            yield from ((f"{name}.{inner}", steps) for inner, steps in _nested(cell, (*path, at)))
        else:
            yield name, (*path, at)


def _cell_at(path: tuple[int, ...], row: Any) -> object:
    for at in path:
        row = row[at]
    return row


def _is_of_sqlalchemy(row: object) -> bool:
    return hasattr(type(row), "_mapping") and hasattr(row, "_fields")


def check_single(row: Any) -> None:
    """Check that a first row is no list of rows, such as `partitions` and pages give.

    Raises:
        EncodeError: It is one.
    """
    if type(row) in LISTS:
        if len(set(map(type, row))) == 1 and _is_row(row[0], listed=type(row) is list):
            raise EncodeError(_LISTED.format(f"a {type(row).__name__}"))
        return
    for base in type(row).__mro__:
        if (base.__module__.partition(".")[0], base.__name__) in _OF_ROWS:
            raise EncodeError(_LISTED.format(_article(type(row).__name__)))


def _is_row(cell: Any, *, listed: bool) -> bool:
    """Return whether a cell of a first row is a row itself; that of a pair may be an object."""
    if hasattr(type(cell), "_mapping") or type(cell).__module__ == "sqlite3":
        return True
    return listed and (hasattr(cell, "_sa_instance_state") or hasattr(type(cell), "_meta"))


_OF_ROWS = {("django", "QuerySet"), ("django", "Page")}
_LISTED = (
    "row 1 is {} of rows: pass the rows themselves, such as a result in place of its partitions(),"
    " or itertools.chain.from_iterable(lists)"
)


def _no_rows(rows: Any, cure: str) -> TypeError:
    """Return the error to raise for something that is no rows."""
    kind = _article(type(rows).__name__)
    return TypeError(f"rows must be an iterable of rows, not {kind}: {cure}")


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "AEIOUaeiou" else f"a {name}"


def _refused(cure: str) -> Callable[[Any], Any]:
    def refuse(rows: Any) -> Any:
        raise _no_rows(rows, cure)

    return refuse


# Object-relational mappers ------------------------------------------------------------------


def _queryset(rows: Any) -> Any:
    from streamware.sources import django  # noqa: PLC0415 - it imports Django

    return django.rows(rows)


def _iterated(rows: Any) -> Any:
    """Return the QuerySet of which `rows` is `values_list(…).iterator()`, not started, or None.

    Its rows have no names, and the QuerySet knows them.
    """
    if type(rows) is not GeneratorType or getgeneratorstate(rows) != GEN_CREATED:
        return None
    if rows.__name__ != "_iterator" or rows.gi_frame is None:
        return None
    owner = rows.gi_frame.f_locals.get("self")
    kind = getattr(getattr(owner, "_iterable_class", None), "__name__", "")
    return owner if kind == "ValuesListIterable" else None


def _query(rows: Any) -> Any:
    from streamware.sources import sqlalchemy  # noqa: PLC0415 - it imports SQLAlchemy

    return sqlalchemy.query_rows(rows)


def _result(rows: Any) -> Any:
    from streamware.sources import sqlalchemy  # noqa: PLC0415 - it imports SQLAlchemy

    return sqlalchemy.result_rows(rows)


def _statement(rows: Any) -> Any:
    raise TypeError(
        f"rows must be an iterable of rows, not a statement ({type(rows).__name__}): pass"
        " streamware.sources.sqlalchemy.rows(engine, statement)"
    )


_BIND = "pass streamware.sources.sqlalchemy.rows(session_or_engine, statement)"
_TABLE = "pass streamware.sources.sqlalchemy.rows(engine, select(table))"

# Databases ----------------------------------------------------------------------------------

_OF_CONNECTION = "pass streamware.sources.{}.rows(connection, 'SELECT …')"
_POOL = "pass streamware.sources.{}.rows(pool, 'SELECT …')"
_UNEXECUTED = (
    "it has executed no query; pass it when it has, or"
    " streamware.sources.{}.rows(connection, 'SELECT …')"
)
_SOURCES = {"psycopg": "psycopg", "sqlite3": "sqlite", "aiosqlite": "sqlite", "asyncpg": "asyncpg"}


def _source_of(connection: Any) -> str:
    """Return the module of `streamware.sources` that takes a connection."""
    return _SOURCES.get(type(connection).__module__.partition(".")[0], "dbapi")


def _is_cursor(rows: Any) -> bool:
    """Return whether `rows` is a cursor of PEP 249, in which iteration is optional, without it."""
    type_ = type(rows)
    if hasattr(type_, "__iter__") or hasattr(type_, "__aiter__"):
        return False
    return hasattr(type_, "fetchmany") and hasattr(rows, "description")


def _is_connection(rows: Any) -> bool:
    type_ = type(rows)
    if hasattr(type_, "__iter__") or hasattr(type_, "__aiter__"):
        return False
    return hasattr(type_, "cursor") and (
        hasattr(type_, "rollback") or hasattr(type_, "transaction")
    )


class _Fetched:
    """The rows of a cursor, by `fetchmany`."""

    def __init__(self, cursor: Any) -> None:
        self.description = cursor.description
        self._cursor = cursor

    def __iter__(self) -> Iterator[Any]:
        while batch := self._cursor.fetchmany(_BATCH):
            yield from batch


def _fetched(cursor: Any) -> _Fetched:
    if not cursor.description:
        raise _no_rows(cursor, _UNEXECUTED.format("dbapi"))
    return _Fetched(cursor)


def _executed(cursor: Any) -> Any:
    """Return a cursor of Django that has executed a query."""
    # A named cursor of psycopg2 has its columns only with its first rows.
    if cursor.description is None and not getattr(cursor, "name", None):
        raise _no_rows(cursor, _UNEXECUTED.format("dbapi"))
    return cursor


def _sqlite(cursor: Any) -> Any:
    if cursor.description is None:
        raise _no_rows(cursor, _UNEXECUTED.format("sqlite"))
    return cursor


def _duckdb(connection: Any) -> Any:
    if not connection.description:
        raise _no_rows(connection, _OF_CONNECTION.format("duckdb"))
    return _Fetched(connection)


# Types that DuckDB gives to Arrow as other values: a huge number as -1, bits as bytes.
_NOT_OF_ARROW = frozenset({"UHUGEINT", "BIT", "BIGNUM", "VARINT", "TIME WITH TIME ZONE"})


def _relation(relation: Any) -> Any:
    """Return a relation whose columns all have the values in Arrow that they have in DuckDB."""
    columns = [
        (f'"{name.replace(chr(34), 2 * chr(34))}"', str(type_))
        for name, type_ in zip(relation.columns, relation.types, strict=True)
    ]
    if _NOT_OF_ARROW.isdisjoint(type_ for _, type_ in columns):
        return relation
    return relation.project(
        ", ".join(
            f"CAST({name} AS VARCHAR) AS {name}" if type_ in _NOT_OF_ARROW else name
            for name, type_ in columns
        )
    )


# Tables -------------------------------------------------------------------------------------

_GROUPED = (
    "aggregate it first, such as by sum(), or pass a sheet for each group:"
    " [sw.Sheet(str(key), group) for key, group in grouped]"
)
_WINDOW = "aggregate it first, such as by mean()"


def _scanned(data: Any) -> Any:
    """Return the batches of an Arrow dataset, of which few are read ahead."""
    return data.scanner(batch_size=_BATCH, batch_readahead=1, fragment_readahead=1).to_reader()


def _read_scanner(scanner: Any) -> Any:
    return scanner.to_reader()


def _read_parquet(file: Any) -> Any:
    import pyarrow  # noqa: PLC0415 - whoever made the file has imported it

    batches = file.iter_batches(batch_size=_BATCH)
    return pyarrow.RecordBatchReader.from_batches(file.schema_arrow, batches)


def _read_ipc(file: Any) -> Any:
    import pyarrow  # noqa: PLC0415 - whoever made the file has imported it

    batches = map(file.get_batch, range(file.num_record_batches))
    return pyarrow.RecordBatchReader.from_batches(file.schema, batches)


def _model(rows: Any) -> Any:
    """Return the rows of a root model; a model of pydantic is one row."""
    if not getattr(type(rows), "__pydantic_root_model__", False):
        raise _no_rows(rows, "for one row pass [row]")
    return adopted(rows.root)


_ADOPT: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("django", "QuerySet"): _queryset,
    ("django", "RawQuerySet"): _queryset,
    ("django", "BaseManager"): _queryset,
    ("django", "Paginator"): _refused("pass its object_list"),
    ("django", "ConnectionProxy"): _refused(_OF_CONNECTION.format("dbapi")),
    ("django", "ConnectionHandler"): _refused(
        "pass streamware.sources.dbapi.rows(connections['default'], 'SELECT …')"
    ),
    ("django", "CursorWrapper"): _executed,
    ("sqlalchemy", "Query"): _query,
    ("sqlalchemy", "Result"): _result,
    ("sqlalchemy", "FilterResult"): _result,  # of `scalars`, `mappings`, and all of asyncio's
    ("sqlalchemy", "Executable"): _statement,
    ("sqlalchemy", "FromClause"): _refused(_TABLE),
    ("sqlalchemy", "Engine"): _refused(_BIND),
    ("sqlalchemy", "Connection"): _refused(_BIND),
    ("sqlalchemy", "Session"): _refused(_BIND),
    ("sqlalchemy", "sessionmaker"): _refused(_BIND),
    ("sqlalchemy", "scoped_session"): _refused(_BIND),
    ("sqlalchemy", "AsyncEngine"): _refused(_BIND),
    ("sqlalchemy", "AsyncConnection"): _refused(_BIND),
    ("sqlalchemy", "AsyncSession"): _refused(_BIND),
    ("sqlalchemy", "async_sessionmaker"): _refused(_BIND),
    ("sqlalchemy", "async_scoped_session"): _refused(_BIND),
    ("psycopg_pool", "BasePool"): _refused(_POOL.format("psycopg")),
    ("asyncpg", "Pool"): _refused(_POOL.format("asyncpg")),
    ("sqlite3", "Cursor"): _sqlite,
    ("aiosqlite", "Cursor"): _sqlite,
    ("duckdb", "DuckDBPyConnection"): _duckdb,
    ("_duckdb", "DuckDBPyConnection"): _duckdb,
    ("duckdb", "DuckDBPyRelation"): _relation,
    ("_duckdb", "DuckDBPyRelation"): _relation,
    ("pandas", "BaseGroupBy"): _refused(_GROUPED),
    ("pandas", "BaseWindow"): _refused(_WINDOW),
    ("pandas", "Styler"): _refused("pass its frame, styler.data"),
    ("polars", "LazyFrame"): _refused(
        "pass lazy.collect(), which reads all of it, or lazy.collect_batches(), which does not"
    ),
    ("polars", "GroupBy"): _refused(_GROUPED),
    ("polars", "LazyGroupBy"): _refused("aggregate it by agg(…), and pass that collect()ed"),
    ("polars", "DynamicGroupBy"): _refused(_GROUPED),
    ("polars", "RollingGroupBy"): _refused(_GROUPED),
    # Callables, because what is adopted may be exported more than once.
    ("pyarrow", "Dataset"): lambda data: partial(_scanned, data),
    ("pyarrow", "Fragment"): lambda data: partial(_scanned, data),
    ("pyarrow", "Scanner"): lambda scanner: partial(_read_scanner, scanner),
    ("pyarrow", "ParquetFile"): lambda file: partial(_read_parquet, file),
    ("pyarrow", "ParquetDataset"): _refused("pass pyarrow.dataset.dataset(path)"),
    ("pyarrow", "_RecordBatchFileReader"): lambda file: partial(_read_ipc, file),
    ("pydantic", "BaseModel"): _model,
    ("_io", "_IOBase"): _refused("read it first, such as by csv.reader(file)"),
    ("pathlib", "PurePath"): _refused("open the file, and read it, such as by csv.reader(file)"),
}
