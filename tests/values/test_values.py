# ruff: noqa: DTZ001, RUF001 - date-times without a zone, and odd characters, are what is tested
"""Every line of the table of values, for the text formats, and every choice of `Values`."""

import ipaddress
import math
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from time import process_time
from types import MappingProxyType
from typing import Any

import pytest

import streamware as sw
from drive import Unhashable, column, document
from readers import calamine_rows, csv_rows, json_rows, ndjson_rows, xml_rows

EST = timezone(timedelta(hours=-5))
NOON = datetime(2024, 5, 6, 12, 30, tzinfo=EST)
IDENTIFIER = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Shout(str):
    """Text with a mind of its own, which is not asked."""

    __slots__ = ()

    def __str__(self) -> str:
        return "SHOUT"


class Secret:
    """A value of no known type that tells what it is to whoever prints it."""

    def __repr__(self) -> str:
        return "s3cret"


def in_csv(cells: list[Any], **values: Any) -> list[str]:
    """The cells as a CSV reader sees them."""
    return [row[0] for row in csv_rows(column(cells, "csv", **values).data)[1:]]


def in_xml(cells: list[Any], **values: Any) -> list[str | None]:
    return [row["a"] for row in xml_rows(column(cells, "xml", **values).data)]


def in_json(cells: list[Any], **values: Any) -> list[Any]:
    """The cells as a JSON reader sees them, numbers with a fraction as their own digits."""
    return [row["a"] for row in json_rows(column(cells, "json", **values).data, Decimal)]


READ: dict[str, Callable[..., list[Any]]] = {"csv": in_csv, "xml": in_xml, "json": in_json}

TABLE: list[tuple[str, object, str, object]] = [
    ("text", "Zoë", "Zoë", "Zoë"),
    ("empty text", "", "", ""),
    ("blanks", "  x ", "  x ", "  x "),
    ("none", None, "", None),
    ("true", True, "true", True),
    ("false", False, "false", False),
    ("int", -7, "-7", -7),
    ("big int", 10**20, "100000000000000000000", 10**20),
    ("beyond 64 bits", -(2**64), "-18446744073709551616", -(2**64)),
    ("float", 0.1, "0.1", Decimal("0.1")),
    ("whole float", 3.0, "3.0", Decimal("3.0")),
    ("huge float", 1e22, "1e+22", Decimal("1e22")),
    ("small float", 1e-05, "1e-05", Decimal("1e-05")),
    ("negative zero", -0.0, "-0.0", Decimal("-0.0")),
    ("decimal", Decimal("1.10"), "1.10", Decimal("1.10")),
    ("long decimal", Decimal("0.1234567890123456789"), *2 * ("0.1234567890123456789",)),
    ("exponent", Decimal("1E+3"), "1E+3", Decimal("1E+3")),
    ("fraction", Fraction(1, 4), "0.25", Decimal("0.25")),
    ("date", date(2024, 5, 6), "2024-05-06", "2024-05-06"),
    ("early date", date(1, 2, 3), "0001-02-03", "0001-02-03"),
    ("datetime", datetime(2024, 5, 6, 7, 8, 9), *2 * ("2024-05-06T07:08:09",)),
    ("microseconds", datetime(1, 2, 3, 4, 5, 6, 70), *2 * ("0001-02-03T04:05:06.000070",)),
    ("aware", NOON, *2 * ("2024-05-06T17:30:00+00:00",)),
    ("time", time(7, 8, 9, 10), *2 * ("07:08:09.000010",)),
    ("aware time", time(7, tzinfo=EST), *2 * ("07:00:00-05:00",)),
    ("duration", timedelta(days=1, hours=2, seconds=3), *2 * ("P1DT2H3S",)),
    ("uuid", IDENTIFIER, str(IDENTIFIER), str(IDENTIFIER)),
    ("enum", Colour.RED, "red", "red"),
    ("int enum", Level.HIGH, "3", 3),
    ("str enum", Word.YES, "yes", "yes"),
    ("subclass of str", Shout("quiet"), "quiet", "quiet"),
    ("path", PurePosixPath("/tmp/x"), "/tmp/x", "/tmp/x"),
    ("address", ipaddress.ip_address("10.0.0.1"), "10.0.0.1", "10.0.0.1"),
    ("network", ipaddress.ip_network("fe80::/10"), "fe80::/10", "fe80::/10"),
    ("bytes", b"\x00\xff", "AP8=", "AP8="),
    ("memory", memoryview(b"\x00\xff"), "AP8=", "AP8="),
    ("formula", sw.Formula("A1+B1", cached=3), "A1+B1", "A1+B1"),
    ("list", [1, "ä", None], '[1,"ä",null]', [1, "ä", None]),
    ("tuple", (1, 2), "[1,2]", [1, 2]),
    ("dict", {"k": [True]}, '{"k":[true]}', {"k": [True]}),
    ("mapping", MappingProxyType({"k": 1}), '{"k":1}', {"k": 1}),
]


@pytest.mark.parametrize(
    ("value", "text", "json"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
@pytest.mark.parametrize("company", [[], ["x"], [None]], ids=["alone", "beside text", "and none"])
def test_a_value_survives(value: object, text: str, json: object, company: list[Any]) -> None:
    cells = [value, *company]
    assert in_csv(cells)[0] == text
    assert in_xml(cells)[0] == text
    found = in_json(cells)[0]
    expected = Decimal(json) if isinstance(value, Decimal) and isinstance(json, str) else json
    assert (found, type(found)) == (expected, type(expected))


# Text that starts like a formula


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "\t=1", "\r=1", "+1+1", "-1+1", "-", "+", "-x"]
)
def test_text_that_starts_like_a_formula_is_guarded_in_a_csv(text: str) -> None:
    written = column(["x", text])
    assert csv_rows(written.data)[2] == ["'" + text]
    assert written.converted == {"formula_text": 1}


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "+1",
        "-1.5",
        "+.5",
        "-1,5",
        "-1,234.5",
        "-1e5",
        "+1E-5",
        "-5%",
        "+49 (170) 12-34",
        "1=1",
    ],
)
def test_text_that_reads_as_a_number_or_a_telephone_number_is_left_alone(text: str) -> None:
    written = column([text])
    assert csv_rows(written.data)[1] == [text]
    assert written.converted == {}


def test_a_long_text_of_digits_is_judged_in_one_pass() -> None:
    digits = "1" * 1_000_000
    assert in_csv(["-" + digits, "-" + digits + "x"]) == ["-" + digits, "'-" + digits + "x"]


@pytest.mark.parametrize("form", ["xml", "json", "ndjson"])
def test_only_a_csv_needs_the_guard(form: str) -> None:
    written = column(["=1+1"], form)
    assert b"=1+1" in written.data
    assert b"'" not in written.data
    assert written.converted == {}


@pytest.mark.parametrize("form", [sw.Csv.profile("rfc4180"), sw.Csv.profile("machine")])
def test_profiles_for_programs_have_no_guard(form: sw.Csv) -> None:
    assert csv_rows(column(["=1+1"], form).data)[1] == ["=1+1"]


def test_the_guard_can_be_off() -> None:
    assert in_csv(["=1+1"], formula_text="off") == ["=1+1"]


@pytest.mark.parametrize("form", [sw.Csv(), sw.Csv(guard=False), sw.Tsv()])
def test_formula_text_can_be_refused(form: sw.Csv) -> None:
    with pytest.raises(sw.CellError, match=r"row 2, column a: .* str starts like a formula"):
        column(["x", "=1+1"], form, formula_text="error")


def test_text_of_other_values_is_guarded_too() -> None:
    assert in_csv([PurePosixPath("=x"), b"\xfb\xff", sw.Formula("=1")]) == ["'=x", "'+/8=", "'=1"]


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (Decimal("NaN"), "NaN"),
        (Decimal("sNaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
    ],
)
def test_what_is_not_finite_is_empty_or_text(value: object, text: str) -> None:
    guarded = "'" + text if text[0] == "-" else text
    assert (in_csv([value, 1.5]), in_json([value])) == (["", "1.5"], [None])
    assert in_xml([value, 1.5]) == ["", "1.5"]
    assert in_csv([value, 1.5], non_finite="text") == [guarded, "1.5"]
    assert in_json([value, 1], non_finite="text") == [text, 1]
    assert column([1, value], "xml", non_finite="text").converted == {"non_finite": 1}


@pytest.mark.parametrize("value", [math.nan, Decimal("Infinity"), [math.nan]])
def test_what_is_not_finite_can_be_refused(value: object) -> None:
    with pytest.raises(sw.CellError, match="is not finite"):
        column([1.5, value], non_finite="error")


def test_decimals_can_be_text() -> None:
    written = column([Decimal("1.10"), None, Decimal(2)], "json", decimal="text")
    assert json_rows(written.data) == [{"a": "1.10"}, {"a": None}, {"a": "2"}]
    assert written.converted == {"decimal": 2}


def test_an_integer_of_many_digits_keeps_them_all() -> None:
    assert in_csv([10**5000])[0] == "1" + "0" * 5000


@pytest.mark.parametrize("form", ["csv", "json", "xlsx", "ods"])
@pytest.mark.parametrize("value", [10**10_000, -(10**1_000_000)], ids=["10001", "1000001"])
def test_an_integer_of_too_many_digits_is_an_error_at_once(value: int, form: str) -> None:
    start = process_time()
    with pytest.raises(sw.CellError, match="row 2, column a: a value of type int has more than"):
        column([1, value], form)
    assert process_time() - start < 0.5


def test_a_fraction_that_no_double_holds_is_rounded_and_counted() -> None:
    written = column([Fraction(1, 2), Fraction(1, 3)])
    assert csv_rows(written.data)[1:] == [["0.5"], ["0.3333333333333333"]]
    assert written.converted == {"decimal": 1}


def test_a_fraction_beyond_every_double_is_an_error() -> None:
    with pytest.raises(sw.CellError, match="a value of type Fraction is beyond"):
        column([Fraction(10**400)])


class Scalar:
    """As NumPy's scalars are: a dtype and an item."""

    def __init__(self, plain: object, kind: str = "f", shape: tuple[int, ...] = ()) -> None:
        self.plain = plain
        self.dtype = type("dtype", (), {"kind": kind})
        self.shape = shape

    def item(self) -> object:
        return self if self.plain is None else self.plain

    def astype(self, unit: str) -> "Scalar":
        assert unit in {"M8[us]", "m8[us]"}
        return Scalar(datetime(2024, 5, 6) if unit[0] == "M" else timedelta(1), "O")


def test_a_numpy_scalar_is_its_item() -> None:
    cells = [Scalar(1.5), Scalar(date(2024, 5, 6), "M"), Scalar(1715000000, "M"), Scalar(1, "m")]
    assert in_csv(cells) == ["1.5", "2024-05-06", "2024-05-06T00:00:00", "P1D"]


@pytest.mark.parametrize("value", [Scalar(None), Scalar(1, shape=(2,))], ids=["itself", "array"])
def test_a_scalar_without_a_plain_value_is_of_another_type(value: Scalar) -> None:
    with pytest.raises(sw.CellError, match="type Scalar cannot be written"):
        column([value])


# Dates


def test_aware_moments_are_shown_in_the_chosen_zone() -> None:
    cells = [NOON, datetime(2024, 5, 6, 12, 30, tzinfo=UTC), None]
    written = column(cells, timezone=EST)
    assert [row[0] for row in csv_rows(written.data)[1:]] == [
        "2024-05-06T12:30:00-05:00",
        "2024-05-06T07:30:00-05:00",
        "",
    ]
    assert written.converted == {"timezone": 1}


def test_aware_moments_can_stay_as_they_come() -> None:
    written = column([NOON], "json", aware="text")
    assert json_rows(written.data) == [{"a": "2024-05-06T12:30:00-05:00"}]
    assert written.converted == {"aware": 1}


def test_naive_and_aware_moments_may_stand_in_one_column() -> None:
    assert in_csv([NOON, NOON.replace(tzinfo=None)]) == [
        "2024-05-06T17:30:00+00:00",
        "2024-05-06T12:30:00",
    ]


def test_a_zone_need_not_be_hashable() -> None:
    assert in_csv([datetime(2024, 5, 6, 2, tzinfo=Unhashable())]) == ["2024-05-06T00:00:00+00:00"]


def test_a_moment_that_the_zone_puts_beyond_the_calendar_stays_as_it_came() -> None:
    written = column([datetime(9999, 12, 31, 23, 59, 59, tzinfo=EST), NOON])
    assert csv_rows(written.data)[1:] == [
        ["9999-12-31T23:59:59-05:00"],
        ["2024-05-06T17:30:00+00:00"],
    ]
    assert written.converted == {"aware": 1, "timezone": 1}


class NotATime(datetime):
    """As pandas' NaT: a moment that does not equal itself."""

    __hash__ = datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


def test_a_moment_that_is_none_is_empty() -> None:
    assert in_json([NotATime(2024, 1, 1), datetime(2024, 1, 1)]) == [None, "2024-01-01T00:00:00"]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(days=2), "P2D"),
        (timedelta(hours=3), "PT3H"),
        (timedelta(minutes=61, seconds=1), "PT1H1M1S"),
        (timedelta(milliseconds=1500), "PT1.5S"),
        (timedelta(microseconds=1), "PT0.000001S"),
        (-timedelta(hours=1, seconds=1), "-PT1H1S"),
        (timedelta.min, "-P999999999D"),
    ],
)
def test_a_duration_is_iso_8601(span: timedelta, text: str) -> None:
    assert in_xml([span]) == [text]


# Characters


@pytest.mark.parametrize("form", ["csv", "xml", "json"])
@pytest.mark.parametrize("bad", ["\x00", "\x07", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_a_forbidden_character_is_replaced_dropped_or_refused(form: str, bad: str) -> None:
    read = READ[form]
    text = f"a{bad}b"
    assert read([text, "x"]) == ["a\ufffdb", "x"]
    assert read([text, "x"], forbidden="drop") == ["ab", "x"]
    assert column([text, "x"], form).converted == {"forbidden": 1}
    with pytest.raises(sw.CellError, match=r"row 2, column a: .*XML forbids"):
        column(["x", text], form, forbidden="error")


def test_a_forbidden_character_can_be_escaped_in_json() -> None:
    written = column(['"\x00"\ud800', ["\x07\udfff"]], "json", forbidden="escape")
    assert json_rows(written.data) == [{"a": '"\x00"\ufffd'}, {"a": ["\x07\ufffd"]}]
    assert written.converted == {"forbidden": 2, "nested": 1}


@pytest.mark.parametrize("form", ["csv", "xml"])
def test_a_forbidden_character_that_cannot_be_escaped_is_replaced(form: str) -> None:
    written = column(["a\x07"], form, forbidden="escape")
    assert "a\ufffd".encode() in written.data


@pytest.mark.parametrize(
    "text", ["\t", "\n", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffd", "，", "😀"]
)
def test_every_other_character_is_kept(text: str) -> None:
    cells = [f"a{text}b"]
    assert in_csv(cells) == in_xml(cells) == in_json(cells) == cells
    assert column(cells).converted == {}


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb", "\r\n", "a\r"])
def test_carriage_returns_are_kept(text: str) -> None:
    assert in_xml([text]) == in_json([text]) == [text]
    assert in_csv([text], formula_text="off") == [text]


def in_workbook(cells: list[Any], **values: Any) -> list[str]:
    """The texts as a reader of workbooks sees them."""
    return [row[0] for row in calamine_rows(column(cells, "xlsx", **values).data)[1:]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("x" * 32_767, "x" * 32_767, id="just fits"),
        pytest.param("x" * 32_768, "x" * 32_766 + "…", id="one too many"),
        pytest.param("😀" * 16_384, "😀" * 16_383 + "…", id="pairs count twice"),
        pytest.param("x" + "😀" * 16_384, "x" + "😀" * 16_382 + "…", id="no pair is cut in half"),
        pytest.param(
            "\x07" + "x" * 32_767, "\x07" + "x" * 32_765 + "…", id="an escape counts once"
        ),
        pytest.param("x" * 32_766 + "\x07", "x" * 32_766 + "\x07", id="an escape fits"),
        pytest.param("a\r\nb\x07\rc", "a\nb\x07\nc", id="line ends beside an escape"),
        pytest.param("_x0041\x07_x0042_", "_x0041\x07_x0042_", id="look-alikes beside an escape"),
    ],
)
def test_text_fits_in_the_cell_of_a_workbook(text: str, shown: str) -> None:
    assert in_workbook([text], forbidden="escape") == [shown]


def test_a_long_text_of_surrogates_is_cut_and_not_lost() -> None:
    written = column(["\udc00" * 40_000], "xlsx", forbidden="escape")
    assert calamine_rows(written.data)[1] == ["\ufffd" * 32_766 + "…"]
    assert written.converted == {"forbidden": 1, "long_text": 1}


def test_the_text_of_many_bytes_is_cut_like_any_other() -> None:
    written = column([bytes(30_000)], "xlsx")
    assert calamine_rows(written.data)[1] == ["A" * 32_766 + "…"]
    assert written.converted == {"long_text": 1, "text_of_object": 1}


# Nested values and other types


def test_what_is_nested_is_compact_json() -> None:
    value = {
        "when": [NOON, date(2024, 5, 6), time(1, 2), timedelta(minutes=1)],
        "who": [
            IDENTIFIER,
            Colour.RED,
            Level.HIGH,
            PurePosixPath("x"),
            ipaddress.ip_address("::1"),
        ],
        "what": [Decimal("1.10"), b"\xff", {1}, MappingProxyType({"ä": None})],
    }
    text = (
        '{"when":["2024-05-06T12:30:00-05:00","2024-05-06","01:02:00","PT1M"],'
        '"who":["12345678-1234-5678-1234-567812345678","red",3,"x","::1"],'
        '"what":["1.10","/w==",[1],{"ä":null}]}'
    )
    assert in_csv([value]) == [text]
    assert column([value]).converted == {"nested": 1}


@pytest.mark.parametrize("value", [[], (), {}, MappingProxyType({})])
def test_what_is_nested_can_be_refused(value: object) -> None:
    with pytest.raises(sw.CellError, match="is nested"):
        column([value], nested="error")


@pytest.mark.parametrize("value", [[object()], {(1, 2): 3}, [1j], [10**5000]])
def test_what_json_cannot_hold_is_an_error(value: object) -> None:
    with pytest.raises(sw.CellError, match="has something inside that JSON cannot hold"):
        column([value])


def test_what_holds_itself_is_an_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(sw.CellError, match="type list has something inside"):
        column([endless])


def test_a_number_inside_that_is_not_finite_is_null_or_text() -> None:
    value = {"NaN": [math.nan, "Infinity", 0.1, math.inf]}
    assert in_json([value]) == [{"NaN": [None, "Infinity", Decimal("0.1"), None]}]
    assert in_csv([value], non_finite="text") == ['{"NaN":["NaN","Infinity",0.1,"Infinity"]}']
    assert column([value]).converted == {"nested": 1, "non_finite": 2}


def test_a_forbidden_character_inside_follows_the_choice() -> None:
    assert in_json([["a\ud800"]]) == [["a\ufffd"]]
    assert in_json([["a\ud800"]], forbidden="drop") == [["a"]]
    assert column([["\ud800"]], "json").converted == {"forbidden": 1, "nested": 1}
    with pytest.raises(sw.CellError, match="XML forbids"):
        column([["\ud800"]], "json", forbidden="error")


@pytest.mark.parametrize("value", [Secret(), 1j, object, iter(())])
def test_any_other_type_is_an_error(value: object) -> None:
    with pytest.raises(
        sw.CellError, match=r"cannot be written; pass convert= for its column, or Values\(other"
    ):
        column(["x", value])


def test_any_other_type_can_be_its_text() -> None:
    written = column([Secret(), 1j], other="str")
    assert csv_rows(written.data)[1:] == [["s3cret"], ["1j"]]
    assert written.converted == {"other": 2}


# What is counted


@pytest.mark.parametrize(
    ("cells", "counted"),
    [
        (["x", 1, 1.5, None, True, Decimal("1.5"), date(2024, 1, 1), timedelta(1)], {}),
        ([IDENTIFIER, IDENTIFIER], {"text_of_object": 2}),
        ([IDENTIFIER, "x"], {"text_of_object": 1}),
        ([Colour.RED, PurePosixPath("x"), b"x"], {"text_of_object": 3}),
        ([sw.Formula("A1")], {"formula": 1}),
        ([[1], {}], {"nested": 2}),
        ([math.nan, math.nan], {"non_finite": 2}),
        (["=1", "=2"], {"formula_text": 2}),
        (["\x00\x00"], {"forbidden": 1}),
    ],
)
def test_each_conversion_is_counted(cells: list[Any], counted: Mapping[str, int]) -> None:
    assert column(cells).converted == counted


# Choices


@pytest.mark.parametrize(
    "name",
    [
        "aware",
        "formula_text",
        "big_int",
        "decimal",
        "non_finite",
        "nested",
        "forbidden",
        "long_text",
    ],
)
def test_a_choice_that_there_is_not_is_an_error_that_lists_them(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"Values\({name}=…\) must be '\w+'.* or '\w+', not 'maybe'"
    ):
        sw.Values(**{name: "maybe"})  # type: ignore[arg-type]  # that is the test


def test_a_timezone_by_its_name_only_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(TypeError, match="ZoneInfo"):
        sw.Values(timezone="Europe/Berlin")  # type: ignore[arg-type]  # that is the test


# Columns whose kind the caller tells


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", 7, "7"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", date(2024, 5, 6), "2024-05-06"),
        ("text", timedelta(1), "P1D"),
        ("text", "", ""),
        ("number", "7", 7),
        ("number", " 1.50 ", Decimal("1.50")),
        ("number", "1e3", Decimal("1e3")),
        ("number", True, 1),
        ("number", "", None),
        ("number", Fraction(1, 2), Decimal("0.5")),
        ("bool", 1, True),
        ("bool", "f", False),
        ("bool", " Yes ", True),
        ("bool", "0", False),
        ("date", "2024-05-06", "2024-05-06"),
        ("date", "2024-05-06 07:08:09", "2024-05-06"),
        ("date", datetime(2024, 5, 6, 7), "2024-05-06"),
        ("datetime", "2024-05-06 07:08:09", "2024-05-06T07:08:09"),
        ("datetime", "2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("datetime", date(2024, 5, 6), "2024-05-06T00:00:00"),
        ("time", "07:08", "07:08:00"),
        ("duration", 90, "PT1M30S"),
        ("duration", "1.5", "PT1.5S"),
        ("duration", "  ", None),
    ],
)
def test_a_value_is_read_as_the_kind_of_its_column(
    kind: Any, value: object, expected: object
) -> None:
    rows = [(None,), (value,)]
    written = document(rows, "ndjson", columns=[sw.Column("a", kind=kind)])
    assert ndjson_rows(written.data, Decimal) == [{"a": None}, {"a": expected}]


@pytest.mark.parametrize("kind", ["number", "bool", "date", "datetime", "time", "duration"])
@pytest.mark.parametrize("value", ["s3cret", [1], b"x", object()])
def test_a_value_that_is_not_of_the_kind_is_an_error(kind: Any, value: object) -> None:
    with pytest.raises(
        sw.CellError, match=f"row 2, column a: .* cannot be read as {kind}"
    ) as caught:
        document([(None,), (value,)], columns=[sw.Column("a", kind=kind)])
    assert (caught.value.row, caught.value.type) == (2, type(value).__name__)


@pytest.mark.parametrize("kind", ["date", "datetime", "time"])
def test_a_number_is_no_date(kind: Any) -> None:
    with pytest.raises(sw.CellError, match=f"type int cannot be read as {kind}"):
        document([(20240506,)], columns=[sw.Column("a", kind=kind)])


def test_convert_sees_every_value_before_anything_else() -> None:
    columns = [sw.Column("a", convert=lambda value: f"<{value}>")]
    assert csv_rows(document([(None,), (object,), (1,)], columns=columns).data)[1:] == [
        ["<None>"],
        ["<<class 'object'>>"],
        ["<1>"],
    ]


def test_convert_comes_before_the_kind() -> None:
    columns = [sw.Column("a", kind="date", convert=lambda value: value.replace("/", "-"))]
    assert csv_rows(document([("2024/05/06",)], columns=columns).data)[1] == ["2024-05-06"]


def test_what_convert_raises_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        document([(0,)], columns=[sw.Column("a", convert=lambda value: 1 // value)])


def test_convert_that_has_no_more_does_not_cut_the_rows() -> None:
    rest = iter("ab")
    with pytest.raises(RuntimeError, match="StopIteration"):
        document([(1,)] * 3, columns=[sw.Column("a", convert=lambda _: next(rest))])


# Errors


def everything_said(error: BaseException | None) -> str:
    """All that the error tells, and those behind it."""
    said = ""
    while error is not None:
        said += f"{error!r} {error} {vars(error)} {getattr(error, '__notes__', '')}"
        assert error.__cause__ is None or error.__cause__ is error.__context__
        error = error.__context__
    return said


ENDLESS: list[Any] = ["s3cret"]
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "kind", "values"),
    [
        (Secret(), None, {}),
        ([Secret()], None, {}),
        ({("s3cret", 1): 1}, None, {}),
        (ENDLESS, None, {}),
        (["s3cret"], None, {"nested": "error"}),
        ("s3cret\x00", None, {"forbidden": "error"}),
        (["s3cret\ud800"], None, {"forbidden": "error"}),
        ("=s3cret", None, {"formula_text": "error"}),
        ("s3cret", "number", {}),
        ("s3cret", "bool", {}),
        ("s3cret", "date", {}),
        ("s3cret", "datetime", {}),
        ("s3cret", "time", {}),
        ("s3cret", "duration", {}),
        (Secret(), "text", {}),
    ],
)
def test_an_error_never_tells_the_value(value: object, kind: Any, values: dict[str, Any]) -> None:
    columns = [sw.Column(0, "Nº", kind=kind)]
    with pytest.raises(sw.CellError) as caught:
        document([("",), (value,)], columns=columns, values=sw.Values(**values))
    assert "s3cret" not in everything_said(caught.value)
    assert (caught.value.row, caught.value.column) == (2, "Nº")


def test_an_error_in_a_column_without_a_title_tells_its_number() -> None:
    with pytest.raises(sw.CellError, match="row 3, column 2: ") as caught:
        document([(1, 2), (1, 2), (1, Secret())])
    assert caught.value.column == "2"


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_an_error_in_one_of_several_sheets_tells_which(form: str) -> None:
    sheets = [sw.Sheet("First", [(1,)] * 3), sw.Sheet("It's", [(1,), (Secret(),)], columns=["x"])]
    match = r"^sheet \"It's\", row 2, column x: a value of type Secret cannot be written"
    with pytest.raises(sw.CellError, match=match) as caught:
        document(sheets, form)
    assert (caught.value.sheet, caught.value.row, caught.value.column) == ("It's", 2, "x")


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "xml", "xlsx", "ods"])
def test_an_error_in_rows_without_a_sheet_tells_none(form: str) -> None:
    with pytest.raises(sw.CellError, match=r"^row 2, column x: ") as caught:
        document([{"x": 1}, {"x": Secret()}], form)
    assert caught.value.sheet is None


@pytest.mark.parametrize("form", ["xlsx", "ods"])
@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("x" * 40_000, "characters in the cell"),
        (sw.Cell(1, note="x" * 33_000), "UTF-16 units in the note"),
        (sw.Formula("=" + "1" * 9000), "characters of the formula"),
    ],
    ids=["text", "note", "formula"],
)
def test_a_limit_of_a_cell_tells_the_sheet(cell: Any, what: str, form: str) -> None:
    limits = sw.Limits(cell_characters=39_000)
    with pytest.raises(sw.LimitError, match=f"^sheet 'Orders', row 2, column x: {what}: "):
        document([sw.Sheet("Orders", [{"x": 1}, {"x": cell}])], form, limits=limits)


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_an_error_in_a_title_row_tells_the_sheet(form: str) -> None:
    options = sw.SheetOptions(title_rows=["Orders", [1, Secret()]])
    match = r"^sheet 'Orders', row 2, column title row: a value of type Secret"
    with pytest.raises(sw.CellError, match=match):
        document([sw.Sheet("Orders", [(1,)], options=options)], form)


def test_rows_are_counted_over_batches() -> None:
    with pytest.raises(sw.CellError, match="row 3001, "):
        document([("x",)] * 3000 + [(Secret(),)])


@pytest.mark.parametrize("text", ["x" * 11, "=" * 11, "\x00" * 11, "ä" * 11, ["x" * 7]])
@pytest.mark.parametrize("forbidden", ["replace", "drop", "escape"])
def test_a_cell_has_no_more_characters_than_its_limit(text: Any, forbidden: Any) -> None:
    limits, values = sw.Limits(cell_characters=10), sw.Values(forbidden=forbidden)
    match = "row 2, column a: characters in the cell: 11 is over the limit of 10"
    with pytest.raises(sw.LimitError, match=match):
        document([{"a": "x" * 10}, {"a": text}], limits=limits, values=values)


# Cells that are more than a value


@pytest.mark.parametrize(
    "value",
    [
        *(0, 10**20, 1.5, math.nan, Decimal("1.10"), True, None, "", "=1", "a\r\n\x07"),
        *(date(2024, 5, 6), NOON, time(8), timedelta(1), IDENTIFIER, b"a", [1], Colour.RED),
        sw.Formula("=1", 2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", ["csv", "xml", "json", "xlsx"])
def test_a_cell_is_written_as_its_value(value: object, form: str) -> None:
    plain = [value, value, None]
    bare = column(plain, form)
    for styled in (sw.Cell(value), sw.Cell(value, url="", note="")):
        made = column([styled, value, sw.Cell(None)], form)
        assert (made.data, made.receipt.converted) == (bare.data, bare.receipt.converted)


def test_the_value_of_a_cell_is_read_as_the_kind_of_its_column() -> None:
    cells = [sw.Cell("2024-05-06"), "2024-05-07", sw.Cell(date(2024, 5, 8)), sw.Cell(""), None]
    columns = [sw.Column(0, "day", kind="date")]
    read = calamine_rows(document([(cell,) for cell in cells], "xlsx", columns=columns).data)
    assert read == [["day"], [date(2024, 5, 6)], [date(2024, 5, 7)], [date(2024, 5, 8)]]


def test_the_value_of_a_cell_that_is_not_of_the_kind_is_an_error() -> None:
    columns = [sw.Column(0, "day", kind="date")]
    with pytest.raises(sw.CellError, match="row 2, column day: a value of type str cannot be read"):
        document([(sw.Cell("2024-05-06"),), (sw.Cell("today"),)], "csv", columns=columns)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (sw.Cell(sw.Cell(1)), "type Cell cannot be the value of another"),
        (sw.Cell(1, style="bold"), "type str cannot be the style of a Cell"),  # type: ignore[arg-type]
        (sw.Cell(1, url=b"http://"), "type bytes cannot be the url of a Cell"),  # type: ignore[arg-type]
        (sw.Cell(1, note=5), "type int cannot be the note of a Cell"),  # type: ignore[arg-type]
    ],
    ids=["within another", "style", "url", "note"],
)
def test_a_cell_of_wrong_parts_is_an_error(cell: sw.Cell, problem: str, form: str) -> None:
    with pytest.raises(sw.CellError, match=f"row 2, column a: a value of {problem}"):
        column([1, cell], form)


def test_a_note_has_as_much_text_as_a_cell() -> None:
    column([sw.Cell(1, note="😀" * 16_383 + "x")], "csv")
    with pytest.raises(
        sw.LimitError, match=r"row 2, column a: UTF-16 units in the note: 32,768 is .* 32,767"
    ):
        column([1, sw.Cell(1, note="😀" * 16_384)], "csv")


def test_a_cell_within_what_is_nested_is_an_error() -> None:
    with pytest.raises(sw.CellError, match="has something inside that JSON cannot hold"):
        column([[sw.Cell(1)]], "csv")


def test_the_value_of_a_cell_has_no_more_characters_than_its_limit() -> None:
    limits = sw.Limits(cell_characters=3)
    with pytest.raises(sw.LimitError, match="row 1, column a: characters in the cell"):
        document([{"a": sw.Cell("abcd")}], "csv", limits=limits)


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "ndjson", "xlsx", "ods", "xml"])
@pytest.mark.parametrize("forbidden", ["replace", "drop", "escape"])
def test_a_lone_surrogate_spoils_no_document(form: str, forbidden: Any) -> None:
    odd = "a\ud800b"
    written = document(
        [{odd: odd, "n": {odd: [odd, "\udfff\ud800"]}}],
        form,
        values=sw.Values(forbidden=forbidden),
    )
    text = repr(calamine_rows(written.data)) if form in ("xlsx", "ods") else written.data.decode()
    assert "ud800" not in text
    assert "D800" not in text
    assert ("a\ufffdb" in text) is (forbidden != "drop")
    if form.endswith("json"):
        orjson = pytest.importorskip("orjson")
        assert len(orjson.loads(written.data)[0 if form == "json" else "n"]) in (1, 2)


def test_a_lone_surrogate_in_a_title_can_be_an_error() -> None:
    for form in ("csv", "json", "xlsx"):
        with pytest.raises(sw.CellError):
            document([{"a\ud800": 1}], form, values=sw.Values(forbidden="error"))


@pytest.mark.parametrize("kind", [None, "text"])
def test_numbers_and_dates_that_the_library_spells_are_never_guarded(kind: Any) -> None:
    cells = [-5, -1.5e-7, Decimal("-1E+20"), date(2024, 5, 6), timedelta(hours=1)]
    written = document([(cell,) for cell in cells], columns=[sw.Column("a", kind=kind)])
    expected = ["-5", "-1.5e-07", "-1E+20", "2024-05-06", "PT1H"]
    assert [row[0] for row in csv_rows(written.data)[1:]] == expected
    assert written.converted == {}


@pytest.mark.parametrize("kind", [None, "text"])
def test_a_negative_duration_is_guarded_whatever_the_kind_of_its_column(kind: Any) -> None:
    columns = [sw.Column("a", kind=kind)]
    written = document([(timedelta(hours=-1.5),)], columns=columns)
    assert csv_rows(written.data)[1] == ["'-PT1H30M"]
    assert written.converted == {"formula_text": 1}
    machine = document([(timedelta(hours=-1.5),)], sw.Csv(guard=False), columns=columns)
    assert csv_rows(machine.data)[1] == ["-PT1H30M"]


# Columns of several types

MIXED = [1, "a", None, 2.5, Decimal("1.10"), True, date(2024, 2, 29), "=1", "b\n", 10**20, [1]]


@pytest.mark.parametrize("form", ["csv", "json", "xml", "xlsx", "ods"])
@pytest.mark.parametrize("count", [2, 3, 5, len(MIXED)])
def test_a_column_of_several_types_is_written_as_each_of_its_cells(form: str, count: int) -> None:
    cells = [MIXED[(at * at + at) % count] for at in range(60)]
    alone = [column([cell], form) for cell in cells]
    together = column(cells, form)
    counts = Counter[str]()
    for each in alone:
        counts.update(each.converted)
    assert together.converted == counts
    if form == "csv":
        assert csv_rows(together.data)[1:] == [
            row for one in alone for row in csv_rows(one.data)[1:]
        ]
    elif form == "json":
        assert json_rows(together.data) == [row for one in alone for row in json_rows(one.data)]


def test_the_first_cell_of_several_that_cannot_be_written_is_named() -> None:
    cells: list[object] = [1, "a"] * 20
    cells[30], cells[33], cells[39] = float("nan"), object(), 10**10_001
    with pytest.raises(sw.CellError, match="row 31, column a: a value of type float"):
        column(cells, "csv", non_finite="error")
    cells[30] = 1.5
    with pytest.raises(sw.CellError, match="row 34, column a: a value of type object"):
        column(cells, "csv")
