"""What formats share for text: a formatter per column, unique names, text of XML and formulas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from streamware.formats.protocol import Context
from streamware.model.columns import Column
from streamware.values.cell_formatter import FORBIDDEN, TextRules
from streamware.values.column_formatter import ColumnFormatter

MARKUP = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"))
"""Markup characters of XML and their references; `&` is first, because references contain it."""


def formatters(
    columns: Sequence[Column], context: Context, text_rules: TextRules, *, sheet: str | None = None
) -> list[ColumnFormatter]:
    """Return a `ColumnFormatter` per column; error messages name the sheet if it has a name."""
    return [
        ColumnFormatter(
            column,
            label(column, at),
            values=context.values,
            text_rules=text_rules,
            converted=context.receipt.converted,
            cell_characters=context.limits.cell_characters,
            sheet=sheet,
        )
        for at, column in enumerate(columns)
    ]


def label(column: Column, at: int) -> str:
    """Return what error messages call a column: its title, or else its number, from 1."""
    return str(at + 1) if column.title is None else column.title


def legal(text: str) -> str:
    """Return `text` with U+FFFD in place of what XML 1.0 §2.2 forbids and of lone surrogates."""
    return FORBIDDEN.sub("\ufffd", text)


def element(name: str, text: str | None, attributes: str = "") -> str:
    """Return an XML element with this text; empty if the text is None."""
    return "" if text is None else f"<{name}{attributes}>{escape(legal(text))}</{name}>"


def unescaped(blob: bytes) -> bytes:
    """Return a text with the references of `MARKUP` resolved."""
    if b"&" in blob:
        for mark, reference in reversed(MARKUP):
            blob = blob.replace(reference, mark)
    return blob


def text_literal(text: str) -> str:
    """Return `text` as a string literal of a formula."""
    return '"' + legal(text).replace('"', '""') + '"'


def unique(names: Iterable[str]) -> list[str]:
    """Return the names, with a number after each that repeats an earlier one: a, a_2, a_3."""
    given = list(names)
    taken = set(given)
    found: dict[str, None] = {}  # the names so far, as an ordered set
    last: dict[str, int] = {}  # the number that each name had last; lower ones are taken
    for name in given:
        candidate = name
        while candidate in found or (candidate != name and candidate in taken):
            last[name] = last.get(name, 1) + 1
            candidate = f"{name}_{last[name]}"
        found[candidate] = None
    return list(found)
