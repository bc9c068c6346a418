"""SQLAlchemy 2.0 and later: the rows of a statement, from a cursor that stays on the server.

`session.execute(statement)` reads the whole result before it returns; the source asks for
`yield_per`, which keeps a batch of rows in memory, and of objects only those of that batch.

A statement of one mapped class gives objects, with the class's columns in the order of its mapping
as the export's columns; any other gives rows with the names of its columns.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, overload

from sqlalchemy import Connection, CursorResult, Engine, Executable, Result, inspect, text
from sqlalchemy.orm import Mapper, Query, Session, scoped_session, sessionmaker

from streamware.errors import EncodeError
from streamware.sources.dbapi import NO_ROWS, async_canceller, canceller
from streamware.sources.source import (
    BATCH_ROWS,
    FIRST_ROWS,
    AsyncCancel,
    AsyncResults,
    AsyncSource,
    Cancel,
    Columns,
    Reader,
    Results,
    Source,
    check_batch,
)

logger = logging.getLogger("streamware")

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import (
        AsyncConnection,
        AsyncEngine,
        AsyncSession,
        async_scoped_session,
        async_sessionmaker,
    )

Bind = Engine | Connection | Session | sessionmaker[Any] | scoped_session[Any]
"""What statements are executed by."""
AsyncBind: TypeAlias = (
    "AsyncEngine | AsyncConnection | AsyncSession | async_sessionmaker[Any]"
    " | async_scoped_session[Any]"
)
"""The same beside an event loop."""
_ONE_CLASS = (
    "select the class and reach others by a path, such as columns=['number', 'customer.name'], or"
    " select the columns"
)
Parameters = Mapping[str, Any] | None


@overload
def rows(
    bind: Bind, statement: Executable | str, parameters: Parameters = None, *, batch: int = ...
) -> Source: ...
@overload
def rows(
    bind: AsyncBind, statement: Executable | str, parameters: Parameters = None, *, batch: int = ...
) -> AsyncSource: ...
def rows(
    bind: Bind | AsyncBind,
    statement: Executable | str,
    parameters: Parameters = None,
    *,
    batch: int = BATCH_ROWS,
) -> Source | AsyncSource:
    """Return the rows of a statement as a source.

    Args:
        bind: An engine, a sessionmaker or a scoped session (Flask-SQLAlchemy's `db.session`), from
            which each export has a session of its own; or a session or connection, which is used as
            it is, and whose transaction is ended only if the export began it.
        statement: A statement that returns rows, of Core or of one mapped class; a str is `text`.
        parameters: Values of its parameters.
        batch: Rows read at a time.

    Raises:
        TypeError: `bind` is something else; the statement selects more than one mapped class, or
            other columns beside one.
        ValueError: `batch` is below 1.

    Source: SQLAlchemy, "Fetching Large Result Sets with Yield Per".
    """
    executable = text(statement) if isinstance(statement, str) else statement
    query = _Statement(executable, parameters, check_batch(batch), _mapper(executable))
    if isinstance(bind, (Engine, Connection, Session, sessionmaker, scoped_session)):
        return _source(bind, query)
    if _is_async(bind):
        return _async_source(bind, query)
    raise TypeError(
        "the first argument must be an engine, a sessionmaker, a session, a scoped session or a"
        f" connection of SQLAlchemy, not {type(bind).__name__}"
    )


def query_rows(query: Query[Any], *, batch: int = BATCH_ROWS) -> Source:
    """Return the rows of a legacy `Query`, such as Flask-SQLAlchemy's `Order.query`, as a source.

    It is executed by its own session, a batch at a time.

    Raises:
        TypeError: It selects more beside a class.
    """
    return _source(query.session, _Statement(query.statement, None, batch, _mapper(query)))


def result_rows(result: Result[Any]) -> Reader:
    """Return the rows of a result, or the objects of the only class in it.

    Raises, with the first row:
        EncodeError: A row holds an object beside something else.
    """
    if not _is_streamed(result):
        _warn_once()
    with ExitStack() as stack:
        stack.enter_context(closing(result))
        return Reader(stack.enter_context(closing(_from_result(result))), stack.pop_all())


def _from_result(result: Result[Any]) -> Generator[Sequence[Any] | None, None, None]:
    batches = result.partitions(BATCH_ROWS)
    first = next(batches, ())
    mapped = [cell for row in first[:1] for cell in row if hasattr(cell, "_sa_instance_state")]
    if not mapped:
        yield list(result.keys())
        yield first
        yield from batches
    elif len(first[0]) > 1:
        raise EncodeError(f"row 1 holds {type(mapped[0]).__name__} among others: {_ONE_CLASS}")
    else:
        yield None
        for batch in chain([first], batches):
            yield [row[0] for row in batch]


def _is_streamed(result: Any) -> bool:
    """Return whether a result is read as it is asked for rows.

    By default that of objects is not, and that of columns only from SQLite.
    """
    context = getattr(getattr(result, "raw", result), "context", None)
    options = getattr(context, "execution_options", {})
    if options.get("yield_per") or options.get("stream_results"):
        return True
    return isinstance(result, CursorResult) and result.dialect.name == "sqlite"


@cache
def _warn_once() -> None:
    logger.warning(
        "the rows of an export are a result of SQLAlchemy that was read into memory before its"
        " first row; pass streamware.sources.sqlalchemy.rows(engine, statement), or execute it"
        ' with execution_options={"yield_per": 1000}'
    )


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement with its parameters, and how its result is read.

    Attributes:
        mapper: That of the class of its objects; None: rows of columns.
        named: Whether objects come with the names of their columns, as the caller chose none.
    """

    statement: Executable
    parameters: Parameters
    batch: int
    mapper: Mapper[Any] | None
    named: bool = True

    @property
    def options(self) -> dict[str, int]:
        """Execution options: read a batch at a time, from a cursor on the server."""
        return {"yield_per": self.batch if self.mapper is None else self.first}

    @property
    def first(self) -> int:
        """The number of objects in the first batch."""
        return min(self.batch, FIRST_ROWS)

    @property
    def bind_arguments(self) -> dict[str, Any]:
        """What a session finds the statement's engine by."""
        return {"clause": self.statement, "mapper": self.mapper}

    def names(self, first: Sequence[Any]) -> list[str] | None:
        """Return the names of the columns of objects: those that are loaded with the row."""
        if self.mapper is None or not self.named:
            return None
        unloaded = inspect(first[0]).unloaded if first else ()
        return [
            attribute.key
            for attribute in self.mapper.column_attrs
            if attribute.key not in unloaded and (first or not attribute.deferred)
        ]


def _source(bind: Any, query: _Statement) -> Source:
    def prepare(columns: Columns) -> tuple[Source, Columns]:
        return _source(bind, replace(query, named=columns is None)), columns

    return Source(partial(_open, bind, query), prepare)


def _async_source(bind: Any, query: _Statement) -> AsyncSource:
    def prepare(columns: Columns) -> tuple[AsyncSource, Columns]:
        return _async_source(bind, replace(query, named=columns is None)), columns

    return AsyncSource(partial(_open_async, bind, query), prepare)


def _open(bind: Any, query: _Statement, stack: ExitStack) -> tuple[Results, Cancel | None]:
    if isinstance(bind, Engine):
        bind = stack.enter_context(Session(bind))
    elif isinstance(bind, scoped_session):
        bind = stack.enter_context(bind.session_factory())
    elif isinstance(bind, sessionmaker):
        bind = stack.enter_context(bind())
    elif not bind.in_transaction():
        stack.callback(bind.rollback)
    connection: Any = bind
    if isinstance(bind, Session):
        connection = bind.connection(bind_arguments=query.bind_arguments)
    results = stack.enter_context(closing(_results(bind, query)))
    return results, canceller(connection.connection.driver_connection)


def _results(
    bind: Session | Connection, query: _Statement
) -> Generator[Sequence[Any] | None, None, None]:
    result = bind.execute(query.statement, query.parameters, execution_options=query.options)
    with closing(result):
        if not getattr(result, "returns_rows", True):
            raise EncodeError(NO_ROWS)
        if query.mapper is None:
            yield list(result.keys())
            yield from result.partitions(query.batch)
        else:
            objects = result.scalars()
            first = next(objects.partitions(query.first), ())
            yield query.names(first)
            yield first
            yield from objects.yield_per(query.batch).partitions(query.batch)


async def _open_async(
    bind: Any, query: _Statement, stack: AsyncExitStack
) -> tuple[AsyncResults, AsyncCancel | None]:
    from sqlalchemy.ext import asyncio  # noqa: PLC0415 - needs greenlet, which may be missing

    if isinstance(bind, asyncio.AsyncEngine):
        bind = await stack.enter_async_context(asyncio.AsyncSession(bind))
    elif isinstance(bind, asyncio.async_scoped_session):
        bind = await stack.enter_async_context(bind.session_factory())
    elif isinstance(bind, asyncio.async_sessionmaker):
        bind = await stack.enter_async_context(bind())
    elif not bind.in_transaction():
        is_session = isinstance(bind, asyncio.AsyncSession)
        stack.push_async_callback(partial(bind.run_sync, _end) if is_session else bind.rollback)
    connection: Any = bind
    if isinstance(bind, asyncio.AsyncSession):
        connection = await bind.connection(bind_arguments=query.bind_arguments)
    driver = (await connection.get_raw_connection()).driver_connection
    results = await stack.enter_async_context(aclosing(_results_async(bind, query)))
    return results, async_canceller(driver)


def _end(session: Session) -> None:
    """Roll back what the session has begun, and keep its objects as they are.

    `rollback` would make them read their columns again when the last rows are written, which is
    after this, and not possible beside an event loop.
    """
    begun = session.get_transaction()
    if begun is not None:
        begun.close()


async def _results_async(
    bind: AsyncSession | AsyncConnection, query: _Statement
) -> AsyncGenerator[Sequence[Any] | None, None]:
    result = await bind.stream(query.statement, query.parameters, execution_options=query.options)
    try:
        if query.mapper is None:
            yield list(result.keys())
            async for batch in result.partitions(query.batch):
                yield batch
        else:
            objects = result.scalars()
            first = await anext(objects.partitions(query.first), ())
            yield query.names(first)
            yield first
            async for batch in objects.yield_per(query.batch).partitions(query.batch):
                yield batch
    finally:
        await result.close()


def _is_async(bind: object) -> TypeGuard[AsyncBind]:
    # Whoever made such a bind has imported the module, which needs greenlet.
    asyncio = sys.modules.get("sqlalchemy.ext.asyncio")
    return asyncio is not None and isinstance(
        bind,
        (
            asyncio.AsyncEngine,
            asyncio.AsyncConnection,
            asyncio.AsyncSession,
            asyncio.async_sessionmaker,
            asyncio.async_scoped_session,
        ),
    )


def _mapper(statement: Any) -> Mapper[Any] | None:
    """Return the mapper of the only class that a statement selects; None if it selects columns.

    Raises:
        TypeError: It selects more beside a class.
    """
    columns = getattr(statement, "column_descriptions", ())
    mapped = [inspect(column["expr"], raiseerr=False) for column in columns]
    classes = [
        each
        for each in mapped
        if getattr(each, "is_mapper", False) or getattr(each, "is_aliased_class", False)
    ]
    if classes and len(mapped) > 1:
        names = ", ".join(str(column["name"]) for column in columns)
        raise TypeError(
            f"the statement must select one class or only columns, not {names}: {_ONE_CLASS}"
        )
    return classes[0].mapper if classes else None
