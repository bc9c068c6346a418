"""Declared: the cells that a class of row objects declares, in the order of the declaration.

Classes are recognised by what their libraries put on them, and no library is imported.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def declared(row: Any) -> dict[str, str]:
    """Return the attributes of a row object that are cells, each with its title.

    Dataclasses, attrs, msgspec: the fields.  pydantic: what `model_dump` shows, under its alias.
    SQLAlchemy and Django: the columns that were loaded.  Others: what is in `__dict__`, except
    private names.
    """
    kind = type(row)
    if is_dataclass(row):
        names = [field.name for field in fields(row)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    elif hasattr(kind, "__struct_fields__"):
        names = list(kind.__struct_fields__)
    elif hasattr(kind, "__pydantic_decorators__"):
        return _pydantic(kind)
    elif hasattr(kind, "__mapper__"):
        unloaded = row._sa_instance_state.unloaded  # noqa: SLF001 - `inspect` without the import
        names = [each.key for each in kind.__mapper__.column_attrs if each.key not in unloaded]
    elif hasattr(meta := getattr(kind, "_meta", object), "concrete_fields"):
        names = [each.attname for each in meta.concrete_fields if each.attname in vars(row)]
    else:
        names = [name for name in getattr(row, "__dict__", ()) if not name.startswith("_")]
    return {name: name for name in names}


def _pydantic(kind: Any) -> dict[str, str]:
    fields = {**getattr(kind, "model_fields", {}), **getattr(kind, "model_computed_fields", {})}
    return {
        name: getattr(field, "serialization_alias", None) or getattr(field, "alias", None) or name
        for name, field in fields.items()
        if not getattr(field, "exclude", None)
    }
