"""SQLite: the rows of a query, by `sqlite3` or, beside an event loop, by `aiosqlite`.

SQLite makes a row when it is asked for one, so memory is constant with any cursor.  On a connection
of its own an export sees one state of the database from its first row to its last, and may run on
another thread than the view: also beside an event loop, where the export has a thread of its own.
So a path is read by `sqlite3` everywhere; aiosqlite is for connections that exist.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from streamware.sources import dbapi
from streamware.sources.dbapi import described
from streamware.sources.source import (
    BATCH_ROWS,
    AsyncCancel,
    AsyncResults,
    AsyncSource,
    Columns,
    Source,
    check_batch,
    check_query,
)

if TYPE_CHECKING:
    import aiosqlite

Database: TypeAlias = (
    "str | PathLike[str] | sqlite3.Connection"
    " | Callable[[], sqlite3.Connection | Awaitable[aiosqlite.Connection]]"
)
"""A file, a callable that connects, or a connection."""
Parameters = Sequence[Any] | Mapping[str, Any]


@overload
def rows(
    database: Database, query: str, parameters: Parameters = (), *, batch: int = ...
) -> Source: ...
@overload
def rows(
    database: aiosqlite.Connection, query: str, parameters: Parameters = (), *, batch: int = ...
) -> AsyncSource: ...
def rows(
    database: Any, query: str, parameters: Parameters = (), *, batch: int = BATCH_ROWS
) -> Source | AsyncSource:
    """Return the rows of a query as a source: tuples, or what `row_factory` makes.

    Args:
        database: A path, which has to exist and is opened read-only, or a `file:` URI; a callable
            that returns a connection (of aiosqlite: or what is awaited for one), which is closed
            at the end; or a connection of `sqlite3` or aiosqlite, which is used and left open.
        query: A statement that returns rows.
        parameters: A sequence for `?`, a mapping for `:name`.
        batch: Rows read at a time.

    Raises:
        TypeError: `database` or `query` is something else; `parameters` is a single value.
        ValueError: It is an in-memory database, which another connection cannot see; `batch` is
            below 1.
    """
    check_query(query, parameters)
    size = check_batch(batch)
    if isinstance(database, (str, PathLike)):
        database = _connector(fspath(database))
    elif _is_async(database) or iscoroutinefunction(database):
        return AsyncSource(partial(_open_async, database, query, parameters, size))
    elif isinstance(database, type) or (callable(database) and not hasattr(database, "cursor")):
        return _Called(database, query, parameters, size)
    return dbapi.rows(database, query, parameters, batch=size)


class _Called(Source):
    """The rows of what a callable connects to; its result shows whether an event loop has to."""

    __slots__ = ("_arguments", "_connects")

    def __init__(
        self, connect: Callable[[], Any], query: str, parameters: Parameters, size: int
    ) -> None:
        self.total = None
        self._connects = connect
        self._arguments = query, parameters, size

    def prepare(self, columns: Columns) -> tuple[Source, Columns]:
        """Return itself and the columns."""
        return self, columns

    def open_rows(self) -> Any:
        """Connect; return the rows, or the source that an event loop has to open."""
        query, parameters, size = self._arguments
        made = self._connects()
        if isawaitable(made):
            return AsyncSource(partial(_open_async, lambda: made, query, parameters, size))
        return dbapi.rows(lambda: made, query, parameters, batch=size).open_rows()


async def _open_async(
    database: Any, query: str, parameters: Parameters, size: int, stack: AsyncExitStack
) -> tuple[AsyncResults, AsyncCancel]:
    connection = database
    if not _is_async(database):  # it connects
        connection = await _connected(database())
        stack.push_async_callback(connection.close)
    results = _results(connection, query, parameters, size)
    return await stack.enter_async_context(aclosing(results)), connection.interrupt


async def _connected(connecting: Awaitable[Any]) -> Any:
    """Return a connection.  If this is cancelled, that is closed which its thread opens still."""
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if task.exception() is None:
            await task.result().close()
        raise
    return task.result()


async def _results(
    connection: Any, query: str, parameters: Parameters, size: int
) -> AsyncGenerator[Sequence[Any], None]:
    async with connection.execute(query, parameters) as cursor:
        yield described(cursor)
        while batch := await cursor.fetchmany(size):
            yield batch


def _is_async(database: object) -> bool:
    return type(database).__module__.partition(".")[0] == "aiosqlite"


def _connector(path: str) -> Callable[[], sqlite3.Connection]:
    """Return what opens the file, with no lock on its thread: only one at a time uses it."""
    if path in ("", ":memory:"):
        raise ValueError(
            "an in-memory database cannot be seen by another connection: pass the connection that"
            " has it, opened with check_same_thread=False"
        )
    uri = path if path.startswith("file:") else Path(path).absolute().as_uri() + "?mode=ro"
    return partial(_connect, uri)


def _connect(uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, check_same_thread=False)
    except sqlite3.OperationalError as error:
        error.add_note(f"while opening {uri}")
        raise
