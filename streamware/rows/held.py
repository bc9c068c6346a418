"""Held: which attributes of an object are values that it holds, so that no code makes them.

They are in memory already and were weighed when the row was pulled.  Those in `__dict__` are read
there, as the descriptors of SQLAlchemy would read them, but several times as fast.
"""

from __future__ import annotations

from inspect import getattr_static
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

_ABSENT = object()
_USUAL = getattr_static(object, "__getattribute__")


class UnheldError(Exception):
    """An object lacks what those before it held: read the rows again, a few at a time."""


def is_slot(row: Any, name: str) -> bool:
    """Return whether an attribute is a slot of the row's class, as with dataclasses and msgspec."""
    found = getattr_static(type(row), name, _ABSENT)
    return _is_plain(type(row)) and isinstance(found, MemberDescriptorType)


def is_in_dict(row: Any, name: str) -> bool:
    """Return whether the value of an attribute is what `__dict__` has under its name."""
    kind = type(row)
    if not _is_plain(kind) or name not in getattr(row, "__dict__", ()):
        return False
    found = getattr_static(kind, name, _ABSENT)
    if found is _ABSENT or type(found).__module__ == "sqlalchemy.orm.attributes":
        return True
    return not hasattr(type(found), "__set__") and not hasattr(type(found), "__delete__")


def _is_plain(kind: type) -> bool:
    """Return whether attributes are looked up as usual."""
    own_dict = isinstance(getattr_static(kind, "__dict__", None), GetSetDescriptorType)
    return own_dict and getattr_static(kind, "__getattribute__") is _USUAL
