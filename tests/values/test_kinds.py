# ruff: noqa: DTZ001, RUF001 - date-times without a zone, and odd characters, are what is tested
"""A value is read as the kind of its column, in the time zone that the document shows."""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from drive import document
from readers import calamine_rows, csv_rows, json_rows, ndjson_rows, xml_rows

BERLIN = ZoneInfo("Europe/Berlin")
END = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # how databases say "for ever"
MIDNIGHT = datetime(2024, 5, 5, 22, tzinfo=UTC)  # the first moment of 6 May in Berlin


class Day(Enum):
    ONE = MIDNIGHT


class Offsetless(tzinfo):
    """A zone that gives no offset: by the language's definition, what has it is naive."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "nowhere"


def read_as(kind: Any, value: object, **values: Any) -> object:
    """The value as a reader of NDJSON sees it."""
    columns = [sw.Column("a", kind=kind)]
    written = document([(value,)], "ndjson", columns=columns, values=sw.Values(**values))
    return ndjson_rows(written.data, Decimal)[0]["a"]


def only_cell(form: str, data: bytes) -> object:
    """The one cell below the header "a", as a reader of the format sees it."""
    if form in ("csv", "tsv"):
        return csv_rows(data, "\t" if form == "tsv" else ",")[1][0]
    if form in ("xlsx", "ods"):
        return calamine_rows(data)[1][0]
    readers = {"xml": xml_rows, "json": json_rows, "ndjson": ndjson_rows}
    return readers[form](data)[0]["a"]


@pytest.mark.parametrize(
    "value",
    [
        MIDNIGHT,
        MIDNIGHT.isoformat(),
        "2024-05-05 22:00:00Z",
        MIDNIGHT.astimezone(timezone(timedelta(hours=-11))),
        MIDNIGHT.astimezone(ZoneInfo("Pacific/Kiritimati")),
        datetime(2024, 5, 6, tzinfo=BERLIN),
        datetime(2024, 5, 6, 0, 0),
        datetime(2024, 5, 6, 23, 59, tzinfo=Offsetless()),
        date(2024, 5, 6),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["csv", "tsv", "xml", "json", "ndjson", "xlsx", "ods"])
def test_a_date_is_the_day_in_the_zone_of_the_document(form: str, value: object) -> None:
    columns = [sw.Column("a", kind="date")]
    written = document([(value,)], form, columns=columns, values=sw.Values(timezone=BERLIN))
    assert str(only_cell(form, written.data)) == "2024-05-06"


def test_a_localized_date_is_the_day_in_the_zone_of_the_document() -> None:
    pytest.importorskip("babel")
    form = sw.Csv(language="de", localized=True)
    columns = [sw.Column("a", kind="date")]
    written = document([(MIDNIGHT,)], form, columns=columns, values=sw.Values(timezone=BERLIN))
    assert written.data.decode("utf-8-sig").split() == ["a", "06.05.2024"]


def test_a_day_that_was_read_in_another_zone_is_counted() -> None:
    columns = [sw.Column("a", kind="date")]
    rows = [(MIDNIGHT,), (datetime(2024, 5, 6, tzinfo=BERLIN),), (date(2024, 5, 6),), (None,)]
    written = document(rows, columns=columns, values=sw.Values(timezone=BERLIN))
    assert written.converted == {"timezone": 1}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("time", MIDNIGHT, "00:00:00"),
        ("time", datetime(2024, 10, 27, 1, 30, tzinfo=UTC), "02:30:00"),
        ("time", timedelta(hours=8, minutes=15), "08:15:00"),
        ("date", Day.ONE, "2024-05-06"),
        ("time", datetime(2024, 5, 6, 7, 8), "07:08:00"),
        ("text", MIDNIGHT, "2024-05-06T00:00:00+02:00"),
        ("text", timedelta(hours=-1.5), "-PT1H30M"),
        ("datetime", MIDNIGHT, "2024-05-06T00:00:00+02:00"),
        ("datetime", "2024-05-05T22:00:00Z", "2024-05-06T00:00:00+02:00"),
        # The hour that the clocks of Berlin show twice: fold says which one it is.
        ("datetime", datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN), "2024-10-27T02:30:00+02:00"),
        (
            "datetime",
            datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
            "2024-10-27T02:30:00+01:00",
        ),
        ("date", datetime.max.replace(tzinfo=UTC), "9999-12-31"),  # beyond the years, in Berlin
    ],
)
def test_other_kinds_are_read_in_the_zone_of_the_document(
    kind: Any, value: object, expected: str
) -> None:
    assert read_as(kind, value, timezone=BERLIN) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("date", "2024-05-05"), ("time", "22:00:00"), ("text", "2024-05-05T22:00:00+00:00")],
)
def test_moments_that_stay_as_they_come_are_read_with_their_own_offset(
    kind: Any, expected: str
) -> None:
    assert read_as(kind, MIDNIGHT, timezone=BERLIN, aware="text") == expected


@pytest.mark.parametrize("form", ["csv", "xlsx", "ods"])
def test_a_zone_without_an_offset_makes_nothing_aware(form: str) -> None:
    zone = Offsetless()
    written = document(
        [(datetime(2024, 5, 6, 7, tzinfo=zone), time(8, 15, tzinfo=zone))] * 2
        + [(datetime(2024, 5, 6, 7), time(8, 15, tzinfo=BERLIN))],
        form,
        columns=["a", "b"],
        values=sw.Values(timezone=BERLIN),
    )
    assert written.converted == {}
    if form == "csv":
        assert csv_rows(written.data)[1:] == [["2024-05-06T07:00:00", "08:15:00"]] * 3
    else:
        assert [row[0] for row in calamine_rows(written.data)[1:]] == [datetime(2024, 5, 6, 7)] * 3


def test_a_document_cannot_be_in_a_zone_without_an_offset() -> None:
    with pytest.raises(ValueError, match="timezone"):
        sw.Values(timezone=Offsetless())


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "１２",
        "٣",
        "infinity",
        "-inf",
        "nan",
        "NaN",
        "0x10",
        "1e",
        "1,5",
        "- 1",
        "--1",
        "1 2",
        "\u00a01",
    ],
)
@pytest.mark.parametrize("kind", ["number", "duration"])
def test_what_only_python_takes_for_a_number_is_an_error(kind: Any, text: str) -> None:
    with pytest.raises(sw.CellError, match=f"row 1, column a: .* cannot be read as {kind}"):
        read_as(kind, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 12 ", 12),
        ("+5", 5),
        ("-0.50", Decimal("-0.50")),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("1e5", Decimal("1E+5")),
        ("9" * 5000, 10**5000 - 1),
    ],
    ids=lambda value: str(value)[:9] if isinstance(value, str) else "",
)
def test_a_number_is_read_from_text(text: str, expected: object) -> None:
    data = document([(text,)], "csv", columns=[sw.Column("a", kind="number")]).data
    assert Decimal(csv_rows(data)[1][0]) == expected


@pytest.mark.parametrize("kind", ["text", "number", "bool", "date", "datetime", "time", "duration"])
@pytest.mark.parametrize("missing", [float("nan"), Decimal("NaN"), Decimal("sNaN")], ids=repr)
@pytest.mark.parametrize("form", ["csv", "json", "xlsx"])
def test_nan_is_empty_in_a_column_of_any_kind(kind: Any, missing: object, form: str) -> None:
    columns = ["a", sw.Column("b", kind=kind)]
    written = document([("x", missing), ("x", None)], form, columns=columns)
    assert written.converted == {"non_finite": 1}
    assert b"nan" not in written.data.lower()


def test_nan_in_a_column_of_another_kind_can_be_an_error() -> None:
    with pytest.raises(sw.CellError, match=r"row 1, column a: .*is not finite"):
        read_as("date", float("nan"), non_finite="error")


def test_an_infinity_is_written_in_a_column_of_text_as_values_say() -> None:
    assert read_as("text", float("-inf")) is None
    assert read_as("text", Decimal("Infinity"), non_finite="text") == "Infinity"


def test_a_huge_integer_is_read_as_text() -> None:
    assert read_as("text", 10**5000) == "1" + "0" * 5000


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("datetime", "2024-05-06T07:08:09.123456789", "2024-05-06T07:08:09.123456"),
        ("time", "07:08:09.1234567", "07:08:09.123456"),
        ("duration", 1e-7, "PT0S"),
        ("duration", Decimal("0.12345678"), "PT0.123457S"),
        ("duration", "1.00000049", "PT1S"),
    ],
)
def test_what_is_finer_than_a_microsecond_is_counted(
    kind: Any, value: object, expected: str
) -> None:
    written = document([(value,)], "ndjson", columns=[sw.Column("a", kind=kind)])
    assert ndjson_rows(written.data)[0]["a"] == expected
    assert written.converted == {"nanosecond": 1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("datetime", "2024-05-06T07:08:09.123456000"), ("duration", 0.1), ("duration", "1e5")],
)
def test_a_time_that_loses_nothing_is_not_counted(kind: Any, value: object) -> None:
    assert document([(value,)], columns=[sw.Column("a", kind=kind)]).converted == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("time", "20240506"),
        ("time", "12345678901"),
        ("duration", True),
        ("bool", 1 + 0j),
        ("bool", 2),
    ],
)
def test_what_only_looks_like_the_kind_is_an_error(kind: Any, value: object) -> None:
    with pytest.raises(sw.CellError, match=f"cannot be read as {kind}"):
        read_as(kind, value)


@pytest.mark.parametrize("choice", ["text", "1904"])
def test_the_end_of_time_is_a_date_of_a_workbook(choice: Any) -> None:
    values = sw.Values(negative_duration=choice)
    data = document([(END,)] * 2, "xlsx", columns=["a"], values=values).data
    for row in calamine_rows(data)[1:]:
        assert row == [END.replace(microsecond=0)]  # of its last half second there is no showing


class Broken:
    """A value whose every method fails."""

    def __str__(self) -> str:
        raise RuntimeError("s3cret")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("s3cret")

    __hash__ = object.__hash__


@pytest.mark.parametrize("kind", [None, "text", "number", "bool", "date", "time", "duration"])
def test_an_error_inside_a_value_names_its_cell(kind: Any) -> None:
    columns = [sw.Column("a", kind=kind)]
    with pytest.raises(sw.CellError, match="row 2, column a") as caught:
        document([(None,), (Broken(),)], columns=columns, values=sw.Values(other="str"))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("end", ["x", ".5.", "e", "e+"])
def test_a_long_text_that_is_no_number_is_refused_at_once(end: str) -> None:
    start = process_time()
    with pytest.raises(sw.CellError, match=r"row 1, column a: .* cannot be read as number"):
        read_as("number", "1" * 200_000 + end)
    assert process_time() - start < 1


@pytest.mark.parametrize("zeros", [10_000, 1_000_000])
def test_an_integer_of_too_many_digits_is_no_text_either(zeros: int) -> None:
    with pytest.raises(sw.CellError, match="has more than 10,000 digits"):
        read_as("text", -(10**zeros))
