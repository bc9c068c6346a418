"""psycopg 3: the rows of a query, from a cursor on the PostgreSQL server, with and without asyncio.

An ordinary cursor receives the whole result with `execute`.  A named one, which is used here, is
open in a transaction, so the export sees one state of the database, also behind pgbouncer that
pools by transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, overload

from psycopg import AsyncConnection, Connection, connect
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Composable

from streamware.errors import StateError
from streamware.sources.dbapi import cursor_name, described, fetched
from streamware.sources.source import (
    BATCH_ROWS,
    AsyncCancel,
    AsyncResults,
    AsyncSource,
    Cancel,
    Results,
    Source,
    check_batch,
    check_query,
)

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

Parameters = Sequence[Any] | Mapping[str, Any] | None


@overload
def rows(
    connections: str | Connection[Any] | ConnectionPool[Any],
    query: LiteralString | Composable,
    parameters: Parameters = None,
    *,
    batch: int = ...,
) -> Source: ...
@overload
def rows(
    connections: AsyncConnection[Any] | AsyncConnectionPool[Any],
    query: LiteralString | Composable,
    parameters: Parameters = None,
    *,
    batch: int = ...,
) -> AsyncSource: ...
def rows(
    connections: Any,
    query: LiteralString | Composable,
    parameters: Parameters = None,
    *,
    batch: int = BATCH_ROWS,
) -> Source | AsyncSource:
    """Return the rows of a query as a source: rows as the connection's `row_factory` makes them.

    Args:
        connections: A connection string or a pool, from which each export has a connection of its
            own; or a connection, which is used and left open.
        query: A query such as SELECT or VALUES.
        parameters: A sequence for `%s`, a mapping for `%(name)s`; None for none.
        batch: Rows read at a time.

    Raises:
        TypeError: `connections` or `query` is something else; `parameters` is a single value.
        ValueError: `batch` is below 1.

    Source: psycopg 3, "Server-side cursors"; PostgreSQL, DECLARE.
    """
    check_query("" if isinstance(query, Composable) else query, parameters)
    statement = query if isinstance(query, Composable) else SQL(query)
    size = check_batch(batch)
    if isinstance(connections, AsyncConnection) or _is_pool(connections, "__aenter__"):
        return AsyncSource(partial(_open_async, connections, statement, parameters, size))
    if isinstance(connections, (str, Connection)) or _is_pool(connections, "__enter__"):
        return Source(partial(_open, connections, statement, parameters, size))
    raise TypeError(
        "connections must be a connection string, a pool or a connection of psycopg, not"
        f" {type(connections).__name__}"
    )


def _open(
    connections: Any, query: Composable, parameters: Parameters, size: int, stack: ExitStack
) -> tuple[Results, Cancel]:
    connection = connections
    if isinstance(connections, str):
        connection = stack.enter_context(closing(connect(connections)))
    elif not isinstance(connections, Connection):
        connection = stack.enter_context(connections.connection())
    _check(connection)
    stack.enter_context(connection.transaction(force_rollback=True))
    cursor = stack.enter_context(connection.cursor(cursor_name()))
    return fetched(cursor, query, parameters, size), connection.cancel_safe


async def _open_async(
    connections: Any, query: Composable, parameters: Parameters, size: int, stack: AsyncExitStack
) -> tuple[AsyncResults, AsyncCancel]:
    connection = connections
    if not isinstance(connections, AsyncConnection):
        connection = await stack.enter_async_context(connections.connection())
    _check(connection)
    await stack.enter_async_context(connection.transaction(force_rollback=True))
    cursor = await stack.enter_async_context(connection.cursor(cursor_name()))
    return _fetched_async(cursor, query, parameters, size), connection.cancel_safe


async def _fetched_async(
    cursor: Any, query: Composable, parameters: Parameters, size: int
) -> AsyncResults:
    await cursor.execute(query, parameters)
    yield described(cursor)
    while batch := await cursor.fetchmany(size):
        yield batch


def _check(connection: Any) -> None:
    """Raise StateError if the caller's transaction has failed, in which no query can run."""
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise StateError(
            "the connection is in a transaction that has failed: call its rollback() before the"
            " export, or pass a pool or a connection string"
        )


def _is_pool(connections: object, method: str) -> bool:
    return hasattr(type(connections), method) and hasattr(connections, "connection")
