"""Values of other libraries: those that are texts, those that hold another value, and the rest.

They are recognised by the name of their class and of its library, so that nothing has to be
installed, and applications that use none of them pay nothing.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import AsyncIterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

from streamware.model.holders import INTERVAL, is_record, names_of_class, reader_of

# Classes whose text is their meaning, each with its library.
_TEXTS = frozenset(
    {
        ("pandas", "Period"),
        ("pandas", "Interval"),
        ("pydantic", "_BaseUrl"),
        ("pydantic", "_BaseMultiHostUrl"),
        ("pydantic", "AnyUrl"),
        ("pydantic", "_SecretBase"),  # its text has asterisks
        ("pydantic", "NameEmail"),
        ("pydantic", "Color"),
        ("pydantic_core", "Url"),
        ("pydantic_core", "MultiHostUrl"),
        ("pydantic_extra_types", "Color"),
        ("yarl", "URL"),
        ("httpx", "URL"),
        ("starlette", "URL"),
        ("netaddr", "BaseIP"),
        ("netaddr", "EUI"),
        ("bson", "ObjectId"),
        ("ulid", "ULID"),
        ("moneyed", "Money"),
        ("phonenumber_field", "PhoneNumber"),
        ("sqlalchemy_utils", "PhoneNumber"),
        ("zoneinfo", "ZoneInfo"),
        ("backports", "ZoneInfo"),
    }
)
_RANGES = frozenset(
    (library, "Range") for library in ("psycopg", "psycopg2", "asyncpg", "sqlalchemy")
)
_ROWS = frozenset({("sqlalchemy", "Row"), ("sqlite3", "Row"), ("asyncpg", "Record")})


def text_of(value: Any) -> str | None:
    """Return the text of a value whose text is its meaning; None of any other."""
    for name in names_of_class(value):
        if name in _TEXTS:
            return str(value)
        if name in _RANGES:
            return _range(value)
        if name == ("psycopg", "Multirange"):
            return "{" + ", ".join(map(_range, value)) + "}"
        if name == ("asyncpg", "BitString"):
            return str(value.as_string())
    return None


def _range(value: Any) -> str:
    """Return a range as PostgreSQL writes it, but for a blank."""
    if value.isempty:
        return "empty"
    lower, upper = ("" if end is None else str(end) for end in (value.lower, value.upper))
    return f"{'[' if value.lower_inc else '('}{lower}, {upper}{']' if value.upper_inc else ')'}"


def stands_for_another(value: object) -> bool:
    """Return whether a value is one of pyarrow, or a lazy object of Django."""
    type_ = type(value)
    if type_.__module__ == "django.utils.functional":
        return any(base.__name__ == "LazyObject" for base in type_.__mro__)
    return type_.__module__.partition(".")[0] == "pyarrow" or type_.__name__ == INTERVAL


def held_by(value: Any) -> object:
    """Return the value that an object holds or stands for; the object itself if it is none."""
    if (read := reader_of(value)) is not None:
        return read(value)
    if isinstance(value, (AbstractSet, deque)):
        return _ordered(value)
    record = _record(value)
    return value if record is None else record


def _ordered(values: Any) -> list[Any]:
    """Return values as a list; those of a set in their order, if they have one."""
    if isinstance(values, AbstractSet):
        try:
            return sorted(values)
        except TypeError:
            pass
    return list(values)


def _record(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object that declares them; None of others, and of those of an ORM."""
    if not is_record(value):
        return None
    type_ = type(value)
    if hasattr(type_, "__pydantic_serializer__") and hasattr(type_, "model_dump"):
        by_alias = type_.model_config.get("serialize_by_alias", True)
        dumped = value.model_dump(by_alias=by_alias)
        return dumped if isinstance(dumped, dict) else {"root": dumped}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(type_, "__attrs_attrs__"):
        return {each.name: getattr(value, each.name) for each in type_.__attrs_attrs__}
    if hasattr(type_, "__struct_encode_fields__"):
        names = zip(type_.__struct_encode_fields__, type_.__struct_fields__, strict=True)
        return {title: getattr(value, name) for title, name in names}
    return None


def cure_of(value: Any) -> str:
    """Return what to do about a value that no document holds, for a message."""
    libraries = set(names_of_class(value))
    if inspect.ismethod(value) or inspect.isbuiltin(value) or inspect.isfunction(value):
        name = value.__name__
        if not name.isidentifier():
            return "call it where the row is made"
        return f"call it in the column: Column(lambda row: row.{name}(), {name!r})"
    if inspect.isawaitable(value) or isinstance(value, AsyncIterable):
        return "await it before the row is given"
    if hasattr(value, "_sa_instance_state") or ("django", "Model") in libraries:
        return "name one of its attributes by a path, such as 'customer.name'"
    if hasattr(type(value), "wkt"):  # GEOS, Shapely
        return "pass convert=lambda shape: shape and shape.wkt for its column"
    if hasattr(value, "iloc") or hasattr(value, "__arrow_c_stream__"):
        return "it is a table of its own; yield its rows"
    if not libraries.isdisjoint(_ROWS) or isinstance(value, Mapping):
        return "it is a row of its own; yield rows, not lists of them"
    return 'pass convert= for its column, or Values(other="str")'
