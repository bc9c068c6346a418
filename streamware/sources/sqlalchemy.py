"""SQLAlchemy 2.0 and later: the rows of a statement, from a cursor that stays on the server.

`session.execute(statement)` reads the whole result before it returns; the source asks for
`yield_per`, which keeps a batch of rows in memory, and of objects only those of that batch.

A statement of one mapped class gives objects, with the class's columns in the order of its mapping
as the export's columns; any other gives rows with the names of its columns.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, overload

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    Result,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import FilterResult
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet, ResourceClosedError
from sqlalchemy.orm import Bundle, Mapper, Query, Session, scoped_session, sessionmaker
from sqlalchemy.util import greenlet_spawn

from streamware.errors import EncodeError, StateError
from streamware.model.columns import numbered
from streamware.sources.dbapi import NO_ROWS, async_canceller, canceller
from streamware.sources.eager import eagerly, in_batches
from streamware.sources.mysql import is_mysql, killed_if_unread, killer
from streamware.sources.source import (
    BATCH_ROWS,
    FIRST_ROWS,
    AsyncCancel,
    AsyncReader,
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
_CLOSED = (
    "the session or connection is closed: pass the engine or a sessionmaker, so that each export"
    " has a session of its own"
)
_ASYNC_DRIVER = (
    "the engine's driver is asynchronous: make the engine by create_async_engine, and export by"
    " sw.aencode or in an ASGI application"
)
_ONE_QUERY = (
    "a connection of MySQL gives the rows of one query at a time: pass the engine or a sessionmaker"
    " instead of the session, or load relationships by joinedload"
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
            What the paths of `columns=` reach is loaded with its objects.
        parameters: Values of its parameters.
        batch: Rows read at a time.

    Raises:
        TypeError: `bind` or `statement` is something else; it selects more than one mapped class,
            or other columns beside one.
        ValueError: `batch` is below 1.

    Source: SQLAlchemy, "Fetching Large Result Sets with Yield Per".
    """
    executable = text(statement) if isinstance(statement, str) else _checked(statement)
    query = _prepared(executable, parameters, check_batch(batch), _entity(executable))
    if isinstance(bind, (Engine, Connection, Session, sessionmaker, scoped_session)):
        return _source(bind, query)
    if _is_async(bind):
        return _async_source(bind, query)
    raise TypeError(
        "the first argument must be an engine, a sessionmaker, a session, a scoped session or a"
        f" connection of SQLAlchemy, not {type(bind).__name__}"
        + ("; pass db.session" if hasattr(type(bind), "engines") else "")  # Flask-SQLAlchemy
    )


def _checked(statement: Any) -> Executable:
    """Return the statement.

    Raises:
        TypeError: It is something that is taken for one.
    """
    kind, cure = type(statement).__name__, "pass one, such as select(…)"
    if isinstance(statement, Query):
        cure = "pass its .statement, or the query itself in place of rows(…)"
    elif isinstance(statement, (Result, FilterResult)):
        cure = "pass what was executed"
    elif isinstance(statement, type):
        kind, cure = f"the class {statement.__name__}", f"pass select({statement.__name__})"
    elif isinstance(statement, Executable):
        return statement
    raise TypeError(f"statement must be a statement of SQLAlchemy or a str, not {kind}: {cure}")


def query_rows(query: Query[Any], *, batch: int = BATCH_ROWS) -> Source:
    """Return the rows of a legacy `Query`, such as Flask-SQLAlchemy's `Order.query`, as a source.

    It is executed by its own session, a batch at a time.

    Raises:
        TypeError: It selects more beside a class.
    """
    return _source(query.session, _prepared(query.statement, None, batch, _entity(query)))


def result_rows(result: Any) -> Reader | AsyncReader:
    """Return the rows of a result, or of its `scalars` or `mappings`; the log says what is due."""
    whole = getattr(result, "_real_result", None) or result  # of which others are filters
    context = getattr(getattr(whole, "raw", whole), "context", None)
    options = getattr(context, "execution_options", {})
    if not _is_streamed(whole, options):
        _warn_once()
    size = options.get("yield_per") or BATCH_ROWS
    statement = getattr(context, "invoked_statement", None)
    if iscoroutinefunction(result.close):
        astack = AsyncExitStack()
        astack.push_async_callback(result.close)
        return AsyncReader(_from_async_result(result, statement, size), astack)
    stack = ExitStack()
    stack.enter_context(closing(result))
    results = stack.enter_context(closing(_from_result(result, statement, size)))
    return Reader(results, stack)


def _from_result(
    result: Any, statement: Any, size: int
) -> Generator[Sequence[Any] | None, None, None]:
    batches = result.partitions(size)
    first = next(batches, ())
    yield _names_of(result) if first else _names_without_rows(result, statement)
    yield first
    yield from batches


async def _from_async_result(result: Any, statement: Any, size: int) -> AsyncResults:
    batches = result.partitions(size)
    first = await anext(batches, None) or ()  # () breaks it
    yield _names_of(result) if first else _names_without_rows(result, statement)
    yield first
    async for batch in batches:
        yield batch


def _names_of(result: Any) -> list[str] | None:
    """Return the names of the columns of a result; None of `scalars`."""
    return list(result.keys()) if hasattr(result, "keys") else None


def _names_without_rows(result: Any, statement: Any) -> list[str] | None:
    """Return the names of a result without rows: of one class, those of its columns."""
    if not hasattr(result, "mappings") and hasattr(result, "keys"):  # it gives mappings
        return _names_of(result)
    found = [each["expr"] for each in _descriptions(statement)]
    if len(found) == 1 and _is_class(found[0]):
        columns = inspect(found[0]).mapper.column_attrs
        return [each.key for each in columns if not each.deferred]
    return _names_in_bundles(statement) or _names_of(result)


def _names_in_bundles(statement: Any) -> list[str]:
    """Return the names of the columns of a statement with a `Bundle`; none of others.

    They are those that its rows have if there are any.
    """
    described = _descriptions(statement)
    if not any(isinstance(each["expr"], Bundle) for each in described):
        return []
    if len(described) == 1:
        return numbered(list(_names_inside(described[0]["expr"])))
    return numbered(
        [f"{each['name']}{name}" for each in described for name in _names_within(each["expr"])]
    )


def _names_inside(bundle: Any) -> Iterator[str]:
    for selected in bundle.columns.values():
        name = select(selected).column_descriptions[0]["name"]
        yield from (f"{name}{inner}" for inner in _names_within(selected))


def _names_within(selected: Any) -> Iterator[str]:
    """Yield what follows the name of each column: with a dot that in a bundle, else nothing."""
    if isinstance(selected, Bundle):
        yield from (f".{name}" for name in _names_inside(selected))
    else:
        yield ""


def _descriptions(statement: Any) -> Sequence[Any]:
    return getattr(statement, "column_descriptions", ())


def _is_streamed(result: Any, options: Mapping[str, Any]) -> bool:
    """Return whether a result is read as it is asked for rows.

    By default that of objects is not, not even beside an event loop, and that of columns only from
    SQLite.
    """
    if options.get("yield_per"):
        return True
    if not isinstance(result, CursorResult):
        return False
    return bool(options.get("stream_results")) or result.dialect.name == "sqlite"


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
        entity: The class of its objects, or an alias of it; None: rows of columns.
        named: Whether objects come with the names of their columns, as the caller chose none.
    """

    statement: Any
    parameters: Parameters
    batch: int
    entity: Any
    named: bool = True

    @property
    def mapper(self) -> Mapper[Any] | None:
        """The mapper of the class of its objects."""
        return None if self.entity is None else inspect(self.entity).mapper

    def prepared(self, columns: Columns) -> _Statement:
        """Return the statement for the caller's columns, which loads what they need."""
        if columns is None or self.entity is None:
            return replace(self, named=columns is None)
        return replace(self, named=False, statement=eagerly(self.statement, self.entity, columns))

    @property
    def options(self) -> dict[str, int]:
        """Execution options: read a batch at a time, from a cursor on the server."""
        return {"yield_per": self.first if self.peeks else self.batch}

    @property
    def peeks(self) -> bool:
        """Whether the names of the columns depend on whether there are rows."""
        return self.entity is not None or (self.named and bool(_names_in_bundles(self.statement)))

    @property
    def first(self) -> int:
        """The number of objects in the first batch."""
        return min(self.batch, FIRST_ROWS)

    def rows(self, result: Any) -> Any:
        """Return the rows of a result, or the objects in them."""
        return result if self.entity is None else result.scalars()

    @property
    def bind_arguments(self) -> dict[str, Any]:
        """What a session finds the statement's engine by."""
        return {"clause": self.statement, "mapper": self.mapper}

    def names(self, first: Sequence[Any], result: Any) -> list[str] | None:
        """Return the names of the columns; of objects, those that are loaded with the row."""
        if self.mapper is None:
            return _names_of(result) if first else _names_in_bundles(self.statement)
        if not self.named:
            return None
        unloaded = inspect(first[0]).unloaded if first else ()
        return [
            attribute.key
            for attribute in self.mapper.column_attrs
            if attribute.key not in unloaded and (first or not attribute.deferred)
        ]


def _prepared(statement: Any, parameters: Parameters, batch: int, entity: Any) -> _Statement:
    if entity is not None:
        statement = in_batches(statement, entity)
    return _Statement(statement, parameters, batch, entity)


def _source(bind: Any, query: _Statement) -> Source:
    def prepare(columns: Columns) -> tuple[Source, Columns]:
        return _source(bind, query.prepared(columns)), columns

    return Source(partial(_open, bind, query), prepare)


def _async_source(bind: Any, query: _Statement) -> AsyncSource:
    def prepare(columns: Columns) -> tuple[AsyncSource, Columns]:
        return _async_source(bind, query.prepared(columns)), columns

    return AsyncSource(partial(_open_async, bind, query), prepare)


def _open(bind: Any, query: _Statement, stack: ExitStack) -> tuple[Results, Cancel | None]:
    with _telling():
        executor, connection, arguments = _connected(bind, query, stack)
        driver = connection.connection.driver_connection
    kill = killer(driver, partial(_another, connection.engine)) if is_mysql(driver) else None
    streaming = None if kill is None else (connection, kill)
    results = stack.enter_context(closing(_results(executor, query, arguments, streaming)))
    return results, kill or canceller(driver)


def _connected(
    bind: Any, query: _Statement, stack: ExitStack
) -> tuple[Session | Connection, Connection, dict[str, Any]]:
    """Return what executes the statement, on which connection, and its arguments for that."""
    if isinstance(bind, Connection):
        if not bind.in_transaction():
            stack.callback(bind.rollback)
        return bind, bind, {}
    if isinstance(bind, Session):
        if not bind.in_transaction():
            stack.callback(_end, bind)
        return bind, bind.connection(bind_arguments=query.bind_arguments), {}
    session: Session = Session(bind) if isinstance(bind, Engine) else _factory(bind)()
    engine = session.get_bind(**query.bind_arguments)
    if _is_alone(engine, query):
        connection = stack.enter_context(_aside(engine).connect())
        return stack.enter_context(session), connection, {"bind_arguments": {"bind": connection}}
    stack.enter_context(session)
    return session, session.connection(bind_arguments=query.bind_arguments), {}


def _factory(bind: Any) -> Any:
    """Return what makes a session of its own for an export."""
    return getattr(bind, "session_factory", bind)


def _is_alone(engine: Engine | Connection, query: _Statement) -> TypeGuard[Engine]:
    """Return whether objects need a second connection for what is loaded with them.

    On one of MySQL a second query would end the first one, of which nothing would tell.
    """
    mysql = engine.dialect.name in ("mysql", "mariadb")
    return mysql and query.entity is not None and isinstance(engine, Engine)


def _aside(engine: Engine) -> Engine:
    """Return what a session takes for another engine: it has one connection for each."""
    return engine.execution_options()


def _another(engine: Engine) -> Any:
    """Return a new connection of the driver, without the engine's pool, which may be empty."""
    connection = engine.pool.recreate().connect()
    connection.detach()  # so that closing it does not give it back
    return connection


def _results(
    executor: Session | Connection,
    query: _Statement,
    arguments: dict[str, Any],
    streaming: tuple[Connection, Cancel] | None,
) -> Generator[Sequence[Any] | None, None, None]:
    """Execute a statement; yield the names of its columns, and then its rows in batches.

    Args:
        executor: What executes it.
        query: The statement.
        arguments: Those of `execute`.
        streaming: A connection that gives the rows of one query at a time, and what ends it.
    """
    connection, kill = streaming or (None, None)
    options = query.options
    with _telling():
        result: Any = executor.execute(
            query.statement, query.parameters, execution_options=options, **arguments
        )
        with closing(result):
            if not getattr(result, "returns_rows", True):
                raise EncodeError(NO_ROWS)
            rows = query.rows(result)
            rest = rows.partitions(query.batch)
            with _undisturbed(connection), killed_if_unread(kill, partial(next, rest, None)):
                if not query.peeks:
                    yield _names_of(result)
                else:
                    first = next(rows.partitions(query.first), ())
                    yield query.names(first, result)
                    yield first
                    rows.yield_per(query.batch)
                for batch in rest:  # noqa: UP028 - `yield from` would close it before the kill
                    yield batch


async def _open_async(
    bind: Any, query: _Statement, stack: AsyncExitStack
) -> tuple[AsyncResults, AsyncCancel | None]:
    with _telling():
        executor, connection, arguments = await _connected_async(bind, query, stack)
        driver = (await connection.get_raw_connection()).driver_connection
    streaming, kill = None, None
    if is_mysql(driver):
        another = partial(_another, connection.sync_engine)
        kill = partial(greenlet_spawn, killer(driver, another))
        streaming = (connection.sync_connection, kill)
    results = _results_async(executor, query, arguments, streaming)
    await stack.enter_async_context(aclosing(results))
    return results, kill or async_canceller(driver)


async def _connected_async(
    bind: Any, query: _Statement, stack: AsyncExitStack
) -> tuple[Any, Any, dict[str, Any]]:
    """Do what `_connected` does, for an event loop."""
    from sqlalchemy.ext import asyncio  # noqa: PLC0415 - needs greenlet, which may be missing

    if isinstance(bind, asyncio.AsyncConnection):
        if not bind.in_transaction():
            stack.push_async_callback(bind.rollback)
        return bind, bind, {}
    if isinstance(bind, asyncio.AsyncSession):
        if not bind.in_transaction():
            stack.push_async_callback(bind.run_sync, _end)
        return bind, await bind.connection(bind_arguments=query.bind_arguments), {}
    is_engine = isinstance(bind, asyncio.AsyncEngine)
    session = asyncio.AsyncSession(bind) if is_engine else _factory(bind)()
    engine = session.get_bind(**query.bind_arguments)
    if _is_alone(engine, query):
        connection = asyncio.AsyncEngine(_aside(engine)).connect()
        await stack.enter_async_context(connection)
        arguments = {"bind_arguments": {"bind": connection.sync_connection}}
        return await stack.enter_async_context(session), connection, arguments
    await stack.enter_async_context(session)
    return session, await session.connection(bind_arguments=query.bind_arguments), {}


def _end(session: Session) -> None:
    """Roll back what the session has begun, and keep its objects as they are.

    `rollback` would make them read their columns again, also those that the caller has; and the
    last rows are written after this, where that is not possible beside an event loop.
    """
    begun = session.get_transaction()
    if begun is not None:
        begun.close()


async def _results_async(
    executor: AsyncSession | AsyncConnection,
    query: _Statement,
    arguments: dict[str, Any],
    streaming: tuple[Connection, AsyncCancel] | None,
) -> AsyncGenerator[Sequence[Any] | None, None]:
    """Do what `_results` does, for an event loop."""
    connection, kill = streaming or (None, None)
    options = query.options
    with _telling():
        result: Any = await executor.stream(
            query.statement, query.parameters, execution_options=options, **arguments
        )
        rows = query.rows(result)
        rest = rows.partitions(query.batch)
        try:
            with _undisturbed(connection):
                if not query.peeks:
                    yield _names_of(result)
                else:
                    first = await anext(rows.partitions(query.first), None) or ()  # () breaks it
                    yield query.names(first, result)
                    yield first
                    rows.yield_per(query.batch)
                async for batch in rest:
                    yield batch
        except (GeneratorExit, StateError):  # before it has all rows
            if kill is not None:
                await kill()
                with suppress(Exception):
                    while await anext(rest, None):
                        pass
            raise
        finally:
            await result.close()


@contextmanager
def _undisturbed(connection: Connection | None) -> Iterator[None]:
    """Refuse other statements while rows are read from a connection; None: they are harmless."""
    if connection is None:
        yield
        return

    def refuse(*_: object) -> None:
        raise StateError(_ONE_QUERY)

    event.listen(connection, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", refuse)


@contextmanager
def _telling() -> Iterator[None]:
    """Say what to do about an error that SQLAlchemy raises for want of an open session."""
    try:
        yield
    except MissingGreenlet as error:
        raise StateError(_ASYNC_DRIVER) from error
    except InvalidRequestError as error:
        if isinstance(error, ResourceClosedError) or "permanently closed" in str(error):
            raise StateError(_CLOSED) from error
        raise


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


def _entity(statement: Any) -> Any:
    """Return the only class that a statement selects, or its alias; None if it selects columns.

    Raises:
        TypeError: It selects more beside a class.
    """
    columns = getattr(statement, "column_descriptions", ())
    classes = [column["expr"] for column in columns if _is_class(column["expr"])]
    if classes and len(columns) > 1:
        names = ", ".join(str(column["name"]) for column in columns)
        raise TypeError(
            f"the statement must select one class or only columns, not {names}: {_ONE_CLASS}"
        )
    return classes[0] if classes else None


def _is_class(selected: object) -> bool:
    found = inspect(selected, raiseerr=False)
    return getattr(found, "is_mapper", False) or getattr(found, "is_aliased_class", False)
