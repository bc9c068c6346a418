"""Writes dates, date-times and durations: as serials of spreadsheets, or as ISO 8601 text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import repeat
from operator import attrgetter, truediv

from streamware.values import numbers

# ECMA-376 Part 1 §18.17.4.1: serials count days.  Before 1900-03-01 Excel's differ from those of
# every other program, because Excel treats 1900 as a leap year.
EPOCH = datetime(1899, 12, 30)
FIRST_DATE = date(1900, 3, 1)
# The other system of XLSX, in which durations may be negative.  Some readers take a date whose
# serial is 0 for a time, so that its first day is left out.
EPOCH_1904 = datetime(1904, 1, 1)
FIRST_DATE_1904 = date(1904, 1, 2)
# LibreOffice shows earlier days in the Julian calendar, which ISO 8601 does not have.
FIRST_GREGORIAN = date(1582, 10, 15)
_LAST_MILLISECOND = 86_399.999 / 86_400  # of a day
_DATE_CACHE = 4096
_DAYS = attrgetter("days")
_SECONDS = attrgetter("seconds")
_MICROSECONDS = attrgetter("microseconds")


class Serials(dict[date, bytes]):
    """A cache of the serials of dates, because dates repeat; emptied when it is full.

    Args:
        epoch: The date whose serial is 0.
    """

    def __init__(self, epoch: date) -> None:
        self._epoch = epoch.toordinal()

    def __missing__(self, day: date) -> bytes:
        if len(self) >= _DATE_CACHE:
            self.clear()
        serial = self[day] = b"%d" % (day.toordinal() - self._epoch)
        return serial


def datetime_serials(cells: Sequence[datetime], epoch: datetime = EPOCH) -> list[float]:
    """Return the serials of naive date-times: days since the epoch, with their fraction."""
    spans = [cell - epoch for cell in cells]
    if any(map(_MICROSECONDS, spans)):
        return [s.days + (s.seconds + s.microseconds / 1e6) / 86400 for s in spans]
    fractions = map(truediv, map(_SECONDS, spans), repeat(86400))
    return list(map(float.__add__, fractions, map(float, map(_DAYS, spans))))


def cell_serials(cells: Sequence[datetime], epoch: datetime) -> list[float]:
    """Return the same for cells, none of them beyond the last millisecond of the year 9999.

    Readers round to milliseconds, and would round what is later up to a day that there is not.
    """
    serials = datetime_serials(cells, epoch)
    last = date.max.toordinal() - epoch.toordinal() + _LAST_MILLISECOND
    return serials if max(serials) <= last else [min(serial, last) for serial in serials]


def iso_tokens(cells: Sequence[date]) -> list[bytes]:
    """Return ISO 8601 texts of dates, naive date-times, or date-times in UTC."""
    if numbers.orjson is None:
        return [cell.isoformat().encode() for cell in cells]
    tokens: list[bytes] = numbers.orjson.dumps(cells)[2:-2].split(b'","')
    return tokens


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


def in_zone(value: datetime, zone: tzinfo) -> datetime | None:
    """Return the same moment in `zone`; None beyond the years 1 to 9999."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        return None


def naive(value: datetime) -> datetime:
    """Return a date-time without its `tzinfo`, which gives it no offset."""
    return value if value.tzinfo is None else value.replace(tzinfo=None)
