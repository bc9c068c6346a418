"""Any PEP 249 driver: the rows of a query, by `fetchmany`, left on the server until then if it can.

    dbapi.rows(connect, query)        # PyMySQL, mysqlclient, psycopg2, python-oracledb, pyodbc …

Some drivers read the whole result on `execute` unless they are given another cursor.  Those of
PyMySQL, mysqlclient and psycopg2 are chosen here; for others there is `cursor_factory`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Protocol
from uuid import uuid4

from streamware.errors import EncodeError
from streamware.sources.mysql import (
    close_killed,
    is_mysql,
    killed_if_unread,
    killer,
    unbuffered_cursor,
)
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
            and left open.  In place of one of Django, that of the thread that reads is used, and
            is Django's to close.
        query: A statement that returns rows.
        parameters: As the driver takes them; None for none.
        cursor_factory: Is given the connection and returns the cursor; by default its `cursor()`,
            or `SSCursor` (PyMySQL, mysqlclient) or a named cursor (psycopg2, Django).
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
        kill: Cancel | None = None
        if not hasattr(connect, "cursor") or isinstance(connect, type):
            connection = connect()
            if not _is_django(connection):
                stack.enter_context(closing(connection))
            kill = killer(connection, connect) if is_mysql(connection) else None
        if of_django := _is_django(connection):
            connection, stack = _of_this_thread(connection, stack)
        cursor = make(connection)
        if kill is None:
            stack.enter_context(closing(cursor))
        else:
            stack.callback(close_killed, cursor)
        cursor.arraysize = size
        results = stack.enter_context(closing(fetched(cursor, query, parameters, size, kill)))
        driver = connection.connection if of_django else connection
        return results, kill or canceller(driver, cursor)

    return Source(open_cursor)


def _is_django(connection: Any) -> bool:
    return hasattr(connection, "chunked_cursor") and hasattr(connection, "alias")


def _of_this_thread(connection: Any, stack: ExitStack) -> tuple[Any, ExitStack]:
    """Return the connection of this thread for the database of one of Django, and its stack."""
    from streamware.sources.lending import open_connection  # noqa: PLC0415 - it imports Django

    return open_connection(connection.alias, stack)


def fetched(
    cursor: Any, query: Any, parameters: object, size: int, kill: Cancel | None = None
) -> Generator[Sequence[Any], None, None]:
    """Execute a query; yield the names of its columns, and then its rows in batches.

    If it is closed before, `kill` ends the query of a driver that would read all the rest.
    """
    cursor.execute(query, *(() if parameters is None else (parameters,)))
    fetch = partial(cursor.fetchmany, size)
    # A named cursor of psycopg2 has its columns only with its first rows.
    first = fetch() if cursor.description is None and _is_named(cursor) else None
    with killed_if_unread(kill, fetch):
        yield described(cursor)
        batch = fetch() if first is None else first
        while batch:
            yield batch
            batch = fetch()


def _cursor(connection: Any) -> Any:
    """Return a cursor that leaves the rows on the server, where that is known how."""
    if is_mysql(connection):
        return unbuffered_cursor(connection)
    if type(connection).__module__.startswith("psycopg2"):
        # Without a transaction a cursor is kept only if it is declared so.
        return connection.cursor(cursor_name(), withhold=connection.autocommit)
    if _is_django(connection) and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        return connection.chunked_cursor()
    return connection.cursor()


def cursor_name() -> str:
    """Return a name for a cursor on the server that no other has."""
    return f"streamware_{uuid4().hex}"


def _is_named(cursor: object) -> bool:
    return isinstance(getattr(cursor, "name", None), str)


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
