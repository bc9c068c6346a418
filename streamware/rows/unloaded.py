"""Unloaded: what to do when an object cannot load a value that was not selected with it.

Errors are recognised by the names of their classes: no library is imported for that.
"""

from __future__ import annotations

import re
from traceback import clear_frames
from typing import Any

_SOURCE = "pass streamware.sources.sqlalchemy.rows(engine, statement)"
_ERRORS = ("DetachedInstanceError", "MissingGreenlet")


def remedy(error: BaseException, row: Any, key: object) -> str | None:
    """Return what was missing in a row of SQLAlchemy and how to load it; None for other errors."""
    if not _says_unloaded(error):
        return None
    _clear(error)
    owner, name = _missing(row, key)
    named = re.search(r"attribute '(\w+)'", str(error)) or re.search(r"'\w+\.(\w+)'", str(error))
    name = name or (named[1] if named else _unloaded(owner))
    kind = type(owner).__name__
    mapper = getattr(type(owner), "__mapper__", None)
    if mapper is None or name not in mapper.column_attrs.keys():  # noqa: SIM118 - it is no mapping
        which = "…" if mapper is None or name is None else f"{kind}.{name}"
        name = name or "a related value"
        return (
            f"{name} of {kind} was not selected with the row and cannot be loaded now: add"
            f" .options(selectinload({which})) to the statement"
        )
    if owner._sa_instance_state.expired:  # noqa: SLF001 - `inspect` without the import
        return (
            f"{name} of {kind} expired when its session committed, and cannot be loaded now: make"
            f" the session with expire_on_commit=False, or {_SOURCE}"
        )
    return (
        f"{name} of {kind} is deferred and cannot be loaded now: add"
        f" .options(undefer({kind}.{name})) to the statement"
    )


def _clear(error: BaseException) -> None:
    """Have the frames of an error hold nothing.

    They may hold the greenlet of a thread that ends before they do, and then CPython 3.11 crashes
    when they are collected.
    """
    for each in (error, error.__cause__, error.__context__):
        if each is not None:
            clear_frames(each.__traceback__)


def _unloaded(owner: Any) -> str | None:
    """Return the relationship that an object has not loaded, if it is the only one."""
    relationships = getattr(getattr(type(owner), "__mapper__", None), "relationships", ())
    missing = [each.key for each in relationships if each.key not in vars(owner)]
    return missing[0] if len(missing) == 1 else None


def _says_unloaded(error: BaseException) -> bool:
    cause = getattr(error, "orig", None)
    names = {base.__name__ for each in (error, cause) for base in type(each).__mro__}
    return not names.isdisjoint(_ERRORS) or "lazy='raise" in str(error)


def _missing(row: Any, key: object) -> tuple[Any, str | None]:
    """Return the object at which a path ends because it is not loaded, and the step there."""
    for step in key.split(".") if isinstance(key, str) else ():
        state = vars(row) if hasattr(row, "_sa_instance_state") else {}
        if step not in state:
            is_mapped = bool(state) and step in type(row).__mapper__.attrs
            return row, step if is_mapped else None
        row = state[step]
    return row, None
