"""How does a value become text?  By one policy, `Values`, which all formats share.

`column_formatter` writes a column at a time and `cell_formatter` cell by cell, with the same
result; `care` finds the cells of a column that have to be written so.  Both take the text of
numbers, dates and nested values from `numbers`, `dates` and `nested`.  `kinds` has the kinds of
cells, and reads values as the kind of their column.  `scalars`, `objects` and `lazy_text` recognise
values of NumPy, pandas, other libraries and translations; `formula_text` finds text that a
spreadsheet would take for a formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Literal, get_args, get_type_hints

from streamware.model.style import one_of


@dataclass(frozen=True, slots=True)
class Formula:
    """A spreadsheet formula.

    Spreadsheets write it as a formula (ODS translates it); the other formats write its text.  No
    other value ever becomes a formula.

    Write it as an English Excel shows it: functions in English, a comma between arguments, a point
    in numbers.  The prefix that functions after Excel 2007 have in a file, as in `_xlfn.IFS`, is
    added for you.  Write the prefix of the parameters of LET and LAMBDA yourself, as in
    `=LET(_xlpm.x,A1,_xlpm.x*2)`.  In a sheet with `SheetOptions(table=True)`, `[@Price]` is the
    cell of the column `Price` in the same row.  A formula that Excel would remove from the file is
    a `CellError`, which says why.

    A formula fills one cell; if it has several values, the first is shown.

    Attributes:
        text: The formula, such as `"=A1+B1"`.
        cached: The value to show until the formula is calculated.
        array: Whether it is an array formula, which calculates with each cell of a range, as in
            `=SUM(A2:A9*B2:B9)`.  Excel shows it in braces.

    Source: ECMA-376 Part 1 §18.3.1.40 (f).
    """

    text: str
    cached: str | float | bool | None = None
    array: bool = field(default=False, kw_only=True)


# A UTC of its own, which is not the one that callers pass.
_DEFAULT_ZONE = timezone(timedelta(0), "UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    r"""How values are written that not every format can hold.

    Attributes:
        timezone: The time zone that aware date-times are converted to, and in which a column of
            kind "date", "time" or "text" reads them.  By default UTC; in a Django response, the
            current zone of Django.
        aware: Aware date-times: "convert" to `timezone`, or "text", ISO 8601 with their own offset.
        formula_text: Text that a spreadsheet would take for a formula when it opens a CSV:
            "guard" with an apostrophe before it, "off", or "error".  It applies only to formats in
            which text can become a formula, and to a CSV with `guard=False` only if it is "error".
            Numbers and telephone numbers are no formulas.
        big_int: Integers that readers round, which are those beyond ±10^15 in a spreadsheet, and
            beyond ±(2^53 - 1) in JSON, where JavaScript and jq round them: "text", so that no digit
            is lost, or "number".  By default, "auto", they are text in spreadsheets, and in JSON
            numbers with all digits, which Python, Java and PostgreSQL read as they are.
        decimal: Decimals: "number" (rounded, and counted, if a spreadsheet's double cannot hold
            them) or "text".
        negative_duration: Negative durations in XLSX, which Excel shows as ####: ISO 8601 "text",
            except in a column with a sum or an average; a "number" of days; or "1904": the workbook
            counts its dates from 1904, and Excel shows negative durations like any other.
        non_finite: NaN and infinities: "empty", "text" or "error".
        nested: Lists, tuples and dicts: compact "json", or "error".
        forbidden: Characters that XML forbids, and lone surrogates: "replace" by U+FFFD,
            "drop", "error", or "escape" (as `_xHHHH_` in XLSX, `\uHHHH` in JSON; elsewhere, and
            lone surrogates, replaced).
        long_text: Text over 32,767 UTF-16 units in a spreadsheet: "cut", ending in …, or "error".
        other: A value of any other type: "error", or "str", its `str()`.
        extra: A key that the first row did not have, if no columns are given: "error" or
            "ignore".
    """

    timezone: tzinfo = _DEFAULT_ZONE
    aware: Literal["convert", "text"] = "convert"
    formula_text: Literal["guard", "off", "error"] = "guard"
    big_int: Literal["auto", "text", "number"] = "auto"
    decimal: Literal["number", "text"] = "number"
    negative_duration: Literal["text", "number", "1904"] = "text"
    non_finite: Literal["empty", "text", "error"] = "empty"
    nested: Literal["json", "error"] = "json"
    forbidden: Literal["replace", "drop", "error", "escape"] = "replace"
    long_text: Literal["cut", "error"] = "cut"
    other: Literal["error", "str"] = "error"
    extra: Literal["error", "ignore"] = "error"

    def __post_init__(self) -> None:
        if not isinstance(self.timezone, tzinfo):
            raise TypeError(
                "Values(timezone=…) must be a tzinfo such as zoneinfo.ZoneInfo('Europe/Berlin'),"
                f" not {type(self.timezone).__name__}"
            )
        if datetime(2000, 1, 1, tzinfo=self.timezone).utcoffset() is None:
            raise ValueError(
                "Values(timezone=…) must be a zone with an offset from UTC, such as"
                " zoneinfo.ZoneInfo('Europe/Berlin'), but its utcoffset() returns None"
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                given = getattr(self, name)
                raise ValueError(f"Values({name}=…) must be {one_of(choices)}, not {given!r}")


def in_default_zone(values: Values, zone: tzinfo) -> Values:
    """Return the values with `zone` as their time zone, unless the caller has chosen one."""
    return replace(values, timezone=zone) if values.timezone is _DEFAULT_ZONE else values


_CHOICES: Mapping[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Values).items() if get_args(hint)
}
