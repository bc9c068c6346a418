"""Writes dates, date-times and durations: as serials of spreadsheets, or as ISO 8601 text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import repeat
from operator import attrgetter, ne, truediv
from typing import TypeVar

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
_HALF = 500_000  # microseconds of a second
_LAST, _LAST_TOKEN = (23, 59, 59), b"T23:59:59."
_LAST_SECOND, _LATE = 86_399, 86_399.5  # seconds of a day
Moment = TypeVar("Moment", datetime, time)
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


def datetime_serials(cells: Sequence[datetime], epoch: datetime = EPOCH) -> tuple[list[float], int]:
    """Return the serials of naive date-times, and how many lost a fraction as in `on_its_day`.

    Serials are days since the epoch, with their fraction.
    """
    spans = [cell - epoch for cell in cells]
    days, lost = map(float, map(_DAYS, spans)), 0
    seconds: Iterable[float] = map(_SECONDS, spans)
    if any(map(_MICROSECONDS, spans)):
        seconds = exact = [span.seconds + span.microseconds / 1e6 for span in spans]
        if max(exact) >= _LATE:
            seconds = [_LAST_SECOND if second >= _LATE else second for second in exact]
            lost = sum(second >= _LATE for second in exact)
    return list(map(float.__add__, map(truediv, seconds, repeat(86400)), days)), lost


def on_its_day(cell: Moment) -> Moment:
    """Return a date-time or a time as a spreadsheet can show it, never as one of the next day.

    Programs round to the seconds that they show, and then the last half second of a day, with
    which `datetime.combine(day, time.max)` ends, is the next day.
    """
    late = cell.microsecond >= _HALF and (cell.hour, cell.minute, cell.second) == _LAST
    return cell.replace(microsecond=0) if late else cell


def shown_iso_tokens(cells: Sequence[datetime]) -> tuple[list[bytes], int]:
    """Return the texts of naive date-times as `on_its_day` has them, and how many it changed."""
    tokens = iso_tokens(cells)
    if _LAST_TOKEN not in b"".join(tokens):
        return tokens, 0
    shown = list(map(on_its_day, cells))
    return iso_tokens(shown), sum(map(ne, cells, shown))


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
