"""A column's cells as sheet XML.

Source: ECMA-376 Part 1 §18.3.1.4 (c), §18.18.11 (ST_CellType), §22.9.2.19 (ST_Xstring).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple, Protocol

from streamware.formats.protocol import Part
from streamware.formats.spreadsheet.look import ColumnStyle, shown_kind, styled_places
from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.text import MARKUP
from streamware.formats.xlsx.address import Address
from streamware.formats.xlsx.functions import prefixed
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import AROUND, VALUE, StyleRegistry
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.values.cell import SEPARATOR
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

_LOOKS_ESCAPED = re.compile(rb"_(?=x[0-9A-Fa-f]{4}_)")
_STRIPPED = b" \t\n\r"
_SHARED = b' t="s"><v>'
_CALCULATED = {Kind.TEXT: b' t="str"', Kind.BOOL: b' t="b"'}  # the type of a formula's value
_TYPED = {kind: _CALCULATED.get(kind, b"") for kind in Kind}


class CellText:
    """Markup escaped, and text that looks like an escape of ST_Xstring escaped as one."""

    care = b"&<>_"

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Cells ready to stand within `<t>`."""
        if b"_" in kept and _LOOKS_ESCAPED.search(blob):
            cells = blob.split(SEPARATOR)
            converted["escape"] += sum(_LOOKS_ESCAPED.search(cell) is not None for cell in cells)
            blob = _LOOKS_ESCAPED.sub(b"_x005F_", blob)
        for mark, reference in MARKUP:
            if mark in kept:
                blob = blob.replace(mark, reference)
        return blob.split(SEPARATOR)


def notation(character: str) -> bytes:
    """A character XML forbids, as Excel writes it (§22.9.2.19): `_x0007_`."""
    return b"_x%04X_" % ord(character)


class Links(Protocol):
    """Takes the links of a sheet's cells."""

    def add(self, reference: str, url: str) -> bool:
        """Have the cell at `reference` lead to `url`; False where there is no room for it."""


class Notes(Protocol):
    """Takes the notes on a sheet's cells."""

    def add(self, row: int, column: int, text: str) -> bool:
        """Put a note on the cell in this row (from 1) and column (from 0); False: no room."""


class CellWriter:
    """Writes the cells of one column.

    Args:
        column: The column.
        at: Its position, from 0.
        look: How its cells look.
        registry: The formats of the workbook.
        converted: Counted into.
        strings: The table of texts, where they are shared.
        links: Takes links; None where the sheet can have none.
        notes: Takes notes; None where the sheet can have none.

    Attributes:
        strings: Where its texts are; None where they stand in their cells.
    """

    def __init__(
        self,
        column: Column,
        at: int,
        look: ColumnStyle,
        registry: StyleRegistry,
        *,
        converted: Counter[str],
        strings: SharedStrings | None = None,
        links: Links | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.strings = strings if column.url is None else None
        self._at = at
        self._compact = registry.compact
        self._converted = converted
        self._links = links
        self._notes = notes
        self._address = None if column.url is None else Address(column.url)
        self._letters = column_letters(at)
        self._start = b"<c" if registry.compact else b'<c r="' + self._letters.encode()
        self._marks = registry.marks(look, linked=column.url is not None)
        self._stylings: dict[int, _CellStyling] = {}

    def dress(self, at: int, formatted: FormattedColumn, number: int) -> None:
        """Settle how a dressed cell of the coming `parts` looks, and where it leads.

        Args:
            at: Its place in the batch, from 0.
            formatted: The column.
            number: Of its row in the sheet, from 1.
        """
        cell: Cell = (formatted.styled or {})[at]
        token = formatted.tokens[at]
        kind = formatted.kinds[at] if formatted.kinds else formatted.kind
        if kind is None or token is None:  # an empty one, whatever the others of its batch are
            kind = Kind.EMPTY
        formula = None if cell.url else self._formula_of(kind, token)
        linked = formula is not None or (bool(cell.url) and self._leads(cell.url or "", number))
        if cell.note:
            self._noted(cell.note, number)
        marks = self._marks.styled(cell.style, shown_kind(kind, token), linked=linked)
        self._stylings[at] = _CellStyling(marks, formula)

    def parts(self, formatted: FormattedColumn, numbers: Sequence[bytes]) -> Sequence[Part]:
        """The literals, references and texts of the column, in the rows of these numbers.

        What its cells share with others was settled before; see `settle`.
        """
        kind, tokens = formatted.kind, formatted.tokens
        if formatted.styled:
            return (self._styled(formatted, numbers),)
        if kind is Kind.EMPTY and not self._compact:
            return ()
        if kind is None or kind is Kind.FORMULA:
            kinds = formatted.kinds or repeat(Kind.FORMULA)
            return (list(map(self._cell, kinds, tokens, numbers)),)
        if self._address is not None and kind is not Kind.EMPTY:
            return self._links_of(self._address, kind, tokens, numbers)
        if kind is Kind.TEXT and self.strings is not None:
            return self._shared(self.strings.ids(tokens), formatted, numbers)
        if kind is Kind.TEXT and _has_edge_blanks(tokens):
            return (list(map(self._cell, repeat(kind), tokens, numbers)),)
        before, after = self._marks.around[kind]
        return self._column(tokens, numbers, before, after, formatted.sparse)

    def _leads(self, url: str, number: int) -> bool:
        taken = self._links is not None and self._links.add(f"{self._letters}{number}", url)
        if not taken:
            self._converted["link"] += 1
        return taken

    def _noted(self, text: str, number: int) -> None:
        if self._notes is None or not self._notes.add(number, self._at, text):
            self._converted["note"] += 1

    # A column of one kind

    def _column(
        self,
        tokens: Sequence[Any],
        numbers: Sequence[bytes],
        before: bytes,
        after: bytes,
        sparse: bool,
    ) -> Sequence[Part]:
        start = self._start
        if sparse and not self._compact:
            pairs = zip(tokens, numbers, strict=True)
            return ([b"" if t is None else start + n + before + t + after for t, n in pairs],)
        if sparse:
            start += before
            return ([b"<c/>" if t is None else start + t + after for t in tokens],)
        if self._compact:
            return (start + before, tokens, after)
        return (start, numbers, before, tokens, after)

    def _shared(
        self, ids: Sequence[bytes | None], formatted: FormattedColumn, numbers: Sequence[bytes]
    ) -> Sequence[Part]:
        if ids.count(None) != formatted.tokens.count(None):  # there was no room for some
            return (list(map(self._cell, repeat(Kind.TEXT), formatted.tokens, numbers)),)
        before = self._marks.plain[Kind.TEXT] + _SHARED
        return self._column(ids, numbers, before, VALUE[1], formatted.sparse)

    def _links_of(
        self, address: Address, kind: Kind, tokens: Sequence[Any], numbers: Sequence[bytes]
    ) -> Sequence[Part]:
        formulas = address.formulas(kind, tokens)
        if None in formulas:
            pairs = zip(formulas, tokens, strict=True)
            self._miss(sum(formula is None and bool(token) for formula, token in pairs))
            return (list(map(self._unstyled, repeat(kind), tokens, numbers, formulas)),)
        before, after = self._marks.links[kind] + _TYPED[kind] + b">", b"</v></c>"
        reference = (self._start,) if self._compact else (self._start, numbers)
        return (*reference, before, formulas, b"<v>", tokens, after)

    # Cell by cell

    def _styled(self, formatted: FormattedColumn, numbers: Sequence[bytes]) -> list[bytes]:
        stylings, self._stylings = self._stylings, {}
        kinds = formatted.kinds or [formatted.kind or Kind.EMPTY] * len(numbers)
        return [
            self._written(kind, token, number, *stylings[at])
            if at in stylings
            else self._cell(kind, token, number)
            for at, (kind, token, number) in enumerate(
                zip(kinds, formatted.tokens, numbers, strict=True)
            )
        ]

    def _cell(self, kind: Kind, token: bytes | None, number: bytes) -> bytes:
        return self._unstyled(kind, token, number, self._formula_of(kind, token))

    def _formula_of(self, kind: Kind, token: bytes | None) -> bytes | None:
        """The formula by which a cell of a column of links is one."""
        if self._address is None or not token:
            return None
        formula = self._address.formula(kind, token)
        self._miss(formula is None)
        return formula

    def _miss(self, count: int) -> None:
        if count:
            self._converted["url"] += count

    def _unstyled(
        self, kind: Kind, token: bytes | None, number: bytes, formula: bytes | None
    ) -> bytes:
        if token is None:
            return b"<c/>" if self._compact else b""
        marks = self._marks.plain if formula is None else self._marks.links
        return self._written(kind, token, number, marks[shown_kind(kind, token)], formula)

    def _written(
        self, kind: Kind, token: bytes | None, number: bytes, marks: bytes, formula: bytes | None
    ) -> bytes:
        start = self._start + marks if self._compact else self._start + number + marks
        if token is None:
            return start + b"/>"
        if formula is not None:
            return start + _TYPED[kind] + b">" + formula + b"<v>" + token + b"</v></c>"
        if kind is Kind.FORMULA:
            return start + _formula(token)
        if kind is Kind.TEXT:
            return start + text_value(token, self.strings)
        opening, after = AROUND.get(kind, VALUE)
        return start + opening + token + after


class _CellStyling(NamedTuple):
    """What a dressed cell has of its own: its marks, and its formula if it is a link."""

    marks: bytes
    formula: bytes | None


def settle(writers: Sequence[CellWriter], formatted: Sequence[FormattedColumn], first: int) -> None:
    """Settle what cells of some rows share with others, before any of their parts is asked for.

    Args:
        writers: Those of the columns.
        formatted: The columns.
        first: Number of the first row in the sheet, from 1.
    """
    for row, at in styled_places(formatted):
        writers[at].dress(row, formatted[at], first + row)
    shared: dict[SharedStrings, list[FormattedColumn]] = {}
    for writer, column in zip(writers, formatted, strict=True):
        if writer.strings is not None:
            shared.setdefault(writer.strings, []).append(column)
    for strings, texts in shared.items():
        strings.collect(texts)


def text_value(token: bytes, strings: SharedStrings | None) -> bytes:
    """All of a text cell that follows its reference and its format."""
    number = None if strings is None else strings.id(token)
    if number is not None:
        return _SHARED + number + b"</v></c>"
    space = b' xml:space="preserve"' if token.strip(_STRIPPED) != token else b""
    return b' t="inlineStr"><is><t' + space + b">" + token + b"</t></is></c>"


def _formula(token: bytes) -> bytes:
    # Nobody reads the escapes of ST_Xstring in a formula, though the schema has them there.
    text, kind, cached = token.split(SEPARATOR)
    text = prefixed(text.decode()).encode()
    for mark, reference in MARKUP:
        text = text.replace(mark, reference)
    valued = Kind(kind.decode())
    value = b"" if valued is Kind.EMPTY else b"<v>" + cached + b"</v>"
    return _TYPED[valued] + b"><f>" + text + b"</f>" + value + b"</c>"


def _has_edge_blanks(tokens: Sequence[bytes | None]) -> bool:
    # A text without any is stripped to itself, which makes the comparison one of identities.
    present = [token for token in tokens if token] if None in tokens else tokens
    return list(map(bytes.strip, present)) != present  # type: ignore[arg-type]  # no None is left
