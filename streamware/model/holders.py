"""Holders: objects of other libraries that hold the value that is meant, and records.

They are recognised by the name of their class and of its library, so that nothing has to be
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from operator import attrgetter, methodcaller
from typing import Any

INTERVAL = "MonthDayNano"
"""A class of pyarrow, in whose module it is not."""
# Where dataclasses, attrs and msgspec declare fields.
_FIELDS = ("__dataclass_fields__", "__attrs_attrs__", "__struct_encode_fields__")
_MONTH = 30  # days that drivers of databases take it for


def names_of_class(value: object) -> Iterator[tuple[str, str]]:
    """Yield the library and the name of the class of a value, and of each of its bases."""
    for class_ in type(value).__mro__:
        yield class_.__module__.partition(".")[0], class_.__name__


def _duration(value: Any) -> timedelta:
    days = _MONTH * value.months + value.days
    return timedelta(days=days, microseconds=value.nanoseconds // 1000)


# How the value is read that objects of these libraries hold.
_HOLDERS: dict[tuple[str, str], Callable[[Any], object]] = {
    ("builtins", INTERVAL): _duration,
    ("pyarrow", INTERVAL): _duration,
    ("streamware", INTERVAL): _duration,
    ("pyarrow", "Scalar"): methodcaller("as_py"),
    ("pyarrow", "Array"): methodcaller("to_pylist"),
    ("pyarrow", "ChunkedArray"): methodcaller("to_pylist"),
    ("polars", "Series"): methodcaller("to_list"),
    ("psycopg", "_JsonWrapper"): attrgetter("obj"),
    ("asyncpg", "Path"): lambda path: list(path.points),
    ("asyncpg", "Record"): dict,
    ("django", "LazyObject"): lambda lazy: lazy.__reduce__()[1][0],  # by which it is pickled
}


def reader_of(value: object) -> Callable[[Any], object] | None:
    """Return what reads the value that an object holds, from any of its class; None if none."""
    return next((read for name in names_of_class(value) if (read := _HOLDERS.get(name))), None)


def is_record(value: object) -> bool:
    """Return whether an object declares its fields, and is none of an ORM."""
    type_ = type(value)
    is_model = hasattr(type_, "__pydantic_serializer__") and hasattr(type_, "model_dump")
    if not is_model and not any(hasattr(type_, name) for name in _FIELDS):
        return False
    ours = type_.__module__.startswith("streamware.")  # a Cell or a Formula belongs into no other
    return not ours and not hasattr(value, "_sa_instance_state")
