"""The compiled kernel writes the bytes that Python writes, with the same counters and errors."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import readers
import streamware as sw
from streamware.formats import kernel_rows as module
from streamware.kernel import native

pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


FIRST_BATCH = 32  # rows


class Outcome(NamedTuple):
    """What an export came to."""

    data: bytes
    error: str
    converted: dict[str, int]


def outcome(rows: Sequence[Any], form: Any, options: dict[str, Any]) -> Outcome:
    encoding = sw.encode(iter(rows), form, **options)
    chunks, error = list[bytes](), ""
    try:
        chunks.extend(encoding)
    except (sw.StreamwareError, TypeError, ValueError, RuntimeError, Broken) as failed:
        error = f"{type(failed).__name__}: {failed}"
    return Outcome(b"".join(chunks), error, dict(encoding.receipt.converted))


def both(rows: Sequence[Any], form: Any = "csv", **options: Any) -> Outcome:
    """Write the rows with the kernel and without it; return what both came to.

    The first batch of a sheet is always written without it, so that empty rows come first there.
    """
    if isinstance(form, (sw.Xlsx, sw.Ods)):
        rows = [_empty(rows[0])] * FIRST_BATCH + list(rows)
    compiled = outcome(rows, form, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "native", None)
        pure = outcome(rows, form, options)
    assert compiled == pure
    return compiled


def _empty(row: Any) -> Any:
    if isinstance(row, sw.Tagged):
        return sw.Tagged(row.sheet, _empty(row.row))
    return dict.fromkeys(row) if isinstance(row, dict) else type(row)([None] * len(row))


class Broken(Exception):
    """Raised by the code of a value."""


class Hostile:
    def __str__(self) -> str:
        raise Broken


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise Broken


class Number(int):
    def __repr__(self) -> str:
        raise Broken

    __str__ = __repr__


class Color(Enum):
    RED = "red"


class Odd(float):
    def __float__(self) -> float:
        raise Broken


texts = st.one_of(
    st.text(max_size=12),
    st.text(
        st.sampled_from(
            " \t\r\n\"',;|=+-@_x0041&<>\\\x1f\x00\ufeff\ufffe\uffff\ud800é€😀\uff1d\uff0d"
        ),
        max_size=9,
    ),
    st.sampled_from(
        ["=1+1", "a;=b", "_x0041_", "_x004_", " edge", "edge\n", "-1", "+49 30", "@x", ""]
    ),
)
moments = st.datetimes() | st.sampled_from(
    [
        "1899-12-31",
        "1900-02-28T23:00",
        "1900-03-01",
        "2024-01-01T23:59:59.499999",
        "2024-01-01T23:59:59.500000",
        "9999-12-31T23:59:59.999999",
        "0001-01-01",
    ]
).map(datetime.fromisoformat)
floats = st.floats() | st.sampled_from(
    [0.0, -0.0, 1e16, 9999999999999998.0, 1e-4, 9.999e-5, 5e-324, 1.7976931348623157e308, 0.1, 1e15]
)
ordinary = st.one_of(
    st.none(),
    texts,
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**15, 10**15 + 1, -(10**15) - 1, 2**53, 2**63, -(2**63), 2**64]),
    floats,
    st.booleans(),
    st.dates(),
    moments,
    moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    moments.map(lambda moment: moment.replace(tzinfo=timezone(timedelta(hours=2)))),
    st.decimals(),
    st.sampled_from(
        [Decimal("1E+5"), Decimal("-0"), Decimal("123456789012345.6"), Decimal("sNaN")]
    ),
    st.times(),
    st.timedeltas(),
    st.sampled_from([timedelta(0), timedelta(1), timedelta(days=3_000_000), timedelta(-1)]),
)
others = st.sampled_from(
    [
        UUID(int=5),
        [1, "=x"],
        {"a": None},
        b"bytes",
        Color.RED,
        Text("text"),
        Number(5),
        Odd(2),
        sw.Cell("styled", style=sw.Style(bold=True)),
        sw.Cell(5),
        sw.Formula("=A1+1", 5),
        Hostile(),
        object(),
        range(3),
    ]
)
values = st.builds(
    sw.Values,
    aware=st.sampled_from(["convert", "text"]),
    timezone=st.sampled_from([UTC, timezone(timedelta(hours=-3))]),
    formula_text=st.sampled_from(["guard", "off", "error"]),
    big_int=st.sampled_from(["auto", "text", "number"]),
    decimal=st.sampled_from(["number", "text"]),
    negative_duration=st.sampled_from(["text", "number", "1904"]),
    non_finite=st.sampled_from(["empty", "text", "error"]),
    forbidden=st.sampled_from(["replace", "drop", "error", "escape"]),
    other=st.sampled_from(["error", "str"]),
)
csv_formats = st.builds(
    sw.Csv,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from(["minimal", "text", "all"]),
    line_end=st.sampled_from(["\r\n", "\n"]),
    null=st.sampled_from(["", "NULL"]),
    guard=st.booleans(),
)
xml_formats = st.builds(
    sw.Xml,
    attributes=st.sampled_from([[], [0], [0, 1]]),
    null=st.sampled_from(["empty", "absent", "nil"]),
)
xlsx_formats = st.builds(
    sw.Xlsx,
    compact=st.booleans(),
    strings=st.sampled_from(["inline", "inline", "shared"]),
    index=st.booleans(),
)
forms: st.SearchStrategy[Any] = st.one_of(
    csv_formats, xml_formats, xlsx_formats, st.sampled_from([sw.Json(), sw.Ndjson(), sw.Ods()])
)
shapes: list[Callable[[list[Any]], Any]] = [
    tuple,
    list,
    lambda row: {f"c{at}": cell for at, cell in enumerate(row)},
]


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[Any]) -> list[list[Any]]:
    """Rows in which each column is of one kind, or of any."""
    width = draw(st.integers(2, 5))
    kinds = [
        draw(st.sampled_from([cells, texts, floats, st.integers(), moments])) for _ in range(width)
    ]
    rows = draw(st.lists(st.tuples(*kinds), min_size=1, max_size=12))
    return [list(row) for row in rows]


@given(tables(ordinary), forms, values, st.sampled_from(shapes))
def test_ordinary_values_are_the_same_bytes(
    rows: list[list[Any]], form: Any, values: sw.Values, shape: Callable[[list[Any]], Any]
) -> None:
    both([shape(row) for row in rows], form, values=values)


@given(tables(ordinary | others), forms, values)
def test_values_that_need_care_are_the_same_bytes_or_the_same_error(
    rows: list[list[Any]], form: Any, values: sw.Values
) -> None:
    both([tuple(row) for row in rows], form, values=values)


@given(st.lists(st.tuples(ordinary, ordinary), min_size=1, max_size=5), st.data())
def test_columns_whose_kind_is_given_are_read_as_it(rows: list[Any], data: st.DataObject) -> None:
    kinds = ["text", "number", "bool", "date", "datetime", "time", "duration"]
    columns = [sw.Column(at, kind=data.draw(st.sampled_from(kinds))) for at in range(2)]
    both(rows, data.draw(forms), columns=columns)


def test_a_single_column_has_no_blank_lines_in_csv() -> None:
    rows = [(cell,) for cell in ("", None, "a", 1, float("nan"), " ")]
    for form in (sw.Csv(), sw.Csv(null="NULL"), sw.Csv(quoting="all"), sw.Json(), sw.Xml()):
        both(rows, form)


@settings(max_examples=500)
@given(floats)
def test_a_double_is_written_as_its_repr(number: float) -> None:
    written = both([(number, 1)]).data
    if number - number == 0:
        assert written == f"{number!r},1\r\n".encode()


guarded_texts = st.lists(
    st.sampled_from(
        [
            *"=+-@15.,;|\t\r\n\"'(])}eE% xé\x1f\ud800\xa0\x85\u2028\u200b\ufeff\uff1d\uff0d",
            "\r\n",
            "+49",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=500)
@given(
    st.lists(st.tuples(guarded_texts, guarded_texts), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from(["minimal", "all"]),
    st.sampled_from(["guard", "off", "error"]),
    st.sampled_from(["replace", "drop"]),
)
def test_formulas_are_found_and_guarded_in_the_same_places(
    rows: list[Any], delimiter: str, quoting: Any, formula_text: Any, forbidden: Any
) -> None:
    values = sw.Values(formula_text=formula_text, forbidden=forbidden)
    both(rows, sw.Csv(delimiter=delimiter, quoting=quoting), values=values)


COUNTED = [
    (sw.Csv(), "-5 apples", "formula_text"),
    (sw.Csv(), "+49 30 or =1+1", "formula_text"),
    (sw.Csv(), "\uff0d5", "formula_text"),
    (sw.Csv(), "\tx", "formula_text"),
    (sw.Csv(), "\rx", "formula_text"),
    (sw.Csv(), "a;-b", "formula_text"),
    (sw.Csv(), timedelta(seconds=-1), "formula_text"),
    (sw.Json(), "a\x01b\ufffe", "forbidden"),
    (sw.Xlsx(), "a\r\nb\rc", "newline"),
    (sw.Ods(), 10**17, "big_int"),
    (sw.Xlsx(), float("nan"), "non_finite"),
    (sw.Xlsx(), datetime(1, 1, 1, 12, tzinfo=UTC), "early_date"),
]


@pytest.mark.parametrize(("form", "value", "name"), COUNTED)
def test_what_is_counted_by_a_plain_rule_takes_no_python(
    form: Any, value: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bytes:
        raise AssertionError

    assert both([[value, 1]] * 3, form).converted == {name: 3}
    monkeypatch.setattr(module.KernelRows, "_ask", refused)
    rows = [[None, 1]] * FIRST_BATCH + [[value, 1]] * 3
    assert outcome(rows, form, {}).converted == {name: 3}


@given(st.lists(st.tuples(st.timedeltas()), min_size=1))
def test_durations_with_a_sign_are_the_same_bytes(rows: list[Any]) -> None:
    both(rows, "json")
    both(rows, "csv")


def test_a_column_in_which_many_cells_are_asked_for_is_spliced() -> None:
    rows = [(at, UUID(int=at), "text", None) for at in range(3000)]
    done = both(rows)
    assert done.converted == {"text_of_object": 3000}
    assert done.data.endswith(b"2999,00000000-0000-0000-0000-000000000bb7,text,\r\n")


def test_the_error_is_that_of_the_first_column_and_its_counters_too() -> None:
    rows = [(at, float("nan"), "ok") for at in range(50)]
    rows += [(1, object(), "ok"), (object(), 1, "\x00")]  # type: ignore[list-item]
    done = both([(1, 2.0, "x"), *rows])
    assert "row 53, column 1" in done.error


class Clearing(tzinfo):
    """Empties the row when it is asked for its offset."""

    def __init__(self, row: list[Any]) -> None:
        self.row = row

    def utcoffset(self, moment: datetime | None) -> timedelta:
        self.row.clear()
        return timedelta(0)

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str:
        return "clearing"


def test_a_row_that_changes_while_it_is_read_is_no_crash() -> None:
    rows = list[list[Any]]()
    for at in range(40):
        row: list[Any] = [at, None, "x" * 10, at]
        row[1] = datetime(2024, 1, 1, tzinfo=Clearing(row))
        rows.append(row)
    assert outcome(rows, "csv", {}).error or len(rows[-1]) == 0


def test_a_cell_may_write_another_document() -> None:
    class Nested:
        def __str__(self) -> str:
            return str(len(b"".join(sw.encode([(1, "x" * 100)] * 900, "csv"))))

    rows = [(at, Nested(), "y" * 50) for at in range(200)]
    lines = both(rows, values=sw.Values(other="str")).data.split()
    assert lines[7] == b"7,93600," + b"y" * 50


def test_a_long_text_is_written_in_python() -> None:
    rows = [("x" * size, "\u20ac" * size) for size in (15_999, 16_000, 16_001, 70_000)]
    assert len(both(rows).data) == sum(4 * len(row[0]) + 3 for row in rows)


def test_the_bound_of_a_text_is_kept() -> None:
    limits = sw.Limits(cell_characters=5)
    assert "LimitError" in both([("12345", 1), ("123456", 1)], limits=limits).error


columns_with: list[dict[str, Any]] = [
    {"url": "https://example.com/{}"},
    {"total": "sum"},
    {"total": "average", "format": "decimal", "align": "right"},
    {"total": "count", "url": "mailto:{}"},
    {"format": "@"},
    {"format": "yyyy"},
    {"format": "0.0%"},
]


@settings(max_examples=50)
@given(tables(ordinary | others), xlsx_formats | st.just(sw.Ods()), values, st.data())
def test_columns_with_links_totals_and_formats_are_the_same_bytes(
    rows: list[list[Any]], form: Any, values: sw.Values, data: st.DataObject
) -> None:
    columns = [
        sw.Column(at, str(at), **data.draw(st.sampled_from([{}, *columns_with])))
        for at in range(len(rows[0]))
    ]
    form = replace(form, table=data.draw(st.booleans()))
    both([tuple(row) for row in rows], form, values=values, columns=columns)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the kernel has written each batch that it was given."""
    written = list[bool]()
    write = module.KernelRows.write

    def recorded(self: module.KernelRows, *given: Any) -> bytes | None:
        rows = write(self, *given)
        written.append(rows is not None)
        return rows

    monkeypatch.setattr(module.KernelRows, "write", recorded)
    return written


@pytest.mark.parametrize(
    "form",
    [sw.Xlsx(), sw.Xlsx(compact=True), sw.Xlsx(table=True), sw.Ods(), sw.Ods(table=True)],
)
@pytest.mark.parametrize("column", [{}, *columns_with])
def test_a_sheet_is_written_by_the_kernel_after_its_first_batch(
    form: Any, column: dict[str, Any], batches: list[bool]
) -> None:
    formula = sw.Formula("=[@a]+1" if form.table else "=A2+1", 5)
    rows = [(at, "text", formula, at % 7 / 3, UUID(int=at)) for at in range(300)]
    columns = [sw.Column(0, "a", **column), *map(sw.Column, range(1, 5), "bcde")]
    both(rows, form, columns=columns)
    assert batches == [True] * 3


@pytest.mark.parametrize("form", [sw.Xlsx(), sw.Ods()])
def test_a_cell_with_a_style_or_a_link_has_its_batch_written_without_it(
    form: Any, batches: list[bool]
) -> None:
    rows: list[Any] = [(at, "text") for at in range(200)]
    rows[40] = (sw.Cell(1, url="https://example.com/", note="once"), "text")
    rows[70] = (5, sw.Cell("text", sw.Style(bold=True)))
    both(rows, form)
    assert batches == [False, False, True]


def test_sheets_whose_rows_come_in_turns_are_the_same_bytes(batches: list[bool]) -> None:
    rows = [sw.Tagged(f"s{at % 3}", (at, "text", None)) for at in range(900)]
    both(rows, sw.Xlsx())
    assert all(batches)


def test_a_sheet_that_is_full_continues_in_the_next_one(
    batches: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.workbook.MAX_SHEET", 40_000)
    rows = [(at, "a\rb", at) for at in range(1500)]
    done = both(rows, sw.Xlsx(), columns=[0, 1, sw.Column(2, total="sum")])
    assert done.converted == {"newline": 1500}
    assert "xl/worksheets/sheet3.xml" in readers.zip_parts(done.data)
    assert all(batches)


texts_of_ods = st.text(st.sampled_from(" \t\nab<&é€"), max_size=12)


@given(st.lists(st.tuples(texts_of_ods, st.text("a b", min_size=8)), min_size=1))
def test_white_space_of_ods_is_the_same_bytes(rows: list[Any]) -> None:
    both(rows, sw.Ods())


def test_values_that_are_shown_as_they_are_take_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(module.KernelRows, "_ask", refused)
    moment = datetime.fromisoformat("2024-05-06T07:08:09.000012")
    rows = [(5, 0.1, "a b", True, moment.date(), moment, Decimal("1.50"), None)] * 50
    sheet = readers.zip_parts(b"".join(sw.encode(rows, "ods")))["content.xml"]
    assert sheet.count(b"<text:p>2024-05-06 07:08:09.000012</text:p>") == 50
