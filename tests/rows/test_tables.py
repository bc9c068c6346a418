"""An iterator of tables gives their rows, with the columns of the first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows

pa = pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
pd = pytest.importorskip("pandas", reason="skipped: needs pandas")
pl = pytest.importorskip("polars", reason="skipped: needs polars")
np = pytest.importorskip("numpy", reason="skipped: needs numpy")

DATA = {"a": [1, 2], "b": ["x", None]}
EXPECTED = [["a", "b"], ["1", "x"], ["2", ""]]


class Exported:
    """What exports itself as an Arrow stream, and is iterated by dicts, as Hugging Face's are."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.table(DATA).__arrow_c_stream__(requested_schema)

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("its rows are read from the stream")


class OneArray:
    """What exports itself as one Arrow array."""

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return pa.table(DATA).to_batches()[0].__arrow_c_array__(requested_schema)


def struct() -> Any:
    arrays = [pa.array(column) for column in DATA.values()]
    return pa.StructArray.from_arrays(arrays, names=list(DATA))


MAKERS: dict[str, Callable[[], Any]] = {
    "table": lambda: pa.table(DATA),
    "batch": lambda: pa.record_batch(DATA),
    "reader": lambda: pa.table(DATA).to_reader(),
    "struct": struct,
    "chunked struct": lambda: pa.chunked_array([struct()]),
    "polars": lambda: pl.DataFrame(DATA),
    "polars struct": lambda: pl.DataFrame(DATA).to_struct("s"),
    "pandas": lambda: pd.DataFrame(DATA),
    "numpy": lambda: np.ma.array(
        [(1, "x"), (2, "")], mask=[(0, 0), (0, 1)], dtype=[("a", int), ("b", "U1")]
    ),
    "stream": Exported,
    "array": OneArray,
}


def table(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, "csv", **options)))


async def read(rows: Any) -> list[list[str]]:
    return csv_rows(b"".join([chunk async for chunk in sw.aencode(rows, "csv")]))


@pytest.mark.parametrize("name", MAKERS)
def test_a_table_is_rows(name: str) -> None:
    assert table(MAKERS[name]()) == EXPECTED
    assert table(MAKERS[name]) == EXPECTED


@pytest.mark.parametrize("name", MAKERS)
def test_an_iterator_of_tables_is_rows(name: str) -> None:
    make = MAKERS[name]
    expected = [*EXPECTED, *EXPECTED[1:]]
    assert table(make() for _ in range(2)) == expected
    assert table(lambda: [make(), make()]) == expected
    data = b"".join(sw.encode([sw.Sheet("s", iter([make(), make()]))], "xlsx"))
    assert [row[0] for row in calamine_rows(data)] == ["a", 1, 2, 1, 2]


@pytest.mark.parametrize("name", MAKERS)
def test_tables_come_beside_an_event_loop_too(name: str) -> None:
    async def tables() -> AsyncIterator[Any]:
        for _ in range(3):
            yield MAKERS[name]()

    async def one() -> Any:
        return MAKERS[name]()

    assert asyncio.run(read(tables())) == [*EXPECTED, *EXPECTED[1:], *EXPECTED[1:]]
    assert asyncio.run(read(tables)) == [*EXPECTED, *EXPECTED[1:], *EXPECTED[1:]]
    assert asyncio.run(read(one)) == EXPECTED
    assert asyncio.run(read(MAKERS[name]())) == EXPECTED


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"stream", "array"}))
def test_empty_tables_keep_their_header(name: str) -> None:
    made = MAKERS[name]()
    empty = pa.table(DATA).slice(0, 0).to_reader() if name == "reader" else made[:0]
    assert table(iter([empty])) == EXPECTED[:1]


def test_chunks_of_a_query_by_pandas_are_rows() -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    query = "select 1 as a, 'x' as b union all select 2, null"
    assert table(pd.read_sql(query, connection, chunksize=1)) == EXPECTED
    connection.close()


def test_columns_are_chosen_from_tables() -> None:
    assert table(iter([pl.DataFrame(DATA)]), columns=["b"]) == [["b"], ["x"], [""]]


def test_tables_may_have_their_columns_in_another_order() -> None:
    others = iter(
        [pl.DataFrame(DATA), pl.DataFrame({"b": DATA["b"], "a": DATA["a"]}), pl.DataFrame({"a": 3})]
    )
    assert table(others) == [*EXPECTED, *EXPECTED[1:], ["3", ""]]


def test_a_new_column_of_a_later_table_is_an_error_unless_columns_are_chosen() -> None:
    def tables() -> Iterator[Any]:
        yield pl.DataFrame(DATA)
        yield pl.DataFrame({"a": [3], "c": [4]})

    with pytest.raises(
        sw.EncodeError, match=r"table 2 has the columns a, c; the first one had a, b"
    ):
        table(tables)
    assert table(tables, columns=["a"])[-1] == ["3"]


def test_something_else_after_a_table_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="table 2 must be a table as the first one, not tuple"):
        table(iter([pl.DataFrame(DATA), (1, 2)]))


@pytest.mark.parametrize("column", [pa.array([1]), pa.chunked_array([[1]])])
def test_a_column_without_a_name_is_an_error(column: Any) -> None:
    with pytest.raises(TypeError, match=r"not a single column \(.*pyarrow.table\({'name': column}"):
        table(column)


def test_a_series_of_polars_is_one_column() -> None:
    assert table(pl.Series("a", [1, 2])) == [["a"], ["1"], ["2"]]


def test_an_export_that_is_closed_closes_the_iterator_of_tables() -> None:
    closed = []

    def tables() -> Iterator[Any]:
        try:
            yield from [pa.table(DATA)] * 3
        finally:
            closed.append(True)

    encoding = sw.encode(tables, "csv", chunk_size=1)
    next(encoding)
    encoding.close()
    assert closed == [True]
