"""Writes numbers, dates and nested values as text, a whole column in a few C calls.

Without orjson the standard library does the same work, slower, with the same result.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from itertools import repeat
from operator import attrgetter, truediv
from pathlib import PurePath
from typing import Any

orjson: Any
try:
    import orjson
except ImportError:  # no wheel for this platform: slower, with the same result
    orjson = None

# ECMA-376 Part 1 §18.17.4.1: serials count days.  Before 1900-03-01 Excel's differ from those of
# every other program, because Excel treats 1900 as a leap year.
_EPOCH = datetime(1899, 12, 30)
EPOCH_ORDINAL = _EPOCH.toordinal()
FIRST_SERIAL = 61
FIRST_DATE = date(1900, 3, 1)
# LibreOffice shows earlier days in the Julian calendar, which ISO 8601 does not have.
FIRST_GREGORIAN = date(1582, 10, 15)
_DATE_CACHE = 4096
ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
_DAYS = attrgetter("days")
_SECONDS = attrgetter("seconds")
_MICROSECONDS = attrgetter("microseconds")


class Serials(dict[date, bytes]):
    """A cache of the serials of dates, because dates repeat; emptied when it is full."""

    def __missing__(self, day: date) -> bytes:
        if len(self) >= _DATE_CACHE:
            self.clear()
        serial = self[day] = b"%d" % (day.toordinal() - EPOCH_ORDINAL)
        return serial


def datetime_serials(cells: Sequence[datetime]) -> list[float]:
    """Return the serials of naive date-times: days since 1899-12-30, with their fraction."""
    spans = [cell - _EPOCH for cell in cells]
    if any(map(_MICROSECONDS, spans)):
        return [s.days + (s.seconds + s.microseconds / 1e6) / 86400 for s in spans]
    fractions = map(truediv, map(_SECONDS, spans), repeat(86400))
    return list(map(float.__add__, fractions, map(float, map(_DAYS, spans))))


def iso_duration(value: timedelta) -> str:
    """Return an ISO 8601-1 §5.5.2 duration in days, hours, minutes and seconds, with its sign."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or fraction or not (clock or value.days):
        clock += f"{seconds}{fraction}S"
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}" + (f"T{clock}" if clock else "")


def clock_duration(value: timedelta) -> str:
    """Return a duration in hours, minutes and seconds only, which is what spreadsheets read."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    return f"{sign}PT{hours + 24 * value.days:02}H{minutes:02}M{seconds:02}{fraction}S"


def digits(value: int) -> bytes:
    """Return all digits of an integer, however many."""
    try:
        return b"%d" % value
    except ValueError:  # CPython limits the digits of str(int), which takes quadratic time
        return str(Decimal(value)).encode()


def in_zone(value: datetime, zone: tzinfo) -> datetime | None:
    """Return the same moment in `zone`; None beyond the years 1 to 9999."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        return None


def compact_json(value: object) -> str | None:
    """Return JSON text without blanks; None if JSON cannot hold something inside."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_default)
    except (TypeError, ValueError, RecursionError):
        return None


def _json_default(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return iso_duration(value)
    if isinstance(value, (Decimal, uuid.UUID, PurePath, *ADDRESSES)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError


def int_tokens(cells: Sequence[int]) -> list[bytes]:
    """Return the digits of integers.  Raise OverflowError if one has more than 64 bits."""
    if orjson is None:
        if max(cells) >= 2**64 or min(cells) < -(2**63):
            raise OverflowError
        return " ".join(map(str, cells)).encode().split()
    try:
        tokens: list[bytes] = orjson.dumps(cells)[1:-1].split(b",")
    except TypeError:
        raise OverflowError from None
    return tokens


def plain_floats(cells: Sequence[Any]) -> list[bytes] | None:
    """Return the tokens of a column that has only ordinary floats; None for any other column.

    The types of the cells are not checked, which would take as long as writing them: only a float
    is written with a point and without any letter, bracket or quote.
    """
    if orjson is None or not cells or type(cells[0]) is not float:
        return None
    try:
        text: bytes = orjson.dumps(cells)[1:-1]
    except TypeError:
        return None
    if text.count(b".") != len(cells) or text.translate(None, b"0123456789.,-"):
        return None
    return None if b"0.0000" in text else text.split(b",")


def float_tokens(cells: Sequence[float]) -> list[bytes] | None:
    """Return the shortest text of each double, as `repr` does; None if one is not finite."""
    text: bytes
    if orjson is None:
        text = " ".join(map(repr, cells)).encode()
        return None if b"n" in text else text.split()
    text = orjson.dumps(cells)
    if b"n" in text:
        return None
    tokens = text[1:-1].split(b",")
    if b"e" in text or b"0.0000" in text:  # releases of orjson differ from repr there
        return [
            repr(cell).encode() if b"e" in token or b"0.0000" in token else token
            for token, cell in zip(tokens, cells, strict=True)
        ]
    return tokens


def iso_tokens(cells: Sequence[date]) -> list[bytes]:
    """Return ISO 8601 texts of dates, naive date-times, or date-times in UTC."""
    if orjson is None:
        return [cell.isoformat().encode() for cell in cells]
    tokens: list[bytes] = orjson.dumps(cells)[2:-2].split(b'","')
    return tokens
