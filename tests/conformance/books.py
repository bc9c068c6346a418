# ruff: noqa: DTZ001 - date-times without a zone are values like any other
"""The workbooks of the suite: one for each feature, and what a reader should see of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from unittest.mock import patch

import streamware as sw
from conformance.views import SheetView, View, cell_of

Form = Literal["xlsx", "ods"]
FORMS: tuple[Form, ...] = ("xlsx", "ods") if hasattr(sw, "Ods") else ("xlsx",)


@dataclass(frozen=True, kw_only=True)
class Book:
    """A workbook to be made.

    Attributes:
        rows: What is exported.
        sees: What a reader should see.
        options: Of the format, where both have them.
        xlsx: More of them, which only XLSX has.
        encode: Arguments of `sw.encode`.
        patches: What is made smaller, so that a limit is near.
        forms: The formats in which it is made.
    """

    rows: Any
    sees: View
    options: Mapping[str, Any] = field(default_factory=dict)
    xlsx: Mapping[str, Any] = field(default_factory=dict)
    encode: Mapping[str, Any] = field(default_factory=dict)
    patches: Mapping[str, object] = field(default_factory=dict)
    forms: tuple[Form, ...] = FORMS

    def made(self, form: Form) -> bytes:
        """The file."""
        options = dict(self.options) | (dict(self.xlsx) if form == "xlsx" else {})
        chosen = getattr(sw, form.capitalize())(**options)
        started = [patch(name, value) for name, value in self.patches.items()]
        for one in started:
            one.start()
        try:
            with sw.encode(self.rows, chosen, **self.encode) as encoding:
                return b"".join(encoding)
        finally:
            for one in started:
                one.stop()


BOOKS: dict[str, Callable[[], Book]] = {}
"""By the name of the feature."""


def book(name: str) -> Callable[[Callable[[], Book]], Callable[[], Book]]:
    def keep(make: Callable[[], Book]) -> Callable[[], Book]:
        assert name not in BOOKS, name
        BOOKS[name] = make
        return make

    return keep


def sheet(name: str, rows: Iterable[Iterable[object]], **told: Any) -> SheetView:
    return SheetView(name, [[cell_of(value) for value in row] for row in rows], told)


def one_column(
    values: Sequence[object], expected: Sequence[object] | None = None, **more: Any
) -> Book:
    """A value a row, below a header, each beside its number."""
    rows = [(number, value) for number, value in enumerate(values, 1)]
    seen = [("no", "value"), *enumerate(values if expected is None else expected, 1)]
    columns = [sw.Column(0, "no"), sw.Column(1, "value")]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen)]),
        encode={"columns": columns} | more.pop("encode", {}),
        **more,
    )


# Values

TEXTS = [
    "plain",
    "äöü ß € \u2013 “quotes” 漢字 العربية עברית हिन्दी",
    "\U0001f600 \U0001f468‍\U0001f469‍\U0001f467 \U0001d54f",
    "e\u0301 against \u00e9",
    " blanks at both ends ",
    "two  blanks",
    "a tab\tand a line\nand another\n\nand the end\n",
    "\nfirst",
    "<b>&amp; \"quoted\" 'single' ]]> -->",
    "00123",
    "1e5",
    "2024-02-29",
    "TRUE",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'apostrophe",
    "#N/A",
    "\u00a0no-break\u2003em\u200bzero\u2028line\u2029paragraph\ufeff",
    "\x7f\x85\x9f\ufdd0\U0001fffe",
    "x" * 32_767,
    "\U0001f600" * 16_383,
]


@book("text")
def text() -> Book:
    return one_column(TEXTS)


@book("text that looks like a notation")
def notation() -> Book:
    return one_column(["_x0041_", "_x000D_", "_x005F_", "a_xD83D_b", "_x41_", "_X0041_"])


@book("numbers")
def numbers() -> Book:
    return one_column(
        [
            *(0, 1, -1, 999_999_999_999_999, -999_999_999_999_999, 10**15),
            *(0.1, -0.1, 0.1 + 0.2, 1 / 3, 2 / 3, 1e-5, 1.5e300, 1e22, 1e15, 123456789.123456789),
            *(5e-300, 2.2250738585072014e-308, 1.7976931348623157e308),
            *(Decimal("1.10"), Decimal("-0.05"), Decimal(123456789012345), Decimal("1E+3")),
        ]
    )


@book("truth values")
def truth() -> Book:
    return one_column([True, False, None, True])


@book("dates and times")
def moments() -> Book:
    return one_column(
        [
            *(date(2024, 2, 29), date(1900, 3, 1), date(9999, 12, 31), date(1970, 1, 1)),
            *(datetime(2024, 2, 29, 12, 30, 15), datetime(1999, 12, 31, 23, 59, 59)),
            *(datetime(2024, 5, 17), datetime(2024, 5, 17, 0, 0, 1)),
            *(time(0, 0, 1), time(12), time(23, 59, 59)),
        ]
    )


@book("fractions of a second")
def fractions() -> Book:
    return one_column(
        [
            datetime(2024, 2, 29, 12, 30, 15, 500_000),
            datetime(2024, 2, 29, 12, 30, 15, 123_000),
            datetime(2024, 2, 29, 23, 59, 59, 999_000),
            time(23, 59, 59, 999_000),
            timedelta(milliseconds=1_234),
        ]
    )


@book("durations")
def durations() -> Book:
    return one_column(
        [
            *(timedelta(hours=25, minutes=3, seconds=1), timedelta(0), timedelta(seconds=1)),
            *(timedelta(days=400), timedelta(hours=12)),
        ]
    )


@book("date-times with a zone")
def zones() -> Book:
    summer = timezone(timedelta(hours=2), "CEST")
    return one_column(
        [datetime(2024, 5, 17, 18, 30, tzinfo=summer), datetime(2024, 5, 17, tzinfo=UTC)],
        [datetime(2024, 5, 17, 16, 30), datetime(2024, 5, 17)],
    )


@book("values that no spreadsheet has")
def awkward() -> Book:
    return one_column(
        *zip(
            (float("nan"), None),
            (float("inf"), None),
            (2**53 + 1, "9007199254740993"),
            (10**30, "1" + 30 * "0"),
            (-(10**16), "-10000000000000000"),
            (Decimal(12345678901234567), "12345678901234567"),
            (date(1, 1, 1), "0001-01-01"),
            (date(1900, 2, 28), "1900-02-28"),
            (datetime(1899, 12, 31, 12), "1899-12-31T12:00:00"),
            (timedelta(hours=-1), "-PT1H"),
            (time(8, 15, tzinfo=UTC), "08:15:00+00:00"),
            (
                "bell \x07, nul \x00, lone \ud800 surrogate",
                "bell \ufffd, nul \ufffd, lone \ufffd surrogate",
            ),
            ("a\r\nb\rc", "a\nb\nc"),
            ({"b": [1, "ü"]}, '{"b":[1,"ü"]}'),
            (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
            (b"\x00\xff", "AP8="),
            ("x" * 40_000, "x" * 32_766 + "…"),
            strict=True,
        ),
        forms=("xlsx",),
    )


@book("forbidden characters as notation")
def escaped() -> Book:
    values = ["bell \x07", "_x0041\x07", "\x0b"]
    return one_column(values, encode={"values": sw.Values(forbidden="escape")}, forms=("xlsx",))


@book("empty cells and short rows")
def empty() -> Book:
    rows = [(1, None, "c"), (None, None, None), (), (2,), (None, "", "z"), (None, None, 0)]
    seen = [("a", "b", "c"), (1, None, "c"), (), (), (2,), (None, None, "z"), (None, None, 0)]
    columns = [sw.Column(at, title) for at, title in enumerate("abc")]
    return Book(rows=rows, sees=View([sheet("Sheet1", seen)]), encode={"columns": columns})


@book("kinds mixed in a column")
def mixed() -> Book:
    values = [1, "one", True, None, 1.5, date(2024, 1, 1), "=x", timedelta(hours=30), 2, "two"]
    return one_column(values * 3)


@book("formulas")
def formulas() -> Book:
    rows = [
        (sw.Formula("=1+1", 2), sw.Formula('="a"&"b"', "ab"), sw.Formula("=1<2", True)),
        (
            sw.Formula("=A2*21", 42),
            sw.Formula('=B2&" <&> "', "ab <&> "),
            sw.Formula("=NOT(C2)", False),
        ),
        (sw.Formula("=SUM(A2:A3)", 44), "=not one", None),
    ]
    columns = [sw.Column(at, title) for at, title in enumerate("abc")]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [("a", "b", "c"), *rows])]),
        encode={"columns": columns},
    )


@book("a thousand rows of 30 columns")
def thousand() -> Book:
    rows = [[r * c if c % 2 else f"r{r}c{c}" for c in range(30)] for r in range(1000)]
    titles = [f"column {c}" for c in range(30)]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [titles, *rows])]),
        encode={"columns": [sw.Column(c, title) for c, title in enumerate(titles)]},
    )


@book("1,000 columns")
def columns() -> Book:
    row = [c if c % 3 else None for c in range(1000)]
    titles = [f"c{c}" for c in range(1000)]
    return Book(
        rows=[row],
        sees=View([sheet("Sheet1", [titles, row])]),
        encode={"columns": [sw.Column(c, title) for c, title in enumerate(titles)]},
    )


@book("no rows")
def no_rows() -> Book:
    return Book(rows=[], sees=View([sheet("Sheet1", [])]))


# Sheets


@book("several sheets")
def sheets() -> Book:
    names = ["First", "It's & <second>", "Ünïcödé 漢字 😀", "2024", "A1", "x" * 31]
    return Book(
        rows=[sw.Sheet(name, [{"name": name, "n": n}]) for n, name in enumerate(names)],
        sees=View([sheet(name, [("name", "n"), (name, n)]) for n, name in enumerate(names)]),
    )


@book("names of sheets that Excel refuses")
def names() -> Book:
    given = ["a/b:c", "[x]*?\\", "'quoted'", "", "y" * 40, "A/B:C"]
    seen = ["a_b_c", "_x____", "quoted", "Sheet1", "y" * 31, "A_B_C (2)"]
    return Book(
        rows=[sw.Sheet(name, [{"n": n}]) for n, name in enumerate(given)],
        sees=View([sheet(name, [("n",), (n,)]) for n, name in enumerate(seen)]),
    )


@book("rows beyond the limit")
def continuation() -> Book:
    seen = [range(10)[at : at + 4] for at in (0, 4, 8)]
    titles = ["Orders", "Orders (2)", "Orders (3)"]
    return Book(
        rows=[sw.Sheet("Orders", [{"n": n} for n in range(10)])],
        sees=View(
            [
                sheet(title, [("n",), *([n] for n in part)], frozen=[1, 0])
                for title, part in zip(titles, seen, strict=True)
            ]
        ),
        patches={"streamware.formats.xlsx.workbook.MAX_ROWS": 5},
        forms=("xlsx",),
    )


@book("compact=True")
def compact() -> Book:
    rows = [(1, None, "a"), (None, None, True), (date(2024, 1, 1), "b", None)]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [("x", "y", "z"), *rows])]),
        xlsx={"compact": True},
        encode={"columns": [sw.Column(at, title) for at, title in enumerate("xyz")]},
        forms=("xlsx",),
    )


@book("number formats")
def formats() -> Book:
    cases: list[tuple[str, object, str, str]] = [
        ("integer", 3.0, "0", "3"),
        ("decimal", 1234.5, "#,##0.00", "1,234.50"),
        ("percent", 0.256, "0.00%", "25.60%"),
        ("date", datetime(2024, 2, 29, 12), "yyyy-mm-dd", "2024-02-29"),
        ("datetime", date(2024, 2, 29), "yyyy-mm-dd hh:mm:ss", "2024-02-29 00:00:00"),
        ("time", datetime(2024, 2, 29, 12), "hh:mm:ss", "12:00:00"),
        ("duration", timedelta(hours=25), "[h]:mm:ss", "25:00:00"),
        ("money:EUR", 1234.5, "#,##0.00 [$EUR]", "1,234.50 EUR"),
        ("money:JPY", 1234, "#,##0 [$JPY]", "1,234 JPY"),
        ('0.0" kg"', 1.25, '0.0" kg"', "1.3 kg"),
        ("000000", 123, "000000", "000123"),
        ("dd.mm.yyyy", date(2024, 2, 29), "dd.mm.yyyy", "29.02.2024"),
    ]
    columns = [sw.Column(at, name, format=name) for at, (name, *_) in enumerate(cases)]
    at = [f"{chr(65 + c)}2" for c in range(len(cases))]
    seen = sheet(
        "Sheet1",
        [[name for name, *_ in cases], [value for _, value, *_ in cases]],
        formats={ref: code for ref, (_, _, code, _) in zip(at, cases, strict=True)},
        shown={ref: shown for ref, (*_, shown) in zip(at, cases, strict=True)},
    )
    return Book(
        rows=[[value for _, value, *_ in cases]], sees=View([seen]), encode={"columns": columns}
    )


# What surrounds the rows


def table_of(
    count: int = 3,
) -> tuple[list[sw.Column], list[tuple[object, ...]], list[list[object]]]:
    """Columns, rows, and what is seen of both."""
    made: list[tuple[object, ...]] = [(n, f"name {n}", n * 1.5) for n in range(1, count + 1)]
    titles = ["id", "name", "amount"]
    return (
        [sw.Column(at, title) for at, title in enumerate(titles)],
        made,
        [[*titles], *map(list, made)],
    )


@book("header and frozen header")
def header() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View(
            [sheet("Sheet1", seen, frozen=[1, 0], bold={"A1": True, "C1": True, "A2": None})]
        ),
        encode={"columns": columns},
    )


@book("filter buttons")
def autofilter() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows, sees=View([sheet("Sheet1", seen, filter="A1:C4")]), encode={"columns": columns}
    )


@book("widths of columns")
def widths() -> Book:
    _, rows, seen = table_of()
    columns = [
        sw.Column(0, "id", width=5),
        sw.Column(1, "name", width=30),
        sw.Column(2, "amount", width=12.5),
    ]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, widths={"A": 5, "B": 30, "C": 12.5})]),
        encode={"columns": columns},
    )


@book("document properties")
def properties() -> Book:
    columns, rows, seen = table_of()
    given = {"title": "Ünï <&> title", "author": "An Author", "company": "A Company"}
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen)], given | {"created": "2024-02-29T12:30:15Z"}),
        xlsx=given | {"created": datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)},
        encode={"columns": columns},
        forms=("xlsx",),
    )
