import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows

duckdb = pytest.importorskip("duckdb", reason="skipped: needs duckdb")

from streamware.sources import duckdb as source  # noqa: E402

QUERY = "select i as number, i / 4 as total from range($1) r(i)"


@pytest.fixture
def connection() -> Iterator[Any]:
    made = duckdb.connect()
    yield made
    made.close()


def document(rows: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows)))


def test_each_export_has_a_cursor_of_its_own(connection: Any) -> None:
    rows = source.rows(connection, QUERY, [2])
    connection.execute("select 1 union select 2")
    assert document(rows) == document(rows) == [["number", "total"], ["0", "0.0"], ["1", "0.25"]]
    assert len(connection.fetchall()) == 2  # the application's own result is still there


def test_a_query_without_rows_still_has_a_header(connection: Any) -> None:
    assert document(source.rows(connection, QUERY, [0])) == [["number", "total"]]


def test_all_rows_come_in_batches(connection: Any) -> None:
    assert len(document(source.rows(connection, QUERY, [2500], batch=1000))) == 2501


def test_a_file_is_opened_to_read_only(tmp_path: Path) -> None:
    path = tmp_path / "orders.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("create table t as select 7 as a")
    assert document(source.rows(path, "select a from t")) == [["a"], ["7"]]
    with pytest.raises(duckdb.Error):
        document(source.rows(path, "insert into t values (1) returning a"))
    with pytest.raises(duckdb.Error):
        document(source.rows(tmp_path / "none.duckdb", "select 1"))
    assert not (tmp_path / "none.duckdb").exists()


def test_a_slow_query_is_cancelled_by_its_reader(connection: Any) -> None:
    slow = "select sum(a.i * b.i) from range(10000000) a(i), range(1000000) b(i)"
    reader = source.rows(connection, slow).open_rows()
    assert reader.cancel is not None
    timer = threading.Timer(0.2, reader.cancel)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        list(reader)
    reader.close()
    timer.join()


@pytest.mark.parametrize("target", [3, None])
def test_something_else_is_a_type_error(target: Any) -> None:
    with pytest.raises(TypeError, match=type(target).__name__):
        source.rows(target, "select 1")
