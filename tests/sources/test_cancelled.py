"""A task that is cancelled at any of its awaits leaves no connection, no task and no query.

The awaits of all tasks are counted; at the n-th one, for each n until the export is through, the
task that exports is cancelled.
"""

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import PATIENCE
from postgresql import Cluster, cluster
from readers import csv_rows
from streamware.sources import sqlite

aiosqlite = pytest.importorskip("aiosqlite", reason="skipped: needs aiosqlite")
asyncpg = pytest.importorskip("asyncpg", reason="skipped: needs asyncpg")
psycopg_pool = pytest.importorskip("psycopg_pool", reason="skipped: needs psycopg_pool")
pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
pytest.importorskip("greenlet", reason="skipped: needs greenlet")

from sqlalchemy import ForeignKey, select  # noqa: E402
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: E402
from sqlalchemy.orm import (  # noqa: E402
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from streamware.sources import asyncpg as asyncpg_source  # noqa: E402
from streamware.sources import psycopg as psycopg_source  # noqa: E402
from streamware.sources import sqlalchemy as sqlalchemy_source  # noqa: E402

ROWS = 30
BATCH = 10
MOST = 3000  # awaits


class Base(DeclarativeBase):
    """The mapped classes."""


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()


TABLES = (
    "create table customers (id integer primary key)",
    "create table orders (id integer primary key, customer_id integer references customers)",
    *(f"insert into customers values ({n})" for n in (1, 2)),
    *(f"insert into orders values ({n}, {n % 2 + 1})" for n in range(1, ROWS + 1)),
)
QUERY = "select id, customer_id from orders order by id"
COLUMNS = ["id", "customer.id"]


# Drivers --------------------------------------------------------------------------------------

Opened = AbstractAsyncContextManager[tuple[Any, Callable[[], int]]]
"""A source, and the number of its connections that are not free."""


@asynccontextmanager
async def engine_of(url: str, statement: Any) -> AsyncIterator[tuple[Any, Callable[[], int]]]:
    engine: Any = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE)
    rows = sqlalchemy_source.rows(engine, statement, batch=BATCH)
    yield rows, engine.pool.checkedout
    await engine.dispose()


@asynccontextmanager
async def aiosqlite_of(path: Path) -> AsyncIterator[tuple[Any, Callable[[], int]]]:
    async def connect() -> Any:
        return await aiosqlite.connect(path)

    yield sqlite.rows(connect, QUERY, batch=BATCH), lambda: 0


@asynccontextmanager
async def psycopg_of(server: Cluster) -> AsyncIterator[tuple[Any, Callable[[], int]]]:
    pool = psycopg_pool.AsyncConnectionPool(server.conninfo, min_size=1, max_size=1, open=False)

    def taken() -> int:
        found = pool.get_stats()
        return int(found["pool_size"] - found["pool_available"])

    async with pool:
        await pool.wait()
        yield psycopg_source.rows(pool, QUERY, batch=BATCH), taken


@asynccontextmanager
async def asyncpg_of(server: Cluster) -> AsyncIterator[tuple[Any, Callable[[], int]]]:
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        rows = asyncpg_source.rows(pool, QUERY, batch=BATCH)
        yield rows, lambda: pool.get_size() - pool.get_idle_size()


@asynccontextmanager
async def string_of(server: Cluster) -> AsyncIterator[tuple[Any, Callable[[], int]]]:
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    yield asyncpg_source.rows(url, QUERY, batch=BATCH), lambda: 0


SELECT = select(Order).order_by(Order.id)
STATEMENTS = {
    "columns": select(Order.id, Order.customer_id).order_by(Order.id),
    "joined": SELECT.options(joinedload(Order.customer)),
    "selected": SELECT.options(selectinload(Order.customer)),
}

# What is cancelled ------------------------------------------------------------------------------


async def read(rows: Any) -> int:
    """Read a source as it is; return the number of its rows."""
    async with aclosing(await rows.open_rows()) as reader:
        return len([row async for row in reader])


async def encode(rows: Any) -> int:
    async with sw.aencode(rows, columns=["id"]) as encoding:
        return len(csv_rows(b"".join([chunk async for chunk in encoding]))) - 1


def served(delivery: Any) -> Callable[[Any], Awaitable[int]]:
    async def serve(rows: Any) -> int:
        body: list[bytes] = []
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            await asyncio.sleep(0)
            body.append(message.get("body", b""))

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        export: Any = sw.Export(rows, columns=["id"], delivery=delivery)
        await export(scope, receive, send)
        return len(csv_rows(b"".join(body))) - 1

    return serve


EXPORTS: dict[str, Callable[[Any], Awaitable[int]]] = {
    "read": read,
    "encode": encode,
    "stream": served("stream"),
    "buffer": served("buffer"),
    "spool": served("spool"),
}


# The awaits -------------------------------------------------------------------------------------


class Counter:
    """Counts the awaits of all tasks, and cancels one task at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.task: asyncio.Task[Any] | None = None

    def step(self) -> None:
        self.count += 1
        if self.count == self.at and self.task is not None:
            self.task.cancel()

    def make(self, loop: asyncio.AbstractEventLoop, run: Any, **options: Any) -> Any:
        """Make a task, as a loop does by itself."""
        return asyncio.Task(Counted(run, self.step), loop=loop, **options)


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine that calls `step` whenever it waits."""

    def __init__(self, run: Any, step: Callable[[], None]) -> None:
        self._run = run
        self._step = step

    def send(self, value: Any) -> Any:
        waited = self._run.send(value)
        self._step()
        return waited

    def throw(self, *error: Any) -> Any:
        waited = self._run.throw(*error)
        self._step()
        return waited

    def close(self) -> None:
        self._run.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._run.__await__()  # type: ignore[no-any-return]  # a coroutine's


async def cancelled_at_each_await(opened: Opened, export: Callable[[Any], Awaitable[int]]) -> int:
    """Cancel an export at each of its awaits in turn; return how many they are."""
    loop = asyncio.get_running_loop()
    async with opened as (rows, taken):
        assert await export(rows) == ROWS
        others = asyncio.all_tasks()
        for at in range(1, MOST):
            counter = Counter(at)
            loop.set_task_factory(counter.make)
            counter.task = task = asyncio.Task(Counted(export(rows), counter.step), loop=loop)
            counter.step()
            with suppress(asyncio.CancelledError):
                await task
            loop.set_task_factory(None)
            async with asyncio.timeout(PATIENCE):
                while taken() or asyncio.all_tasks() - others:  # noqa: ASYNC110 - there is no event
                    await asyncio.sleep(0.001)
            assert await export(rows) == ROWS
            if counter.count < at:
                gc.collect()
                return at
    pytest.fail("it never ended")


# SQLite -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cancelled") / "orders.db"
    connection = sqlite3.connect(made)
    for statement in TABLES:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("export", EXPORTS)
async def test_aiosqlite_is_left_clean(path: Path, export: str) -> None:
    await cancelled_at_each_await(aiosqlite_of(path), EXPORTS[export])


@pytest.mark.slow
@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("statement", STATEMENTS)
async def test_sqlalchemy_with_aiosqlite_is_left_clean(
    path: Path, statement: str, export: str
) -> None:
    opened = engine_of(f"sqlite+aiosqlite:///{path}", STATEMENTS[statement])
    await cancelled_at_each_await(opened, EXPORTS[export])


# PostgreSQL -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        with made.connect() as connection:
            for statement in TABLES:
                connection.execute(statement)
        yield made


DRIVERS: dict[str, Callable[[Cluster], Opened]] = {
    "psycopg": psycopg_of,
    "asyncpg": asyncpg_of,
    "a connection string of asyncpg": string_of,
}


# A cursor of psycopg whose closing is cut off says so; its transaction has ended it.
@pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")
@pytest.mark.servers
@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_driver_of_postgresql_is_left_clean(
    server: Cluster, driver: str, export: str
) -> None:
    await cancelled_at_each_await(DRIVERS[driver](server), EXPORTS[export])


@pytest.mark.servers
@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_sqlalchemy_with_postgresql_is_left_clean(
    server: Cluster, driver: str, statement: str, export: str
) -> None:
    url = f"postgresql+{driver}://postgres@/postgres?host={server.folder}"
    await cancelled_at_each_await(engine_of(url, STATEMENTS[statement]), EXPORTS[export])
