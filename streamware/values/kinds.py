"""The kinds of cells, and how a value is read as the kind of its column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import isfinite
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

from streamware.values import Values
from streamware.values.dates import in_zone, iso_duration, naive
from streamware.values.numbers import MOST_DIGITS, digits, has_too_many_digits
from streamware.values.objects import held_by, stands_for_another
from streamware.values.scalars import (
    is_null,
    is_numpy_scalar,
    plain_datetime,
    plain_scalar,
    plain_timedelta,
)


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
    NEGATIVE = "negative duration"  # where one cannot be shown as a duration
    FORMULA = "formula"
    JSON = "json"

    # Members are hashed for every cell, and Enum.__hash__ is slow, because it is Python code.
    __hash__ = object.__hash__


SPANS = frozenset({Kind.TIME, Kind.DURATION, Kind.NEGATIVE})
MOMENTS = frozenset({Kind.DATE, Kind.DATETIME, Kind.ZONED})
NUMBERS = SPANS | MOMENTS | {Kind.NUMBER}
"""The kinds of cells that a spreadsheet stores as numbers."""


# A number as a JSON or CSV document has it, not as Python does: no underscores, no `inf`.
# It gives no digit back, which would take quadratic time.
_NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_TIMED = frozenset({"date", "datetime", "time", "duration"})  # the kinds for which NaT is the null
_BLANKS = " \t\r\n"
_FINER = re.compile("[.,][0-9]{6}[0-9]*[1-9]")  # a fraction of a second that is cut
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_Moment = TypeVar("_Moment", datetime, time)


class KindReader:
    """Reads values as the kind that the caller gave a column.

    Args:
        kind: The kind.
        values: The caller's choices: a date-time with a zone is read in `Values.timezone`.
        converted: Counts values that are read in another zone, or lose something.

    Attributes:
        kind: The kind.
        native: The types whose values are of the kind as they are.
    """

    def __init__(self, kind: str, values: Values, converted: Counter[str]) -> None:
        self.kind = kind
        self.native = _NATIVE[kind]
        self._read = self._READ[kind]  # the method for the kind
        self._values = values  # the caller's choices
        self._converted = converted  # counts what is lost

    def read(self, cell: Any) -> object:
        """Return a value as the kind, or what is empty or not finite as it is.

        Raises:
            Exception: It cannot be read; of any type, because methods of the value are called.
        """
        if isinstance(cell, Enum) and self.kind != "text":
            cell = cell.value
        if is_numpy_scalar(cell):
            cell = plain_scalar(cell, self._converted)
            if is_numpy_scalar(cell) and getattr(cell.dtype, "kind", None) == "m":
                raise TypeError  # a span without a unit
        if stands_for_another(cell):
            cell = held_by(cell)
        if is_null(cell):
            if self.kind not in _TIMED and isinstance(cell, (datetime, timedelta)):
                self._converted["non_finite"] += 1
            return None
        cell = self._plain(cell)
        if type(cell) in self.native or _is_not_a_number(cell):
            return cell
        if isinstance(cell, str) and self.kind != "text":
            cell = str.__str__(cell).strip(_BLANKS)
            if not cell:
                return None
        return self._read(self, cell)

    def _plain(self, cell: object) -> object:
        """Return an instance of a subclass of a date-time or a duration as one of the base."""
        if isinstance(cell, datetime) and type(cell) is not datetime:
            return plain_datetime(cell, self._converted)
        if isinstance(cell, timedelta) and type(cell) is not timedelta:
            return plain_timedelta(cell, self._converted)
        return cell

    def _in_zone(self, cell: datetime) -> datetime:
        """Return a date-time as the document shows it."""
        if cell.utcoffset() is None:
            return naive(cell)
        zone = self._values.timezone
        moved = None if self._values.aware == "text" else in_zone(cell, zone)
        if moved is None:
            return cell
        if cell.tzinfo != zone:
            self._converted["timezone"] += 1
        return moved

    def _number(self, cell: Any) -> object:
        if isinstance(cell, str):
            return read_number(cell)
        if isinstance(cell, bool):
            return int(cell)
        if isinstance(cell, (Integral, Real, Decimal)):
            return cell
        raise TypeError

    def _bool(self, cell: Any) -> bool:
        if not isinstance(cell, (str, Integral, Real, Decimal)):
            raise TypeError
        word = cell.lower() if isinstance(cell, str) else cell
        if word in (1, "1", "true", "t", "yes", "y"):
            return True
        if word in (0, "0", "false", "f", "no", "n"):
            return False
        raise ValueError

    def _date(self, cell: Any) -> date:
        if isinstance(cell, date) and not isinstance(cell, datetime):
            return cell
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(cell)
        return self._in_zone(moment).date()

    def _datetime(self, cell: Any) -> datetime:
        if isinstance(cell, date) and not isinstance(cell, datetime):
            return datetime.combine(cell, time())
        return cell if isinstance(cell, datetime) else self._parsed(datetime, cell)

    def _time(self, cell: Any) -> time:
        if isinstance(cell, time):
            return cell
        if isinstance(cell, timedelta):  # MySQL's drivers return the times of a day as spans
            if not timedelta(0) <= cell < _DAY:
                raise ValueError
            return (datetime.combine(date.min, time()) + cell).time()
        if isinstance(cell, datetime):
            return self._in_zone(cell).time()
        if cell.isdigit() and len(cell) not in (2, 4, 6):  # Python takes 20240506 for a time
            raise ValueError
        return self._parsed(time, cell)

    def _duration(self, cell: Any) -> timedelta:
        if isinstance(cell, timedelta):
            return cell
        if isinstance(cell, bool):
            raise TypeError
        seconds = read_number(cell) if isinstance(cell, str) else cell
        span = timedelta(seconds=float(seconds))
        if Fraction(span // _MICROSECOND, 10**6) != Fraction(str(seconds)):
            self._converted["nanosecond"] += 1
        return span

    def _parsed(self, type_: type[_Moment], text: str) -> _Moment:
        """Return the date-time or the time that a text is in ISO 8601."""
        if _FINER.search(text):
            self._converted["nanosecond"] += 1
        return type_.fromisoformat(text)

    def _text(self, cell: Any) -> object:
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, Enum):
            return cell
        if isinstance(cell, Integral):
            whole = int(cell)
            return whole if has_too_many_digits(whole) else digits(whole).decode()
        if isinstance(cell, (Real, Decimal)):
            return str(cell) if isfinite(cell) else cell
        if isinstance(cell, datetime):
            return self._in_zone(cell).isoformat()
        if isinstance(cell, (date, time)):
            return cell.isoformat()
        if isinstance(cell, timedelta):
            return iso_duration(cell)
        return cell

    # Functions, not bound methods: those would be stored once for every column.
    _READ: ClassVar[Mapping[str, Callable[[KindReader, Any], object]]] = {
        "text": _text,
        "number": _number,
        "bool": _bool,
        "date": _date,
        "datetime": _datetime,
        "time": _time,
        "duration": _duration,
    }


_NULL = None.__class__
_NATIVE: Mapping[str, frozenset[type]] = {
    "text": frozenset({str, _NULL}),
    "number": frozenset({int, float, Decimal, _NULL}),
    "bool": frozenset({bool, _NULL}),
    "date": frozenset({date, _NULL}),
    "datetime": frozenset({datetime, _NULL}),
    "time": frozenset({time, _NULL}),
    "duration": frozenset({timedelta, _NULL}),
}


def read_number(text: str) -> int | Decimal:
    """Return the number that a text without blanks around it is.

    Raises:
        ValueError: It is not a number in ASCII digits.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError
    if len(text) <= MOST_DIGITS:
        with suppress(ValueError):  # it has a fraction, or more digits than `int` takes
            return int(text)
    return Decimal(text)


def _is_not_a_number(cell: object) -> bool:
    """Return whether a value is NaN, by which libraries mean that it is missing."""
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return isinstance(cell, float) and cell != cell
