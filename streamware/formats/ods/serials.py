"""Converts dates, times and durations to numbers of days and back, for formulas and totals.

Source: OpenDocument 1.3 Part 4 §4.3.3 (dates and times are numbers of days).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from streamware.values.cell_formatter import SEPARATOR
from streamware.values.column_formatter import FormattedColumn
from streamware.values.dates import clock_duration, datetime_serials
from streamware.values.kinds import MOMENTS, SPANS, Kind

_DURATION = re.compile(rb"(-?)PT([0-9]+)H([0-9]+)M([0-9]+)(?:\.([0-9]+))?S")
_DAY = timedelta(days=1)
_EPOCH = datetime.fromisoformat("1899-12-30")


def serial(kind: Kind, token: bytes) -> bytes:
    """Return the number that a cell has in formulas: a date or a duration is a number of days."""
    if kind in SPANS:
        return repr(parse_duration(token) / _DAY).encode()
    if kind in MOMENTS:
        (number,), _ = datetime_serials([datetime.fromisoformat(token.decode())])
        return repr(number).encode()
    return token


def typed_value(kind: Kind, number: float) -> tuple[Kind, bytes]:
    """Return the kind and the text of a cell that has a number in formulas.

    Args:
        kind: The kind it should have.  A number beyond all dates or durations stays a number.
        number: The number.
    """
    try:
        if kind in SPANS:
            return kind, clock_duration(timedelta(days=number)).encode()
        if kind in MOMENTS:
            return kind, (_EPOCH + timedelta(days=number)).isoformat().encode()
    except OverflowError:
        kind = Kind.NUMBER
    return kind, repr(number).encode()


def parse_duration(text: bytes) -> timedelta:
    """Return the duration that `clock_duration` wrote."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not a duration of hours, minutes and seconds")
    sign, hours, minutes, seconds, fraction = found.groups(b"")
    length = timedelta(
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int(fraction.ljust(6, b"0")),
    )
    return -length if sign else length


def as_numbers(formatted: FormattedColumn) -> FormattedColumn:
    """Return the column with dates, times and durations as numbers, in values of formulas too."""
    dated = SPANS | MOMENTS | {Kind.FORMULA}
    if formatted.kinds is None and formatted.kind not in dated:
        return formatted
    kinds = formatted.kinds or [formatted.kind or Kind.EMPTY] * len(formatted.tokens)
    tokens: list[bytes | None] = []
    for kind, token in zip(kinds, formatted.tokens, strict=True):
        if token is None:
            tokens.append(None)
        elif kind is Kind.FORMULA:
            formula, valued, cached, *_ = token.split(SEPARATOR)
            number = serial(Kind(valued.decode()), cached)
            tokens.append(SEPARATOR.join([formula, valued, number]))
        else:
            tokens.append(serial(kind, token))
    return FormattedColumn(formatted.kind, tokens, formatted.sparse, formatted.kinds)
