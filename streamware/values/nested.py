"""Writes a list, a dict or another nested value as compact JSON."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

from streamware.values.dates import iso_duration
from streamware.values.lazy_text import is_lazy_text
from streamware.values.numbers import orjson
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
# What orjson writes otherwise than the standard library: exponents, small numbers, and NaN as null.
# The same bytes may be in a text, which is then only written more slowly.
_OTHERWISE = re.compile(rb"[0-9][eE][+-]?[0-9]|0\.0000|null")
_PASSED_ON = (  # to `_json_default`, as the standard library does
    0
    if orjson is None
    else orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_LONG = 65_536  # characters of a text
_LISTED = (list, dict)  # types whose items are looked at


def compact_json(value: object) -> str | None:
    """Return JSON text without blanks; None if JSON cannot hold something inside."""
    if orjson is not None:
        with suppress(TypeError, ValueError, RecursionError):  # the standard library may know it
            if not (type(value) in _LISTED and _has_long(value)):
                blob: bytes = orjson.dumps(value, default=_json_default, option=_PASSED_ON)
                if not _OTHERWISE.search(blob):
                    return blob.decode()
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_default)
    except (TypeError, ValueError, RecursionError):
        return None


def _has_long(value: Any) -> bool:
    """Return whether a long text is inside, for which orjson would reserve eight times its size."""
    for item in value.values() if type(value) is dict else value:
        if type(item) is str and len(item) > _LONG:
            return True
        if type(item) in _LISTED and _has_long(item):
            return True
    return False


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
