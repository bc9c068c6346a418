# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""The text that a cell shows: as LibreOffice shows it, and enough for who reads nothing else."""

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import pytest
import tablib
from odf.opendocument import load
from odf.table import TableCell, TableRow

import streamware as sw
from readers import libreoffice_csv

DAY, MOMENT = date(2024, 3, 5), datetime(2024, 3, 5, 8, 15)
FORMATS: list[tuple[Any, str | None]] = [
    (1, None),
    (1234.5, None),
    (-0.25, None),
    (True, None),
    (False, None),
    (DAY, None),
    (MOMENT, None),
    (MOMENT.replace(tzinfo=UTC), None),
    (time(8, 15), None),
    (timedelta(hours=5, minutes=5, seconds=7), None),
    (timedelta(hours=25), None),
    (timedelta(minutes=-90), None),
    (0.125, "percent"),
    (0.12345, "percent"),
    (-0.07, "0%"),
    (1, "0 %"),
    (999_999_999_999_999, "percent"),
    (123_456_789_012.25, "percent"),
    (1234567.891, "money:EUR"),
    (-1.005, "money:EUR"),
    (Decimal("-0.001"), "money:JPY"),
    (1000, "[$CHF] #,##0.00"),
    (DAY, "dd.mm.yyyy"),
    (DAY, "d/m/yy"),
    (DAY, "dd mmm yyyy"),
    (DAY, "dddd, d mmmm yyyy"),
    (date(2024, 12, 31), "ddd mm/dd"),
    (DAY, "datetime"),
    (MOMENT, "date"),
    (MOMENT, "dd.mm.yyyy hh:mm"),
    (datetime(2024, 3, 5, 0, 7, 9), "h:mm:ss AM/PM"),
    (datetime(2024, 3, 5, 12, 7, 9), "hh:mm AM/PM"),
    (datetime(2024, 3, 5, 13, 7, 9), 'yyyy-mm-dd"T"h\\:m\\:s'),
    (datetime(2024, 12, 5, 13, 7), 'd "<&>" mmm hh"h"'),
]


def ods(rows: Iterable[Sequence[Any]], formats: Sequence[str | None]) -> bytes:
    columns = [sw.Column(at, f"c{at}", format=code) for at, code in enumerate(formats)]
    return b"".join(sw.encode(rows, "ods", columns=columns))


def texts(data: bytes) -> list[list[str]]:
    """The text of every cell, as odfpy reads it."""
    rows = load(io.BytesIO(data)).spreadsheet.getElementsByType(TableRow)
    return [[str(cell) for cell in row.getElementsByType(TableCell)] for row in rows]


@pytest.mark.slow
def test_a_cell_has_the_text_that_libreoffice_shows(tmp_path: Path) -> None:
    data = ods([[value for value, _ in FORMATS]], [code for _, code in FORMATS])
    (shown,) = libreoffice_csv(data, tmp_path, name="book.ods")[1:]
    assert texts(data)[1] == shown


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.1 + 0.2, None, "0.30000000000000004"),
        (12345.678, "0.0", "12345.678"),
        (12345.678, "#,##0;[Red]-#,##0", "12345.678"),
        (0.5, "0%;[Red]-0%", "0.5"),
        (0.5, "00-00%", "0.5"),
        (1e-07, None, "1.0E-07"),
        (1.5e300, None, "1.5E+300"),
        (time(8, 15, 30, 250_000), "hh:mm", "08:15:30.25"),
        (timedelta(days=2, seconds=1), "hh:mm", "48:00:01"),
        (datetime(2024, 3, 5, 8, 15, 0, 5), None, "2024-03-05 08:15:00.000005"),
        (datetime(2024, 3, 5, 8, 15), "ss.00", "2024-03-05 08:15:00"),
        (datetime(2024, 3, 5, 8, 15, 0, 5), "hh:mm", "08:15"),
        (MOMENT, "[$-407]d. mmmm yyyy", "2024-03-05 08:15:00"),
        (DAY, "mmmmm", "2024-03-05"),
        (DAY, "0.00", "2024-03-05"),
        (DAY, "[h]:mm", "2024-03-05"),
    ],
)
def test_no_digit_is_lost_where_the_style_is_no_common_one(
    value: object, code: str | None, text: str
) -> None:
    assert texts(ods([[value]], [code]))[1] == [text]


@pytest.mark.slow
@pytest.mark.parametrize("code", sorted({code for _, code in FORMATS if code}))
def test_a_column_has_the_same_texts_as_its_cells_alone(code: str) -> None:
    values = [value for value, _ in FORMATS]
    alone = [texts(ods([[value]], [code]))[1][0] for value in values]
    # Alike ones together, some empty; each with a style of its own; and all mixed.
    for kind in {type(value) for value in values}:
        alike = [
            (value, text) for value, text in zip(values, alone, strict=True) if type(value) is kind
        ]
        rows = [[value] for value, _ in alike]
        found = [text for _, text in alike]
        assert [row[0] for row in texts(ods(rows * 2, [code]))[1:]] == found * 2
        with_empty = texts(ods([*rows, [None], *rows], [code]))[1:]
        assert [row[0] for row in with_empty] == [*found, "", *found]
    styled = [[sw.Cell(value, note="a note")] for value in values]
    assert [row[0].removeprefix("a note") for row in texts(ods(styled, [code]))[1:]] == alone
    assert [row[0] for row in texts(ods([[value] for value in values], [code]))[1:]] == alone


def test_the_value_of_a_formula_is_shown_and_a_total_is() -> None:
    columns = [sw.Column(0, "a", total="sum", format="0%"), sw.Column(1, "b")]
    rows = [(0.5, sw.Formula("=A2*2", 1)), (0.25, sw.Formula("=A3>1", False))]
    assert texts(b"".join(sw.encode(rows, "ods", columns=columns))) == [
        ["a", "b"],
        ["50%", "1"],
        ["25%", "FALSE"],
        ["75%", ""],
    ]


RECORD = {
    "number": 1234.5,
    "count": 7,
    "paid": True,
    "day": DAY,
    "moment": MOMENT,
    "opens": time(8, 15),
    "took": timedelta(hours=5, minutes=5),
    "text": "a < b",
}


def test_tablib_reads_the_titles_as_headers_and_every_value() -> None:
    data = b"".join(sw.encode([RECORD, RECORD], "ods"))
    book = tablib.Databook().load(data, format="ods")
    (sheet,) = book.sheets()
    assert sheet.headers == list(RECORD)
    assert sheet.dict == [RECORD | {"took": time(5, 5)}] * 2


def test_pandas_reads_every_value_by_odfpy() -> None:
    data = b"".join(sw.encode([RECORD, RECORD | {"paid": False}], "ods"))
    frame = pandas.read_excel(io.BytesIO(data), engine="odf")
    assert list(frame.columns) == list(RECORD)
    seen = RECORD | {"took": time(5, 5), "day": pandas.Timestamp(DAY)}
    assert frame.to_dict("records") == [seen, seen | {"paid": False}]


def test_every_column_names_the_style_of_its_cells() -> None:
    """Spreadsheet::Read, of Perl, refuses a file in which one does not."""
    for rows in ([RECORD], []):
        data = b"".join(sw.encode(rows, "ods"))
        columns = load(io.BytesIO(data)).spreadsheet.firstChild.childNodes
        found = [
            one.getAttribute("defaultcellstylename")
            for one in columns
            if one.qname[1] == "table-column"
        ]
        assert found == ["Default"] * max(1, len(RECORD) if rows else 0)
