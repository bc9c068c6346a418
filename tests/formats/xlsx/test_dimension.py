"""The dimension of a sheet: exact where the number of rows is known, and absent elsewhere."""

import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import openpyxl
import pandas
import pyarrow
import pytest

import streamware as sw
import streamware.formats.xlsx.workbook
from workbooks import MAIN, Workbook, workbook


class Liar(list[Any]):
    def __len__(self) -> int:
        return 1


def dimensions(made: Workbook) -> list[str | None]:
    """Of each sheet, as it is written."""
    found = [made.sheet(n).find(f"{MAIN}dimension") for n in range(1, len(made.names) + 1)]
    return [None if one is None else one.get("ref") for one in found]


def read(made: Workbook) -> list[tuple[Any, Any, int]]:
    """Of each sheet, the rows and columns as openpyxl says, read-only, and the rows it reads."""
    book = openpyxl.load_workbook(io.BytesIO(made.data), read_only=True)
    return [(one.max_row, one.max_column, len(list(one.iter_rows()))) for one in book.worksheets]


ROWS = [{"a": n, "b": "x"} for n in range(5)]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(ROWS, id="list"),
        pytest.param(tuple(ROWS), id="tuple"),
        pytest.param(lambda: ROWS, id="callable that opens a list"),
        pytest.param(pyarrow.Table.from_pylist(ROWS), id="Arrow table"),
        pytest.param(pyarrow.RecordBatch.from_pylist(ROWS), id="Arrow record batch"),
        pytest.param(pandas.DataFrame(ROWS), id="DataFrame"),
        pytest.param([sw.Sheet("a", ROWS)], id="sheet"),
    ],
)
@pytest.mark.parametrize("compact", [False, True])
def test_it_is_there_where_the_number_of_rows_is_known(rows: Any, *, compact: bool) -> None:
    made = workbook(rows, sw.Xlsx(compact=compact))
    assert dimensions(made) == ["A1:B6"]
    assert read(made) == [(6, 2, 6)]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(iter(ROWS), id="iterator"),
        pytest.param(deque(ROWS), id="deque"),
        pytest.param(Liar(ROWS), id="list of a class whose length may lie"),
        pytest.param(pyarrow.Table.from_pylist(ROWS).to_reader(), id="Arrow stream"),
        pytest.param([sw.Tagged("a", row) for row in ROWS], id="tagged rows"),
    ],
)
def test_it_is_absent_where_it_is_not(rows: Any) -> None:
    made = workbook(rows)
    assert dimensions(made) == [None]
    assert made.rows()[1:] == [[n, "x"] for n in range(5)]


def test_it_covers_title_rows_and_a_header_without_rows() -> None:
    titled = sw.Xlsx(title_rows=["Report", ("a", "b", "c")])
    assert dimensions(workbook(ROWS, titled)) == ["A1:C8"]
    assert dimensions(workbook([], columns=["a", "b"])) == ["A1:B1"]
    assert dimensions(workbook([(1, 2)])) == ["A1:B1"]
    assert dimensions(workbook([])) == [None]


def test_it_is_absent_if_a_row_of_totals_may_follow() -> None:
    assert dimensions(workbook(ROWS, columns=[sw.Column("a", total="average")])) == [None]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
def test_each_of_the_sheets_of_many_rows_has_its_own(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(streamware.formats.xlsx.workbook, "MAX_ROWS", 101)
    made = workbook([(n,) for n in range(count)], sw.Xlsx(index=True), columns=[sw.Column(0, "n")])
    sheets = max(1, -(-count // 100))
    assert len(made.names) == 1 + sheets
    last = count - 100 * (sheets - 1) + 1
    assert dimensions(made) == [f"A1:B{sheets}", *["A1:A101"] * (sheets - 1), f"A1:A{last}"]
    assert [found[0] for found in read(made)] == [found[2] for found in read(made)]


def test_a_list_that_grows_while_it_is_read_has_the_rows_it_had() -> None:
    rows: list[Any] = [(n,) for n in range(1000)]

    def growing(cell: int) -> int:
        rows.append((cell,))
        return cell

    made = workbook(rows, columns=[sw.Column(0, "n", convert=growing)])
    assert dimensions(made) == ["A1:A1001"]
    assert made.rows()[1:] == [[n] for n in range(1000)]
    assert len(rows) == 2000


@pytest.mark.parametrize("form", ["csv", "json", "ods"])
def test_it_has_in_every_format(form: str) -> None:
    rows: list[Any] = [(n,) for n in range(100)]

    def growing(cell: int) -> int:
        rows.append((cell,))
        return cell

    encoding = sw.encode(rows, form, columns=[sw.Column(0, "n", convert=growing)])
    for _ in encoding:
        pass
    assert encoding.receipt.rows == 100


def test_sheets_from_one_pass_have_none() -> None:
    made = workbook(ROWS, sheet_by="a")
    assert dimensions(made) == [None] * 5


def opener(rows: list[Any]) -> Callable[[], Iterator[Any]]:
    return lambda: iter(rows)


def test_a_source_that_is_opened_as_an_iterator_has_none() -> None:
    assert dimensions(workbook(opener(ROWS))) == [None]
