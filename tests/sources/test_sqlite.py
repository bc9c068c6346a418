"""SQLite and, because its driver is the one that is always there, any PEP 249 driver."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

import streamware as sw
from fakes import PATIENCE, asgi_get, wsgi_get
from readers import csv_rows
from streamware.sources import dbapi, sqlite

QUERY = "select n as number, 'Ann ' || n as customer from orders where n <= :most order by n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (n)")
        connection.executemany("insert into orders values (?)", [(n,) for n in range(1, 3001)])
    connection.close()
    return path


class Connections:
    """Opens connections and records how many are open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = 0
        self.open: set[int] = set()
        self.threads: set[int] = set()

    def __call__(self) -> Any:
        self.opened += 1
        self.threads.add(threading.get_ident())
        return _Recorded(self)


class _Recorded(sqlite3.Connection):
    def __init__(self, connections: Connections) -> None:
        super().__init__(connections.path)
        self.connections = connections
        connections.open.add(id(self))

    def close(self) -> None:
        super().close()  # raises on another thread than the one that opened it
        self.connections.open.discard(id(self))


@pytest.fixture
def connections(database: Path) -> Iterator[Connections]:
    made = Connections(database)
    yield made
    assert not made.open


def test_the_rows_of_a_file_have_the_names_of_the_query(database: Path) -> None:
    rows = sqlite.rows(database, QUERY, {"most": 2})
    assert csv_rows(b"".join(sw.encode(rows))) == [
        ["number", "customer"],
        ["1", "Ann 1"],
        ["2", "Ann 2"],
    ]


def test_a_source_can_be_read_again_and_by_several_at_a_time(database: Path) -> None:
    rows = sqlite.rows(str(database), "select n from orders where n <= ?", [2])
    assert [*zip(rows, rows, strict=True)] == [((1,), (1,)), ((2,), (2,))]
    export = sw.Export(rows, format="csv")
    for _ in range(2):  # an Export of it answers more than once, too
        assert Client(export).get("/").data == b"n\r\n1\r\n2\r\n"


def test_a_query_without_rows_still_has_a_header(database: Path) -> None:
    rows = sqlite.rows(database, QUERY, {"most": 0})
    assert b"".join(sw.encode(rows)) == b"number,customer\r\n"


def test_a_missing_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(sqlite3.OperationalError) as caught:
        b"".join(sw.encode(sqlite.rows(path, "select 1")))
    assert "none.db" in caught.value.__notes__[0]
    assert not path.exists()


def test_a_file_is_opened_to_read_only(database: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        list(sqlite.rows(database, "insert into orders values (1) returning n"))


@pytest.mark.parametrize("name", ["", ":memory:"])
def test_a_database_in_memory_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(ValueError, match="pass the connection"):
        sqlite.rows(name, "select 1")


def test_a_connection_of_the_caller_is_used_and_left_open() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("create table t as select 1 as a, 2 as b")
    assert b"".join(sw.encode(sqlite.rows(connection, "select * from t"))) == b"a,b\r\n1,2\r\n"
    assert connection.execute("select a from t").fetchone()[0] == 1
    connection.close()


@pytest.mark.parametrize("target", [3, None, ["orders.db"]])
def test_anything_else_is_a_type_error(target: Any) -> None:
    with pytest.raises(TypeError, match=type(target).__name__):
        sqlite.rows(target, "select 1")


def test_a_statement_without_rows_is_an_error_that_says_so(database: Path) -> None:
    with pytest.raises(sw.EncodeError, match=r"returns no rows.*SELECT"):
        list(sqlite.rows(lambda: sqlite3.connect(database), "delete from orders"))


@pytest.mark.parametrize("taken", [0, 1, None])
def test_the_connection_is_closed_however_the_export_ends(
    connections: Connections, taken: int | None
) -> None:
    encoding = sw.encode(dbapi.rows(connections, QUERY, {"most": 3000}), chunk_size=64)
    for at, _ in enumerate(encoding):
        if at == taken:
            break
    encoding.close()
    assert connections.opened == 1
    assert (encoding.receipt.outcome == "complete") is (taken is None)


def test_rows_that_fail_close_the_connection(connections: Connections) -> None:
    query = "select case when n < 2000 then n else json('x') end from orders"
    with pytest.raises(sqlite3.OperationalError, match="JSON"):
        b"".join(sw.encode(dbapi.rows(connections, query)))


def test_a_query_that_fails_closes_the_connection(connections: Connections) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        b"".join(sw.encode(dbapi.rows(connections, "select * from customers")))


async def test_one_thread_opens_reads_and_closes(connections: Connections) -> None:
    rows = dbapi.rows(connections, QUERY, {"most": 3000})
    async with sw.aencode(rows) as encoding:
        document = b"".join([chunk async for chunk in encoding])
    assert document.count(b"\r\n") == 3001
    assert connections.threads != {threading.get_ident()}


def test_rows_are_fetched_in_batches_from_the_cursor_of_the_caller(database: Path) -> None:
    sizes: list[int] = []

    class Cursor(sqlite3.Cursor):
        def fetchmany(self, size: int | None = 1) -> list[Any]:
            sizes.append(size or 0)
            return super().fetchmany(size)

    rows = dbapi.rows(
        lambda: sqlite3.connect(database),
        "select n from orders",
        cursor_factory=lambda connection: connection.cursor(Cursor),
        batch=700,
    )
    assert [*rows] == [(n,) for n in range(1, 3001)]
    assert sizes == [700] * 6


def test_a_batch_is_at_least_a_row() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        dbapi.rows(lambda: sqlite3.connect(":memory:"), "select 1", batch=0)


def test_a_reader_can_interrupt_its_query(connections: Connections) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    reader = sqlite.rows(connections.path, endless).open_rows()
    assert reader.cancel is not None
    timer = threading.Timer(0.1, reader.cancel)
    timer.start()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        list(reader)
    reader.close()
    timer.join()


ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_query_that_is_too_slow_is_interrupted_without_a_cancel_of_the_caller(
    database: Path, get: Any, delivery: Any
) -> None:
    rows = sqlite.rows(database, ENDLESS)
    export = sw.Export(rows, delivery=delivery, limits=sw.Limits(seconds=0.2))
    reply = get(export)
    assert reply.status == 503


def test_a_slow_query_of_a_sheet_is_interrupted_too(database: Path) -> None:
    sheets = [sw.Sheet("Orders", sqlite.rows(database, ENDLESS))]
    with pytest.raises(sw.LimitError, match="seconds"):
        b"".join(sw.encode(sheets, "xlsx", limits=sw.Limits(seconds=0.2)))


async def test_a_slow_query_ends_with_the_task_that_waits_for_it(database: Path) -> None:
    encoding = sw.aencode(sqlite.rows(database, ENDLESS))
    task = asyncio.create_task(anext(aiter(encoding)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(encoding.aclose(), PATIENCE)
