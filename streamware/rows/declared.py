"""Declared: the cells that a class of row objects declares, in the order of the declaration.

Classes are recognised by what their libraries put on them, and no library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from streamware.model.columns import Key


class DeclaredCell(NamedTuple):
    """Where a declared cell is, and what it is called.

    Attributes:
        key: Its name, its path, or a callable of the row.
        title: Its title; None if it has no name.
    """

    key: Key
    title: str | None


def declared(row: Any) -> dict[str, DeclaredCell]:
    """Return the attributes of a row object that are cells, by their names.

    Dataclasses, attrs: the fields.  msgspec: the fields, under their encoded names.  pydantic: what
    `model_dump` shows, under its alias.  SQLAlchemy and Django: the columns that were loaded.
    Others: what is in `__slots__` and `__dict__`, except private names.
    """
    kind = type(row)
    if hasattr(kind, "__mapper__"):
        names = _loaded(row, kind.__mapper__)
        return {name: DeclaredCell(name, name) for name in names}
    if hasattr(kind, "__pydantic_decorators__"):
        return dict(_pydantic(row, kind))
    if hasattr(kind, "__struct_encode_fields__"):
        titles = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        return {name: DeclaredCell(name, title) for name, title in titles.items()}
    if is_dataclass(row):
        names = [field.name for field in fields(row)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    elif hasattr(meta := getattr(kind, "_meta", object), "concrete_fields"):
        names = [each.attname for each in meta.concrete_fields if each.attname in vars(row)]
    else:
        names = [name for name in _attributes(row) if not name.startswith("_")]
    return {name: DeclaredCell(name, name) for name in names}


def _loaded(row: Any, mapper: Any) -> list[str]:
    """Return the columns that SQLAlchemy loaded, or will load again, as a commit expires them."""
    state = row._sa_instance_state  # noqa: SLF001 - `inspect` without the import
    unloaded = state.unloaded if state.key is not None else ()  # that of a new object is None
    expired = state.expired_attributes
    return [
        each.key
        for each in mapper.column_attrs
        if each.key not in unloaded or (each.key in expired and not each.deferred)
    ]


def _attributes(row: Any) -> Iterator[str]:
    """Yield the names of what an object holds: its slots, those of its bases first, and others."""
    for class_ in reversed(type(row).__mro__):
        slots = class_.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if name != "__dict__" and hasattr(row, name):
                yield name
    yield from getattr(row, "__dict__", ())


# pydantic -----------------------------------------------------------------------------------


def _pydantic(row: Any, kind: Any) -> Iterator[tuple[str, DeclaredCell]]:
    """Yield the cells of a model or a dataclass of pydantic, by its rules of serialization."""
    if getattr(kind, "__pydantic_root_model__", False):
        yield from _of_root(row.root)
        return
    decorators = kind.__pydantic_decorators__
    dumps = hasattr(kind, "model_dump")
    if decorators.model_serializers and dumps:
        for name in _dumped(row):
            yield name, DeclaredCell(partial(_dumped_cell, name), name)
        return
    serialized = {
        name for each in decorators.field_serializers.values() for name in each.info.fields
    }
    for name, field in _fields(kind).items():
        if getattr(field, "exclude", None):
            continue
        custom = dumps and (not serialized.isdisjoint((name, "*")) or _is_custom(field))
        yield (
            name,
            DeclaredCell(partial(_serialized, name) if custom else name, _title(kind, name, field)),
        )
    for name in getattr(row, "__pydantic_extra__", None) or ():
        yield name, DeclaredCell(name, name)


def _fields(kind: Any) -> dict[str, Any]:
    return {
        **(getattr(kind, "__pydantic_fields__", None) or {}),
        **getattr(kind, "__pydantic_computed_fields__", {}),
        **{name: each.info for name, each in kind.__pydantic_decorators__.computed_fields.items()},
    }


def _title(kind: Any, name: str, field: Any) -> str:
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    if config.get("serialize_by_alias") is False:
        return name
    return getattr(field, "serialization_alias", None) or getattr(field, "alias", None) or name


def _is_custom(field: Any) -> bool:
    """Return whether an annotation says how a field is serialized, or when it is left out."""
    serializers = ("PlainSerializer", "WrapSerializer", "SerializeAsAny")
    metadata = getattr(field, "metadata", ())
    return getattr(field, "exclude_if", None) is not None or any(
        type(each).__name__ in serializers for each in metadata
    )


def _serialized(name: str, row: Any) -> object:
    """Return a field as `model_dump` gives it; None if that leaves it out."""
    return row.model_dump(include={name}, by_alias=False).get(name)


def _dumped(row: Any) -> Mapping[str, Any]:
    dumped = row.model_dump()
    return dumped if isinstance(dumped, Mapping) else {"value": dumped}


def _dumped_cell(name: str, row: Any) -> object:
    return _dumped(row).get(name)


def _of_root(root: Any) -> Iterator[tuple[str, DeclaredCell]]:
    """Yield the cells of what a root model holds: a mapping, a sequence, a model or one value."""
    if isinstance(root, Mapping):
        for key in root:
            yield str(key), DeclaredCell(partial(_of_mapping, key), str(key))
    elif isinstance(root, (list, tuple)):
        for at in range(len(root)):
            yield str(at), DeclaredCell(partial(_at, at), None)
    elif cells := declared(root):
        for name, cell in cells.items():
            key = f"root.{cell.key}" if isinstance(cell.key, str) else partial(_within, cell.key)
            yield name, DeclaredCell(key, cell.title)
    else:
        yield "root", DeclaredCell(attrgetter("root"), "root")


def _of_mapping(key: Any, row: Any) -> object:
    return row.root.get(key)


def _at(at: int, row: Any) -> object:
    return row.root[at] if at < len(row.root) else None


def _within(read: Any, row: Any) -> object:
    return read(row.root)
