"""Any PEP 249 driver: the rows of a query, by `fetchmany` from a cursor of the caller's choice.

Most drivers read the whole result on `execute` unless they are given a cursor that leaves it on the
server, so that is the one thing to look up:

    dbapi.rows(connect, query, cursor_factory=lambda con: con.cursor("export"))        # psycopg2
    dbapi.rows(connect, query, cursor_factory=lambda con: con.cursor(SSCursor))        # PyMySQL
    dbapi.rows(connect, query)                                          # python-oracledb, pyodbc
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from inspect import iscoroutinefunction
from typing import Any, Protocol

from streamware.errors import EncodeError
from streamware.sources.source import (
    BATCH_ROWS,
    AsyncCancel,
    Cancel,
    Results,
    Source,
    check_batch,
)

NO_ROWS = "the statement returns no rows; an export needs a query such as SELECT"


class Connection(Protocol):
    """A connection of PEP 249."""

    def cursor(self) -> Any:
        """Return a new cursor."""

    def close(self) -> object:
        """Close the connection."""


def rows(
    connect: Callable[[], Connection] | Connection,
    query: str,
    parameters: object = None,
    *,
    cursor_factory: Callable[[Any], Any] | None = None,
    batch: int = BATCH_ROWS,
) -> Source:
    """Return the rows of a query as a source: rows as the driver makes them, with its names.

    Args:
        connect: Returns a connection, which is closed at the end; or a connection, which is used
            and left open.
        query: A statement that returns rows.
        parameters: As the driver takes them; None for none.
        cursor_factory: Is given the connection and returns the cursor; by default its `cursor()`.
        batch: Rows that the driver is asked for at a time.

    Raises:
        TypeError: `connect` is neither.
        ValueError: `batch` is below 1.

    Source: PEP 249 (`Cursor.execute`, `.description`, `.fetchmany`, `.arraysize`).
    """
    if not callable(connect) and not hasattr(connect, "cursor"):
        kind = type(connect).__name__
        raise TypeError(f"connect must be a connection or a callable that opens one, not {kind}")
    make, size = cursor_factory or _cursor, check_batch(batch)

    def open_cursor(stack: ExitStack) -> tuple[Results, Cancel | None]:
        connection: Any = connect
        if not hasattr(connect, "cursor"):
            connection = stack.enter_context(closing(connect()))
        cursor = stack.enter_context(closing(make(connection)))
        cursor.arraysize = size
        return fetched(cursor, query, parameters, size), canceller(connection, cursor)

    return Source(open_cursor)


def fetched(cursor: Any, query: Any, parameters: object, size: int) -> Results:
    """Execute a query; yield the names of its columns, and then its rows in batches."""
    cursor.execute(query, *(() if parameters is None else (parameters,)))
    yield described(cursor)
    while batch := cursor.fetchmany(size):
        yield batch


def _cursor(connection: Any) -> Any:
    return connection.cursor()


def described(cursor: Any) -> list[str]:
    """Return the names of the columns of a cursor that has executed a query.

    Raises:
        EncodeError: The statement returns no rows.
    """
    if not cursor.description:
        raise EncodeError(NO_ROWS)
    return [str(column[0]) for column in cursor.description]


def canceller(connection: Any, cursor: Any = None) -> Cancel | None:
    """Return what interrupts a call of the driver from another thread; None if nothing does.

    PEP 249 has no such call.  Drivers have `interrupt` (sqlite3, DuckDB), `cancel_safe` and
    `cancel` (psycopg 3), `cancel` (psycopg2, python-oracledb; pyodbc's cursor).
    """
    for owner in (connection, cursor):
        for name in ("interrupt", "cancel_safe", "cancel"):
            if callable(found := getattr(owner, name, None)):
                return found  # type: ignore[no-any-return]  # it is callable
    return None


def async_canceller(connection: Any) -> AsyncCancel | None:
    """Return what interrupts a driver beside an event loop; None if nothing but a cancelled task.

    Drivers have `interrupt` (aiosqlite) and `cancel_safe` (psycopg 3).
    """
    for name in ("interrupt", "cancel_safe"):
        if iscoroutinefunction(found := getattr(connection, name, None)):
            return found
    return None
