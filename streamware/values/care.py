"""Care: which cells of a column cannot be written together with the others of their type.

`ColumnFormatter` writes all cells of one type in a few calls.  If that fails, these functions find
the few cells for which it does: a text that looks like a formula, an integer that is too large, a
float that is not finite.  They may name too many, which only takes time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from math import inf, isfinite
from operator import attrgetter
from typing import Any

from streamware.values import Values
from streamware.values.cell_formatter import DIGITS, FORBIDDEN, SEPARATOR, UTF16_CELL, TextRules
from streamware.values.formula_text import STARTS, guard_of

OFFSETS = frozenset({"datetime.timezone", "zoneinfo.ZoneInfo", "builtins.NoneType"})
"""Zones that always have an offset; a date-time in any other may be naive.

They are known by name: importing zoneinfo takes time, and fails where sysconfig does.
"""

_SHORT_DECIMAL = re.compile(f"[0-9.-]{{1,{DIGITS}}}")
_PLAIN_DECIMAL = re.compile("[0-9.-]+")
_INT64, _UINT64 = -(2**63), 2**64 - 1  # the integers that orjson writes
_ZONE = attrgetter("tzinfo")
_MARGIN = timedelta(days=2)  # by which another zone may move a date
_FIRST, _LAST = date.min + _MARGIN, date.max - _MARGIN


def zone_name(type_: type) -> str:
    """Return the name of a class of zones, as `OFFSETS` has it."""
    return f"{type_.__module__}.{type_.__name__}"


def careful(
    type_: type, cells: Sequence[Any], rules: TextRules, values: Values, bound: int | None
) -> list[bool] | None:
    """Return of each cell whether it needs care; None if all of this type do.

    Args:
        type_: The type of the cells.
        cells: The cells.
        rules: How the format wants values written.
        values: The caller's choices.
        bound: The most characters that a text may have, or None.
    """
    if issubclass(type_, str) and not issubclass(type_, Enum):
        # The methods of a subclass may return anything.
        return _careful_texts(list(map(str.__str__, cells)), rules, values, bound)
    find = _BY_TYPE.get(type_)
    return None if find is None else find(cells, rules, values)


def _careful_texts(
    cells: list[str], rules: TextRules, values: Values, bound: int | None
) -> list[bool]:
    longest = min(inf if bound is None else bound, UTF16_CELL // 2 if rules.spreadsheet else inf)
    forbidden = FORBIDDEN.search
    if values.formula_text == "off" or not rules.formulas:
        return [len(cell) > longest or forbidden(cell) is not None for cell in cells]
    found = [
        cell[:1] in STARTS or len(cell) > longest or forbidden(cell) is not None for cell in cells
    ]
    finds = guard_of(rules.delimiter).finds
    others = ["" if is_found else cell for cell, is_found in zip(cells, found, strict=True)]
    blob = "\x1f".join(others).encode()
    if not finds(blob):
        return found
    inside = map(finds, blob.split(SEPARATOR))
    return [at_start or within for at_start, within in zip(found, inside, strict=True)]


def _careful_ints(cells: Sequence[int], rules: TextRules, values: Values) -> list[bool]:
    largest = rules.largest(values)
    low, high = (_INT64, _UINT64) if largest is None else (-largest, largest)
    return [not low <= cell <= high for cell in cells]


def _careful_floats(cells: Sequence[float], _rules: TextRules, _values: Values) -> list[bool]:
    return [not isfinite(cell) for cell in cells]


def _careful_decimals(
    cells: Sequence[Decimal], rules: TextRules, values: Values
) -> list[bool] | None:
    if values.decimal == "text":
        return None
    pattern = _PLAIN_DECIMAL if rules.largest(values) is None else _SHORT_DECIMAL
    return [pattern.fullmatch(str(cell)) is None for cell in cells]


def _careful_dates(cells: Sequence[date], rules: TextRules, _values: Values) -> list[bool]:
    return [cell < rules.first_date for cell in cells]


def _careful_datetimes(cells: Sequence[datetime], rules: TextRules, values: Values) -> list[bool]:
    zones = list(map(_ZONE, cells))
    naive = zones.count(None)
    if 2 * naive >= len(zones) or values.aware == "text":
        first = rules.first_date if rules.spreadsheet else date.min
        pairs = zip(cells, zones, strict=True)
        return [zone is not None or cell.date() < first for cell, zone in pairs]
    first = max(rules.first_date + _MARGIN, _FIRST) if rules.spreadsheet else _FIRST
    known = {type_: zone_name(type_) in OFFSETS for type_ in set(map(type, zones))}
    known[None.__class__] = False
    return [
        not (known[type(zone)] and first <= cell.date() <= _LAST)
        for cell, zone in zip(cells, zones, strict=True)
    ]


_BY_TYPE: dict[type, Callable[[Any, TextRules, Values], list[bool] | None]] = {
    int: _careful_ints,
    float: _careful_floats,
    Decimal: _careful_decimals,
    date: _careful_dates,
    datetime: _careful_datetimes,
}
