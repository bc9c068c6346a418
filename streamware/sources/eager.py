"""Eager: has SQLAlchemy load with its objects what the chosen columns reach by a path.

Otherwise each new customer of an order is a query, and beside an event loop an error.  Objects at
the end of a relationship are joined, as Django's are, collections selected for a batch at a time.
What the statement says of a relationship is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, inspect
from sqlalchemy.orm import Mapper, defaultload, joinedload, selectinload, undefer

from streamware.model.columns import Column

_LATE = (
    "select",
    True,
    "raise",
    "raise_on_sql",
)  # what `relationship(lazy=)` loads when it is read
_NOT_TO_JOIN = ("_group_by_clauses", "_distinct", "_for_update_arg")  # attributes of a Select


def eagerly(statement: Any, entity: Any, columns: Sequence[Column]) -> Any:
    """Return a statement of one class that loads what the cells of `columns` need.

    Args:
        statement: Selects the class.
        entity: The class, or an alias of it.
        columns: Those of the export.
    """
    if not hasattr(statement, "options"):
        return statement
    said = set(_mentioned(statement))
    joins = isinstance(statement, Select) and not any(
        _is_set(getattr(statement, name, None)) for name in _NOT_TO_JOIN
    )
    paths = [column.key.split(".") for column in columns if isinstance(column.key, str)]
    for steps in dict.fromkeys(map(tuple, paths)):
        if steps[0] not in said and (option := _option(entity, steps, joins=joins)):
            statement = statement.options(option)
    return statement


def in_batches(statement: Any, entity: Any) -> Any:
    """Return a statement of one class that selects the collections which its mapping would join.

    With `relationship(lazy="joined")` or `"subquery"` for a collection, SQLAlchemy reads a result
    only as a whole.

    Args:
        statement: Selects the class.
        entity: The class, or an alias of it.
    """
    if not hasattr(statement, "options"):
        return statement
    mapper: Mapper[Any] = inspect(entity).mapper
    said = set(_mentioned(statement))
    options = list(_selected(mapper, entity, said, None, frozenset([mapper])))
    return statement.options(*options) if options else statement


def _selected(
    mapper: Mapper[Any], entity: Any, said: set[str], above: Any, within: frozenset[Any]
) -> Iterator[Any]:
    """Yield options for the collections of a class, and of the classes that it joins."""
    for related in mapper.relationships:
        attribute, inner = getattr(entity, related.key), related.mapper
        joins = related.lazy in ("joined", False)
        if related.key in said or not (joins or related.lazy in ("subquery", "selectin")):
            continue
        load = defaultload if above is None else above.defaultload
        if related.uselist and related.lazy != "selectin":
            load = selectinload if above is None else above.selectinload
            yield load(attribute)
        if inner not in within:
            yield from _selected(inner, inner.class_, said, load(attribute), within | {inner})


def _is_set(value: object) -> bool:
    return bool(value) if isinstance(value, (bool, tuple)) else value is not None


def _option(entity: Any, steps: Sequence[str], *, joins: bool) -> Any:
    """Return what loads the end of a path; None if it is loaded with the class."""
    mapper: Mapper[Any] = inspect(entity).mapper
    option: Any = None
    for at, step in enumerate(steps):
        attribute: Any = getattr(entity, step, None)
        if (found := mapper.column_attrs.get(step)) is not None:
            if found.deferred:
                return undefer(attribute) if option is None else option.undefer(attribute)
            return option
        related = mapper.relationships.get(step)
        if (
            related is None
            or related.lazy not in _LATE
            or (related.uselist and at + 1 < len(steps))
        ):
            return option
        one_query = joins and not related.uselist
        if option is None:
            option = (joinedload if one_query else selectinload)(attribute)
        else:
            load = option.joinedload if one_query else option.selectinload
            option = load(attribute)
        mapper = related.mapper
        entity = mapper.class_
    return option


def _mentioned(statement: Any) -> Iterator[str]:
    """Yield the names of the attributes of which the options of a statement say something."""
    for option in getattr(statement, "_with_options", ()):
        for element in getattr(option, "context", ()):
            path = getattr(element.path, "path", element.path)
            yield from (step.key for step in path if isinstance(getattr(step, "key", None), str))
