"""psycopg and asyncpg against a real server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest

import streamware as sw
from postgresql import Cluster, cluster
from readers import csv_rows

psycopg = pytest.importorskip("psycopg", reason="skipped: needs psycopg")
psycopg_pool = pytest.importorskip("psycopg_pool", reason="skipped: needs psycopg_pool")
asyncpg = pytest.importorskip("asyncpg", reason="skipped: needs asyncpg")

from streamware.sources import asyncpg as asyncpg_source  # noqa: E402
from streamware.sources import psycopg as psycopg_source  # noqa: E402

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
    assert states(server) == []


def test_a_pool_gets_its_connection_back(server: Cluster) -> None:
    with psycopg_pool.ConnectionPool(server.conninfo, min_size=1, max_size=1) as pool:
        rows = psycopg_source.rows(pool, QUERY, [2])
        for _ in range(3):
            assert document(rows) == EXPECTED
            encoding = sw.encode(psycopg_source.rows(pool, QUERY, [100_000]))
            next(encoding)
            encoding.close()
        assert states(server) == ["idle"]


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
    assert states(server) == []


async def test_asyncpg_says_of_a_statement_without_rows_that_it_has_none(server: Cluster) -> None:
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        await adocument(asyncpg_source.rows(url, "create table made (n int)"))
    assert states(server) == []


def test_a_slow_query_is_cancelled_by_its_reader(server: Cluster) -> None:
    reader = psycopg_source.rows(server.conninfo, SLOW).open_rows()
    assert reader.cancel is not None
    timer = threading.Timer(0.2, reader.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        list(reader)
    reader.close()
    timer.join()
    assert states(server) == []


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_slow_query_ends_with_the_task_that_waits_for_it(
    server: Cluster, driver: str
) -> None:
    async def run() -> None:
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
