"""The columns of an export from Django's admin: what `list_display` shows, as cells.

The admin makes HTML of everything; an export has values.  Model fields and relations are left to
the source of the QuerySet, which joins what they need.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.forms.utils import pretty_name
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from streamware.model.columns import Column, Key
from streamware.sources.django import field_of, plain

_LINE_END = re.compile(r"<br\b[^>]*>|</(?:p|div|li|tr|h\d)\s*>", re.IGNORECASE)


def admin_columns(admin: Any, shown: Iterable[Column | Key]) -> dict[str, Column]:
    """Return columns by the names under which a user chooses them, in their order.

    Args:
        admin: The ModelAdmin.
        shown: What `list_display` may hold, and columns.
    """
    columns = [one if isinstance(one, Column) else Column(one) for one in shown]
    return {
        column.key if isinstance(column.key, str) else str(at): _described(admin, column)
        for at, column in enumerate(columns)
        if column.key != "action_checkbox"
    }


def _described(admin: Any, column: Column) -> Column:
    key = column.key
    title, shown = _label(admin, key)
    if column.title is None:
        column = replace(column, title=title)
    read = _reader(admin, key)
    return column if read is None else replace(column, key=partial(_cell, read, _is_boolean(shown)))


def _label(admin: Any, key: Key) -> tuple[str, Any]:
    """Return the title that the admin shows, and the attribute or the callable behind it."""
    try:
        label, shown = label_for_field(key, admin.model, admin, return_attr=True)
    except AttributeError:  # it is an annotation, or, before Django 5.1, the path of a relation
        label, shown = pretty_name(str(key).replace(".", " ")), None
    text = text_of(label) if isinstance(label, SafeString) else str(label)
    return capfirst(" ".join(text.split())), shown


def _reader(admin: Any, key: Key) -> Callable[[Any], object] | None:
    """Return what reads a value, in the order in which the admin looks for it; None: the source."""
    if not isinstance(key, str):
        return key if callable(key) else None
    if key == "__str__":
        return str
    first = key.replace("__", ".").partition(".")[0]
    if field_of(admin.model, key) is None and hasattr(admin, key):
        read: Callable[[Any], object] = getattr(admin, key)
        return read
    if field_of(admin.model, first) is not None or not hasattr(admin.model, key):
        return None
    return partial(_attribute, key)


def _attribute(name: str, row: Any) -> object:
    value = getattr(row, name)
    return value() if callable(value) else value


def _is_boolean(shown: Any) -> bool:
    shown = shown.fget if isinstance(shown, property) else shown
    return bool(getattr(shown, "boolean", False))


def _cell(read: Callable[[Any], object], is_boolean: bool, row: Any) -> object:
    """Return what is read of an object as a cell; None where the admin shows its dash."""
    try:
        value = read(row)
    except ObjectDoesNotExist:
        return None
    if is_boolean:
        return None if value is None else bool(value)
    if isinstance(value, SafeString):
        return text_of(value)
    if isinstance(value, (list, tuple, set, frozenset, QuerySet)):
        return ", ".join(map(str, value))
    return plain(value)


def text_of(markup: str) -> str:
    """Return the text of HTML: without tags, a line for each of its lines."""
    return html.unescape(strip_tags(_LINE_END.sub("\n", markup))).strip()
