"""The kinds of cells, and how a value is read as the kind of its column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any

from streamware.values.dates import iso_duration


class Kind(Enum):
    """What a cell is to a format, whatever the type of its value."""

    EMPTY = "empty"
    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    ZONED = "zoned"
    TIME = "time"
    DURATION = "duration"
    FORMULA = "formula"
    JSON = "json"

    # Members are hashed for every cell, and Enum.__hash__ is slow, because it is Python code.
    __hash__ = object.__hash__


SPANS = frozenset({Kind.TIME, Kind.DURATION})
MOMENTS = frozenset({Kind.DATE, Kind.DATETIME, Kind.ZONED})
NUMBERS = SPANS | MOMENTS | {Kind.NUMBER}
"""The kinds of cells that a spreadsheet stores as numbers."""


def _read_number(cell: object) -> object:
    if isinstance(cell, str):
        text = cell.strip()
        try:
            return int(text)
        except ValueError:
            return Decimal(text)
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, (Integral, Real, Decimal)):
        return cell
    raise TypeError


def _read_bool(cell: object) -> bool:
    word = cell.strip().lower() if isinstance(cell, str) else cell
    if word in (1, "1", "true", "t", "yes", "y"):
        return True
    if word in (0, "0", "false", "f", "no", "n"):
        return False
    raise ValueError


def _read_date(cell: Any) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    return cell if isinstance(cell, date) else datetime.fromisoformat(cell.strip()).date()


def _read_datetime(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    return datetime.fromisoformat(cell.strip())


def _read_time(cell: Any) -> time:
    return cell if isinstance(cell, time) else time.fromisoformat(cell.strip())


def _read_duration(cell: Any) -> timedelta:
    return cell if isinstance(cell, timedelta) else timedelta(seconds=float(cell))


def _read_text(cell: object) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (Integral, Real, Decimal)):
        return str(cell)
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return iso_duration(cell)
    return cell


READERS: Mapping[str, tuple[Callable[[Any], object], frozenset[type]]] = {
    "text": (_read_text, frozenset({str, None.__class__})),
    "number": (_read_number, frozenset({int, float, Decimal, None.__class__})),
    "bool": (_read_bool, frozenset({bool, None.__class__})),
    "date": (_read_date, frozenset({date, None.__class__})),
    "datetime": (_read_datetime, frozenset({datetime, None.__class__})),
    "time": (_read_time, frozenset({time, None.__class__})),
    "duration": (_read_duration, frozenset({timedelta, None.__class__})),
}
