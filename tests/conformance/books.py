# ruff: noqa: DTZ001 - date-times without a zone are values like any other
"""The workbooks of the suite: one for each feature, and what a reader should see of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from unittest.mock import patch

import streamware as sw
from conformance.views import SheetView, Told, View, cell_of

Form = Literal["xlsx", "ods"]
FORMS: tuple[Form, ...] = ("xlsx", "ods")


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
    values: Sequence[object],
    expected: Sequence[object] | None = None,
    *,
    told: Told | None = None,
    **more: Any,
) -> Book:
    """A value a row, below a header, each beside its number."""
    rows = [(number, value) for number, value in enumerate(values, 1)]
    seen = [("no", "value"), *enumerate(values if expected is None else expected, 1)]
    columns = [sw.Column(0, "no"), sw.Column(1, "value")]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, **(told or {}))]),
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
            datetime(2024, 2, 29, 22, 59, 59, 999_000),
            time(22, 59, 59, 999_000),
            timedelta(milliseconds=1_234),
        ]
    )


@book("the end of a day")
def ends() -> Book:
    last = [datetime(2024, 2, 29, 23, 59, 59), datetime(9999, 12, 31, 23, 59, 59)]
    return one_column([moment.replace(microsecond=999_999) for moment in last], last)


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
        (sw.Formula('=MAXIFS(A2:A4,A2:A4,"<44")', 42), sw.Formula("=CONCAT(B2,1)", "ab1"), None),
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


@book("styles")
def styles() -> Book:
    looks = [
        (sw.Style(bold=True), "bold", True),
        (sw.Style(italic=True), "italic", True),
        (sw.Style(underline=True), "underline", True),
        (sw.Style(color="#C00000"), "color", "C00000"),
        (sw.Style(background="#FFEB9C"), "background", "FFEB9C"),
        (sw.Style(font="Courier New"), "font", "Courier New"),
        (sw.Style(size=18), "size", 18),
        (sw.Style(align="right"), "align", "right"),
        (sw.Style(align="center"), "align", "center"),
        (sw.Style(valign="top"), "valign", "top"),
        (sw.Style(valign="center"), "valign", "center"),
        (sw.Style(wrap=True), "wrap", True),
        *((sw.Style(border=line), "border", line) for line in ("thin", "medium", "thick")),
        (sw.Style(border="double"), "border", "double"),
        (sw.Style(border="dotted"), "border", "dotted"),
        (sw.Style(border="dashed"), "border", "dashed"),
    ]
    told: dict[str, dict[str, object]] = {}
    for row, (_, key, value) in enumerate(looks, 2):
        told.setdefault(key, {})[f"A{row}"] = value
    for key in set(told) - {"font", "size", "valign", "color"}:  # of these every cell has one
        told[key]["B2"] = None
    return Book(
        rows=[(sw.Cell("x", style=style), "plain") for style, *_ in looks],
        sees=View([sheet("Sheet1", [("a", "b"), *[("x", "plain")] * len(looks)], **told)]),
        encode={"columns": [sw.Column(0, "a"), sw.Column(1, "b")]},
    )


@book("styled cells of every kind")
def styled() -> Book:
    values = ["text", 1.5, True, date(2024, 2, 29), datetime(2024, 2, 29, 12), timedelta(hours=30)]
    style = sw.Style(bold=True, background="#DDEBF7")
    return one_column(
        [sw.Cell(value, style=style) for value in values],
        values,
        told={
            "bold": {f"B{row}": True for row in range(2, 8)} | {"A2": None},
            "background": {f"B{row}": "DDEBF7" for row in range(2, 8)} | {"A2": None},
        },
    )


@book("columns: alignment, wrap, hidden")
def aligned() -> Book:
    _, rows, seen = table_of()
    columns = [
        sw.Column(0, "id", align="center"),
        sw.Column(1, "name", wrap=True, align="right"),
        sw.Column(2, "amount", hidden=True),
    ]
    told = {"align": {"A2": "center", "B2": "right"}, "wrap": {"B2": True, "A2": None}}
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, hidden=["C"], **told)]),
        encode={"columns": columns},
    )


@book("notes")
def notes() -> Book:
    columns = [sw.Column(0, "a", note="About the column\nin two lines"), sw.Column(1, "b")]
    rows = [(1, sw.Cell(2, note="Ünï <&> note")), (sw.Cell("x", note="another"), 3)]
    told = {"A1": "About the column\nin two lines", "B2": "Ünï <&> note", "A3": "another"}
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [("a", "b"), (1, 2), ("x", 3)], notes=told)]),
        encode={"columns": columns},
    )


LINKS = {
    "A2": "https://example.org/",
    "A3": "https://example.org/?q=a%20b&c=d#e",
    "A4": "mailto:someone@example.org",
    "A5": "https://example.org/",
}


@book("links of cells")
def links() -> Book:
    rows = [(sw.Cell(f"link {at}", url=url),) for at, url in LINKS.items()]
    seen = [("a",), *((f"link {at}",) for at in LINKS)]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, links=LINKS)]),
        encode={"columns": [sw.Column(0, "a")]},
    )


@book("columns of links")
def hyperlinks() -> Book:
    values = ["a-1", "ü & <b>", 'say "no"', 42, None]
    quoted = ["a-1", "%C3%BC%20%26%20%3Cb%3E", "say%20%22no%22", "42"]
    shown = ['"a-1"', '"ü & <b>"', '"say ""no"""', "42"]
    seen = [
        sw.Formula(f'=HYPERLINK("https://example.org/{part}",{text})', value)  # type: ignore[arg-type]
        for part, text, value in zip(quoted, shown, values, strict=False)
    ]
    return Book(
        rows=[(value,) for value in values],
        sees=View([sheet("Sheet1", [("a",), *((formula,) for formula in seen)])]),
        encode={"columns": [sw.Column(0, "a", url="https://example.org/{}")]},
    )


@book("totals")
def totals() -> Book:
    columns = [
        sw.Column(0, "id", total="count"),
        sw.Column(1, "name"),
        sw.Column(2, "amount", total="sum", format="0.00"),
        sw.Column(3, "weight", total="average"),
    ]
    rows = [(n, f"name {n}", n * 1.5, n * 10) for n in range(1, 5)]
    below = (
        sw.Formula("=SUBTOTAL(103,A2:A5)", 4),
        None,
        sw.Formula("=SUBTOTAL(109,C2:C5)", 15.0),
        sw.Formula("=SUBTOTAL(101,D2:D5)", 25.0),
    )
    return Book(
        rows=rows,
        sees=View(
            [
                sheet(
                    "Sheet1",
                    [("id", "name", "amount", "weight"), *rows, below],
                    filter="A1:D5",
                    bold={"C6": True, "C5": None},
                    shown={"C6": "15.00"},
                )
            ]
        ),
        encode={"columns": columns},
    )


@book("title rows")
def titles() -> Book:
    columns, rows, seen = table_of()
    slanted = sw.Style(italic=True)
    above: list[list[object]] = [["Orders of the year"], ["made", date(2024, 2, 29), 7]]
    return Book(
        rows=rows,
        sees=View(
            [
                sheet(
                    "Sheet1",
                    [*above, *seen],
                    merged=["A1:C1"],
                    frozen=[3, 0],
                    filter="A3:C6",
                    bold={"A1": True, "A3": True, "A4": None},
                    size={"A1": 14},
                )
            ]
        ),
        options={
            "title_rows": [
                "Orders of the year",
                ("made", date(2024, 2, 29), sw.Cell(7, style=slanted)),
            ]
        },
        encode={"columns": columns},
    )


@book("style of the header")
def styled_header() -> Book:
    columns, rows, seen = table_of()
    told = {
        "background": {"A1": "4472C4", "A2": None},
        "italic": {"B1": True},
        "color": {"C1": "FFFFFF"},
    }
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, **told)]),
        options={"header": sw.Style(italic=True, color="#FFFFFF", background="#4472C4")},
        encode={"columns": columns},
    )


@book("frozen columns")
def frozen() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, frozen=[1, 2])]),
        options={"freeze_columns": 2},
        encode={"columns": columns},
    )


@book("tab, zoom, right to left")
def shown() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, tab="FF8800", zoom=150, rtl=True)]),
        options={"tab_color": "#FF8800", "zoom": 150, "right_to_left": True},
        encode={"columns": columns},
    )


@book("print settings")
def printed() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, landscape=True, fit=True, repeat="1:1")]),
        options={"landscape": True, "fit_to_width": True},
        encode={"columns": columns},
    )


@book("zebra rows")
def zebra() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, rules=[["A2:C4", "expression"]])]),
        options={"zebra": "#F2F2F2"},
        encode={"columns": columns},
    )


@book("conditional formats")
def rules() -> Book:
    columns = [
        sw.Column(0, "a", rules=[sw.Condition(">", 10)]),
        sw.Column(1, "b", rules=[sw.ColorScale()]),
        sw.Column(2, "c", rules=[sw.DataBar()]),
        sw.Column(3, "d", rules=[sw.Condition("between", 1, 5, style=sw.Style(bold=True))]),
    ]
    rows = [(n, n, n, n) for n in range(0, 30, 5)]
    told = [["A2:A7", "cellIs"], ["B2:B7", "colorScale"], ["C2:C7", "dataBar"], ["D2:D7", "cellIs"]]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [list("abcd"), *rows], rules=told)]),
        encode={"columns": columns},
    )


@book("data validation")
def validations() -> Book:
    columns = [
        sw.Column(0, "a", validation=sw.Validation(choices=["new", "paid", "ünï <&>"])),
        sw.Column(1, "b", validation=sw.Validation(kind="whole", value=1, other=9)),
        sw.Column(2, "c", validation=sw.Validation(kind="decimal", comparison=">", value=0.5)),
        sw.Column(3, "d", validation=sw.Validation(kind="length", comparison="<=", value=5)),
        sw.Column(
            4,
            "e",
            validation=sw.Validation(
                kind="date", comparison=">=", value=date(2024, 1, 1), message="Later!"
            ),
        ),
    ]
    rows = [("new", 1, 1.5, "x", date(2024, 5, 17)), ("paid", 2, 2.5, "y", date(2024, 5, 18))]
    told = [
        ["A2:A3", "list"],
        ["B2:B3", "whole"],
        ["C2:C3", "decimal"],
        ["D2:D3", "textLength"],
        ["E2:E3", "date"],
    ]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [list("abcde"), *rows], validations=told)]),
        encode={"columns": columns},
    )


@book("native table")
def table() -> Book:
    columns, rows, seen = table_of()
    told = {
        "ref": "A1:C4",
        "columns": ["id", "name", "amount"],
        "style": "TableStyleLight9",
        "totals": False,
    }
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, tables=[told])]),
        options={"table": "TableStyleLight9"},
        encode={"columns": columns},
        forms=("xlsx",),
    )


@book("native table with totals")
def table_totals() -> Book:
    _, rows, seen = table_of()
    columns = [sw.Column(0, "id"), sw.Column(1, "name"), sw.Column(2, "amount", total="sum")]
    told = {"ref": "A1:C5", "columns": ["id", "name", "amount"], "totals": True}
    below = [None, None, sw.Formula("=SUBTOTAL(109,Table1[amount])", 9.0)]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [*seen, below], tables=[told])]),
        options={"table": True},
        encode={"columns": columns},
        forms=("xlsx",),
    )


@book("protection")
def protected() -> Book:
    columns, rows, seen = table_of()
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen, protected=True, password=True)]),
        options={"protect": "secret"},
        encode={"columns": columns},
    )


@book("defined names")
def defined() -> Book:
    columns, rows, seen = table_of()
    names = {"VAT": "0.19", "Amounts": "Sheet1!$C$2:$C$4"}
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen)], {"names": names}),
        xlsx={"names": names},
        encode={"columns": columns},
        forms=("xlsx",),
    )


@book("custom properties")
def custom() -> Book:
    columns, rows, seen = table_of()
    given = {
        "Query": "SELECT * FROM orders WHERE name <> 'ü'",
        "Rows": lambda receipt: receipt.rows,
        "Final": True,
        "Rate": 0.5,
        "At": datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC),
    }
    told = given | {"Rows": 3, "At": "2024-02-29T12:30:15Z"}
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", seen)], {"custom": told}),
        xlsx={"properties": given},
        encode={"columns": columns},
        forms=("xlsx",),
    )


@book('strings="shared"')
def shared() -> Book:
    made = one_column(TEXTS + TEXTS[:5])
    return replace(made, xlsx={"strings": "shared"}, forms=("xlsx",))


@book('strings="shared", past its bound')
def shared_bound() -> Book:
    rows = [(n, f"text {n % 20}") for n in range(60)]
    return Book(
        rows=rows,
        sees=View([sheet("Sheet1", [("no", "value"), *rows])]),
        xlsx={"strings": "shared"},
        encode={"columns": [sw.Column(0, "no"), sw.Column(1, "value")]},
        patches={"streamware.formats.xlsx.strings.MAX_STRINGS": 10},
        forms=("xlsx",),
    )


@book("sheets from one pass")
def one_pass() -> Book:
    regions = ["north", "south", "east & west"]
    rows = [{"region": regions[n % 3], "n": n, "day": date(2024, 1, 1 + n)} for n in range(20)]
    seen = [
        sheet(
            region,
            [("region", "n", "day"), *(row.values() for row in rows if row["region"] == region)],
            frozen=[1, 0],
        )
        for region in regions
    ]
    return Book(rows=rows, sees=View(seen), encode={"sheet_by": "region"}, forms=("xlsx",))


@book("index sheet")
def index() -> Book:
    names = ["First", "It's & <second>"]
    made = [sw.Sheet(name, [{"n": n} for n in range(3)]) for name in names]
    sheets_ = [sheet(name, [("n",), (0,), (1,), (2,)]) for name in names]
    first = sheet(
        "Index",
        [(name, 3) for name in names],
        links={"A1": "#'First'!A1", "A2": "#'It''s & <second>'!A1"},
    )
    return Book(rows=made, sees=View([first, *sheets_]), xlsx={"index": "Index"}, forms=("xlsx",))


@book("sheets with options of their own")
def own_options() -> Book:
    columns, rows, seen = table_of()
    made = [
        sw.Sheet(
            "Plain", rows, columns=columns, options=sw.SheetOptions(freeze=False, autofilter=False)
        ),
        sw.Sheet(
            "Other",
            rows,
            columns=columns,
            options=sw.SheetOptions(tab_color="#00FF00", landscape=True),
        ),
    ]
    return Book(
        rows=made,
        sees=View(
            [
                sheet("Plain", seen, frozen=[0, 0], filter=None),
                sheet("Other", seen, frozen=[1, 0], filter="A1:C4", tab="00FF00", landscape=True),
            ]
        ),
    )


@book("everything, beyond the limit")
def everything() -> Book:
    columns = [
        sw.Column(0, "id", width=12, note="of the order", align="left"),
        sw.Column(1, "name", url="https://example.org/{}"),
        sw.Column(2, "amount", total="sum", format="money:EUR", rules=[sw.DataBar()]),
    ]
    rows = [(n, f"n{n}", n * 1.5) for n in range(8)]
    parts = [rows[:3], rows[3:6], rows[6:]]
    names = ["Sheet1", "Sheet1 (2)", "Sheet1 (3)"]
    seen = []
    for name, part in zip(names, parts, strict=True):
        below = sw.Formula(f"=SUBTOTAL(109,C3:C{2 + len(part)})", sum(row[2] for row in part))
        linked = [
            (n, sw.Formula(f'=HYPERLINK("https://example.org/{text}","{text}")', text), amount)
            for n, text, amount in part
        ]
        last = 2 + len(part)
        seen.append(
            sheet(
                name,
                [["Report"], ["id", "name", "amount"], *linked, [None, None, below]],
                frozen=[2, 1],
                filter=f"A2:C{last}",
                merged=["A1:C1"],
                notes={"A2": "of the order"},
                repeat="2:2",
                protected=True,
            )
        )
    return Book(
        rows=rows,
        sees=View(seen),
        options={
            "title_rows": ["Report"],
            "freeze_columns": 1,
            "zebra": True,
            "protect": True,
            "zoom": 80,
        },
        encode={"columns": columns},
        patches={"streamware.formats.xlsx.workbook.MAX_ROWS": 6},
        forms=("xlsx",),
    )
