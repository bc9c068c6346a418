"""Writes a list, a dict or another nested value as compact JSON."""

from __future__ import annotations

import base64
import ipaddress
import json
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

from streamware.values.dates import iso_duration
from streamware.values.lazy_text import is_lazy_text
from streamware.values.objects import held_by, text_of
from streamware.values.scalars import is_null, is_numpy_scalar, listed, plain_scalar

ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)


def compact_json(value: object) -> str | None:
    """Return JSON text without blanks; None if JSON cannot hold something inside."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_default)
    except (TypeError, ValueError, RecursionError):
        return None


def _json_default(value: Any) -> object:
    if is_null(value):
        return None
    if hasattr(value, "dtype"):
        return _of_numpy(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return iso_duration(value)
    if isinstance(value, (Decimal, uuid.UUID, PurePath, *ADDRESSES)) or is_lazy_text(value):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Integral, Real)):
        return int(value) if isinstance(value, Integral) else float(value)
    text = text_of(value)
    return _held(value) if text is None else text


def _held(value: Any) -> object:
    """Return what is in a container or a record; raise TypeError if a value is neither."""
    held = held_by(value)
    if held is value:
        raise TypeError
    return held


def _of_numpy(value: Any) -> Any:
    """Return an array as a list, and a scalar as a value of Python."""
    plain: Any = plain_scalar(value, Counter()) if is_numpy_scalar(value) else listed(value)
    if type(plain) is not type(value):
        return plain
    if not isinstance(plain, Real) or getattr(value.dtype, "kind", None) == "m":
        raise TypeError  # a span without a unit is registered as Integral
    return float(plain)
