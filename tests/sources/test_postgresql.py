"""psycopg and asyncpg against a real server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest

import streamware as sw
from postgresql import Cluster, cluster
from readers import csv_rows
from servers.process import until

psycopg = pytest.importorskip("psycopg", reason="skipped: needs psycopg")
psycopg_pool = pytest.importorskip("psycopg_pool", reason="skipped: needs psycopg_pool")
asyncpg = pytest.importorskip("asyncpg", reason="skipped: needs asyncpg")
pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")
pytest.importorskip("greenlet", reason="skipped: needs greenlet")

from sqlalchemy import create_engine  # noqa: E402
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: E402

from streamware.sources import asyncpg as asyncpg_source  # noqa: E402
from streamware.sources import psycopg as psycopg_source  # noqa: E402
from streamware.sources import sqlalchemy as sqlalchemy_source  # noqa: E402

pytestmark = pytest.mark.servers

QUERY = "select n as number, 'Ann ' || n as customer from generate_series(1, %s) n"
DOLLAR = QUERY.replace("%s", "$1::int")
EXPECTED = [["number", "customer"], ["1", "Ann 1"], ["2", "Ann 2"]]
SLOW = "select pg_sleep(60), n from generate_series(1, 3) n"


@pytest.fixture(scope="module", name="server")
def server_() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def document(rows: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows)))


async def adocument(rows: Any) -> list[list[str]]:
    async with sw.aencode(rows) as encoding:
        return csv_rows(b"".join([chunk async for chunk in encoding]))


def states(server: Cluster) -> list[str]:
    """What the other connections are doing."""
    with closing(server.connect()) as connection:
        found = connection.execute(
            "select state from pg_stat_activity where pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        ).fetchall()
    return [row[0] for row in found]


@asynccontextmanager
async def async_pool(server: Cluster) -> AsyncIterator[Any]:
    async with psycopg_pool.AsyncConnectionPool(server.conninfo, min_size=1, max_size=1) as made:
        yield made


def test_a_connection_string_is_a_connection_for_each_export(server: Cluster) -> None:
    rows = psycopg_source.rows(server.conninfo, QUERY, [2])
    assert document(rows) == document(rows) == EXPECTED
    until(lambda: states(server) == [])


def test_a_pool_gets_its_connection_back(server: Cluster) -> None:
    with psycopg_pool.ConnectionPool(server.conninfo, min_size=1, max_size=1) as pool:
        rows = psycopg_source.rows(pool, QUERY, [2])
        for _ in range(3):
            assert document(rows) == EXPECTED
            encoding = sw.encode(psycopg_source.rows(pool, QUERY, [100_000]))
            next(encoding)
            encoding.close()
        until(lambda: states(server) == ["idle"])


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_connection_is_used_and_left_as_it_was(server: Cluster, *, autocommit: bool) -> None:
    with closing(server.connect()) as connection:
        connection.autocommit = autocommit
        assert document(psycopg_source.rows(connection, QUERY, [2])) == EXPECTED
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_transaction_of_the_caller_goes_on(server: Cluster) -> None:
    with closing(server.connect()) as connection:
        connection.execute("create temporary table t as select 7 as a")
        assert document(psycopg_source.rows(connection, "select a from t")) == [["a"], ["7"]]
        assert connection.execute("select a from t").fetchone() == (7,)


def test_a_query_without_rows_still_has_a_header(server: Cluster) -> None:
    assert document(psycopg_source.rows(server.conninfo, QUERY, [0])) == EXPECTED[:1]


async def test_psycopg_reads_beside_an_event_loop(server: Cluster) -> None:
    async with async_pool(server) as pool:
        rows = psycopg_source.rows(pool, QUERY, [2])
        assert await adocument(rows) == EXPECTED
        assert await adocument(rows) == EXPECTED
    async with await psycopg.AsyncConnection.connect(server.conninfo) as connection:
        assert await adocument(psycopg_source.rows(connection, QUERY, [2])) == EXPECTED


async def test_asyncpg_reads_from_a_string_a_pool_and_a_connection(server: Cluster) -> None:
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    assert await adocument(asyncpg_source.rows(url, DOLLAR, 2)) == EXPECTED
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        for _ in range(2):
            assert await adocument(asyncpg_source.rows(pool, DOLLAR, 2)) == EXPECTED
        async with pool.acquire() as connection:
            assert await adocument(asyncpg_source.rows(connection, DOLLAR, 0)) == EXPECTED[:1]
            assert not connection.is_in_transaction()
    until(lambda: states(server) == [])


async def test_asyncpg_says_of_a_statement_without_rows_that_it_has_none(server: Cluster) -> None:
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        await adocument(asyncpg_source.rows(url, "create table made (n int)"))
    until(lambda: states(server) == [])


@pytest.mark.parametrize("ending", ["", " returning n"])
def test_a_statement_that_writes_is_told_what_a_cursor_on_the_server_takes(
    server: Cluster, ending: str
) -> None:
    with closing(server.connect()) as connection:
        connection.execute("create table if not exists written (n int)")
        connection.commit()
    statement = f"insert into written values (1){ending}"
    engine = create_engine("postgresql+psycopg://", creator=server.connect)
    for rows in (
        psycopg_source.rows(server.conninfo, statement),
        sqlalchemy_source.rows(engine, statement),
    ):
        with pytest.raises(Exception, match="syntax error") as caught:
            document(rows)
        assert "SELECT or VALUES: execute it yourself" in caught.value.__notes__[0]
    engine.dispose()
    until(lambda: states(server) == [])


def test_a_slow_query_is_cancelled_by_its_reader(server: Cluster) -> None:
    reader = psycopg_source.rows(server.conninfo, SLOW).open_rows()
    assert reader.cancel is not None
    timer = threading.Timer(0.2, reader.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        list(reader)
    reader.close()
    timer.join()
    until(lambda: states(server) == [])


@pytest.mark.parametrize(
    "driver", ["psycopg", "asyncpg", "postgresql+psycopg", "postgresql+asyncpg"]
)
async def test_a_slow_query_ends_with_the_task_that_waits_for_it(
    server: Cluster, driver: str
) -> None:
    async def run() -> None:
        if "+" in driver:
            engine = create_async_engine(f"{driver}://postgres@/postgres?host={server.folder}")
            try:
                await adocument(sqlalchemy_source.rows(engine, SLOW))
            finally:
                await engine.dispose()
        if driver == "asyncpg":
            url = f"postgresql://postgres@/postgres?host={server.folder}"
            await adocument(asyncpg_source.rows(url, SLOW))
        async with async_pool(server) as pool:
            await adocument(psycopg_source.rows(pool, SLOW))

    task = asyncio.create_task(run())
    while "active" not in await asyncio.to_thread(states, server):  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.02)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while await asyncio.to_thread(states, server):
        assert time.monotonic() < began + 2
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("target", [3, None, object()])
def test_something_else_is_a_type_error(target: Any) -> None:
    with pytest.raises(TypeError, match=type(target).__name__):
        psycopg_source.rows(target, "select 1")
    with pytest.raises(TypeError, match=type(target).__name__):
        asyncpg_source.rows(target, "select 1")


POOLS: dict[str, Any] = vars(psycopg_pool)


@pytest.mark.parametrize("pool", ["ConnectionPool", "NullConnectionPool"])
def test_pools_have_all_connections_back_after_broken_downloads(server: Cluster, pool: str) -> None:
    with POOLS[pool](server.conninfo, min_size=0, max_size=2) as made:
        rows = psycopg_source.rows(made, QUERY, [100_000])
        for _ in range(50):
            encoding = sw.encode(rows)
            next(encoding)
            encoding.close()
        assert document(psycopg_source.rows(made, QUERY, [2])) == EXPECTED
    assert all_gone(server)


@pytest.mark.parametrize("pool", ["AsyncConnectionPool", "AsyncNullConnectionPool"])
async def test_async_pools_have_all_connections_back_after_broken_downloads(
    server: Cluster, pool: str
) -> None:
    async with POOLS[pool](server.conninfo, min_size=0, max_size=2) as made:
        rows = psycopg_source.rows(made, QUERY, [100_000])
        for _ in range(50):
            async with sw.aencode(rows) as encoding:
                await anext(aiter(encoding))
        assert await adocument(psycopg_source.rows(made, QUERY, [2])) == EXPECTED
    assert await asyncio.to_thread(all_gone, server)


async def test_a_pool_of_asyncpg_has_all_connections_back_after_broken_downloads(
    server: Cluster,
) -> None:
    async with asyncpg.create_pool(url(server), min_size=0, max_size=2) as pool:
        rows = asyncpg_source.rows(pool, DOLLAR, 100_000)
        for _ in range(50):
            async with sw.aencode(rows) as encoding:
                await anext(aiter(encoding))
        assert await adocument(asyncpg_source.rows(pool, DOLLAR, 2)) == EXPECTED
        assert pool.get_size() == pool.get_idle_size() == 1
    assert await asyncio.to_thread(all_gone, server)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_engines_have_all_connections_back_after_broken_downloads(
    server: Cluster, driver: str
) -> None:
    engine = create_async_engine(f"postgresql+{driver}://postgres@/postgres?host={server.folder}")
    rows = sqlalchemy_source.rows(engine, QUERY.replace("%s", "100000"))
    for _ in range(50):
        async with sw.aencode(rows) as encoding:
            await anext(aiter(encoding))
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a pool with a queue
    assert len(await adocument(sqlalchemy_source.rows(engine, "select 1 as a"))) == 2
    await engine.dispose()
    assert await asyncio.to_thread(all_gone, server)


def terminate(server: Cluster) -> None:
    """End all other connections."""
    with closing(server.connect()) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )


def lost(server: Cluster, rows: Any) -> None:
    """Read rows, and end their connection in the middle."""
    encoding = sw.encode(rows, chunk_size=1000)
    next(encoding)
    terminate(server)
    try:
        for _ in encoding:
            pass
    finally:
        assert encoding.receipt.outcome == "source error"


def all_gone(server: Cluster) -> bool:
    """Whether all connections end soon."""
    end = time.monotonic() + 2
    while states(server):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def url(server: Cluster) -> str:
    """What asyncpg finds it by."""
    return f"postgresql://postgres@/postgres?host={server.folder}"


def test_a_lost_connection_breaks_the_transfer_and_the_pool_recovers(server: Cluster) -> None:
    engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={server.folder}")
    with psycopg_pool.ConnectionPool(server.conninfo, min_size=1, max_size=1) as pool:
        for make, count in (
            (lambda query: sqlalchemy_source.rows(engine, query), 300_000),
            (lambda query: psycopg_source.rows(pool, query), 300_000),
        ):
            with pytest.raises(Exception, match=r"terminat|closed|lost"):
                lost(server, make(QUERY.replace("%s", str(count))))
            for _ in range(2):
                assert document(make(QUERY.replace("%s", "2"))) == EXPECTED
    engine.dispose()
    assert all_gone(server)


async def test_a_lost_connection_of_asyncpg_does_too(server: Cluster) -> None:
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?host={server.folder}")
    async with asyncpg.create_pool(url(server), min_size=1, max_size=1) as pool:
        makers: list[Callable[[str], Any]] = [
            lambda query: sqlalchemy_source.rows(engine, query),
            lambda query: asyncpg_source.rows(pool, query),
        ]
        for make in makers:
            encoding = sw.aencode(make(QUERY.replace("%s", "300000")), chunk_size=1000)
            await anext(aiter(encoding))
            await asyncio.to_thread(terminate, server)
            with pytest.raises(Exception, match=r"terminat|closed|lost|in progress"):
                async for _ in encoding:
                    pass
            assert encoding.receipt.outcome == "source error"
            await encoding.aclose()
            assert await adocument(make(QUERY.replace("%s", "2"))) == EXPECTED
    await engine.dispose()
    assert await asyncio.to_thread(all_gone, server)


def test_rows_are_what_the_connection_makes_of_them(server: Cluster) -> None:
    class Order:
        def __init__(self, number: int, customer: str) -> None:
            self.number, self.customer = number, customer

    for factory in (
        psycopg.rows.tuple_row,
        psycopg.rows.dict_row,
        psycopg.rows.namedtuple_row,
        psycopg.rows.class_row(Order),
    ):
        with psycopg.connect(server.conninfo, row_factory=factory) as connection:
            assert document(psycopg_source.rows(connection, QUERY, [2])) == EXPECTED


def test_a_transaction_that_has_failed_is_an_error_that_says_what_to_do(server: Cluster) -> None:
    with closing(server.connect()) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("select * from nothing")
        with pytest.raises(sw.StateError, match=r"has failed: call its rollback\(\)"):
            document(psycopg_source.rows(connection, QUERY, [2]))
        connection.rollback()
        assert document(psycopg_source.rows(connection, QUERY, [2])) == EXPECTED


async def test_it_is_beside_an_event_loop_too(server: Cluster) -> None:
    async with await psycopg.AsyncConnection.connect(server.conninfo) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute("select * from nothing")
        with pytest.raises(sw.StateError, match=r"has failed: call its rollback\(\)"):
            await adocument(psycopg_source.rows(connection, QUERY, [2]))
        await connection.rollback()


async def test_a_transaction_of_asyncpg_that_has_failed_says_what_to_do(server: Cluster) -> None:
    connection = await asyncpg.connect(url(server))
    transaction = connection.transaction()
    await transaction.start()
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.execute("select * from nothing")
    with pytest.raises(asyncpg.InFailedSQLTransactionError) as caught:
        await adocument(asyncpg_source.rows(connection, DOLLAR, 2))
    assert "pass what opens one" in caught.value.__notes__[0]
    await transaction.rollback()
    await connection.close()


def test_a_closed_connection_is_an_error_that_says_what_to_pass(server: Cluster) -> None:
    connection = server.connect()
    connection.close()
    with pytest.raises(psycopg.OperationalError, match="closed") as caught:
        document(psycopg_source.rows(connection, QUERY, [2]))
    assert "pass" in caught.value.__notes__[0]


def test_a_pool_that_is_not_open_says_so_itself(server: Cluster) -> None:
    pool = psycopg_pool.ConnectionPool(server.conninfo, open=False)
    with pytest.raises(psycopg_pool.PoolClosed, match="not open"):
        document(psycopg_source.rows(pool, QUERY, [2]))
