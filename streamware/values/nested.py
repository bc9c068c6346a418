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
from pathlib import PurePath
from typing import Any

from streamware.values.dates import iso_duration
from streamware.values.scalars import is_null, is_numpy_scalar, is_text_of_pandas, plain_scalar

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
    if isinstance(value, (Decimal, uuid.UUID, PurePath, *ADDRESSES)) or is_text_of_pandas(value):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError


def _of_numpy(value: Any) -> object:
    """Return an array as a list, and a scalar as a value of Python."""
    plain = plain_scalar(value, Counter()) if is_numpy_scalar(value) else value.tolist()
    if type(plain) is type(value):
        raise TypeError
    return plain
