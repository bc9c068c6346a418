"""Custom document properties: where a workbook came from, for those who open it.

Source: ECMA-376 Part 1 §22.3 (custom properties), §22.4 (their types).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from math import isfinite
from xml.sax.saxutils import escape, quoteattr

from streamware.errors import EncodeError
from streamware.formats.text import legal
from streamware.receipt import Receipt

Value = str | bool | int | float | Decimal | date
"""What a property can be; a `datetime` is a date."""
Property = Value | Callable[[Receipt], Value]

PART = "docProps/custom.xml"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
MAX_CHARACTERS = 255  # of a name, and of a text (Excel shows and keeps no more)

_TYPES = (str, bool, int, float, Decimal, date)
_LARGEST_INT = 2**31
_TOO_LONG = 10 ** (MAX_CHARACTERS - 1)  # with its sign
_DIGITS = 15
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    f'<Properties xmlns="{_OFFICE}/custom-properties" xmlns:vt="{_OFFICE}/docPropsVTypes">'
)
# No zone is farther from UTC.
_FARTHEST = [timezone(sign * timedelta(hours=23, minutes=59)) for sign in (1, -1)]
_SET = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"  # that of properties that users define


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


def told(name: str, given: Property, receipt: Receipt) -> Value:
    """The value of a property; a callable is called with `receipt`.

    Raises:
        EncodeError: It returned what no property can be.
    """
    value = given(receipt) if callable(given) else given
    if not isinstance(value, _TYPES):
        raise EncodeError(f"the property {name!r} cannot be a {type(value).__name__}")
    if problem := _problem(value):
        raise EncodeError(f"the property {name!r} {problem}")
    return value


def custom_properties(properties: Mapping[str, Property], receipt: Receipt, zone: tzinfo) -> bytes:
    """The part that holds them.

    Args:
        properties: By name; a callable is called with `receipt`.  What it returns is cut after
            255 characters, and counted.
        receipt: The export's, as far as it is known.
        zone: Zone of date-times that have none.

    Raises:
        EncodeError: A callable returned what no property can be.
    """
    inner = []
    for number, (name, given) in enumerate(properties.items(), 2):  # 0 and 1 are reserved
        value = told(name, given, receipt)
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            receipt.converted["property"] += 1
            value = value[: MAX_CHARACTERS - 1] + "…"
        inner.append(
            f'<property fmtid="{_SET}" pid="{number}" name={quoteattr(legal(name))}>'
            f"{_variant(value, zone)}</property>"
        )
    return f"{_HEAD}{''.join(inner)}</Properties>".encode()


def _variant(value: Value, zone: tzinfo) -> str:
    """The value in an element that tells its type; Excel has no others."""
    if isinstance(value, bool):
        return f"<vt:bool>{str(value).lower()}</vt:bool>"
    if isinstance(value, int) and -_LARGEST_INT <= value < _LARGEST_INT:
        return f"<vt:i4>{int(value)}</vt:i4>"
    if isinstance(value, date):
        return f"<vt:filetime>{_moment(value, zone)}</vt:filetime>"
    if isinstance(value, (int, float, Decimal)) and _is_double(value):
        return f"<vt:r8>{float(value)!r}</vt:r8>"
    return f"<vt:lpwstr>{escape(legal(str(value)))}</vt:lpwstr>"


def _is_double(value: float | Decimal) -> bool:
    """Whether no digit is lost."""
    finite = isinstance(value, int) or isfinite(value)  # an int may be past all doubles
    return finite and (isinstance(value, float) or abs(value) <= 10**_DIGITS)


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
                _moment(value, zone)
        except OverflowError:
            return "is outside of the years 1 to 9999, as UTC has them"
    return None


def _moment(day: date, zone: tzinfo) -> str:
    moment = day if isinstance(day, datetime) else datetime.combine(day, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
