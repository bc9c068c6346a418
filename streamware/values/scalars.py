"""Turns scalars of NumPy and pandas into values of Python, without importing either library.

They are recognised by their protocol or by the name of their type, so that nothing has to be
installed, and applications that use neither pay nothing.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

_FINE = ("ns", "ps", "fs", "as")  # NumPy's units that are finer than a microsecond
_CALENDAR = ("Y", "M")  # those without a fixed length, as ISO 8601 names them, too
# Of pandas, of masked arrays, and of fields that msgspec leaves out.
_NULLS = frozenset(
    {
        ("pandas", "NAType"),
        ("pandas", "NaTType"),
        ("numpy", "MaskedConstant"),
        ("msgspec", "UnsetType"),
    }
)


def is_numpy_scalar(value: object) -> bool:
    """Return whether a value is a scalar of NumPy, or of a library with the same protocol."""
    return (
        hasattr(value, "dtype") and hasattr(value, "item") and not getattr(value, "shape", (None,))
    )


def is_null(value: object) -> bool:
    """Return whether a value says that there is none, as pandas' `NA` and `NaT` do.

    A time of another library that equals no time, not even itself, does so too.
    """
    type_ = type(value)
    if (type_.__module__.partition(".")[0], type_.__name__) in _NULLS:
        return True
    return isinstance(value, (datetime, timedelta)) and value != value


def of_pandas(type_: type) -> bool:
    """Return whether a class is one of pandas."""
    return type_.__module__.partition(".")[0] == "pandas"


def plain_scalar(value: Any, converted: Counter[str]) -> object:
    """Return the Python value of a NumPy scalar; the scalar itself if Python has no such value.

    Args:
        value: The scalar.
        converted: Counts what a time loses that is finer than a microsecond, and the dates and
            spans that Python cannot hold, which become text.
    """
    kind = getattr(value.dtype, "kind", None)
    if kind not in ("M", "m"):
        return value.item()
    if value != value:  # NaT
        return None
    unit = getattr(value.dtype, "str", "[ns]").partition("[")[2].strip("0123456789]")
    found = value.item()
    if isinstance(found, int) and unit in _FINE:
        rounded = value.astype(f"{kind}8[us]")
        if rounded != value:
            converted["nanosecond"] += 1
        found = rounded.item()
    if not isinstance(found, int):
        return found
    if kind == "M":  # before the year 1 or after the year 9999
        converted["text_of_object"] += 1
        return str(value)
    if unit in _CALENDAR:
        converted["text_of_object"] += 1
        return f"{'-' if found < 0 else ''}P{abs(found)}{unit}"
    return value


def listed(array: Any) -> Any:
    """Return an array of NumPy as a list; its times stay scalars, which `tolist` makes numbers."""
    if getattr(array.dtype, "kind", None) not in ("M", "m"):
        return array.tolist() if hasattr(array, "tolist") else array.to_list()  # of Polars
    return [listed(each) if getattr(each, "shape", ()) else each for each in array]


def plain_datetime(value: datetime, converted: Counter[str]) -> datetime | str:
    """Return an instance of a subclass as a `datetime`; pandas' of other years as ISO 8601 text.

    Args:
        value: A `datetime` of a subclass, such as pandas' Timestamp.
        converted: Counts the times that lose nanoseconds, and the dates that become text.
    """
    if getattr(value, "nanosecond", 0):
        converted["nanosecond"] += 1
    if not 1 <= value.year <= 9999:
        converted["text_of_object"] += 1
        return value.isoformat()
    return datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.tzinfo,
        fold=value.fold,
    )


def plain_timedelta(value: timedelta, converted: Counter[str]) -> timedelta:
    """Return an instance of a subclass as a `timedelta`.

    Args:
        value: A `timedelta` of a subclass, such as pandas' Timedelta.
        converted: Counts the spans that lose nanoseconds.
    """
    if getattr(value, "nanoseconds", 0):
        converted["nanosecond"] += 1
    if of_pandas(type(value)):  # whose base class does not have the longest
        return timedelta(value.days, value.seconds, value.microseconds)
    # Other subclasses, such as pendulum's, give these fields another meaning.
    fields = (timedelta.days, timedelta.seconds, timedelta.microseconds)
    return timedelta(*(field.__get__(value) for field in fields))
