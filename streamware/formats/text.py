"""What the formats share: a speller a column, names that are unique, texts of XML and formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from streamware.formats.protocol import Context
from streamware.model.columns import Column
from streamware.values.cell import FORBIDDEN, TextRules
from streamware.values.formatter import ColumnFormatter

MARKUP = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"))
"""What is markup in XML, and its references; the sign that those begin with comes first."""


def formatters(
    columns: Sequence[Column], context: Context, text_rules: TextRules, *, sheet: str | None = None
) -> list[ColumnFormatter]:
    """One `ColumnFormatter` a column; messages name the sheet, where it has a name."""
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
    """What messages call a column: its title, else its number from 1."""
    return str(at + 1) if column.title is None else column.title


def legal(text: str) -> str:
    """`text` without what XML forbids (XML 1.0 §2.2), and without lone surrogates."""
    return FORBIDDEN.sub("\ufffd", text)


def unescaped(blob: bytes) -> bytes:
    """A text without the references of `MARKUP`."""
    if b"&" in blob:
        for mark, reference in reversed(MARKUP):
            blob = blob.replace(reference, mark)
    return blob


def text_literal(text: str) -> str:
    """A text as it stands in a formula."""
    return '"' + legal(text).replace('"', '""') + '"'


def unique(names: Iterable[str], key: Callable[[str], str] = str) -> list[str]:
    """The names, a number appended to each that came before: a, a_2, a_3.

    Args:
        names: Names that may repeat.
        key: Names with equal keys are the same name.
    """
    given = list(names)
    taken = set(map(key, given))
    seen: set[str] = set()
    result = []
    for name in given:
        number, candidate = 1, name
        while key(candidate) in seen or (number > 1 and key(candidate) in taken):
            number += 1
            candidate = f"{name}_{number}"
        seen.add(key(candidate))
        result.append(candidate)
    return result
