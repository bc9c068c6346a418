"""Django: the rows of a QuerySet, read by `iterator` and described by its model.

A QuerySet that is iterated keeps every row it has read; `iterator` keeps a batch, and on PostgreSQL
and Oracle reads from a cursor on the server.  Prefetched relations are loaded a batch at a time.

The columns of model objects are those of the table, with the titles of the admin: `verbose_name`
in the reader's language.  A field with choices shows their labels, a foreign key the text of its
object, which is selected with the row.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter, methodcaller
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.query import RawQuerySet
from django.utils.text import capfirst

from streamware.model.columns import Column
from streamware.sources.dbapi import canceller
from streamware.sources.source import BATCH_ROWS, Cancel, Columns, Results, Source, check_batch


def rows(queryset: Any, *, batch: int = BATCH_ROWS) -> Source:
    """Return the rows of a QuerySet as a source: objects, or what `values` and `values_list` give.

    Args:
        queryset: A QuerySet, a manager or a raw query; it is not evaluated here, and its own cache
            stays empty.
        batch: Rows read at a time.

    Raises:
        TypeError: It is something else, or it gives single values (`values_list(…, flat=True)`,
            `dates`).
        ValueError: `batch` is below 1.

    Source: Django, "QuerySet.iterator".
    """
    if hasattr(queryset, "get_queryset"):
        queryset = queryset.get_queryset()
    if not isinstance(queryset, (QuerySet, RawQuerySet)):
        raise TypeError(f"queryset must be a QuerySet, not {type(queryset).__name__}")
    if "Flat" in _iterable_name(queryset):
        raise TypeError(
            "the QuerySet gives single values, which are no rows: leave out flat=True, or name the"
            " column by values_list('name')"
        )
    return _source(queryset, check_batch(batch))


def _source(queryset: Any, batch: int) -> Source:
    return Source(partial(_connect, queryset, batch), partial(_prepared, queryset, batch))


def _prepared(queryset: Any, batch: int, columns: Columns) -> tuple[Source, Columns]:
    """Return columns with what the model says of them, and a source that selects what they need."""
    if _iterable_name(queryset) != "ModelIterable":
        return _source(queryset, batch), columns
    if columns is None:
        columns = [Column(name) for name in _default_names(queryset)]
    described = [_described(queryset.model, column) for column in columns]
    paths = [path for _, path in described if path and _is_loaded(queryset, path)]
    if paths and queryset.query.select_related is not True and not queryset.query.combinator:
        queryset = queryset.select_related(*paths)
    return _source(queryset, batch), [column for column, _ in described]


def _connect(queryset: Any, size: int, stack: ExitStack) -> tuple[Results, Cancel | None]:
    connection = connections[queryset.db]
    connection.ensure_connection()
    results = stack.enter_context(closing(_results(queryset, size)))
    return results, canceller(connection.connection)


def _results(queryset: Any, size: int) -> Generator[Sequence[Any] | None, None, None]:
    fetched = queryset.iterator() if isinstance(queryset, RawQuerySet) else queryset.iterator(size)
    yield None if "Values" not in _iterable_name(queryset) else _value_names(queryset)
    while batch := list(islice(fetched, size)):
        yield batch


# What the model says ------------------------------------------------------------------------


def _described(model: type[Model], column: Column) -> tuple[Column, str]:
    """Return a column with its title and with the text of choices and foreign keys.

    The second value is the path of the relations that its cells follow; empty if there are none.
    """
    if not isinstance(column.key, str):
        return column, ""
    *steps, last = column.key.replace("__", ".").split(".")
    for step in steps:
        field = _field(model, step)
        if not _is_single(field, step):
            return column, ""  # a dict, or a property: the path is read as it is
        model = field.related_model
    field = _field(model, last)
    follows = [*steps, last] if _is_single(field, last) else steps
    if column.convert is None or steps:
        column = replace(column, key=_getter(model, steps, last, field, column.convert is None))
    if column.title is None:
        title: Any = partial(_title, model, last, field)
        column = replace(column, title=title)
    return column, "__".join(follows)


def _getter(
    model: type[Model], steps: Sequence[str], last: str, field: Any, as_text: bool
) -> Callable[[Any], object] | str:
    """Return what reads the cell of an object, at the end of the relations `steps`."""
    read: Callable[[Any], object] = attrgetter(last)
    if field is None:
        if callable(getattr(model, last, None)):
            read = methodcaller(last)
        elif not steps:
            return last  # an annotation, or a property
    elif field.many_to_many:
        read = partial(_joined, last)
    elif as_text and _is_single(field, last):
        read = partial(_text_of, last)
    elif as_text and field.choices:
        read = methodcaller(f"get_{last}_display")
    elif not steps:
        return last
    return partial(_read, tuple(steps), read) if steps else read


def _read(steps: Sequence[str], read: Callable[[Any], object], row: Any) -> object:
    """Return the cell at the end of relations; None if one of them leads nowhere."""
    for step in steps:
        row = getattr(row, step)
        if row is None:
            return None
    return read(row)


def _text_of(name: str, row: Any) -> str | None:
    related = getattr(row, name)
    return None if related is None else str(related)


def _joined(name: str, row: Any) -> str:
    return ", ".join(map(str, getattr(row, name).all()))


def _title(model: type[Model], name: str, field: Any) -> str:
    """Return the title that the admin shows, in the language of this thread."""
    named = field if field is not None else getattr(model, name, None)
    given = getattr(named, "verbose_name", None) or getattr(named, "short_description", None)
    return str(capfirst(given or name))


def _field(model: type[Model], name: str) -> Any:
    """Return the field of a model; None if it has no such field."""
    if name == "pk":
        return model._meta.pk  # noqa: SLF001 - Django documents it
    try:
        field = model._meta.get_field(name)  # noqa: SLF001 - the same
    except FieldDoesNotExist:
        return None
    return None if field.auto_created and not field.concrete else field  # a relation to this model


def _is_single(field: Any, name: str) -> bool:
    """Return whether an attribute is one other object: `customer`, and not `customer_id`."""
    if field is None or not field.related_model or name != field.name:
        return False
    return bool(field.many_to_one or field.one_to_one)


# What Django knows of a QuerySet, some of it without a public name ---------------------------


def _default_names(queryset: Any) -> list[str]:
    """Return the names of the loaded fields of its model, and of what was added to each object."""
    query = queryset.query
    fields = [field.name for field in queryset.model._meta.concrete_fields]  # noqa: SLF001
    loaded = [name for name in fields if _is_loaded(queryset, name)]
    return [*loaded, *query.extra_select, *query.annotation_select]


def _is_loaded(queryset: Any, path: str) -> bool:
    """Return whether `defer` and `only` leave a field, or the first of a path, with the object."""
    names, defers = queryset.query.deferred_loading
    return (path.partition("__")[0] in names) != defers or not names


def _value_names(queryset: Any) -> list[str]:
    """Return the names of what `values` and `values_list` select, in their order."""
    query, fields = queryset.query, queryset._fields
    added = list(query.annotation_select)
    if fields:
        return [*fields, *(name for name in added if name not in fields)]
    return [*query.extra_select, *query.values_select, *added]


def _iterable_name(queryset: Any) -> str:
    return getattr(getattr(queryset, "_iterable_class", None), "__name__", "")
