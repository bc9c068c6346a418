"""What libraries offer in place of rows becomes rows, or an error that names what does."""

import csv
import io
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, RootModel

import streamware as sw
from streamware.rows.adoption import adopted


@pytest.mark.parametrize("rows", [[(1,)], iter([(1,)]), lambda: [(1,)], {"a": 1}, None])
def test_other_rows_are_left_alone(rows: Any) -> None:
    assert adopted(rows) is rows


def test_a_library_that_is_not_there_is_not_imported() -> None:
    code = "import streamware as sw; list(sw.encode([(1,)])); import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"django", "sqlalchemy"} & set(loaded)


def test_a_class_is_recognised_by_its_bases() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="skipped: needs SQLAlchemy")

    class Ours(sqlalchemy.Select):  # type: ignore[misc, name-defined]
        inherit_cache = True

    with pytest.raises(TypeError, match=r"not a statement \(Ours\)"):
        list(sw.encode(Ours(sqlalchemy.literal(1))))


def error_of(rows: Any) -> str:
    with pytest.raises((TypeError, sw.EncodeError)) as raised:
        b"".join(sw.encode(rows))
    return str(raised.value)


class Model(BaseModel):
    a: int = 1


class Models(RootModel[list[Model]]):
    pass


class Order:
    """A class of an ORM."""


class Cursor:
    """A cursor of PEP 249 that cannot be iterated."""

    description: Any = None

    def __init__(self, names: str = "", rows: list[Any] | None = None) -> None:
        self.description = [(name, None) for name in names] or None
        self._rows = rows or []

    def fetchmany(self, size: int) -> list[Any]:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken


class Connection:
    """A connection of PEP 249."""

    def cursor(self) -> Cursor:
        return Cursor()

    def rollback(self) -> None:
        pass


@pytest.mark.parametrize(
    ("rows", "cure"),
    [
        ({"a": 1}, "not a single dict; for one row pass [row]"),
        ({"a": [1, 2]}, "for rows of its lists pass zip(*rows.values()) and columns=list(rows)"),
        ("abc", "not a single str"),
        (b"abc", "not a single bytes; read it first"),
        (io.StringIO("a,b"), "not a StringIO: read it first, such as by csv.reader(file)"),
        (io.BytesIO(b"a,b"), "not a BytesIO: read it first"),
        (Path("x.csv"), "open the file, and read it, such as by csv.reader(file)"),
        (Model(), "not a Model: for one row pass [row]"),
        (Model, "not a Model: for one row pass [row]"),
        (Order, "not the class Order: pass rows of it, such as a QuerySet"),
        (lambda: list, "must return rows, not another one (type)"),
        ([1], "not int; for one column pass [(value,) for value in rows]"),
        (["a"], "not str; for one column pass"),
        ([date(2024, 1, 1)], "not date; for one column pass"),
        ([UUID(int=1)], "not UUID; for one column pass"),
        ([Path("a")], "Path; for one column pass"),
        (Connection(), "pass streamware.sources.dbapi.rows(connection, 'SELECT …')"),
        (Cursor(), "it has executed no query; pass it when it has, or streamware.sources.dbapi"),
        (Order(), "not Order; for one row pass [row]"),
        (7, "not int; pass the cursor, and not what its execute() returned"),
        (" SELECT 1", "not a single str; pass rows(connection, query) of streamware.sources"),
    ],
)
def test_what_is_no_rows_is_an_error_that_says_what_is(rows: Any, cure: str) -> None:
    assert cure in error_of(rows)


def test_connections_name_their_source() -> None:
    connection = sqlite3.connect(":memory:")
    assert "streamware.sources.sqlite.rows(connection, 'SELECT …')" in error_of(connection)
    connection.close()


def test_a_cursor_of_sqlite_that_has_executed_no_query_is_no_empty_document() -> None:
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    assert "streamware.sources.sqlite.rows(connection, 'SELECT …')" in error_of(cursor)
    assert "it has executed no query" in error_of(cursor.execute("create table t (a)"))
    assert b"".join(sw.encode(cursor.execute("select a from t"))) == b"a\r\n"
    connection.close()


def test_a_cursor_that_cannot_be_iterated_is_fetched() -> None:
    filled: Any = Cursor("ab", [(at, at) for at in range(2500)])
    assert b"".join(sw.encode(filled)).count(b"\r\n") == 2501
    empty: Any = Cursor("ab")
    assert b"".join(sw.encode(empty)) == b"a,b\r\n"


def test_a_root_model_of_models_is_rows() -> None:
    assert b"".join(sw.encode(Models([Model(a=2)]))) == b"a\r\n2\r\n"
    assert "not a RootModel[int]: for one row" not in error_of(RootModel[int](1))


class Frames:
    """What pandas, Polars and Arrow have beside frames."""

    def __getattr__(self, name: str) -> Any:
        return pytest.importorskip(name, reason=f"skipped: needs {name}")


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (lambda it: it.pandas.DataFrame({"a": [1]}).groupby("a"), "by sum(), or pass a sheet for"),
        (lambda it: it.pandas.DataFrame({"a": [1]}).groupby("a")["a"], "not a SeriesGroupBy"),
        (
            lambda it: it.pandas.DataFrame({"a": [1]}).rolling(1),
            "aggregate it first, such as by mean",
        ),
        (lambda it: it.pandas.DataFrame({"a": [1]}).ewm(1), "such as by mean()"),
        (
            lambda it: it.polars.DataFrame({"a": [1]}).lazy(),
            "lazy.collect(), which reads all of it",
        ),
        (lambda it: it.polars.DataFrame({"a": [1]}).group_by("a"), "aggregate it first"),
        (lambda it: it.polars.LazyFrame({"a": [1]}).group_by("a"), "pass that collect()ed"),
    ],
)
def test_what_is_no_frame_yet_is_an_error_that_says_what_is(make: Any, cure: str) -> None:
    assert cure in error_of(make(Frames()))
    assert cure in error_of(lambda: make(Frames()))


def test_arrows_files_and_datasets_are_rows_more_than_once(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
    dataset = pytest.importorskip("pyarrow.dataset")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    made = dataset.dataset(tmp_path / "t.parquet")
    with parquet.ParquetFile(tmp_path / "t.parquet") as file:
        opened = pa.ipc.open_file(tmp_path / "t.arrow")
        for rows in (made, made.scanner(), *made.get_fragments(), file, opened):
            for _ in range(2):
                assert b"".join(sw.encode(adopted(rows))) == b"a,b\r\n1,x\r\n2,\r\n"
            assert b"".join(sw.encode([rows].pop)) == b"a,b\r\n1,x\r\n2,\r\n"
        none = made.filter(dataset.field("a") > 5)
        assert b"".join(sw.encode(none)) == b"a,b\r\n"


def test_duckdbs_relations_and_executed_connections_are_rows() -> None:
    duckdb = pytest.importorskip("duckdb", reason="skipped: needs duckdb")
    pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
    with duckdb.connect() as connection:
        assert "streamware.sources.duckdb.rows(connection" in error_of(connection)
        relation = connection.sql(f'select {2**128 - 1}::uhugeint as huge, \'101\'::bit as "b"""')
        expected = f'huge,"b"""\r\n{2**128 - 1},101\r\n'.encode()
        assert b"".join(sw.encode(relation)) == b"".join(sw.encode(relation)) == expected
        executed = connection.execute("select 1 as a where false")
        assert b"".join(sw.encode(executed)) == b"a\r\n"


def test_a_reader_of_dicts_without_rows_has_its_header() -> None:
    assert b"".join(sw.encode(csv.DictReader(io.StringIO("a,b\n")))) == b"a,b\r\n"
    assert b"".join(sw.encode(csv.DictReader(io.StringIO("a,b\n1,2\n")))) == b"a,b\r\n1,2\r\n"
    assert b"".join(sw.encode(csv.DictReader(io.StringIO("")))) == b""
