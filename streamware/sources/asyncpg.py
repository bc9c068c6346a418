"""asyncpg: the rows of a query, from a cursor on the PostgreSQL server.

The cursor is open in a transaction, so the export sees one state of the database.  Behind pgbouncer
that pools by transaction, connect with `statement_cache_size=0`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from streamware.errors import EncodeError
from streamware.sources.dbapi import NO_ROWS
from streamware.sources.source import (
    BATCH_ROWS,
    AsyncResults,
    AsyncSource,
    check_batch,
    check_query,
)


def rows(connections: Any, query: str, *arguments: object, batch: int = BATCH_ROWS) -> AsyncSource:
    """Return the rows of a query as a source of records.

    Args:
        connections: A connection string or a pool, from which each export has a connection of its
            own; or a connection, which is used and left open.
        query: A statement that returns rows.
        arguments: Values for `$1` and so on.
        batch: Rows read at a time.

    Raises:
        TypeError: `connections` or `query` is something else.
        ValueError: `batch` is below 1.

    Source: asyncpg, "Cursors".
    """
    if not (
        isinstance(connections, str)
        or hasattr(connections, "acquire")
        or hasattr(connections, "prepare")
    ):
        raise TypeError(
            "connections must be a connection string, a pool or a connection of asyncpg, not"
            f" {type(connections).__name__}"
        )
    check_query(query)
    size = check_batch(batch)

    async def open_cursor(stack: AsyncExitStack) -> tuple[AsyncResults, None]:
        connection = connections
        if isinstance(connections, str):
            connection = await asyncpg.connect(connections)
            stack.push_async_callback(connection.close)
        elif hasattr(connections, "acquire"):
            connection = await stack.enter_async_context(connections.acquire())
        await stack.enter_async_context(connection.transaction())
        # A call that is cancelled has asyncpg cancel the query.
        return _fetched(connection, query, arguments, size), None

    return AsyncSource(open_cursor)


async def _fetched(
    connection: Any, query: str, arguments: tuple[object, ...], size: int
) -> AsyncResults:
    statement = await connection.prepare(query)
    names = [attribute.name for attribute in statement.get_attributes()]
    if not names:
        raise EncodeError(NO_ROWS)
    cursor = await statement.cursor(*arguments)
    yield names
    while batch := await cursor.fetch(size):
        yield batch
