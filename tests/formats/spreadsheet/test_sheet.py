from typing import Any

import pytest

import streamware as sw
from streamware.formats.spreadsheet import sheet
from streamware.model.columns import Batch, Head
from streamware.model.sheet_options import MAX_COLUMNS
from workbooks import workbook

FORMATS = pytest.mark.parametrize("form", [sw.Xlsx, sw.Ods])


def test_a_sheet_is_as_large_as_those_of_excel() -> None:
    assert (sheet.MAX_ROWS, MAX_COLUMNS) == (1_048_576, 16_384)


@FORMATS
def test_a_sheet_has_no_more_columns_than_that(form: Any) -> None:
    sheet.check_columns("Orders", 16_384)
    with pytest.raises(sw.LimitError, match="sheet 'Orders': columns of the sheet") as raised:
        workbook([[1] * 16_385], form(sheet="Orders"), columns=range(16_385))
    assert (raised.value.limit, raised.value.actual) == (16_384, 16_385)


@pytest.mark.parametrize(
    ("start", "stop", "first", "count", "columns"),
    [
        (0, 2, 11, 2, [[1, 2], "ab"]),
        (2, 3, 13, 1, [[3], "c"]),
        (1, 9, 12, 2, [[2, 3], "bc"]),
        (3, 3, 14, 0, [[], ""]),
    ],
)
def test_some_rows_of_a_batch_are_one(
    start: int, stop: int, first: int, count: int, columns: list[Any]
) -> None:
    head = Head("Orders", (sw.Column(0), sw.Column(1)))
    some = sheet.batch_rows(Batch(head, 11, 3, [[1, 2, 3], "abc"]), start, stop)
    assert (some.head, some.first, some.count) == (head, first, count)
    assert some.columns == columns
