"""Document properties of one's own: where a document came from, for those who open it.

Source: ECMA-376 Part 1 §22.3 (custom properties); what Excel shows and keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal

from streamware.errors import EncodeError
from streamware.receipt import Receipt

Value = str | bool | int | float | Decimal | date
"""What a property can be; a `datetime` is a date."""
Property = Value | Callable[[Receipt], Value]

MAX_CHARACTERS = 255  # of a name, and of a text (Excel shows and keeps no more)

_TYPES = (str, bool, int, float, Decimal, date)
_TOO_LONG = 10 ** (MAX_CHARACTERS - 1)  # with its sign
# No zone is farther from UTC.
_FARTHEST = [timezone(sign * timedelta(hours=23, minutes=59)) for sign in (1, -1)]


def checked(properties: Mapping[str, Property]) -> dict[str, Property]:
    """The same, once a workbook can have them.

    Raises:
        TypeError: A value is of no type that a property can have.
        ValueError: A name, a text or a number is too long, a name comes twice, ignoring case, or
            a moment is outside of the calendar.
    """
    seen: set[str] = set()
    for name, value in properties.items():
        if not str(name).strip() or len(name) > MAX_CHARACTERS:
            raise ValueError(
                f"the name of a property has 1 to {MAX_CHARACTERS} characters: {name!r}"
            )
        if name.casefold() in seen:
            raise ValueError(f"the property {name!r} comes twice")
        seen.add(name.casefold())
        if not callable(value) and not isinstance(value, _TYPES):
            raise TypeError(
                f"the property {name!r} is a text, a number, a bool or a date, not"
                f" {type(value).__name__}"
            )
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            raise ValueError(
                f"the property {name!r} has {len(value)} characters; {MAX_CHARACTERS} are allowed"
            )
        if problem := _problem(value):
            raise ValueError(f"the property {name!r} {problem}")
    return dict(properties)


def settled(properties: Mapping[str, Property], receipt: Receipt, zone: tzinfo) -> dict[str, Value]:
    """The values of properties.

    Args:
        properties: By name; a callable is called with `receipt`.  A text that it returns is cut
            after 255 characters, and counted.
        receipt: The export's, as far as it is known.
        zone: Zone of date-times that have none.

    Raises:
        EncodeError: A callable returned what no property can be.
    """
    found = {name: _told(name, given, receipt) for name, given in properties.items()}
    for name, value in found.items():
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            receipt.converted["property"] += 1
            found[name] = value[: MAX_CHARACTERS - 1] + "…"
        elif isinstance(value, datetime) and value.tzinfo is None:
            found[name] = value.replace(tzinfo=zone)
    return found


def _told(name: str, given: Property, receipt: Receipt) -> Value:
    value = given(receipt) if callable(given) else given
    if not isinstance(value, _TYPES):
        raise EncodeError(f"the property {name!r} cannot be a {type(value).__name__}")
    if problem := _problem(value):
        raise EncodeError(f"the property {name!r} {problem}")
    return value


def moment(day: date, zone: tzinfo | None = None) -> str:
    """A moment, or that at which a day begins, in UTC.

    Args:
        day: A `datetime` is a moment.
        zone: Zone of one that has none; None is the machine's.
    """
    found = day if isinstance(day, datetime) else datetime.combine(day, time())
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    return found.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _problem(value: object) -> str | None:
    """Why no property has this number or this date, whatever the document's zone."""
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
