"""Django: the rows of a QuerySet, read by `iterator` and described by its model.

A QuerySet that is iterated keeps every row it has read; `iterator` keeps a batch, and on PostgreSQL
and Oracle reads from a cursor on the server.  Prefetched relations are loaded a batch at a time.

The columns of model objects are those of the table, with the titles of the admin: `verbose_name`
in the reader's language.  A field with choices shows their labels, a foreign key the text of its
object, which is selected with the row, and what a field of another package gives its text.
Relations to many objects are a text of them all, and are prefetched.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import connections
from django.db.models import FileField, Model, QuerySet
from django.db.models.query import RawQuerySet
from django.db.transaction import atomic
from django.utils.functional import Promise
from django.utils.text import capfirst

from streamware.model.columns import Column
from streamware.sources.dbapi import canceller
from streamware.sources.lending import open_connection
from streamware.sources.source import (
    BATCH_ROWS,
    FIRST_ROWS,
    Cancel,
    Columns,
    Results,
    Source,
    check_batch,
)

_PREFETCHED = 200
"""Objects whose relations are prefetched at a time; they and what is loaded for them are cycles."""


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
    is_raw = isinstance(queryset, RawQuerySet)
    if is_raw:
        if columns is None:
            return _source(queryset, batch), None
    elif _iterable_name(queryset) != "ModelIterable":
        return _source(queryset, batch), columns
    elif columns is None:
        columns = [Column(name) for name in _default_names(queryset)]
    described = [_described(queryset.model, column) for column in columns]
    if not is_raw and not queryset.query.combinator:
        queryset = _with_relations(queryset, described)
    return _source(queryset, batch), [each.column for each in described]


def _with_relations(queryset: Any, described: Sequence[_Described]) -> Any:
    """Return a QuerySet that selects and prefetches the relations of the columns."""
    paths = [each.follows for each in described if each.follows]
    paths = [path for path in paths if _is_loaded(queryset, path)]
    many = [each.prefetch for each in described if each.prefetch]
    if queryset.query.select_for_update:  # which an outer join may not be a part of
        many += paths
    elif paths and queryset.query.select_related is not True:
        queryset = queryset.select_related(*paths)
    return queryset.prefetch_related(*many) if many else queryset


def _connect(queryset: Any, size: int, stack: ExitStack) -> tuple[Results, Cancel | None]:
    queryset = queryset.using(alias := queryset.db)  # asked again, a router may answer another one
    is_open = connections[alias].connection is not None
    connection, inner = open_connection(alias, stack)
    # What others write through their connection must not be a part of our transaction: it would
    # hold their locks as long as the download takes, such as that of the row of a session.
    if not is_open and _keeps_rows(connection):
        inner.enter_context(atomic(using=alias))
    results = inner.enter_context(closing(_results(queryset, size)))
    return results, canceller(connection.connection)


def _results(queryset: Any, size: int) -> Generator[Sequence[Any] | None, None, None]:
    if isinstance(queryset, RawQuerySet):
        fetched = queryset.iterator()
    else:
        if queryset._prefetch_related_lookups:  # noqa: SLF001 - it has no public name
            size = min(size, _PREFETCHED)
        fetched = queryset.iterator(size)
    yield None if "Values" not in _iterable_name(queryset) else _value_names(queryset)
    rows = min(size, FIRST_ROWS)
    while batch := list(islice(fetched, rows)):
        yield batch
        rows = size


def _keeps_rows(connection: Any) -> bool:
    """Return whether the server would make and keep all rows before it gives the first one.

    Outside of a transaction Django declares cursors of PostgreSQL `WITH HOLD`.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return False
    return not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")


# What the model says ------------------------------------------------------------------------


class _Described(NamedTuple):
    """A column with its title and with the text of choices, relations and files.

    Attributes:
        column: The column.
        follows: The path of the relations to one object that its cells follow; empty without any.
        prefetch: The path of a relation that has to be prefetched; empty without one.
    """

    column: Column
    follows: str = ""
    prefetch: str = ""


def _described(model: type[Model], column: Column) -> _Described:
    if not isinstance(column.key, str):
        return _Described(column)
    *steps, last = column.key.replace("__", ".").split(".")
    for step in steps:
        field = field_of(model, step)
        if not _is_single(field, step):
            return _Described(column)  # a dict, or a property: the path is read as it is
        model = field.related_model
    field = field_of(model, last)
    as_text = column.convert is None
    if as_text or steps:
        column = replace(column, key=_getter(model, steps, last, field, as_text))
    if column.title is None:
        title: Any = partial(_title, model, last, field)
        column = replace(column, title=title)
    follows = [*steps, last] if _is_single(field, last) else steps
    prefetch = [*steps, last] if _is_prefetched(field) and field.name == last else []
    return _Described(column, "__".join(follows), "__".join(prefetch))


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
    elif field.one_to_many or field.many_to_many:
        read = partial(_joined, last)
    elif as_text and (_is_single(field, last) or _is_generic(field)):
        read = partial(_text_of, last)
    elif as_text and field.choices:
        read = methodcaller(f"get_{last}_display")
    elif as_text and isinstance(field, FileField):
        read = partial(_file_name, last)
    elif as_text and not type(field).__module__.startswith("django.db."):
        read = partial(_plain_value, last)
    elif not steps:
        return last
    return partial(_read, tuple(steps), read) if steps else read


def _read(steps: Sequence[str], read: Callable[[Any], object], row: Any) -> object:
    """Return the cell at the end of relations; None if one of them leads nowhere."""
    for step in steps:
        row = _related(step, row)
        if row is None:
            return None
    return read(row)


def _related(name: str, row: Any) -> Any:
    """Return the object of a relation; None if there is none."""
    try:
        return getattr(row, name)
    except ObjectDoesNotExist:
        return None


def _text_of(name: str, row: Any) -> str | None:
    related = _related(name, row)
    return None if related is None else str(related)


def _joined(name: str, row: Any) -> str:
    return ", ".join(map(str, getattr(row, name).all()))


def _file_name(name: str, row: Any) -> str | None:
    return getattr(row, name).name or None


def _plain_value(name: str, row: Any) -> object:
    return plain(getattr(row, name))


_PLAIN = (str, int, float, Decimal, date, time, timedelta, UUID, bytes, list, dict, Promise)


def plain(value: object) -> object:
    """Return a value that a cell can hold; an object of another package as its text."""
    return value if value is None or isinstance(value, _PLAIN) else str(value)


def _title(model: type[Model], name: str, field: Any) -> str:
    """Return the title that the admin shows, in the language of this thread."""
    if field is None and name.startswith("get_") and name.endswith("_display"):
        field = field_of(model, name.removeprefix("get_").removesuffix("_display"))
    named = field if field is not None else getattr(model, name, None)
    given = getattr(named, "verbose_name", None) or getattr(named, "short_description", None)
    return str(capfirst(given or name.replace("_", " ")))


def field_of(model: type[Model], name: str) -> Any:
    """Return the field behind an attribute of a model, or the relation; None if there is none."""
    meta = model._meta  # noqa: SLF001 - Django documents it
    if name == "pk":
        return meta.pk
    for relation in meta.related_objects:
        if relation.get_accessor_name() == name:
            return relation
    try:
        field = meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return None if field.auto_created and not field.concrete else field  # of a query only


def _is_single(field: Any, name: str) -> bool:
    """Return whether an attribute is one other object: `customer`, and not `customer_id`."""
    if field is None or not field.related_model or name != field.name:
        return False
    return bool(field.many_to_one or field.one_to_one)


def _is_generic(field: Any) -> bool:
    """Return whether a field is a `GenericForeignKey`."""
    return bool(field.many_to_one and not field.related_model)


def _is_prefetched(field: Any) -> bool:
    """Return whether objects have a relation at no cost of their own only if it is prefetched."""
    return field is not None and bool(field.one_to_many or field.many_to_many or _is_generic(field))


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
