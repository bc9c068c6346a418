"""aiosqlite: connections that exist, and callables that make some."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import PATIENCE, asgi_get
from readers import csv_rows
from streamware.sources import sqlite

aiosqlite = pytest.importorskip("aiosqlite", reason="skipped: needs aiosqlite")

QUERY = "select n as number, 'Ann ' || n as customer from orders where n <= ? order by n"
EXPECTED = [["number", "customer"], ["1", "Ann 1"], ["2", "Ann 2"]]
ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("aiosqlite") / "orders.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (n)")
        connection.executemany("insert into orders values (?)", [(n,) for n in range(1, 3001)])
    connection.close()
    return path


def by_coroutine(path: Path) -> Callable[[], Any]:
    async def connect() -> Any:
        return await aiosqlite.connect(path)

    return connect


CONNECT: dict[str, Callable[[Path], Callable[[], Any]]] = {
    "a lambda": lambda path: lambda: aiosqlite.connect(path),
    "a partial": lambda path: partial(aiosqlite.connect, path),
    "a coroutine function": by_coroutine,
}


async def document(rows: Any) -> list[list[str]]:
    async with sw.aencode(rows) as encoding:
        return csv_rows(b"".join([chunk async for chunk in encoding]))


@pytest.mark.parametrize("kind", CONNECT)
async def test_a_callable_connects_for_each_export(database: Path, kind: str) -> None:
    rows = sqlite.rows(CONNECT[kind](database), QUERY, [2])
    assert await document(rows) == await document(rows) == EXPECTED
    assert len(await document(sqlite.rows(CONNECT[kind](database), QUERY, [3000]))) == 3001


async def test_a_connection_that_comes_once_the_export_is_cancelled_is_closed(
    database: Path,
) -> None:
    made: list[Any] = []
    asked, granted = asyncio.Event(), asyncio.Event()

    async def connect() -> Any:
        asked.set()
        await granted.wait()
        made.append(await aiosqlite.connect(database))
        return made[0]

    rows: Any = sqlite.rows(connect, QUERY, [2])
    task = asyncio.ensure_future(rows.open_rows())
    await asked.wait()
    task.cancel()
    await asyncio.sleep(0)
    granted.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ValueError, match="no active connection"):
        await made[0].execute("select 1")


async def test_a_connection_is_used_and_left_open(database: Path) -> None:
    async with aiosqlite.connect(database) as connection:
        connection.row_factory = aiosqlite.Row
        rows = sqlite.rows(connection, QUERY, [2])
        assert await document(rows) == EXPECTED
        assert [row["number"] async for row in rows] == [1, 2]
        async with connection.execute("select 7") as cursor:
            assert tuple(await cursor.fetchone()) == (7,)


async def test_a_query_without_rows_still_has_a_header(database: Path) -> None:
    rows = sqlite.rows(lambda: aiosqlite.connect(database), QUERY, [0])
    assert await document(rows) == EXPECTED[:1]


async def test_a_statement_without_rows_is_an_error_that_says_so(database: Path) -> None:
    rows = sqlite.rows(lambda: aiosqlite.connect(database), "delete from orders where n < 0")
    with pytest.raises(sw.EncodeError, match="returns no rows"):
        await document(rows)


async def test_what_fails_is_closed(database: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await document(sqlite.rows(lambda: aiosqlite.connect(database), "select * from missing"))
    query = "select case when n < 2000 then n else json('x') end from orders"
    with pytest.raises(sqlite3.OperationalError, match="JSON"):
        await document(sqlite.rows(lambda: aiosqlite.connect(database), query))


async def test_a_closed_connection_is_an_error_that_says_what_to_pass(database: Path) -> None:
    connection = await aiosqlite.connect(database)
    await connection.close()
    with pytest.raises(ValueError, match=r"closed|active connection") as caught:
        await document(sqlite.rows(connection, QUERY, [2]))
    assert "one of its own" in caught.value.__notes__[0]


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_download_that_is_broken_off_closes_its_connection(
    database: Path, taken: int
) -> None:
    encoding = sw.aencode(
        sqlite.rows(lambda: aiosqlite.connect(database), QUERY, [3000]), chunk_size=64
    )
    for _ in range(taken):
        await anext(aiter(encoding))
    await encoding.aclose()


async def test_a_slow_query_is_interrupted_when_its_task_is_cancelled(database: Path) -> None:
    async with aiosqlite.connect(database) as connection:
        encoding = sw.aencode(sqlite.rows(connection, ENDLESS))
        task = asyncio.ensure_future(anext(aiter(encoding)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(encoding.aclose(), PATIENCE)
        assert len(await document(sqlite.rows(connection, QUERY, [2]))) == 3


def test_a_query_that_is_too_slow_is_interrupted_by_the_limits_of_an_export(database: Path) -> None:
    rows = sqlite.rows(by_coroutine(database), ENDLESS)
    export = sw.Export(rows, limits=sw.Limits(seconds=0.2))
    assert asgi_get(export).status == 503


@pytest.mark.parametrize("kind", CONNECT)
def test_without_an_event_loop_it_is_an_error_that_says_so(database: Path, kind: str) -> None:
    rows = sqlite.rows(CONNECT[kind](database), QUERY, [2])
    with pytest.raises(sw.StateError, match=r"asynchronous: use sw\.aencode"):
        b"".join(sw.encode(rows))
