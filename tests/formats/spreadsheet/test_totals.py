# ruff: noqa: DTZ001 - date-times without a zone are what is tested
import io
import math
import random
import re
import zipfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import (
    calamine_rows,
    libreoffice_csv,
    libreoffice_saved,
    ooxml_errors,
    openpyxl_book,
)
from streamware.formats.spreadsheet.totals import Totals
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind
from workbooks import MAIN, Workbook, workbook


def totalled(
    values: Iterable[object], total: Any = "sum", form: str = "xlsx", **column: Any
) -> Workbook:
    columns = [sw.Column("id"), sw.Column("n", total=total, **column)]
    rows = ({"id": "x", "n": value} for value in values)
    return workbook(rows, form, columns=columns)


def total(values: Iterable[object], name: Any = "sum", **column: Any) -> Any:
    """What calamine reads below the column."""
    return totalled(values, name, **column).rows()[-1][1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 2, 3], 6, id="int"),
        pytest.param([0.1] * 10, 1, id="float"),
        pytest.param([Decimal("0.10")] * 10, 1, id="Decimal"),
        pytest.param([Decimal("1E+3"), 2, 0.5, Fraction(1, 4)], 1002.75, id="mixed"),
        pytest.param([None, 1, None, 2], 3, id="some empty"),
        pytest.param([True, 5, False], 5, id="bool"),
        pytest.param([math.nan, 5, math.inf], 5, id="not finite"),
        pytest.param([None, None], 0, id="all empty"),
        pytest.param([], 0, id="no rows"),
        pytest.param([sw.Formula("=1+1", 2), 3], 5, id="formulas"),
        pytest.param([2, sw.Formula("=SUBTOTAL(9,B2:B2)", 2), 3], 5, id="subtotal"),
        pytest.param([sw.Formula("= subtotal( 9,'a)'!A1:A2)", 2), 3], 3, id="subtotal of a sheet"),
        pytest.param([sw.Formula("=1+1", 2), sw.Formula("=1+2", 3)], 5, id="only formulas"),
        pytest.param([sw.Cell(1, note="a"), sw.Cell(2, sw.Style(bold=True)), 3], 6, id="Cell"),
        pytest.param([timedelta(hours=20), timedelta(hours=10)], timedelta(hours=30), id="time"),
    ],
)
def test_a_column_is_added_up(values: list[object], expected: object) -> None:
    assert total(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, 2, None, 6], 3, id="numbers"),
        pytest.param([True, 4, 8], 6, id="bool"),
        pytest.param([date(2024, 5, 16), date(2024, 5, 18)], date(2024, 5, 17), id="dates"),
        pytest.param(
            [datetime(2024, 5, 16), datetime(2024, 5, 17)], datetime(2024, 5, 16, 12), id="moments"
        ),
        pytest.param([time(10), time(12)], time(11), id="times"),
    ],
)
def test_a_column_has_an_average(values: list[object], expected: object) -> None:
    assert total(values, "average") == expected


@pytest.mark.parametrize("values", [[], [None], [True]])
def test_without_numbers_there_is_no_average(values: list[object]) -> None:
    made = totalled(values, "average")
    assert len(made.rows()) == 1 + len(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["a", None, "", 1, True, date(2024, 1, 1)], 4, id="anything"),
        pytest.param([], 0, id="no rows"),
        pytest.param(["a"] * 3, 3, id="text"),
        pytest.param(["", "a", 1, 2.5, ""], 3, id="empty texts among others"),
        pytest.param([None] * 3, 0, id="empty"),
    ],
)
def test_cells_that_are_not_empty_are_counted(values: list[object], expected: int) -> None:
    assert total(values, "count") == expected


@pytest.mark.parametrize("name", ["sum", "average", "count"])
def test_a_filter_is_respected(name: Any) -> None:
    cell = totalled([1, 2], name).cell("B4")
    function = {"sum": 109, "average": 101, "count": 103}[name]
    assert cell.value == f"=SUBTOTAL({function},B2:B3)"


_UNKNOWN: list[list[Any]] = [
    [sw.Formula("=1+1"), 3],
    [sw.Formula("=1+1")],
    [3, sw.Cell(sw.Formula("=1+1")), sw.Formula("=2", 2)],
    [3, sw.Formula("=1/0", "#DIV/0!")],
    [3, sw.Formula('=IF(1,"","")', "")],
    [3, sw.Formula("=1=1", True)],
    [3, sw.Formula("=SUBTOTAL(9,B2:B2)+1", 4)],
    [3, sw.Formula("=SUBTOTAL(9,B2:B2)+SUBTOTAL(9,B2)", 6)],
    [3, sw.Formula("=AGGREGATE(9,5,B2:B2)", 3)],
    [3, sw.Formula("=subtotal(9,OFFSET(B2,0,0))", 3)],
]


@pytest.mark.parametrize("name", ["sum", "average"])
@pytest.mark.parametrize("values", _UNKNOWN, ids=str)
def test_a_total_that_only_programs_can_calculate_is_not_stored(
    values: list[Any], name: Any
) -> None:
    cell = totalled(values, name).sheet().findall(f".//{MAIN}c")[-1]
    assert [child.tag for child in cell] == [f"{MAIN}f"]
    content = totalled(values, name, "ods").parts["content.xml"].decode()
    total = content.rpartition("<table:table-cell ")[2].partition("<table:table-cell")[0]
    assert "SUBTOTAL(" in total
    assert "office:value" not in total


def test_a_total_is_not_stored_after_a_later_formula_without_a_value() -> None:
    values = [*range(3000), sw.Formula("=1+1"), *range(3000)]
    assert totalled(values).cell(f"B{len(values) + 2}").value == f"=SUBTOTAL(109,B2:B{6002})"
    assert len(totalled(values).rows()) == 6002
    assert totalled(values, "count").rows()[-1][1] == 6001


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, sw.Formula("=1+1"), None], "2"),
        ([1, sw.Formula("=SUBTOTAL(9,B2:B2)", 1), None], "1"),
        ([1, sw.Formula("=1+SUBTOTAL(9,B2:B2)", 1), None], None),
    ],
    ids=["formula", "subtotal", "with a subtotal"],
)
def test_a_formula_without_a_value_counts(values: list[Any], expected: object) -> None:
    made = totalled(values, "count")
    assert made.sheet().findall(f".//{MAIN}row")[-1].findtext(f".//{MAIN}v") == expected


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("xlsx", "sum"), ("xlsx", "count"), ("ods", "average")])
def test_programs_calculate_the_totals_that_are_stored(
    form: str, name: Any, tmp_path: Path
) -> None:
    chance = random.Random(f"{form}{name}")
    drawn = [
        *_UNKNOWN,
        *(
            [3, 5, sw.Formula("=SUBTOTAL(9,$B$2:$B$3)", 8), 7],
            [sw.Formula("=SUBTOTAL(9,Z1:Z9)", 0)],
        ),
        *([5, 4, None], [sw.Formula("=Z1+1", 1), 2, sw.Formula("=Z1=0", True)]),
        [chance.choice([1, None, 2.5, sw.Formula("=1+1", 2)]) for _ in range(1500)],
    ]
    sheets = [
        sw.Sheet(f"S{at}", [("x", v) for v in values], [0, sw.Column(1, "n", total=name)])
        for at, values in enumerate(drawn)
    ]
    made = workbook(sheets, form)
    stored = re.compile(rb"(?<=</f>)<v>[^<]*</v>(?=</c></row></sheetData>)")
    if form == "ods":
        shown = b"<text:p></text:p></table:table-cell></table:table-row></table:table>"
        stored = re.compile(rb' office:value="[^"]*"(?=>%b)' % shown)
    forgotten = io.BytesIO()  # the workbook without the values of its totals
    with zipfile.ZipFile(forgotten, "w") as archive:
        for path, data in made.parts.items():
            archive.writestr(path, stored.sub(b"", data))
    saved = libreoffice_saved(forgotten.getvalue(), tmp_path, f"book.{form}")
    compared = 0
    for sheet, values in zip(sheets, drawn, strict=True):
        rows = made.rows(sheet.name)
        if len(rows) > len(values) + 1:  # a total is stored
            assert rows[-1][1] == pytest.approx(calamine_rows(saved, sheet.name)[-1][1]), values
            compared += 1
    assert compared >= 3


def test_totals_are_bold_and_look_as_their_column() -> None:
    cell = totalled([1, 2], format="#,##0.00", align="center").cell("B4")
    assert (cell.font.b, cell.number_format) == (True, "#,##0.00")
    assert cell.alignment.horizontal == "center"


def test_a_number_of_cells_looks_as_one() -> None:
    assert totalled([1, 2], "count", format="yyyy").cell("B4").number_format == "General"


def test_a_duration_stays_one() -> None:
    assert totalled([timedelta(hours=1)]).cell("B3").number_format == "[h]:mm:ss"


def test_the_filter_leaves_the_totals_alone() -> None:
    sheet = openpyxl_book(totalled([1, 2]).data).worksheets[0]
    assert sheet.auto_filter.ref == "A1:B3"
    assert sheet.max_row == 4


@pytest.mark.slow
def test_several_columns_have_theirs(tmp_path: Path) -> None:
    columns = [
        sw.Column("a", total="count"),
        sw.Column("b"),
        sw.Column("c", total="sum"),
        sw.Column("d", total="average"),
    ]
    rows = [{"a": "x", "b": n, "c": n, "d": n} for n in range(1, 4)]
    for compact in (False, True):
        made = workbook(rows, sw.Xlsx(compact=compact), columns=columns)
        assert made.rows()[-1] == [3, "", 6, 2]
        assert ooxml_errors(made.data, tmp_path) == []
        assert libreoffice_csv(made.data, tmp_path)[-1] == ["3", "", "6", "2"]


def test_without_a_header_there_are_totals_as_well() -> None:
    made = workbook([(1, 2), (3, 4)], columns=[0, sw.Column(1, total="sum")])
    assert made.rows()[-1][1] == 6


# Text


@pytest.mark.parametrize("name", ["sum", "average"])
@pytest.mark.parametrize(
    "value", ["a", "1", [1], 10**20, date(1800, 1, 1), sw.Cell("a"), "=1+1"], ids=repr
)
def test_a_total_over_text_is_an_error_at_once(name: Any, value: object) -> None:
    rows = ({"id": n, "n": value if n == 700 else n} for n in range(10_000))
    with pytest.raises(sw.EncodeError, match=f"'Orders', row 701, column n: .* {name}"):
        workbook(rows, sw.Xlsx(sheet="Orders"), columns=["id", sw.Column("n", total=name)])


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize("name", ["sum", "average"])
@pytest.mark.parametrize(
    "values", [[1, "", 3, None], ["", ""], [sw.Cell(""), 1, 3], ["", None, 1, 3, ""]], ids=repr
)
def test_an_empty_text_counts_as_nothing(form: str, name: Any, values: list[Any]) -> None:
    rows = [("x", value) for value in values]
    made = workbook(rows, form, columns=[sw.Column(0), sw.Column(1, total=name)])
    numbers = [value for value in values if isinstance(value, int)]
    if numbers:
        expected = sum(numbers) / (1 if name == "sum" else len(numbers))
        assert made.rows()[-1][1] == expected


@pytest.mark.slow
def test_a_sum_over_empty_texts_is_calculated_alike(tmp_path: Path) -> None:
    made = totalled([1, "", 4, None], "average")
    assert libreoffice_csv(made.data, tmp_path)[-1] == ["", "2.5"]


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize(
    ("value", "values"),
    [
        (10**20, {}),
        (sw.Cell(-(10**20)), {}),
        (Decimal(10) ** 20, {}),
        (Decimal("1.5"), {"decimal": "text"}),
    ],
    ids=repr,
)
def test_a_number_that_became_text_is_named_as_one(form: str, value: object, values: Any) -> None:
    columns = [sw.Column(0, "n", total="sum")]
    with pytest.raises(sw.EncodeError, match=r"row 2, column n: a number .*big_int.* has no sum"):
        workbook([(1,), (value,)], form, columns=columns, values=sw.Values(**values))


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize(
    "value", [date(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)], ids=repr
)
@pytest.mark.parametrize("before", [None, 5])
def test_a_date_has_no_sum(form: str, value: object, before: object) -> None:
    columns = [sw.Column(0, "day", total="sum")]
    with pytest.raises(sw.EncodeError, match=r"row 2, column day: a date has no sum"):
        workbook([(before,), (value,)], form, columns=columns)


@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_a_column_of_dates_has_no_sum(kind: Any) -> None:
    with pytest.raises(ValueError, match=f"total must not be 'sum' in a column of kind '{kind}'"):
        sw.Column("day", kind=kind, total="sum")
    assert sw.Column("day", kind=kind, total="average").total == "average"


def test_an_error_does_not_tell_the_text() -> None:
    with pytest.raises(sw.EncodeError) as raised:
        totalled(["secret"])
    assert "secret" not in str(raised.value)


def test_text_that_is_read_as_numbers_can_be_added_up() -> None:
    assert total(["1", "2.5"], kind="number") == 3.5


# Any numbers, in any batches


@given(st.lists(st.none() | st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12), max_size=60))
def test_totals_are_those_of_the_cells(values: list[float | None]) -> None:
    numbers = [value for value in values if value is not None]
    assert total(values) == pytest.approx(math.fsum(numbers), rel=1e-12, abs=1e-2)
    assert total(values, "count") == len(numbers)


def test_equal_rows_have_equal_totals_whatever_the_batches_were() -> None:
    chance = random.Random(1)
    values = [chance.uniform(-1e9, 1e9) for _ in range(5000)]
    formatted = [FormattedColumn(Kind.NUMBER, [repr(v).encode() for v in values])]
    whole = Totals("a", [sw.Column(0, total="sum")])
    whole.add(formatted)
    pieces = Totals("a", [sw.Column(0, total="sum")])
    at = 0
    while at < len(values):
        size = chance.randrange(1, 700)
        tokens = formatted[0].tokens[at : at + size]
        pieces.add([FormattedColumn(Kind.NUMBER, tokens)])
        at += size
    assert pieces.row() == whole.row()
    assert whole.row()[0].value == pytest.approx(math.fsum(values), rel=1e-12)


def test_rows_that_were_added_last_can_be_taken_back() -> None:
    taken = Totals("a", [sw.Column(0, total="sum")])
    taken.add([FormattedColumn(Kind.NUMBER, [b"1", b"2"])])
    mark = taken.mark()
    taken.add([FormattedColumn(Kind.NUMBER, [b"4"] * 3000)])
    taken.rewind(mark)
    assert taken.row()[0].value == 3


def test_no_value_is_kept() -> None:
    taken = Totals("a", [sw.Column(0, total="average")])
    for _ in range(100):
        taken.add([FormattedColumn(Kind.NUMBER, [b"1"] * 1000)])
    assert len(taken._running[0].pending) < 1024
    assert taken.row()[0].value == 1


def test_a_sum_beyond_a_double_is_none() -> None:
    assert len(totalled([1.7e308, 1.7e308]).rows()) == 3


@pytest.mark.slow
def test_totals_of_many_rows_are_right() -> None:
    made = workbook(((n, n / 10) for n in range(300_000)), columns=[0, sw.Column(1, total="sum")])
    assert made.rows()[-1][1] == pytest.approx(300_000 * 299_999 / 20)
