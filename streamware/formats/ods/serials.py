"""Dates, times and spans as numbers: how a formula and a total have them.

Source: OpenDocument 1.3 Part 4 §4.3.3 (dates and times are numbers of days).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from streamware.values.cell import SEPARATOR
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import MOMENTS, SPANS, Kind
from streamware.values.tokens import clock_duration, datetime_serials

_CLOCK = re.compile(rb"(-?)PT([0-9]+)H([0-9]+)M([0-9]+)(?:\.([0-9]+))?S")
_DAY = timedelta(days=1)
_EPOCH = datetime.fromisoformat("1899-12-30")


def serial(kind: Kind, token: bytes) -> bytes:
    """The number that a cell of this kind and text is; that of a number is itself."""
    if kind in SPANS:
        return repr(span(token) / _DAY).encode()
    if kind in MOMENTS:
        return repr(datetime_serials([datetime.fromisoformat(token.decode())])[0]).encode()
    return token


def valued(kind: Kind, number: float) -> tuple[Kind, bytes]:
    """The kind and text of a cell whose number is known.

    Args:
        kind: What it is meant to be; past all spans and calendars it is a number.
        number: Its number.
    """
    try:
        if kind in SPANS:
            return kind, clock_duration(timedelta(days=number)).encode()
        if kind in MOMENTS:
            return kind, (_EPOCH + timedelta(days=number)).isoformat().encode()
    except OverflowError:
        kind = Kind.NUMBER
    return kind, repr(number).encode()


def span(text: bytes) -> timedelta:
    """The span that `clock_duration` wrote."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError("no span of hours, minutes and seconds")
    sign, hours, minutes, seconds, fraction = found.groups(b"")
    length = timedelta(
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int(fraction.ljust(6, b"0")),
    )
    return -length if sign else length


def numeric(formatted: FormattedColumn) -> FormattedColumn:
    """A column whose dates, times and spans are numbers, those that formulas have among them."""
    dated = SPANS | MOMENTS | {Kind.FORMULA}
    if formatted.kinds is None and formatted.kind not in dated:
        return formatted
    kinds = formatted.kinds or [formatted.kind or Kind.EMPTY] * len(formatted.tokens)
    tokens = [
        text if text is None else _numeric(kind, text)
        for kind, text in zip(kinds, formatted.tokens, strict=True)
    ]
    return FormattedColumn(formatted.kind, tokens, formatted.sparse, formatted.kinds)


def _numeric(kind: Kind, text: bytes) -> bytes:
    if kind is not Kind.FORMULA:
        return serial(kind, text)
    formula, valued, cached = text.split(SEPARATOR)
    return SEPARATOR.join([formula, valued, serial(Kind(valued.decode()), cached)])
