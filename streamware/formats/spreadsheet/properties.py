"""Custom document properties, such as where a document came from.

Source: ECMA-376 Part 1 §22.3 (custom properties); what Excel shows and keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal

from streamware.errors import EncodeError
from streamware.receipt import Receipt

Value = str | bool | int | float | Decimal | date
"""A value that a property can have; a `datetime` is a date."""
Property = Value | Callable[[Receipt], Value]

MAX_CHARACTERS = 255  # of a name, and of a text; Excel shows and keeps no more

_TYPES = (str, bool, int, float, Decimal, date)
_TOO_LONG = 10 ** (MAX_CHARACTERS - 1)  # the digits of an int, and room for a sign
# The time zones that are farthest from UTC.
_FARTHEST = [timezone(sign * timedelta(hours=23, minutes=59)) for sign in (1, -1)]


def checked(properties: Mapping[str, Property]) -> dict[str, Property]:
    """Return a copy of `properties` that a workbook can have.

    Raises:
        TypeError: A value has a type that a property cannot have.
        ValueError: A name, a text or a number is too long, a name is given twice, ignoring case,
            or a date is outside of the calendar.
    """
    seen: set[str] = set()
    for name, value in properties.items():
        if not str(name).strip() or len(name) > MAX_CHARACTERS:
            raise ValueError(
                f"the name of a property must have 1 to {MAX_CHARACTERS} characters, not {name!r}"
            )
        if name.casefold() in seen:
            raise ValueError(f"the property {name!r} is given twice")
        seen.add(name.casefold())
        if not callable(value) and not isinstance(value, _TYPES):
            raise TypeError(
                f"the property {name!r} must be a text, a number, a bool or a date, not"
                f" {type(value).__name__}"
            )
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            raise ValueError(
                f"the property {name!r} must have at most {MAX_CHARACTERS} characters, not"
                f" {len(value)}"
            )
        if problem := _problem(value):
            raise ValueError(f"the property {name!r} {problem}")
    return dict(properties)


def resolved(
    properties: Mapping[str, Property], receipt: Receipt, zone: tzinfo
) -> dict[str, Value]:
    """Return the values of properties, now that the rows are counted.

    Args:
        properties: The properties by name.  A callable is called with `receipt`; a text that it
            returns is cut after 255 characters, and counted.
        receipt: The receipt of the export so far.
        zone: Zone of date-times that have none.

    Raises:
        EncodeError: A callable returned something that a property cannot be.
    """
    found = {name: _value(name, given, receipt) for name, given in properties.items()}
    for name, value in found.items():
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            receipt.converted["property"] += 1
            found[name] = value[: MAX_CHARACTERS - 1] + "…"
        elif isinstance(value, datetime) and value.tzinfo is None:
            found[name] = value.replace(tzinfo=zone)
    return found


def _value(name: str, given: Property, receipt: Receipt) -> Value:
    value = given(receipt) if callable(given) else given
    if not isinstance(value, _TYPES):
        raise EncodeError(f"the property {name!r} cannot be a {type(value).__name__}")
    if problem := _problem(value):
        raise EncodeError(f"the property {name!r} {problem}")
    return value


def moment(day: date, zone: tzinfo | None = None) -> str:
    """Return a date-time, or the beginning of a date, in UTC and ISO 8601.

    Args:
        day: A date, or a date-time.
        zone: Its zone if it has none; None is the machine's zone.
    """
    found = day if isinstance(day, datetime) else datetime.combine(day, time())
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    return found.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _problem(value: object) -> str | None:
    """Return why a property cannot have this number or this date, whatever the zone."""
    if isinstance(value, Decimal) and value.is_snan():
        return "is a signaling NaN"
    if isinstance(value, int) and abs(value) >= _TOO_LONG:
        return f"has more than {MAX_CHARACTERS} digits"
    if isinstance(value, Decimal) and len(str(value)) > MAX_CHARACTERS:
        return f"has more than {MAX_CHARACTERS} digits"
    if isinstance(value, date):
        try:
            for zone in _FARTHEST:
                moment(value, zone)
        except OverflowError:
            return "is outside of the years 1 to 9999, as UTC has them"
    return None
