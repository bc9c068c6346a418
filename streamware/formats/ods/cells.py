"""Writes the cells of a column as XML.

Source: OpenDocument 1.3 Part 3 §9.1.4 (table:table-cell), §6.1.2 (white space), §19.385
(office:value-type) and its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple
from xml.sax.saxutils import escape

from streamware.formats.kernel_rows import Around, KernelColumn, kernel_column, markup_of
from streamware.formats.ods.address import Address, link_formula, link_target
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.shown import shown_text, shown_texts, shows_value
from streamware.formats.ods.style_registry import StyledMarkup, StyleRegistry
from streamware.formats.ods.white_space import LINE
from streamware.formats.protocol import Part
from streamware.formats.spreadsheet.column_style import LINK, ColumnStyle, shown_kind, styled_places
from streamware.formats.text import legal
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.model.style import Style
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

_TEXT = b"<text:p>"
_DATE = b' office:value-type="date" office:date-value="'
_TIME = b' office:value-type="time" office:time-value="'
_BEFORE = {
    Kind.TEXT: b' office:value-type="string">' + _TEXT,
    Kind.BOOL: b' office:value-type="boolean" office:boolean-value="',
    Kind.DATE: _DATE,
    Kind.DATETIME: _DATE,
    Kind.ZONED: _DATE,
    Kind.TIME: _TIME,
    Kind.DURATION: _TIME,
}
_START, _END = b"<table:table-cell", b"</table:table-cell>"
# What is after a value, and before the text that the cell shows.
_BETWEEN = b'">' + _TEXT
_AFTER = b"</text:p>" + _END
WORDS = (b"false" + _BETWEEN + b"FALSE", b"true" + _BETWEEN + b"TRUE")
"""False and True, each with the text that its cell shows."""
_BOOLS = dict(zip((b"false", b"true"), WORDS, strict=True))


_ARRAY = b' table:number-matrix-columns-spanned="1" table:number-matrix-rows-spanned="1"'


class CellWriter:
    """Writes the cells of one column.

    Args:
        column: The column.
        style: How its cells look.
        registry: The styles of the document.
        converted: Counts links that are left out, and formulas that are not translated.
        validation: Name of the validation of its cells, or None.

    Attributes:
        style: How its cells look.
    """

    def __init__(
        self,
        column: Column,
        style: ColumnStyle,
        registry: StyleRegistry,
        *,
        converted: Counter[str],
        validation: str | None = None,
    ) -> None:
        self.style = style  # of its cells
        self._registry = registry  # of the styles of the document
        self._converted = converted  # counts links and formulas that are left out
        # The address that its cells link to, if they are links.
        self._address = None if column.url is None else Address(column.url)
        checked = f' table:content-validation-name="{validation}"' if validation else ""
        self._start = _START + checked.encode()  # of every cell
        self._empty = self._start + b"/>"  # an empty cell
        self._markup = registry.cell_markup(style, linked=column.url is not None)  # by kind
        # Styles of the coming cells that have their own, by their row in the batch.
        self._stylings: dict[int, _CellStyling] = {}

    def style_cell(self, row: int, formatted: FormattedColumn) -> None:
        """Register the style of a cell that has its own, before `parts` writes it.

        Args:
            row: Its row in the batch, from 0.
            formatted: The column.
        """
        cell: Cell = (formatted.styled or {})[row]
        token = formatted.tokens[row]
        kind = formatted.kinds[row] if formatted.kinds else formatted.kind
        if kind is None or token is None:
            kind = Kind.EMPTY
        base = self.style.style(shown_kind(kind, token))
        url = link_target(cell.url) if cell.url else None
        if cell.url and (url is None or token is None or kind is Kind.FORMULA):
            self._converted["link"] += 1
            url = None
        if url is not None or (token and not cell.url and self._address is not None):
            base = LINK.over(base)
        style = base if cell.style is None else cell.style.over(base)
        self._stylings[row] = _CellStyling(self._registry.styled_markup(style), cell, url)

    def parts(self, formatted: FormattedColumn) -> Sequence[Part]:
        """Return the parts of the column in every row."""
        kind, tokens = formatted.kind, formatted.tokens
        if formatted.styled:
            return (self._styled(formatted),)
        if kind is Kind.EMPTY:
            return (self._empty,)
        if kind is None or kind is Kind.FORMULA:
            return (list(map(self._cell, formatted.kinds or repeat(Kind.FORMULA), tokens)),)
        if self._address is not None:
            return self._link_column(self._address, kind, formatted)
        markup = self._markup.plain[kind]
        before = self._start + self._value_start(kind, markup)
        if kind is Kind.TEXT:
            if formatted.sparse:
                empty = self._empty
                return ([empty if t is None else before + t + _AFTER for t in tokens],)
            return (before, tokens, _AFTER)
        if formatted.sparse:
            return (self._sparse_values(kind, markup, tokens),)
        if kind is Kind.BOOL:
            return (before, list(map(_BOOLS.__getitem__, tokens)), _AFTER)
        return (before, tokens, _BETWEEN, shown_texts(kind, tokens, markup.code), _AFTER)

    def kernel_column(self, column: Column) -> KernelColumn:
        """Return the markup of the column for the kernel, as far as cells show their values."""
        around: dict[Kind, Around] = {}
        for kind in (Kind.TEXT, Kind.BOOL):
            before = self._start + self._value_start(kind, self._markup.plain[kind])
            around[kind] = (before, _AFTER)
        for kind in (Kind.NUMBER, Kind.DATE, Kind.DATETIME):
            markup = self._markup.plain[kind]
            if shows_value(kind, markup.code):
                before = self._start + self._value_start(kind, markup)
                around[kind] = (before, _AFTER, _BETWEEN)
        return kernel_column(column.kind, markup_of(self._empty, around))

    def calculated_cell(self, kind: Kind, token: bytes, style: Style, formula: str) -> bytes:
        """Return a cell with a formula in OpenFormula and its value, outside of the rows.

        A cell of the kind EMPTY has no value: it is calculated when the document is opened.
        """
        markup = self._registry.styled_markup(style)
        start = _START + _formula_attribute(formula)
        if kind is Kind.EMPTY:
            return start + markup.style + b"/>"
        shown = shown_text(kind, token, markup.code)
        return start + self._value_start(kind, markup) + token + _BETWEEN + shown + _AFTER

    def _sparse_values(
        self, kind: Kind, markup: StyledMarkup, tokens: Sequence[bytes | None]
    ) -> list[bytes]:
        """Return the cells of a column of one kind, which is not text, some of them empty."""
        present = [token for token in tokens if token is not None]
        start = (self._start + self._value_start(kind, markup)).replace(b"%", b"%%")
        cell = start + b"%b" + _BETWEEN + b"%b" + _AFTER
        shown = shown_texts(kind, present, markup.code)
        following = map(cell.__mod__, zip(present, shown, strict=True)).__next__
        empty = self._empty
        return [empty if token is None else following() for token in tokens]

    def _value_start(self, kind: Kind, markup: StyledMarkup) -> bytes:
        """Return what is between the start of a cell and its value."""
        if kind is Kind.NUMBER:
            return markup.style + markup.value_type + b' office:value="'
        return markup.style + _BEFORE[kind]

    def _link_column(
        self, address: Address, kind: Kind, formatted: FormattedColumn
    ) -> Sequence[Part]:
        """Return the parts of a column of one kind whose cells are links."""
        tokens = formatted.tokens
        formulas = address.formulas(kind, tokens)
        links, plain = self._markup.links[kind], self._markup.plain[kind]
        if b"" not in formulas:
            before = self._value_start(kind, links)
            if kind is Kind.TEXT:
                return (self._start, formulas, before, tokens, _AFTER)
            shown = shown_texts(kind, tokens, links.code)
            return (self._start, formulas, before, tokens, _BETWEEN, shown, _AFTER)
        if unlinked := formulas.count(b"") - tokens.count(None) - tokens.count(b""):
            self._converted["url"] += unlinked
        cells = [
            self._empty
            if token is None
            else self._xml(kind, token, links if formula else plain, formula)
            for formula, token in zip(formulas, tokens, strict=True)
        ]
        return (cells,)

    def _styled(self, formatted: FormattedColumn) -> list[bytes]:
        """Return the cells of a column, some with a style, a link or a note of their own."""
        stylings, self._stylings = self._stylings, {}
        kinds = formatted.kinds or [formatted.kind or Kind.EMPTY] * len(formatted.tokens)
        cells = []
        for at, (kind, token) in enumerate(zip(kinds, formatted.tokens, strict=True)):
            if at not in stylings:
                cells.append(self._cell(kind, token))
                continue
            markup, cell, url = stylings[at]
            formula = b""
            if not cell.url:
                formula = self._column_link(kind, token)
            elif url is not None and token is not None and kind is not Kind.TEXT:
                formula, url = link_formula(url, kind, token), None
            cells.append(self._xml(kind, token, markup, formula, url=url, note=cell.note))
        return cells

    def _cell(self, kind: Kind, token: bytes | None) -> bytes:
        if token is None:
            return self._empty
        formula = self._column_link(kind, token)
        markup = self._markup.links if formula else self._markup.plain
        return self._xml(kind, token, markup[shown_kind(kind, token)], formula)

    def _column_link(self, kind: Kind, token: bytes | None) -> bytes:
        """Return the formula that links a cell to the address of its column; empty if none does."""
        if self._address is None or not token:
            return b""
        formula = b"" if kind is Kind.FORMULA else self._address.formulas(kind, [token])[0]
        if not formula:
            self._converted["url"] += 1
        return formula

    def _xml(
        self,
        kind: Kind,
        token: bytes | None,
        markup: StyledMarkup,
        formula: bytes,
        *,
        url: str | None = None,
        note: str | None = None,
    ) -> bytes:
        """Return a cell.

        Args:
            kind: Its kind.
            token: Its text.
            markup: The attributes for its style.
            formula: Its attribute `table:formula`, if it has one.
            url: The address that its text links to.
            note: Its note.
        """
        if kind is Kind.FORMULA and token is not None:
            return self._formula_cell(token, markup, note)
        annotation = _annotation(note)
        if token is None:
            start = self._start + markup.style
            return start + b">" + annotation + _END if annotation else start + b"/>"
        before = self._start + formula + self._value_start(kind, markup)
        if kind is Kind.TEXT:
            before = before.removesuffix(_TEXT) + annotation + _TEXT
            if url is not None:  # each line is a link
                start = f'<text:a xlink:type="simple" xlink:href={attribute(url)}>'.encode()
                token = LINE.join(start + line + b"</text:a>" for line in token.split(LINE))
            return before + token + _AFTER
        shown = shown_text(kind, token, markup.code)
        return before + token + b'">' + annotation + _TEXT + shown + _AFTER

    def _formula_cell(self, token: bytes, markup: StyledMarkup, note: str | None) -> bytes:
        text, kind_name, cached, *array = token.split(SEPARATOR)
        kind = Kind(kind_name.decode())
        translated = open_formula(text.decode())
        formula = b"" if translated is None else _formula_attribute(translated)
        if translated is None:
            self._converted["formula"] += 1
        elif array:
            formula += _ARRAY
        if kind is Kind.EMPTY:
            return self._start + markup.style + formula + b">" + _annotation(note) + _END
        return self._xml(kind, cached, markup, formula, note=note)


class _CellStyling(NamedTuple):
    """What a cell has of its own: its style, the cell, and the address that it links to."""

    markup: StyledMarkup
    cell: Cell
    url: str | None


def style_cells(writers: Sequence[CellWriter], formatted: Sequence[FormattedColumn]) -> None:
    """Register the styles of the cells of some rows, before any of their parts is written."""
    for row, at in styled_places(formatted):
        writers[at].style_cell(row, formatted[at])


def _formula_attribute(formula: str) -> bytes:
    return f" table:formula={attribute('of:=' + formula)}".encode()


def _annotation(note: str | None) -> bytes:
    if not note:
        return b""
    lines = legal(note).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    inner = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    return f"<office:annotation>{inner}</office:annotation>".encode()
