"""A column's cells as the XML of a table.

Source: OpenDocument 1.3 Part 3 §9.1.4 (table:table-cell), §6.1.2 (white space), §19.385
(office:value-type) and its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple
from xml.sax.saxutils import escape

from streamware.formats.ods.address import Address, leading, place
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.style_registry import StyledMarkup, StyleRegistry
from streamware.formats.ods.white_space import LINE
from streamware.formats.protocol import Part
from streamware.formats.spreadsheet.look import LINK, ColumnStyle, shown_kind, styled_places
from streamware.formats.text import legal
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.model.style import Style
from streamware.values.cell import SEPARATOR
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

_DATE = b' office:value-type="date" office:date-value="'
_TIME = b' office:value-type="time" office:time-value="'
_BEFORE = {
    Kind.TEXT: b' office:value-type="string"><text:p>',
    Kind.BOOL: b' office:value-type="boolean" office:boolean-value="',
    Kind.DATE: _DATE,
    Kind.DATETIME: _DATE,
    Kind.ZONED: _DATE,
    Kind.TIME: _TIME,
    Kind.DURATION: _TIME,
}
_AFTER_TEXT = b"</text:p></table:table-cell>"
_SHOWN = b"<text:p>"  # of a value it is made from its style; SheetJS skips cells without any
_AFTER = b'">' + _SHOWN + _AFTER_TEXT
_START = b"<table:table-cell"


class CellWriter:
    """Writes the cells of one column.

    Args:
        column: The column.
        look: How its cells look.
        registry: The styles of the document.
        converted: Counted into.
        validation: Name of the validation that its cells have, or None.
    """

    def __init__(
        self,
        column: Column,
        look: ColumnStyle,
        registry: StyleRegistry,
        *,
        converted: Counter[str],
        validation: str | None = None,
    ) -> None:
        self._registry = registry
        self._converted = converted
        self._address = None if column.url is None else Address(column.url)
        self._look = look
        checked = f' table:content-validation-name="{validation}"' if validation else ""
        self._start = _START + checked.encode()
        self._empty = self._start + b"/>"
        self._marks = registry.marks(look, linked=column.url is not None)
        self._stylings: dict[int, _CellStyling] = {}

    def dress(self, at: int, formatted: FormattedColumn) -> None:
        """Settle how a dressed cell of the coming `parts` looks.

        Args:
            at: Its place in the batch, from 0.
            formatted: The column.
        """
        cell: Cell = (formatted.styled or {})[at]
        token = formatted.tokens[at]
        kind = formatted.kinds[at] if formatted.kinds else formatted.kind
        if kind is None or token is None:
            kind = Kind.EMPTY
        base = self._look.style(shown_kind(kind, token))
        url = place(cell.url) if cell.url else None
        if cell.url and (url is None or token is None or kind is Kind.FORMULA):
            self._converted["link"] += 1
            url = None
        if url is not None or (token and not cell.url and self._address is not None):
            base = LINK.over(base)
        style = base if cell.style is None else cell.style.over(base)
        self._stylings[at] = _CellStyling(self._registry.styled_markup(style), cell, url)

    def parts(self, formatted: FormattedColumn) -> Sequence[Part]:
        """The literals and texts of the column."""
        kind, tokens = formatted.kind, formatted.tokens
        if formatted.styled:
            return (self._styled(formatted),)
        if kind is Kind.EMPTY:
            return (self._empty,)
        if kind is None or kind is Kind.FORMULA:
            return (list(map(self._cell, formatted.kinds or repeat(Kind.FORMULA), tokens)),)
        if self._address is not None:
            return self._links_of(self._address, kind, formatted)
        before = self._start + self._before(kind, self._marks.plain[kind])
        after = _after(kind)
        if formatted.sparse:
            empty = self._empty
            return ([empty if t is None else before + t + after for t in tokens],)
        return (before, tokens, after)

    def calculated(self, kind: Kind, token: bytes, style: Style, formula: str) -> bytes:
        """A cell of its own with a formula of OpenFormula, and its value."""
        marks = f" table:formula={attribute('of:=' + formula)}".encode()
        look = self._registry.styled_markup(style)
        return _START + marks + self._before(kind, look) + token + _AFTER

    # What a cell has before its value

    def _before(self, kind: Kind, look: StyledMarkup) -> bytes:
        """What stands between the start of a cell and its value."""
        if kind is Kind.NUMBER:
            return look.marks + look.number + b' office:value="'
        return look.marks + _BEFORE[kind]

    # A column of links

    def _links_of(self, address: Address, kind: Kind, formatted: FormattedColumn) -> Sequence[Part]:
        tokens = formatted.tokens
        formulas = address.formulas(kind, tokens)
        before, after = self._before(kind, self._marks.links[kind]), _after(kind)
        if b"" not in formulas:
            return (self._start, formulas, before, tokens, after)
        start, plain = self._start, self._start + self._before(kind, self._marks.plain[kind])
        if left := formulas.count(b"") - tokens.count(None) - tokens.count(b""):
            self._converted["url"] += left
        cells = [
            start + formula + before + token + after
            if formula
            else self._empty
            if token is None
            else plain + token + after
            for formula, token in zip(formulas, tokens, strict=True)
        ]
        return (cells,)

    # Cell by cell

    def _styled(self, formatted: FormattedColumn) -> list[bytes]:
        stylings, self._stylings = self._stylings, {}
        kinds = _kinds(formatted)
        cells = []
        for at, (kind, token) in enumerate(zip(kinds, formatted.tokens, strict=True)):
            styling = stylings.get(at)
            if styling is None:
                cells.append(self._cell(kind, token))
            else:
                cells.append(self._own(kind, token, styling))
        return cells

    def _own(self, kind: Kind, token: bytes | None, styling: _CellStyling) -> bytes:
        look, cell, url = styling
        formula = b""
        if not cell.url:
            formula = self._link(kind, token)
        elif url is not None and token is not None and kind is not Kind.TEXT:
            formula, url = leading(url, kind, token), None
        return self._written(kind, token, look, formula, url=url, note=cell.note)

    def _cell(self, kind: Kind, token: bytes | None) -> bytes:
        if token is None:
            return self._empty
        formula = self._link(kind, token)
        marks = self._marks.links if formula else self._marks.plain
        return self._written(kind, token, marks[shown_kind(kind, token)], formula)

    def _link(self, kind: Kind, token: bytes | None) -> bytes:
        """The formula by which a cell of a column of links is one."""
        if self._address is None or not token:
            return b""
        formula = b"" if kind is Kind.FORMULA else self._address.formulas(kind, [token])[0]
        if not formula:
            self._converted["url"] += 1
        return formula

    def _written(
        self,
        kind: Kind,
        token: bytes | None,
        look: StyledMarkup,
        formula: bytes,
        *,
        url: str | None = None,
        note: str | None = None,
    ) -> bytes:
        if kind is Kind.FORMULA and token is not None:
            return self._formula(token, look, note)
        remark = _annotation(note)
        if token is None:
            start = self._start + look.marks
            return start + b">" + remark + b"</table:table-cell>" if remark else start + b"/>"
        before = self._start + formula + self._before(kind, look)
        if kind is Kind.TEXT:
            before = before.removesuffix(b"<text:p>") + remark + b"<text:p>"
            return before + (token if url is None else _anchored(token, url)) + _AFTER_TEXT
        if remark:
            return before + token + b'">' + remark + _SHOWN + _AFTER_TEXT
        return before + token + _AFTER

    def _formula(self, token: bytes, look: StyledMarkup, note: str | None) -> bytes:
        text, kind_name, cached = token.split(SEPARATOR)
        kind = Kind(kind_name.decode())
        translated = open_formula(text.decode())
        formula = b""
        if translated is None:
            self._converted["formula"] += 1
        else:
            formula = f" table:formula={attribute('of:=' + translated)}".encode()
        if kind is Kind.EMPTY:
            before = self._start + look.marks + formula
            return before + b">" + _annotation(note) + b"</table:table-cell>"
        return self._written(kind, cached, look, formula, note=note)


class _CellStyling(NamedTuple):
    look: StyledMarkup
    cell: Cell
    url: str | None  # where it leads


def settle(writers: Sequence[CellWriter], formatted: Sequence[FormattedColumn]) -> None:
    """Settle how the dressed cells of some rows look, before any of their parts is asked for."""
    for row, at in styled_places(formatted):
        writers[at].dress(row, formatted[at])


def _kinds(formatted: FormattedColumn) -> Sequence[Kind]:
    return formatted.kinds or [formatted.kind or Kind.EMPTY] * len(formatted.tokens)


def _after(kind: Kind) -> bytes:
    return _AFTER_TEXT if kind is Kind.TEXT else _AFTER


def _annotation(note: str | None) -> bytes:
    if not note:
        return b""
    lines = legal(note).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    inner = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    return f"<office:annotation>{inner}</office:annotation>".encode()


def _anchored(token: bytes, url: str) -> bytes:
    """Each line of a text as a link."""
    start = f'<text:a xlink:type="simple" xlink:href={attribute(url)}>'.encode()
    return LINE.join(start + line + b"</text:a>" for line in token.split(LINE))
