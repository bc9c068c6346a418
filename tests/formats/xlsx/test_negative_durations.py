# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Negative durations, which Excel shows as ####, are text, numbers, or counted from 1904."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

import streamware as sw
from readers import libreoffice_csv, openpyxl_book
from workbooks import Workbook, workbook

OVERTIME = [timedelta(hours=-1.5), timedelta(hours=3), timedelta(hours=-30), None]
DAYS = [-0.0625, 0.125, -1.25]


def overtime(choice: Any, spans: Sequence[object] = OVERTIME, **options: Any) -> Workbook:
    return workbook(
        [(span,) for span in spans],
        columns=[sw.Column(0, "a", **options)],
        values=sw.Values(negative_duration=choice),
    )


def cells(made: Workbook) -> list[Any]:
    sheet = openpyxl_book(made.data).active
    return [row[0] for row in sheet.iter_rows(min_row=2)]


def test_a_negative_duration_is_text_by_default() -> None:
    made = overtime("text")
    assert [cell.value for cell in cells(made)] == ["-PT1H30M", timedelta(hours=3), "-P1DT6H"]
    assert made.converted == {"negative_duration": 2}


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        (None, "General"),
        ("duration", "General"),
        ("[h]:mm", "General"),
        ("hh:mm", "General"),
        ("0.00", "0.00"),
    ],
)
def test_a_negative_duration_can_be_a_number_that_excel_shows(format: Any, shown: str) -> None:  # noqa: A002
    made = overtime("number", format=format)
    negative = [cells(made)[0], cells(made)[2]]
    assert [cell.value for cell in negative] == [DAYS[0], DAYS[2]]
    assert [cell.number_format for cell in negative] == [shown, shown]
    assert made.converted == {"negative_duration": 2}


@pytest.mark.parametrize("choice", ["text", "number"])
@pytest.mark.parametrize(("total", "value"), [("sum", -1.1875), ("average", -1.1875 / 3)])
def test_a_total_counts_negative_durations(choice: Any, total: Any, value: float) -> None:
    made = overtime(choice, total=total)
    assert made.number("A6") == pytest.approx(value)
    assert cells(made)[4].number_format == "General"
    assert made.number("A2") == DAYS[0]


def test_a_positive_total_of_negative_durations_looks_like_a_duration() -> None:
    made = overtime("number", [timedelta(hours=-1), timedelta(hours=5)], total="sum")
    assert cells(made)[2].number_format == "[h]:mm:ss"


def test_a_count_leaves_negative_durations_text() -> None:
    assert overtime("text", total="count").rows()[1] == ["-PT1H30M"]


def test_a_workbook_from_1904_has_negative_durations() -> None:
    made = overtime("1904", total="sum")
    assert openpyxl_book(made.data).epoch == CALENDAR_MAC_1904
    assert [cell.value for cell in cells(made)[:3]] == OVERTIME[:3]
    assert {cell.number_format for cell in cells(made) if cell.value} == {"[h]:mm:ss"}
    assert made.number("A6") == -1.1875
    assert made.converted == {}


@pytest.mark.slow
def test_libreoffice_shows_negative_durations(tmp_path: Path) -> None:
    shown = libreoffice_csv(overtime("1904", format="[h]:mm").data, tmp_path)
    assert [row[0] for row in shown][1:4] == ["-1:30", "3:00", "-30:00"]


MOMENTS = [
    date(2024, 5, 6),
    datetime(2024, 5, 6, 7, 8, 9),
    time(8, 15),
    date(1904, 1, 2),
    datetime(9999, 12, 31, 23, 59, 59),
]


def test_dates_of_a_workbook_from_1904_are_read_as_they_were() -> None:
    made = workbook(
        [(moment,) for moment in [*MOMENTS, date(1904, 1, 1), datetime(1903, 12, 31, 5)]],
        columns=["a"],
        values=sw.Values(negative_duration="1904"),
    )
    early = ["1904-01-01", "1903-12-31T05:00:00"]
    assert [row[0] for row in made.rows()[1:]] == [*MOMENTS, *early]
    assert made.converted == {"early_date": 2}
    for at, moment in enumerate(MOMENTS):  # a column of one kind, on its own path
        alone = workbook([(moment,)] * 2, values=sw.Values(negative_duration="1904"))
        assert [row[0] for row in alone.rows()] == [moment] * 2, at


def test_rules_and_links_of_a_workbook_from_1904_have_its_dates() -> None:
    column = sw.Column(
        0,
        "a",
        url="https://x/{}",
        rules=[sw.Condition(">", date(2024, 5, 6))],
        validation=sw.Validation(kind="date", comparison=">=", value=date(1904, 1, 2)),
    )
    made = workbook(
        [(date(2024, 5, 6),)], columns=[column], values=sw.Values(negative_duration="1904")
    )
    sheet = openpyxl_book(made.data).active
    serial = (date(2024, 5, 6) - date(1904, 1, 1)).days
    assert sheet["A2"].value == f'=HYPERLINK("https://x/2024-05-06",{serial})'
    (rule,) = next(iter(sheet.conditional_formatting)).rules
    assert rule.formula == [str(serial)]
    assert sheet.data_validations.dataValidation[0].formula1 == "1"


@pytest.mark.parametrize("choice", ["text", "number", "1904"])
def test_other_formats_have_negative_durations_of_their_own(choice: Any) -> None:
    values = sw.Values(negative_duration=choice)
    for form, written in (
        (sw.Csv(guard=False), b"\r\n-PT1H30M\r\n"),
        ("json", b'"-PT1H30M"'),
        ("xml", b">-PT1H30M<"),
    ):
        encoding = sw.encode([(timedelta(hours=-1.5),)], form, columns=["a"], values=values)
        assert written in b"".join(encoding)
        assert encoding.receipt.converted == {}
    made = workbook([(timedelta(hours=-1.5),)], "ods", columns=["a"], values=values)
    assert made.rows()[1] == ["-PT01H30M00S"]  # as calamine reads a duration that is negative
    assert made.converted == {}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (timedelta(days=3_000_000), "a duration that became text"),
        (date(1800, 1, 1), "a date"),
        (float("inf"), "a number that is not finite"),
    ],
)
def test_what_has_no_average_is_called_what_it_is(value: object, named: str) -> None:
    with pytest.raises(sw.EncodeError, match=f"row 2, column a: {named}.* has no average"):
        workbook(
            [(None,), (value,)],
            columns=[sw.Column(0, "a", total="average")],
            values=sw.Values(non_finite="text"),
        )


def test_a_duration_is_text_where_excel_shows_no_serial() -> None:
    last_moment = timedelta(days=1) - timedelta(microseconds=1)
    for choice, days in (("text", 2_958_465), ("1904", 2_957_003)):  # of 9999-12-31
        longest = timedelta(days=days)
        made = overtime(choice, [longest, longest + last_moment, longest + timedelta(days=1)])
        values = [cell.value for cell in cells(made)]
        assert values == [longest, f"P{days}DT23H59M59.999999S", f"P{days + 1}D"]
        assert made.converted == {"long_duration": 2}
