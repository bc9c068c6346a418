"""Writes the part with the custom document properties of a workbook.

Source: ECMA-376 Part 1 §22.3 (custom properties), §22.4 (their types).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import Decimal
from math import isfinite
from xml.sax.saxutils import escape, quoteattr

from streamware.formats.spreadsheet.properties import Property, Value, moment, resolved
from streamware.formats.text import legal
from streamware.receipt import Receipt
from streamware.values.cell_formatter import DIGITS

PART = "docProps/custom.xml"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"

_LARGEST_INT = 2**31  # exclusive
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    f'<Properties xmlns="{_OFFICE}/custom-properties" xmlns:vt="{_OFFICE}/docPropsVTypes">'
)
_SET = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"  # of the properties that users define (§22.3.2.2)


def custom_properties(properties: Mapping[str, Property], receipt: Receipt, zone: tzinfo) -> bytes:
    """Return the part.

    Args:
        properties: The properties by name; a callable is called with `receipt`.
        receipt: The receipt of the export so far.
        zone: Zone of date-times that have none, and of dates.

    Raises:
        EncodeError: A callable returned something that a property cannot be.
    """
    inner = []
    values = resolved(properties, receipt, zone)
    for number, (name, value) in enumerate(values.items(), 2):  # 0 and 1 are reserved
        inner.append(
            f'<property fmtid="{_SET}" pid="{number}" name={quoteattr(legal(name))}>'
            f"{_variant(value, zone)}</property>"
        )
    return f"{_HEAD}{''.join(inner)}</Properties>".encode()


def _variant(value: Value, zone: tzinfo) -> str:
    """Return the element of a value, of one of the five types that Excel has."""
    if isinstance(value, bool):
        return f"<vt:bool>{str(value).lower()}</vt:bool>"
    if isinstance(value, int) and -_LARGEST_INT <= value < _LARGEST_INT:
        return f"<vt:i4>{int(value)}</vt:i4>"
    if isinstance(value, date):
        return f"<vt:filetime>{moment(value, zone)}</vt:filetime>"
    if isinstance(value, (int, float, Decimal)) and _is_double(value):
        return f"<vt:r8>{float(value)!r}</vt:r8>"
    return f"<vt:lpwstr>{escape(legal(str(value)))}</vt:lpwstr>"


def _is_double(value: float | Decimal) -> bool:
    """Return whether the value is finite and keeps its digits as a double."""
    # isfinite raises OverflowError for an int beyond all doubles.
    finite = isinstance(value, int) or isfinite(value)
    return finite and (isinstance(value, float) or abs(value) <= 10**DIGITS)
