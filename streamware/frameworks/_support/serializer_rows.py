"""The rows of an export as a serializer of Django REST framework represents their objects.

Two ways lead there.  Where serializers leave it to their fields what an object is shown as, the
fields are asked one by one, so that dates and decimals are cells of their kind and not the text
that JSON needs.  Where a serializer has a `to_representation` of its own, that is called, and such
text becomes a date or a number again.

Either way a nested serializer becomes a column for each of its fields, `customer.name`, unless the
format has objects within objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import islice
from operator import attrgetter, methodcaller
from types import NoneType
from typing import Any, Literal, get_args

from django.core.exceptions import FieldDoesNotExist
from django.utils.dateparse import parse_date, parse_datetime, parse_duration, parse_time
from rest_framework import fields, relations, serializers

from streamware.errors import EncodeError
from streamware.model.columns import Column, Key
from streamware.rows.adoption import adopted
from streamware.rows.source import close, is_source
from streamware.sources.source import Cancel, Results, Source

Titles = Literal["label", "name"]
"""What stands in the header: the labels of the fields, or their names."""
Path = tuple[str, ...]
"""The names of a field, from the outermost serializer to it."""

BATCH_ROWS = 100
"""Objects that are represented at a time.  The source below reads larger batches."""


def serialized(
    rows: Any,
    serializer: Any,
    *,
    columns: Iterable[Column | Key] | None,
    titles: Titles,
    nests: bool,
) -> tuple[Source, list[Column] | None]:
    """Return the rows of `rows` as `serializer` represents them, and their columns.

    The columns are None if only the rows can tell them.

    Args:
        rows: What the view would give to the serializer: a QuerySet, a manager or an iterable.
        serializer: The serializer, with `many=True`.
        columns: Names of fields, dotted below nested serializers, callables of the object, or
            `Column` of either; None for all fields.
        titles: What is in the header.
        nests: Whether the format has objects within objects, as JSON has.

    Raises:
        ValueError: A column is not a field of the serializer, or `titles` is neither.
    """
    if titles not in get_args(Titles):
        raise ValueError(f"export_titles must be 'label' or 'name', not {titles!r}")
    child = getattr(serializer, "child", serializer)
    chosen = None if columns is None else [_column(each) for each in columns]
    if not nests and _is_plain(serializer) and _is_direct(child):
        tree = _tree(child, getattr(rows, "model", None), ())
        if chosen is not None:
            _check_names(chosen, tree, type(child).__name__)
        picked, made = _picked(tree, chosen, titles)
        return _source(rows, partial(_direct, picked)), made
    represent = child.to_representation
    if not _is_plain(serializer):
        rows, represent = partial(serializer.to_representation, rows), _itself
    view = _Representation(represent, child, nests=nests, titles=titles)
    if chosen is not None:
        return _source(rows, partial(view.chosen, chosen)), view.columns(chosen)
    return _source(rows, view.all), None


def represented(data: Any, titles: Titles, *, nests: bool) -> Any:
    """Return rows of what a view has put into its response: a dict, or a list of such.

    If they come from a serializer, they have its columns.
    """
    listed = data if isinstance(data, (list, tuple)) else [data]
    if not all(isinstance(each, Mapping) for each in listed):
        return [each if isinstance(each, (Mapping, list, tuple)) else (each,) for each in listed]
    serializer = getattr(data, "serializer", None)
    child = getattr(serializer, "child", serializer)
    return _source(listed, _Representation(_itself, child, nests=nests, titles=titles).all)


def _column(given: Column | Key) -> Column:
    column = given if isinstance(given, Column) else Column(given)
    if isinstance(column.key, int):
        raise TypeError(f"columns must be names of fields or callables, not {column.key!r}")
    return column


def _source(rows: Any, results: Callable[[Iterator[Any]], Results]) -> Source:
    """Return a source that reads `rows` as others read them, and shows them as `results` does."""

    def connect(stack: ExitStack) -> tuple[Results, Cancel | None]:
        opened = adopted(rows() if callable(rows) and not hasattr(rows, "__iter__") else rows)
        if is_source(opened):
            opened = opened.open_rows()
        stack.callback(close, opened)
        shown = stack.enter_context(closing(results(iter(opened))))  # type: ignore[type-var]
        return shown, getattr(opened, "cancel", None)

    return Source(connect)


def _batches(objects: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(objects, BATCH_ROWS)):
        yield batch


# Field by field -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    """One field of a serializer.

    Attributes:
        path: Its names.
        labels: Its labels, from the outermost serializer to it.
        read: Returns its cell of an object; for a nested serializer, the object within.
        nodes: The fields of a nested serializer; None if it is a column.
    """

    path: Path
    labels: tuple[Any, ...]
    read: Callable[[Any], Any]
    nodes: list[_Node] | None = None

    def leaves(self) -> Iterator[_Node]:
        """Yield the fields that are columns: itself, or those within."""
        if self.nodes is None:
            yield self
        else:
            for node in self.nodes:
                yield from node.leaves()


def _is_plain(serializer: Any) -> bool:
    """Return whether a serializer of many objects represents one after the other."""
    of_many = serializers.ListSerializer
    return type(serializer).to_representation is of_many.to_representation


def _is_direct(child: Any, above: tuple[type, ...] = ()) -> bool:
    """Return whether a serializer, and those within, leave representation to their fields."""
    if type(child) in above:
        return True
    of_one = serializers.Serializer
    return (
        isinstance(child, of_one)
        and type(child).to_representation is of_one.to_representation
        and all(
            _is_direct(field, (*above, type(child)))
            for field in _readable(child)
            if isinstance(field, of_one)
        )
    )


def _readable(child: Any) -> list[Any]:
    return [field for field in child.fields.values() if not field.write_only]


def _tree(
    child: Any, model: Any, above: tuple[Any, ...], outer: tuple[type, ...] = ()
) -> list[_Node]:
    """Return the fields of a serializer, and of those within.

    A serializer within one of its own class is a single column: there is no end to them.
    """
    outer = (*outer, type(child))
    nodes = []
    for field in _readable(child):
        path = (*(outermost.field_name for outermost in above), field.field_name)
        labels = tuple(outermost.label for outermost in (*above, field))
        nests = isinstance(field, serializers.Serializer) and type(field) not in outer
        inner = _tree(field, None, (*above, field), outer) if nests else None
        nodes.append(_Node(path, labels, _reader(field, model, whole=nests), inner))
    return nodes


def _reader(field: Any, model: Any, *, whole: bool) -> Callable[[Any], Any]:
    """Return what reads the cell of a field from an object.

    Args:
        field: The field.
        model: The model of the objects, if they are known to have one.
        whole: Whether the value itself is wanted: the object of a nested serializer.
    """
    plain, show = (frozenset(), _itself) if whole else _shown(field)
    find = field.get_attribute
    name = _attribute(field, model)
    get = find if name is None else attrgetter(name)

    def read(row: Any) -> Any:
        try:
            value = get(row)
        except fields.SkipField:
            return None
        except Exception:
            if get is find:
                raise
            value = find(row)  # it knows of defaults, and says which field is wrong
        if value.__class__ in plain:
            return value
        if value is None or (isinstance(value, relations.PKOnlyObject) and value.pk is None):
            return None
        return show(value)

    return read


def _attribute(field: Any, model: Any) -> str | None:
    """Return the name of a plain attribute of the model from which a field is read, if it is one.

    A field itself also looks into mappings, and calls what can be called.
    """
    names = field.source_attrs
    own = type(field).get_attribute is not fields.Field.get_attribute
    if own or len(names) != 1 or not hasattr(model, "_meta"):
        return None
    try:
        found = model._meta.get_field(names[0])  # noqa: SLF001 - Django documents it
    except FieldDoesNotExist:
        return None
    return names[0] if found.concrete and not found.is_relation else None


def _shown(field: Any) -> tuple[frozenset[type], Callable[[Any], Any]]:
    """Return the types of values that are cells as they are, and what makes cells of others."""
    method = type(field).to_representation
    if method is fields.DecimalField.to_representation:
        return frozenset({NoneType}), partial(_decimal, field)
    if method in _TEMPORAL and not _is_formatted(field):
        return frozenset({NoneType, _TEMPORAL[method]}), field.to_representation
    if isinstance(field, fields.IntegerField) and method.__module__ == fields.__name__:
        return frozenset({NoneType, int}), int  # a BigIntegerField makes text of it for JSON
    if method in _SCALAR:
        return frozenset({NoneType, _SCALAR[method]}), field.to_representation
    if isinstance(field, _WHOLE):
        return frozenset({NoneType}), field.to_representation
    return frozenset({NoneType}), partial(_joined, field.to_representation)


_TEMPORAL: dict[Any, type] = {
    fields.DateField.to_representation: date,
    fields.DateTimeField.to_representation: datetime,
    fields.TimeField.to_representation: time,
    fields.DurationField.to_representation: timedelta,
}
_SCALAR: dict[Any, type] = {
    fields.BooleanField.to_representation: bool,
    fields.CharField.to_representation: str,
    fields.FloatField.to_representation: float,
}
_WHOLE = (fields.JSONField, fields.DictField, fields.IntegerField)
"""Fields whose cells are what they represent, even if it is a list."""


def _is_formatted(field: Any) -> bool:
    """Return whether a field has a format or a zone of its own, and so shows a text of its own."""
    own = vars(field)
    form = own.get("format")
    return "timezone" in own or not (form is None or form.lower() == fields.ISO_8601)


def _decimal(field: Any, value: Any) -> Decimal | None:
    if not isinstance(value, Decimal):
        value = Decimal(str(value).strip())
    shown: Decimal = field.quantize(value)
    return shown.normalize() if getattr(field, "normalize_output", False) else shown


def _joined(show: Callable[[Any], Any], value: Any) -> Any:
    """Return a value as `show` represents it, a list of plain values as text."""
    shown = show(value)
    if shown.__class__ is not list or any(isinstance(each, (Mapping, list)) for each in shown):
        return shown
    return ", ".join("" if each is None else str(each) for each in shown) or None


def _itself(value: Any) -> Any:
    return value


def _check_names(chosen: Sequence[Column], tree: Sequence[_Node], owner: str) -> None:
    names = [".".join(leaf.path) for node in tree for leaf in node.leaves()]
    for column in chosen:
        if isinstance(column.key, str) and column.key not in names:
            raise ValueError(
                f"there is no column {column.key!r} in {owner}; there are: {', '.join(names)}"
            )


Pick = tuple[Callable[[Any], Any], "list[Pick] | None"]
"""What reads a cell of an object; or an object within, and what reads its cells."""


def _picked(
    tree: Sequence[_Node], chosen: Sequence[Column] | None, titles: Titles
) -> tuple[list[Pick], list[Column]]:
    """Return what reads the chosen cells, all if none are chosen, and the columns with titles."""
    leaves = {".".join(leaf.path): leaf for node in tree for leaf in node.leaves()}
    if chosen is None:
        chosen = [Column(name) for name in leaves]
    wanted = {column.key for column in chosen}
    read = [name for name in leaves if name in wanted]
    picked = _picks(tree, wanted)
    made = []
    for column in chosen:
        at = len(read)
        if isinstance(column.key, str):
            at = read.index(column.key)
            title: Any = partial(_title, leaves[column.key], titles)
        else:
            read.append("")
            picked.append((column.key, None))  # type: ignore[arg-type]  # a callable
            title = getattr(column.key, "__name__", "").strip("<>")
        made.append(replace(column, key=at, title=column.title or title))
    return picked, made


def _picks(nodes: Sequence[_Node], wanted: set[Any]) -> list[Pick]:
    picks: list[Pick] = []
    for node in nodes:
        if node.nodes is None:
            if ".".join(node.path) in wanted:
                picks.append((node.read, None))
        elif inner := _picks(node.nodes, wanted):
            picks.append((node.read, inner))
    return picks


def _title(leaf: _Node, titles: Titles) -> str:
    return ".".join(leaf.path) if titles == "name" else ": ".join(map(str, leaf.labels))


def _direct(picks: list[Pick], objects: Iterator[Any]) -> Results:
    yield None
    if all(inner is None for _, inner in picks):
        reads = [read for read, _ in picks]
        for batch in _batches(objects):
            yield [[read(row) for read in reads] for row in batch]
        return
    for batch in _batches(objects):
        yield [list(_cells(picks, row)) for row in batch]


def _cells(picks: list[Pick], row: Any) -> Iterator[Any]:
    """Yield the cells of an object; empty ones for an object within that is not there."""
    for read, inner in picks:
        value = None if row is None else read(row)
        if inner is None:
            yield value
        else:
            yield from _cells(inner, value)


# As a whole -----------------------------------------------------------------------------------


class _Representation:
    """Objects as a serializer represents them, each as a whole.

    Args:
        represent: Returns the representation of an object.
        child: The serializer of one object, which has labels for its fields; or None.
        nests: Whether objects within are cells, and values stay as they are.
        titles: What is in the header.
    """

    def __init__(
        self, represent: Callable[[Any], Any], child: Any, *, nests: bool, titles: Titles
    ) -> None:
        self._represent = represent
        self._child = child
        self._nests = nests
        self._titles = titles

    def columns(self, chosen: Sequence[Column]) -> list[Column]:
        """Return the chosen columns, whose cells are in their order, with titles."""
        made = []
        for at, column in enumerate(chosen):
            title: Any = getattr(column.key, "__name__", "").strip("<>")
            if isinstance(column.key, str):
                title = partial(self._title, tuple(column.key.split(".")))
            made.append(replace(column, key=at, title=column.title or title))
        return made

    def chosen(self, columns: Sequence[Column], objects: Iterator[Any]) -> Results:
        """Yield the rows of chosen columns."""
        yield None
        shows = [isinstance(column.key, str) for column in columns]
        reads: list[Any] = [
            self._reader(tuple(column.key.split(".")))
            if isinstance(column.key, str)
            else column.key
            for column in columns
        ]
        for batch in _batches(objects):
            yield [
                [
                    read(shown if is_shown else row)
                    for read, is_shown in zip(reads, shows, strict=True)
                ]
                for row, shown in zip(batch, map(self._represent, batch), strict=True)
            ]

    def all(self, objects: Iterator[Any]) -> Results:
        """Yield the names of the columns, which the first rows decide, and the rows."""
        batch = list(islice(objects, BATCH_ROWS))
        shown = [self._represent(row) for row in batch]
        paths = self._paths(shown, self._child) if shown else self._declared(self._child)
        yield [self._title(path) for path in paths]
        reads = [self._reader(path) for path in paths]
        known = {path[0] for path in paths}
        first = 1
        while shown:
            for at, row in enumerate(shown, first):
                self._check(row, known, at)
            yield [[read(row) for read in reads] for row in shown]
            first += len(shown)
            shown = [self._represent(row) for row in islice(objects, BATCH_ROWS)]

    def _check(self, row: Any, known: set[str], at: int) -> None:
        """Raise EncodeError if a representation has a key that none of the first had."""
        if new := [key for key in row if key not in known]:
            raise EncodeError(
                f"row {at} has a new key {new[0]!r}; the first rows had: {', '.join(known)}"
                " (name the columns in export_columns)"
            )

    def _paths(self, shown: Sequence[Any], child: Any) -> list[Path]:
        """Return the paths of the columns, from the keys that representations have."""
        paths: list[Path] = []
        for key in dict.fromkeys(key for row in shown for key in row):
            field = _field(child, key)
            within = [row[key] for row in shown if row.get(key) is not None]
            if self._flattens(field) and all(isinstance(each, Mapping) for each in within):
                inner = self._paths(within, field) if within else self._declared(field)
                paths += [(key, *path) for path in inner]
            else:
                paths.append((key,))
        return paths

    def _declared(self, child: Any) -> list[Path]:
        """Return the paths of the fields of a serializer, for want of rows."""
        if not isinstance(child, serializers.Serializer):
            return []
        nodes = _tree(child, None, ())
        if self._nests:
            return [node.path for node in nodes]
        return [leaf.path for node in nodes for leaf in node.leaves()]

    def _flattens(self, field: Any) -> bool:
        return not self._nests and isinstance(field, serializers.Serializer)

    def _title(self, path: Path) -> str:
        if self._titles == "name":
            return ".".join(map(str, path))
        labels, child = [], self._child
        for name in path:
            child = _field(child, name)
            label = getattr(child, "label", None)
            labels.append(str(label or str(name).replace("_", " ").capitalize()))
        return ": ".join(labels)

    def _reader(self, path: Path) -> Callable[[Any], Any]:
        """Return what reads the cell at a path of a representation."""
        field = self._child
        for name in path:
            field = _field(field, name)
        show = _itself if self._nests else _parser(field)
        if len(path) == 1 and show is _itself:
            return methodcaller("get", path[0])
        *outer, last = path

        def read(row: Any) -> Any:
            for name in outer:
                row = row.get(name)
                if not isinstance(row, Mapping):
                    return None
            cell = row.get(last)
            return cell if cell is None else show(cell)

        return read


def _field(child: Any, name: Any) -> Any:
    return child.fields.get(name) if isinstance(child, serializers.Serializer) else None


def _parser(field: Any) -> Callable[[Any], Any]:
    """Return what makes a date or a number of the text by which a field represents one."""
    method = None if field is None else type(field).to_representation
    if method is fields.DecimalField.to_representation:
        return _itself if field.localize else partial(_parsed, Decimal)
    if method in _TEMPORAL and not _is_formatted(field):
        return partial(_parsed, _PARSERS[_TEMPORAL[method]])
    if method in _SCALAR or isinstance(field, _WHOLE):
        return _itself
    return partial(_joined, _itself)


_PARSERS: dict[type, Callable[[str], Any]] = {
    date: parse_date,
    datetime: parse_datetime,
    time: parse_time,
    timedelta: parse_duration,
}


def _parsed(parse: Callable[[str], Any], value: Any) -> Any:
    """Return what a text stands for; the text itself if it is another one."""
    if isinstance(value, str):
        with suppress(ValueError, InvalidOperation):
            parsed = parse(value)
            return value if parsed is None else parsed
    return value
