# ruff: noqa: DTZ001 - date-times without a zone are what is tested

import uuid
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_book, libreoffice_csv, ooxml_errors, openpyxl_rows
from streamware.formats.protocol import Context, Part, interleave
from streamware.formats.spreadsheet.column_style import LINK
from streamware.formats.text import formatters
from streamware.formats.xlsx.attachments import Attachments
from streamware.formats.xlsx.cells import (
    TEXT_RULES,
    CellText,
    CellWriter,
    notation,
    share_strings,
    style_cells,
)
from streamware.formats.xlsx.context import WorkbookContext
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.formats.xlsx.styles import Styles
from streamware.values.kinds import Kind
from workbooks import days, one, workbook

SUMMER = timezone(timedelta(hours=2), "CEST")


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


# Text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("plain", id="plain"),
        pytest.param("Grüße, 世界, 😀", id="beyond ASCII"),
        pytest.param('<b>"it\'s" & ]]></b>', id="markup"),
        pytest.param("=1+1", id="equals sign"),
        pytest.param("+1", id="plus"),
        pytest.param("@SUM(A1)", id="at sign"),
        pytest.param("\t=1+1", id="tab and equals sign"),
        pytest.param("'quoted", id="apostrophe"),
        pytest.param("0042", id="digits"),
        pytest.param("TRUE", id="word of a truth value"),
        pytest.param("2024-05-17", id="date"),
        pytest.param("#N/A", id="error value"),
        pytest.param(" before", id="blank before"),
        pytest.param("after ", id="blank after"),
        pytest.param("\n\tlines\n", id="line ends and tabs around"),
        pytest.param("   ", id="only blanks"),
        pytest.param("\u00a0wide\u2003", id="blanks beyond ASCII"),
        pytest.param("two\nlines", id="line end"),
        pytest.param("_x0041_", id="looks escaped"),
        pytest.param("_x000D_x000A_", id="looks escaped twice"),
        pytest.param("_x005F_x0041_", id="looks escaped already"),
        pytest.param("_x004_ _X0041_ _xGGGG_ __", id="almost looks escaped"),
        pytest.param("\ue000\ufdd0\U0010ffff", id="odd but legal characters"),
    ],
)
def test_text_is_read_as_it_was(text: str) -> None:
    assert one(text).rows() == [[text]]


@pytest.mark.parametrize("compact", [False, True], ids=["", "compact"])
@pytest.mark.parametrize(
    "beside", [(), (None,), (7, ""), (sw.Cell("d", style=sw.Style(bold=True)),)]
)
def test_one_cell_that_differs_leaves_the_others_to_be_written_together(
    beside: tuple[object, ...], *, compact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = CellWriter._cell
    singly = []

    def recorded(self: CellWriter, kind: Kind, token: bytes | None, number: bytes) -> bytes:
        singly.append(token)
        return write(self, kind, token, number)

    monkeypatch.setattr(CellWriter, "_cell", recorded)
    cells = [" a", "b", "c\n", *beside] * 3
    made = workbook([(cell, 0) for cell in cells], sw.Xlsx(compact=compact))
    values = [cell.value if isinstance(cell, sw.Cell) else cell for cell in cells]
    assert [row[0] for row in made.rows()] == [value or "" for value in values]
    assert made.parts["xl/worksheets/sheet1.xml"].count(b' xml:space="preserve"') == 6
    assert singly == []
    bold = [made.cell(f"A{at}").font.bold for at in range(1, len(cells) + 1)]
    assert bold == [isinstance(cell, sw.Cell) for cell in cells]


@pytest.mark.parametrize("strings", ["inline", "shared"])
@pytest.mark.parametrize("others", [(), ("b",), (None, 1), (sw.Cell(""),)], ids=repr)
def test_an_empty_text_is_a_blank_cell(others: tuple[object, ...], strings: Any) -> None:
    made = workbook([("a", text) for text in ("", *others, "")], sw.Xlsx(strings=strings))
    assert made.cell("B1").value is None
    assert b'r="B1"' not in made.parts["xl/worksheets/sheet1.xml"]
    assert b'r="B%d"' % (2 + len(others)) not in made.parts["xl/worksheets/sheet1.xml"]
    assert made.converted == {}


def test_text_is_never_a_formula() -> None:
    cell = one("=1+1").cell()
    assert cell.data_type in ("s", "inlineStr")
    assert cell.value == "=1+1"


@pytest.mark.parametrize(
    ("text", "read"),
    [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("\r\n", "\n"), ("a\r\r\nb", "a\n\nb")],
)
def test_every_line_end_becomes_a_line_feed(text: str, read: str) -> None:
    made = one(text)
    assert made.rows() == [[read]]
    assert made.converted == {"newline": 1}


@pytest.mark.parametrize(
    "character",
    ["\0", "\x07", "\x0b", "\x1b", "\x1f", "\ufffe", "\uffff", "\ud800"],
    ids=ascii,
)
@pytest.mark.parametrize(
    ("choice", "read"), [("replace", "a\ufffdb"), ("drop", "ab")], ids=["replace", "drop"]
)
def test_a_forbidden_character_is_replaced_or_dropped(
    character: str, choice: str, read: str
) -> None:
    made = one(f"a{character}b", forbidden=choice)
    assert made.rows() == [[read]]
    assert made.converted == {"forbidden": 1}


def test_a_forbidden_character_can_be_an_error() -> None:
    with pytest.raises(sw.CellError, match="row 1, column 1: a value of type str") as raised:
        one("secret\x07", forbidden="error")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["a\x07b", "\x0b", "_x0041\x07", "\x07x0041_", "_\x07_x0041_\x1f", " \x07 "],
    ids=ascii,
)
def test_a_forbidden_character_can_be_kept_in_notation(text: str) -> None:
    made = one(text, forbidden="escape")
    assert made.rows() == [[text]]
    assert made.converted["forbidden"] == 1


@pytest.mark.parametrize(
    ("character", "written"), [("\ud800", "\ufffd".encode()), ("\uffff", b"_xFFFF_")]
)
def test_what_is_no_character_in_notation_does_no_harm(character: str, written: bytes) -> None:
    made = one(f"a{character}b", forbidden="escape")
    assert b"<t>a%bb</t>" % written in made.parts["xl/worksheets/sheet1.xml"]
    (read,) = made.rows()[0]
    assert (read[0], read[-1]) == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 32_767, id="ASCII"),
        pytest.param("é" * 32_767, id="two bytes each"),
        pytest.param("😀" * 16_383 + "a", id="surrogate pairs"),
        pytest.param("&" * 32_767, id="escaped"),
    ],
)
def test_a_text_may_have_32767_units_of_utf_16(text: str) -> None:
    made = one(text)
    assert made.rows() == [[text]]
    assert made.converted == {}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("a" * 32_768, "a" * 32_766 + "…", id="ASCII"),
        pytest.param("😀" * 16_384, "😀" * 16_383 + "…", id="surrogate pairs"),
        pytest.param("a" + "😀" * 16_384, "a" + "😀" * 16_382 + "…", id="within a pair"),
        pytest.param("é" * 100_000, "é" * 32_766 + "…", id="two bytes each"),
    ],
)
def test_a_longer_text_is_cut_visibly(text: str, read: str) -> None:
    made = one(text)
    assert made.rows() == [[read]]
    assert made.converted == {"long_text": 1}


def test_a_longer_text_can_be_an_error() -> None:
    with pytest.raises(sw.LimitError, match="row 1, column 1: UTF-16 units") as raised:
        one("a" * 32_768, long_text="error")
    assert (raised.value.limit, raised.value.actual) == (32_767, 32_768)


def test_a_longer_text_with_forbidden_characters_in_notation_is_cut_as_a_whole() -> None:
    made = one("\x07".join(["a" * 20_000] * 3), forbidden="escape")
    assert len(made.rows()[0][0]) == 32_767


def test_line_ends_are_counted_after_they_became_one() -> None:
    made = one("a\r\n" * 16_000)
    assert made.rows() == [["a\n" * 16_000]]
    assert made.converted == {"newline": 1}


TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(["_x0041_", "_x", " a ", "\r\n", "&amp;", "\x07_", "0041_", "", "=a"]),
    ),
    min_size=1,
    max_size=8,
)


@given(texts=TEXTS)
@example(texts=["_x0041", "_", "_x0041_"])
def test_any_texts_are_read_as_they_were(texts: list[str]) -> None:
    made = workbook([(text,) for text in texts], values=sw.Values(forbidden="escape"))
    # calamine takes a cell without text for an empty one: both are ""
    expected = [[text.replace("\r\n", "\n").replace("\r", "\n")] for text in texts]
    found = made.rows()
    assert found + [[""]] * (len(texts) - len(found)) == expected


@pytest.mark.slow
@given(texts=TEXTS)
def test_a_text_is_the_same_alone_and_among_others(texts: list[str]) -> None:
    """Cells of a column in one go, and cell by cell."""
    alone = Counter[str]()
    cells = []
    for text in texts:
        made = one(text)
        alone.update(made.converted)
        cells.append([cell[0][0].text for cell in made.sheet()[-2][0]])
    together = workbook([(text,) for text in texts])
    assert [[cell[0][0].text for cell in row] for row in together.sheet()[-2]] == cells
    assert together.converted == alone


# Numbers


@pytest.mark.parametrize(
    "number",
    [0, 1, -1, 2**31, 10**15 - 1, 10**15, -(10**15), 1.5, 0.1 + 0.2, 1e300, 5e-324, -2.5e-7],
)
def test_a_number_keeps_every_digit(number: float) -> None:
    made = one(number)
    value = made.cell().value
    assert (value, type(value)) == (number, type(number))
    assert made.converted == {}


@pytest.mark.parametrize(
    "number",
    [10**15 + 1, -(10**15) - 1, 2**63, 2**64, -(2**63) - 1, 10**400],
    ids=lambda n: str(n)[:20],
)
def test_an_integer_beyond_fifteen_digits_is_text(number: int) -> None:
    made = one(number)
    assert made.rows() == [[str(number)]]
    assert made.converted == {"big_int": 1}


def test_an_integer_of_any_length_is_text() -> None:
    made = one(10**5000)
    assert made.rows() == [["1" + "0" * 5000]]


def test_an_integer_beyond_fifteen_digits_can_be_a_number() -> None:
    made = one(2**60, big_int="number")
    assert made.cell().value == 2**60
    assert made.converted == {"big_int": 1}


def test_an_integer_beyond_any_double_is_text_all_the_same() -> None:
    made = one(10**400, big_int="number")
    assert made.rows() == [["1" + "0" * 400]]
    assert made.converted == {"big_int": 1}


@pytest.mark.parametrize(
    ("number", "text"),
    [(float("nan"), "NaN"), (float("inf"), "Infinity"), (-float("inf"), "-Infinity")],
    ids=str,
)
def test_what_is_no_number_is_empty_or_text_or_an_error(number: float, text: str) -> None:
    made = one(number)
    assert made.rows() in ([], [[""]])
    assert made.converted == {"non_finite": 1}
    assert one(number, non_finite="text").rows() == [[text]]
    with pytest.raises(sw.CellError, match="is not finite"):
        one(number, non_finite="error")


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("0.1", 0.1),
        ("-12345678901234.5", -12345678901234.5),
        ("1E+3", 1000),
        ("1.10", 1.1),
        ("0", 0),
        ("1000000000000000", 10**15),
    ],
)
def test_a_decimal_that_a_double_can_hold_is_a_number(number: str, read: float) -> None:
    made = one(Decimal(number))
    assert made.rows() == [[read]]
    assert made.converted == {}


def test_a_decimal_that_a_double_cannot_hold_is_rounded_and_counted() -> None:
    made = one(Decimal("0.1234567890123456789"))
    assert made.rows() == [[0.12345678901234568]]
    assert made.converted == {"decimal": 1}


@pytest.mark.parametrize(
    "number",
    ["1000000000000001", "-1E+20", "1E+1000", "1E+1000000", "1" * 400 + ".5"],
    ids=["digits", "exponent", "beyond a double", "beyond the context", "with a fraction"],
)
def test_a_decimal_beyond_fifteen_digits_is_text(number: str) -> None:
    made = one(Decimal(number))
    assert made.rows() == [[number]]
    assert made.converted == {"big_int": 1}


def test_a_decimal_beyond_fifteen_digits_can_be_a_number() -> None:
    assert one(Decimal("1E+20"), big_int="number").rows() == [[1e20]]
    assert one(Decimal("1E+1000"), big_int="number").rows() == [["1E+1000"]]


def test_a_decimal_can_be_text() -> None:
    made = one(Decimal("1.10"), decimal="text")
    assert made.rows() == [["1.10"]]
    assert made.converted == {"decimal": 1}


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_empty(number: str) -> None:
    made = one(Decimal(number))
    assert made.rows() in ([], [[""]])
    assert made.converted == {"non_finite": 1}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_double_is_read_as_it_was(number: float) -> None:
    assert one(number).rows() == [[number]]


@given(st.integers(-(10**15), 10**15))
def test_any_integer_of_fifteen_digits_is_read_as_it_was(number: int) -> None:
    assert one(number).cell().value == number


@pytest.mark.parametrize("truth", [True, False])
def test_a_truth_value_is_one(truth: bool) -> None:
    assert one(truth).rows() == [[truth]]
    assert one(truth).cell().data_type == "b"


def test_none_is_no_cell() -> None:
    made = workbook([(1, None, 3), (None, None, None), (None, 2, None)])
    assert [[cell.get("r") for cell in row] for row in made.sheet()[-2]] == [
        ["A1", "C1"],
        [],
        ["B3"],
    ]
    assert made.converted == {}


# Dates and times


def test_a_date_is_a_serial_that_shows_as_a_date() -> None:
    made = one(date(2024, 2, 29))
    assert made.rows() == [[date(2024, 2, 29)]]
    assert made.number() == 45351
    assert made.cell().number_format == "yyyy-mm-dd"


@pytest.mark.parametrize(
    ("day", "serial"),
    [(date(1900, 3, 1), 61), (date(1970, 1, 1), 25569), (date(9999, 12, 31), 2958465)],
    ids=str,
)
def test_serials_count_the_leap_day_that_1900_did_not_have(day: date, serial: int) -> None:
    made = one(day)
    assert made.number() == serial
    assert made.rows() == [[day]]


@pytest.mark.parametrize(
    "moment",
    [
        date(1900, 2, 28),
        date(1899, 12, 31),
        date(1, 1, 1),
        datetime(1900, 2, 28, 23, 59, 59),
        datetime(1900, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
def test_what_was_before_that_leap_day_is_text(moment: date) -> None:
    made = one(moment)
    assert made.rows() == [[moment.isoformat()]]
    assert made.converted == {"early_date": 1}


def test_dates_on_both_sides_of_that_leap_day_may_share_a_column() -> None:
    made = workbook([(date(1900, 2, 28),), (date(1900, 3, 1),), (None,), (date(2024, 5, 17),)])
    assert made.rows() == [["1900-02-28"], [date(1900, 3, 1)], [""], [date(2024, 5, 17)]]


def test_a_datetime_is_a_serial_that_shows_as_one() -> None:
    made = one(datetime(2024, 5, 17, 18, 30, 15))
    assert made.rows() == [[datetime(2024, 5, 17, 18, 30, 15)]]
    assert made.cell().number_format == "yyyy-mm-dd hh:mm:ss"


@pytest.mark.parametrize("microsecond", [1, 123_456, 500_000, 999_999])
@pytest.mark.parametrize("others", [0, 3])
def test_a_datetime_keeps_its_microseconds(microsecond: int, others: int) -> None:
    moment = datetime(2024, 5, 17, 23, 58, 59, microsecond)
    made = workbook([(moment,), *[(datetime(2024, 1, 1),)] * others])
    assert datetime(1899, 12, 30) + days(made.number()) == moment


@given(st.datetimes(datetime(1900, 3, 1), datetime(2079, 6, 5)))
def test_any_datetime_keeps_its_microseconds(moment: datetime) -> None:
    assert datetime(1899, 12, 30) + days(one(moment).number()) == on_its_day(moment)


@given(st.datetimes(datetime(2079, 6, 6)))
def test_any_datetime_is_kept_as_well_as_a_double_can(moment: datetime) -> None:
    """Serials from 65,536 on are 1.3 microseconds apart, and 40 at the end."""
    read = datetime(1899, 12, 30) + days(one(moment).number())
    assert abs(read - on_its_day(moment)) <= timedelta(microseconds=20)


def on_its_day(moment: datetime) -> datetime:
    """The last half second of a day would be shown as the next day."""
    last = moment.replace(hour=23, minute=59, second=59, microsecond=0)
    return last if moment - last >= timedelta(milliseconds=500) else moment


@pytest.mark.parametrize("negative", ["text", "1904"])
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("microsecond", [500_000, 999_000, 999_499, 999_500, 999_999])
def test_the_end_of_a_day_is_not_shown_as_the_next_day(
    microsecond: int, others: int, negative: Any
) -> None:
    moment = datetime(2024, 1, 31, 23, 59, 59, microsecond)
    rest = [(datetime(2024, 1, 1, 12, 0, 0, 250_000),)] * others
    made = workbook([(moment,), *rest], values=sw.Values(negative_duration=negative))
    shown = datetime(2024, 1, 31, 23, 59, 59)
    assert made.rows()[0] == [shown]
    assert openpyxl_rows(made.data)[0] == [shown]
    assert made.converted == {"end_of_day": 1}


def test_neither_is_that_of_another_zone_or_a_styled_one() -> None:
    moment = datetime(2024, 1, 31, 22, 59, 59, 999_999, UTC)
    plain = datetime.combine(date(2024, 1, 31), time.max)
    styled = sw.Cell(plain, style=sw.Style(bold=True))
    values = sw.Values(timezone=timezone(timedelta(hours=1)))
    made = workbook([(moment, styled, np.datetime64(plain))], values=values)
    shown = datetime(2024, 1, 31, 23, 59, 59)
    assert made.rows() == [[shown] * 3]
    assert made.converted == {"end_of_day": 3, "timezone": 1}


def test_the_last_time_of_a_day_is_not_shown_as_the_first() -> None:
    made = workbook([(time.max,), (time(23, 59, 59, 400_000),)])
    assert made.rows() == [[time(23, 59, 59)], [time(23, 59, 59, 400_000)]]
    assert openpyxl_rows(made.data) == made.rows()
    assert made.converted == {"end_of_day": 1}


def test_an_aware_datetime_is_moved_to_utc_and_says_so() -> None:
    made = one(datetime(2024, 5, 17, 18, 30, tzinfo=SUMMER))
    assert made.rows() == [[datetime(2024, 5, 17, 16, 30)]]
    assert made.cell().number_format == 'yyyy-mm-dd hh:mm:ss "UTC"'
    assert made.converted == {"timezone": 1}


def test_an_aware_datetime_is_moved_to_the_zone_that_was_asked_for() -> None:
    made = one(datetime(2024, 5, 17, 16, 30, tzinfo=UTC), timezone=SUMMER)
    assert made.rows() == [[datetime(2024, 5, 17, 18, 30)]]
    assert made.cell().number_format == 'yyyy-mm-dd hh:mm:ss "CEST"'
    assert made.converted == {"timezone": 1}


def test_an_aware_datetime_that_is_there_already_is_not_counted() -> None:
    assert one(datetime(2024, 5, 17, 16, 30, tzinfo=UTC)).converted == {}


def test_an_aware_datetime_can_be_text() -> None:
    made = one(datetime(2024, 5, 17, 18, 30, tzinfo=SUMMER), aware="text")
    assert made.rows() == [["2024-05-17T18:30:00+02:00"]]
    assert made.converted == {"aware": 1}


def test_naive_and_aware_datetimes_may_share_a_column() -> None:
    made = workbook([(datetime(2024, 5, 17, 8),), (datetime(2024, 5, 17, 8, tzinfo=SUMMER),)])
    assert made.rows() == [[datetime(2024, 5, 17, 8)], [datetime(2024, 5, 17, 6)]]
    assert made.cell("A1").number_format == "yyyy-mm-dd hh:mm:ss"
    assert made.cell("A2").number_format == 'yyyy-mm-dd hh:mm:ss "UTC"'


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('a"b & <c>', '"a\'b & <c>"'),
        ("x" * 300, '"' + "x" * 99 + '"'),
        ("a\x07b\ud800", '"a\ufffdb\ufffd"'),
    ],
    ids=["markup", "long", "forbidden"],
)
def test_a_zone_of_any_name_does_no_harm(name: str, shown: str, tmp_path: Path) -> None:
    made = one(datetime(2024, 5, 17, tzinfo=UTC), timezone=timezone(timedelta(hours=1), name))
    assert made.cell().number_format == f"yyyy-mm-dd hh:mm:ss {shown}"
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize(
    ("moment", "serial"),
    [
        (time(0), 0),
        (time(12), 0.5),
        (time(18, 30, 15), 0.77100694444444),
        (time(0, 0, 0, 1), 1 / 864e8),
    ],
    ids=str,
)
def test_a_time_is_the_fraction_of_a_day(moment: time, serial: float) -> None:
    made = one(moment)
    assert made.number() == pytest.approx(serial)
    assert made.cell().number_format == "hh:mm:ss"


def test_a_time_with_a_zone_is_text() -> None:
    made = one(time(8, 15, tzinfo=SUMMER))
    assert made.rows() == [["08:15:00+02:00"]]
    assert made.converted == {"aware": 1}


def test_a_duration_may_have_more_than_24_hours() -> None:
    made = one(timedelta(hours=25, seconds=1))
    assert made.rows() == [[timedelta(hours=25, seconds=1)]]
    assert made.cell().number_format == "[h]:mm:ss"


@pytest.mark.parametrize(
    ("span", "text", "rule"),
    [
        (timedelta(hours=-1), "-PT1H", "negative_duration"),
        (timedelta(microseconds=-1), "-PT0.000001S", "negative_duration"),
        (timedelta(days=2_958_466), "P2958466D", "long_duration"),
    ],
)
def test_a_duration_that_no_spreadsheet_can_show_is_text(
    span: timedelta, text: str, rule: str
) -> None:
    made = one(span)
    assert made.rows() == [[text]]
    assert made.converted == {rule: 1}


# Other types


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param(uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005", id="UUID"),
        pytest.param(Color.RED, "red", id="Enum"),
        pytest.param(Level.LOW, 1, id="IntEnum"),
        pytest.param(PurePosixPath("/a/b.csv"), "/a/b.csv", id="Path"),
        pytest.param(ip_address("::1"), "::1", id="IP address"),
        pytest.param(ip_network("10.0.0.0/8"), "10.0.0.0/8", id="IP network"),
        pytest.param(b"\0\xff", "AP8=", id="bytes"),
        pytest.param(bytearray(b"abc"), "YWJj", id="bytearray"),
    ],
)
def test_an_object_with_a_text_of_its_own_is_that_text(value: object, read: object) -> None:
    made = one(value)
    assert made.rows() == [[read]]
    assert made.converted == {"text_of_object": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, "a", None, True], '[1,"a",null,true]'),
        ({"b": {"a": 1.5}, "ü": "<&>"}, '{"b":{"a":1.5},"ü":"<&>"}'),
        ((), "[]"),
        ([date(2024, 5, 17), b"\0"], '["2024-05-17","AA=="]'),
    ],
)
def test_what_is_nested_is_compact_json(value: object, text: str) -> None:
    made = one(value)
    assert made.rows() == [[text]]
    assert made.converted == {"nested": 1}


def test_what_is_nested_can_be_an_error() -> None:
    with pytest.raises(sw.CellError, match="row 1, column 1: a value of type dict is nested"):
        one({"secret": 1}, nested="error")


def test_any_other_type_is_an_error_that_names_its_place() -> None:
    with pytest.raises(
        sw.CellError, match="row 2, column Amount: a value of type object"
    ) as raised:
        workbook([{"Amount": 1}, {"Amount": object()}])
    assert (raised.value.row, raised.value.column, raised.value.type) == (2, "Amount", "object")


def test_any_other_type_can_be_its_text() -> None:
    made = one(complex(1, 2), other="str")
    assert made.rows() == [["(1+2j)"]]
    assert made.converted == {"other": 1}


# Formulas


@pytest.mark.slow
def test_a_formula_is_one(tmp_path: Path) -> None:
    made = workbook([(2, sw.Formula("=A1*21")), (3, sw.Formula('A2&" <&> "'))])
    assert made.cell("B1").value == "=A1*21"
    assert made.cell("B2").value == '=A2&" <&> "'
    assert libreoffice_csv(made.data, tmp_path) == [["2", "42"], ["3", "3 <&> "]]
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize(
    ("cached", "read"),
    [
        pytest.param(42, 42, id="int"),
        pytest.param(1.5, 1.5, id="float"),
        pytest.param("a <&> b", "a <&> b", id="text"),
        pytest.param("_x0041_", "_x0041_", id="text that looks escaped"),
        pytest.param(True, True, id="bool"),
        pytest.param(date(2024, 5, 17), date(2024, 5, 17), id="date"),
        pytest.param(timedelta(hours=25), timedelta(hours=25), id="duration"),
        pytest.param(10**16, "10000000000000000", id="big int"),
        pytest.param(None, "", id="none"),
        pytest.param(float("nan"), "", id="NaN"),
    ],
)
def test_a_formula_shows_the_value_that_came_with_it(cached: Any, read: object) -> None:
    made = workbook([(sw.Formula("=B1", cached), 1)])
    assert made.rows() == [[read, 1]]


def test_formulas_with_values_of_every_kind_are_valid(tmp_path: Path) -> None:
    values: list[Any] = [1, 1.5, "a", True, date(2024, 5, 17), timedelta(1), 10**16, None]
    made = workbook([[sw.Formula("=1", value) for value in values]])
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_formula_is_calculated_by_whoever_opens_the_file() -> None:
    assert b'<calcPr fullCalcOnLoad="1"/>' in one(sw.Formula("=1")).parts["xl/workbook.xml"]
    assert b"calcPr" not in one(1).parts["xl/workbook.xml"]


def test_formulas_may_stand_among_other_values() -> None:
    made = workbook([(1,), (sw.Formula("=A1+1", 2),), ("=A1",), (None,), (sw.Formula("=A1+2", 3),)])
    assert made.rows() == [[1], [2], ["=A1"], [""], [3]]
    assert made.cell("A5").value == "=A1+2"


@pytest.mark.slow
def test_a_formula_is_written_as_it_is(tmp_path: Path) -> None:
    made = workbook([(sw.Formula('="_x0041_"&\r\n"<&>"'), sw.Formula("1+1"))])
    assert made.cell("A1").value == '="_x0041_"&\n"<&>"'
    assert made.cell("B1").value == "=1+1"
    assert libreoffice_csv(made.data, tmp_path) == [["_x0041_<&>", "2"]]


def test_a_forbidden_character_in_a_formula_is_replaced() -> None:
    made = one(sw.Formula('="a\x07\x1f\ud800"', 1), forbidden="escape")
    assert made.cell().value == '="a\ufffd\ufffd\ufffd"'
    assert made.converted == {"forbidden": 1}


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        pytest.param(sw.Formula(""), "type Formula must not be empty", id="empty"),
        pytest.param(sw.Formula("="), "type Formula must not be empty", id="only an equals sign"),
        pytest.param(
            sw.Formula(" =1"), "type Formula must not start with a blank", id="leading blank"
        ),
        pytest.param(sw.Formula("1" * 8193), "8,193 is over the limit of 8,192", id="long"),
        pytest.param(
            sw.Formula("1", sw.Formula("2")),  # type: ignore[arg-type]
            "another Formula as its cached value",
            id="formula as its value",
        ),
    ],
)
def test_a_formula_that_excel_refuses_is_an_error(formula: sw.Formula, problem: str) -> None:
    with pytest.raises(sw.EncodeError, match=f"row 1, column 1: .*{problem}"):
        one(formula)


def test_a_formula_takes_the_format_of_its_column() -> None:
    made = workbook([(sw.Formula("=1/3", 1 / 3),)], columns=[sw.Column(0, format="0.0%")])
    assert made.cell("A1").number_format == "0.0%"


# The format of a column


@pytest.mark.parametrize(
    "value", [1, 0.5, Decimal("1.5"), date(2024, 5, 17), time(8), timedelta(1)]
)
def test_a_columns_format_is_that_of_its_numbers_and_dates(value: object) -> None:
    made = workbook([(value,)], columns=[sw.Column(0, "n", format="0.00")])
    assert made.cell("A2").number_format == "0.00"


@pytest.mark.parametrize("value", ["text", True])
def test_a_columns_format_is_not_that_of_other_cells(value: object) -> None:
    made = workbook([(value,)], columns=[sw.Column(0, "n", format="0.00")])
    assert made.cell("A2").number_format == "General"


def test_a_columns_format_stands_in_for_the_zone() -> None:
    moment = datetime(2024, 5, 17, tzinfo=UTC)
    made = workbook([(moment,)], columns=[sw.Column(0, "n", format="d/m/yy")])
    assert made.cell("A2").number_format == "d/m/yy"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ['"a" & "<b>" 0', "[Red]0;\\x", '"ä" €😀 0', "[$€-407] 0"], ids=ascii
)
def test_a_format_of_any_characters_does_no_harm(code: str, tmp_path: Path) -> None:
    made = workbook([(1,)], columns=[sw.Column(0, "n", format=code)])
    assert made.rows()[1] == [1]
    assert made.cell("A2").number_format == code
    assert ooxml_errors(made.data, tmp_path) == []


# Notations


def test_a_forbidden_character_is_noted_as_excel_notes_it() -> None:
    assert notation("\x07") == b"_x0007_"
    assert notation("\uffff") == b"_xFFFF_"


def test_only_cells_that_look_escaped_are_counted() -> None:
    counted = Counter[str]()
    blob = b"_x0041_\x1fa_b\x1f_x0041_x0042_\x1f<&>"
    assert CellText()(blob, b"_\x1f_\x1f__\x1f<&>", counted) == [
        b"_x005F_x0041_",
        b"a_b",
        b"_x005F_x0041_x005F_x0042_",
        b"&lt;&amp;&gt;",
    ]
    assert counted == {"escape": 2}


# Compact: without references


COMPACT = sw.Xlsx(compact=True)
MIXED: list[tuple[object, ...]] = [
    (1, "a", None, date(2024, 5, 17), None),
    (None, " b ", None, "text", sw.Formula("=1", 1)),
    (3, None, None, None, True),
]


def test_compact_cells_have_no_references() -> None:
    made = workbook(MIXED, COMPACT)
    assert b" r=" not in made.parts["xl/worksheets/sheet1.xml"]


def test_compact_cells_are_read_in_their_places() -> None:
    assert workbook(MIXED, COMPACT).rows() == workbook(MIXED).rows()
    assert workbook(MIXED, COMPACT).rows()[2] == [3, "", "", "", True]


def test_compact_cells_are_fewer_bytes() -> None:
    rows = [(n, str(n)) for n in range(1000)]
    compact, usual = (
        workbook(rows, f).parts["xl/worksheets/sheet1.xml"] for f in (COMPACT, "xlsx")
    )
    assert len(compact) < 0.8 * len(usual)


# Cells that are more than a value


RED = sw.Style(color="#C00000")


class Collected:
    """Takes so many links, or notes, and keeps what it was told."""

    def __init__(self, room: int = 100) -> None:
        self.told: list[tuple[object, ...]] = []
        self._room = room

    def add(self, *told: object) -> bool:
        if len(self.told) == self._room:
            return False
        self.told.append(told)
        return True


class Writer:
    """A `CellWriter` and all that it is given; writes cells as rows of a sheet."""

    def __init__(
        self,
        *columns: sw.Column,
        compact: bool = False,
        room: int = 100,
        strings: SharedStrings | None = None,
    ) -> None:
        self.converted = Counter[str]()
        self.styles = Styles()
        self.links, self.notes = Collected(room), Collected(room)
        attachments = Attachments(self.converted, table=False)
        attachments._links, attachments._notes = self.links, self.notes  # type: ignore[assignment]  # fakes
        self.strings = strings
        receipt = sw.Receipt("xlsx", converted=self.converted)
        context = Context(values=sw.Values(), limits=sw.Limits(), receipt=receipt)
        self.columns = columns or (sw.Column(0),)
        self._formatters = formatters(self.columns, context, TEXT_RULES)
        registry = StyleRegistry(self.styles, compact=compact)
        workbook = WorkbookContext(context, registry, strings)
        self._writers = [
            CellWriter(column, at, workbook, attachments) for at, column in enumerate(self.columns)
        ]

    def xml(self, *rows: tuple[object, ...], first: int = 1) -> str:
        """The cells of `rows`, the first of which is in row `first` of the sheet."""
        columns = list(zip(*rows, strict=True))
        numbers = [b"%d" % (first + at) for at in range(len(rows))]
        pairs = zip(self._formatters, columns, strict=True)
        formatted = [formatter.format(cells, 1) for formatter, cells in pairs]
        style_cells(self._writers, formatted, first)
        share_strings(self._writers, formatted)
        parts: list[Part] = []
        for writer, cells in zip(self._writers, formatted, strict=True):
            parts += writer.parts(cells, numbers)
        return interleave([*parts, b"\n"], len(rows)).decode()


def test_a_cell_may_have_a_style_of_its_own() -> None:
    made = workbook([(sw.Cell(1, style=RED), 1), (2, sw.Cell("a", style=RED))])
    assert made.rows() == [[1, 1], [2, "a"]]
    for reference, color in (("A1", "FFC00000"), ("B1", None), ("A2", None), ("B2", "FFC00000")):
        found = made.cell(reference).font.color
        assert (None if found is None else found.rgb) == color


def test_what_a_cells_style_leaves_open_is_as_in_its_column() -> None:
    columns = [sw.Column(0, format="0.000", align="center", wrap=True)]
    made = workbook(
        [
            (sw.Cell(1, style=RED),),
            (
                sw.Cell(
                    1,
                    style=sw.Style(format="0"),
                ),
            ),
        ],
        columns=columns,
    )
    cell = made.cell("A1")
    assert (cell.number_format, cell.alignment.horizontal) == ("0.000", "center")
    assert cell.alignment.wrap_text
    assert made.cell("A2").number_format == "0"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (date(2024, 5, 17), "yyyy-mm-dd"),
        (datetime(2024, 5, 17, tzinfo=UTC), 'yyyy-mm-dd hh:mm:ss "UTC"'),
        (timedelta(1), "[h]:mm:ss"),
        (sw.Formula("=1", date(2024, 5, 17)), "yyyy-mm-dd"),  # type: ignore[arg-type]
        (1, "General"),
        ("a", "General"),
        (True, "General"),
        (None, "General"),
    ],
)
def test_a_cell_with_a_style_has_the_format_of_its_kind(value: object, code: str) -> None:
    cell = one(sw.Cell(value, style=RED)).cell()
    assert cell.number_format == code
    assert cell.font.color is not None
    assert cell.font.color.rgb == "FFC00000"


@pytest.mark.slow
def test_an_empty_cell_may_have_a_style(tmp_path: Path) -> None:
    for form in ("xlsx", COMPACT):
        made = workbook([(1, sw.Cell(None, style=RED), 2), (None, None, None)], form)
        assert made.rows() == [[1, "", 2]]
        assert made.sheet()[-2][0][1].get("s") == made.sheet()[-2][0][1].get("s")
        assert len(made.sheet()[-2][0][1]) == 0
        assert ooxml_errors(made.data, tmp_path) == []


def test_cells_of_equal_styles_share_one_format() -> None:
    rows = [(sw.Cell(n, style=sw.Style(color="#C00000")),) for n in range(100)]
    made = workbook(rows)
    assert len({cell.get("s") for row in made.sheet()[-2] for cell in row}) == 1


def test_a_cell_leads_where_it_says() -> None:
    writer = Writer(sw.Column(0), sw.Column(1))
    xml = writer.xml(("a", 1), (sw.Cell("b", url="https://example.com/"), 2), first=7)
    assert writer.links.told == [("A8", "https://example.com/")]
    assert writer.converted == {}
    assert '<c r="A7" t="inlineStr"><is><t>a</t>' in xml
    linked = writer.styles.index(LINK)
    assert f'<c r="A8" s="{linked}" t="inlineStr"><is><t>b</t>' in xml


def test_a_link_has_its_own_style_over_that_of_links() -> None:
    writer = Writer(sw.Column(0, align="right"))
    xml = writer.xml((sw.Cell("b", url="#A1", style=sw.Style(bold=True, color="#000000")),))
    style = sw.Style(bold=True, color="#000000", underline=True, align="right")
    assert f'<c r="A1" s="{writer.styles.index(style)}" ' in xml


def test_a_link_past_the_limit_is_plain_and_counted() -> None:
    writer = Writer(room=1)
    xml = writer.xml(*[(sw.Cell(name, url="#A1"),) for name in "abc"])
    assert xml.count(' s="') == 1
    assert writer.links.told == [("A1", "#A1")]
    assert writer.converted == {"link": 2}


def test_a_cell_has_a_note() -> None:
    writer = Writer(sw.Column(0), sw.Column(1))
    xml = writer.xml((1, 2), (3, sw.Cell(4, note="why")), first=3)
    assert writer.notes.told == [(4, 1, "why")]
    assert xml == Writer(sw.Column(0), sw.Column(1)).xml((1, 2), (3, 4), first=3)


def test_a_note_past_the_limit_is_counted() -> None:
    writer = Writer(room=1)
    writer.xml(*[(sw.Cell(None, note=name),) for name in "abc"])
    assert writer.notes.told == [(1, 0, "a")]
    assert writer.converted == {"note": 2}


def test_empty_links_and_notes_are_none() -> None:
    writer = Writer()
    assert writer.xml((sw.Cell("a", url="", note=""),)) == Writer().xml(("a",))
    assert (writer.links.told, writer.notes.told) == ([], [])


def test_compact_cells_have_links_and_notes_too() -> None:
    writer = Writer(compact=True)
    xml = writer.xml((None,), (sw.Cell(1, url="#A1", note="why"),), first=5)
    assert xml == f'<c/>\n<c s="{writer.styles.index(LINK)}"><v>1</v></c>\n'
    assert writer.links.told == [("A6", "#A1")]
    assert writer.notes.told == [(6, 0, "why")]


def test_styles_links_and_notes_do_not_depend_on_batches() -> None:
    def styled(row: int) -> tuple[object, ...]:
        styles = [sw.Style(size=8 + (row * 3 + at) % 7) for at in range(3)]
        return tuple(
            sw.Cell(row, style=style, url=f"#{row}", note=str(at))
            for at, style in enumerate(styles)
        )

    rows = [styled(row) for row in range(8)]
    whole, halves = (
        Writer(*map(sw.Column, range(3)), room=7),
        Writer(*map(sw.Column, range(3)), room=7),
    )
    xml = whole.xml(*rows)
    assert halves.xml(*rows[:3]) + halves.xml(*rows[3:], first=4) == xml
    assert (halves.links.told, halves.notes.told) == (whole.links.told, whole.notes.told)
    assert halves.styles.part() == whole.styles.part()
    assert halves.converted == whole.converted


def test_an_empty_cell_looks_the_same_beside_dates_and_alone() -> None:
    empty, day = (sw.Cell(None, sw.Style(bold=True)),), (date(2024, 1, 1),)
    apart, together = Writer(sw.Column(0)), Writer(sw.Column(0))
    assert apart.xml(empty) + apart.xml(day, first=2) == together.xml(empty, day)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(),
                st.integers(-9, 9),
                st.sampled_from(["", " a", "<&>", "b"]),
                st.booleans(),
            ),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_style_changes_nothing_else(cells: list[tuple[object, bool]]) -> None:
    styled = [(sw.Cell(value, style=RED) if style else value,) for value, style in cells]
    made = workbook(styled)
    assert made.rows() == workbook([(value,) for value, _ in cells]).rows()


# A column's alignment and wrapping


def test_a_column_is_aligned_and_wrapped() -> None:
    columns = [sw.Column(0, align="right"), sw.Column(1, wrap=True), sw.Column(2)]
    made = workbook([("a", "b", "c"), (1, date(2024, 5, 17), True)], columns=columns)
    for row in "12":
        found = [made.cell(letter + row).alignment for letter in "ABC"]
        assert [cell.horizontal for cell in found] == ["right", None, None]
        assert [bool(cell.wrap_text) for cell in found] == [False, True, False]


def test_a_text_column_keeps_what_is_typed_over_it() -> None:
    made = workbook([("0042",), (42,)], columns=[sw.Column(0, format="text")])
    assert [made.cell(reference).number_format for reference in ("A1", "A2")] == ["@", "@"]
    assert made.rows() == [["0042"], [42]]


# A column of links


LINKS = sw.Column(0, url="https://example.com/{}?a=1&b=2")


@pytest.mark.slow
def test_a_column_of_links_is_one_of_formulas(tmp_path: Path) -> None:
    values = ["a b", 'say "hi"', "<&>", "_x0041_", None, 7, 1.5, True, date(2024, 5, 17)]
    made = workbook([(value,) for value in values], columns=[LINKS])
    assert "url" not in made.converted
    read = [["" if value is None else value] for value in values]
    assert made.rows() == read
    assert made.cell("A1").value == '=HYPERLINK("https://example.com/a%20b?a=1&b=2","a b")'
    assert made.cell("A4").value == '=HYPERLINK("https://example.com/_x0041_?a=1&b=2","_x0041_")'
    assert made.cell("A6").value == '=HYPERLINK("https://example.com/7?a=1&b=2",7)'
    assert made.cell("A9").number_format == "yyyy-mm-dd"
    assert made.cell("A1").font.underline == "single"
    assert ooxml_errors(made.data, tmp_path) == []
    shown = [row[0] if row else "" for row in libreoffice_csv(made.data, tmp_path)]
    # LibreOffice calculates links anew, and its HYPERLINK makes a number of a truth value.
    assert shown == ["a b", 'say "hi"', "<&>", "_x0041_", "", "7", "1.5", "1", "2024-05-17"]


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("rows", [["a", "b"], ["a", None, "b"], [1, 2], ["a", 1, "b" * 300]])
def test_links_together_are_those_one_by_one(rows: list[object], compact: bool) -> None:
    together, alone = (Writer(LINKS, compact=compact) for _ in range(2))
    xml = together.xml(*[(row,) for row in rows])
    assert xml == "".join(alone.xml((row,), first=at) for at, row in enumerate(rows, 1))
    assert together.converted == alone.converted


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_a_cell_may_be_the_address_it_leads_to(form: str, tmp_path: Path) -> None:
    address = "https://example.com/a%20b?c=1&d=ü#e"
    rows = [(address, "x"), ("no address", "x"), (5, "x"), (None, "x"), ("javascript:x()", "x")]
    made = workbook(rows, form, columns=[sw.Column(0, url="{}"), sw.Column(1)])
    book = libreoffice_book(made.data, tmp_path, f"book.{form}")
    cells = [cell.value for cell in book.worksheets[0]["A"]]
    linked = f'=HYPERLINK("{address}","{address}")'
    assert cells == [linked, "no address", 5, None, "javascript:x()"]
    assert made.converted == {"url": 3}
    if form == "xlsx":
        assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize("url", ["not a url", "javascript:alert(1)", "http:///x"])
def test_a_cell_that_leads_nowhere_is_plain_and_counted(form: str, url: str) -> None:
    made = workbook([(sw.Cell("a", url=url), sw.Cell(1, url=url), sw.Cell("b", url=""))], form)
    assert made.converted == {"link": 2}
    part = "content.xml" if form == "ods" else "xl/worksheets/sheet1.xml"
    xml = made.parts[part].decode()
    assert url not in xml
    assert not any(link in xml for link in ("<text:a ", "HYPERLINK", "<hyperlink"))
    plain = workbook([("a", 1, "b")], form).parts
    styles = "styles.xml" if form == "ods" else "xl/styles.xml"
    assert made.parts[styles] == plain[styles]


def test_a_link_that_is_too_long_is_plain_and_counted() -> None:
    made = workbook([("a",), ("b" * 300,), ("",), (sw.Formula("=1", 1),)], columns=[LINKS])
    assert made.rows() == [["a"], ["b" * 300], [""], [1]]
    assert made.converted == {"url": 2}
    assert made.cell("A2").font.underline is None
    assert made.cell("A4").value == "=1"


def test_a_cell_in_a_column_of_links_may_have_its_own() -> None:
    writer = Writer(LINKS)
    xml = writer.xml(
        (sw.Cell("a", url="#A1"),), (sw.Cell("b", style=RED),), (sw.Cell("c" * 300, note="d"),)
    )
    assert writer.links.told == [("A1", "#A1")]
    assert xml.count("HYPERLINK") == 1
    red = sw.Style(color="#C00000", underline=True)
    assert f'<c r="A2" s="{writer.styles.index(red)}" t="str"><f>' in xml
    assert writer.converted == {"url": 1}


def test_links_are_not_calculated_anew_when_the_file_is_opened() -> None:
    assert b"calcPr" not in workbook([("a",)], columns=[LINKS]).parts["xl/workbook.xml"]


# Shared strings


def test_texts_may_stand_in_a_table_of_their_own() -> None:
    writer = Writer(sw.Column(0), sw.Column(1), strings=SharedStrings())
    xml = writer.xml(("a", 1), (" b", "a"), (None, None))
    assert writer.strings is not None
    assert writer.strings.ids([b"a", b" b"]) == [b"0", b"1"]
    assert xml == (
        '<c r="A1" t="s"><v>0</v></c><c r="B1"><v>1</v></c>\n'
        '<c r="A2" t="s"><v>1</v></c><c r="B2" t="s"><v>0</v></c>\n\n'
    )


def test_texts_past_the_end_of_the_table_stand_in_their_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamware.formats.xlsx.strings.MAX_STRINGS", 1)
    writer = Writer(strings=SharedStrings())
    xml = writer.xml(("a",), ("b",), (None,), ("a",))
    assert xml == (
        '<c r="A1" t="s"><v>0</v></c>\n<c r="A2" t="inlineStr"><is><t>b</t></is></c>\n\n'
        '<c r="A4" t="s"><v>0</v></c>\n'
    )


def test_texts_of_links_and_of_styled_cells_share_as_they_can() -> None:
    writer = Writer(LINKS, sw.Column(1), strings=SharedStrings())
    xml = writer.xml(("a", sw.Cell("b", style=RED)), ("b", "c"))
    assert writer.strings is not None
    assert writer.strings.ids([b"a", b"b", b"c"]) == [None, b"0", b"1"]
    assert xml.count("HYPERLINK") == 2


def test_shared_texts_are_read_as_they_were(tmp_path: Path) -> None:
    texts = ["a", " b ", "", "<&>", "_x0041_", "a", "two\nlines", None, "ü"]
    made = workbook([(text, n) for n, text in enumerate(texts)], sw.Xlsx(strings="shared"))
    assert [row[0] for row in made.rows()] == ["" if text is None else text for text in texts]
    assert made.cell("A1").data_type == "s"
    assert "xl/sharedStrings.xml" in made.parts
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize("other", [1, [1], sw.Formula("A1", 1), None, Decimal("1.5")], ids=repr)
def test_empty_texts_among_other_types_are_blank_cells(form: str, other: object) -> None:
    rows = [("x", cell) for cell in ["", other, "b", other, "", "c", other, "", 2.5, ""]]
    columns = [sw.Column(0, "a"), sw.Column(1, "b", total="count")]
    made = workbook(rows, form, columns=columns)
    blank = 4 + 3 * (other is None)
    assert made.rows()[-1][1] == len(rows) - blank
    assert sum(row[1] == "" for row in made.rows()[1:]) == blank


@pytest.mark.parametrize("cached", [None, 3, "x<y", True, timedelta(hours=1), float("nan")])
@pytest.mark.parametrize("compact", [False, True])
def test_formulas_of_a_column_are_written_as_each_alone(cached: Any, compact: bool) -> None:
    texts = ["=A1&B1", "=IFS(A2<1,2)", '="<"', "=[@a]", "=#DIV/0!"]
    cells = [sw.Formula(text, cached) for text in texts]
    together = Writer(compact=compact).xml(*[(cell,) for cell in cells])
    # A column with a formula of another kind of value is written cell by cell.
    other = sw.Formula("=1", "other" if cached == 3 else 3)
    mixed = Writer(compact=compact).xml(*[(cell,) for cell in (*cells, other)])
    assert mixed.splitlines()[: len(cells)] == together.splitlines()
