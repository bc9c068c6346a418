"""A column's cells as the XML of a table.

Source: OpenDocument 1.3 Part 3 §9.1.4 (table:table-cell), §6.1.2 (white space), §19.385
(office:value-type) and its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from itertools import repeat
from typing import NamedTuple
from xml.sax.saxutils import escape

from streamware.cell import Cell
from streamware.columns import Column
from streamware.encoder import Part
from streamware.formats.ods.address import Address, leading, place
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute, legal
from streamware.formats.ods.styles import Styles
from streamware.formats.ods.white_space import LINE, characters
from streamware.formats.width import least_width, number_width, text_width
from streamware.style import Style
from streamware.values.cell import SEPARATOR
from streamware.values.kinds import Kind
from streamware.values.speller import Spelled

LINK = Style(color="#0563C1", underline=True)
"""How a cell that leads somewhere looks, unless it says otherwise."""

_ZONE_CHARACTERS = 99  # of a zone's name
_AS_TEXT = "@"
_ROOM_OF_SUM = 4  # characters: of a thousand cells it is as much longer
_LOOKED_AT = 1024  # bytes of a text, to see how wide it is

_FORMATS = {
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.TIME: "hh:mm:ss",
    Kind.DURATION: "[h]:mm:ss",
}
_NUMBERS = frozenset({Kind.NUMBER, Kind.DATE, Kind.DATETIME, Kind.ZONED, Kind.TIME, Kind.DURATION})
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
        styles: Those of the document.
        zone: Shown behind date-times that were moved to it.
        converted: Counted into.
        validation: Name of the validation that its cells have, or None.
    """

    def __init__(
        self,
        column: Column,
        styles: Styles,
        zone: tzinfo,
        *,
        converted: Counter[str],
        validation: str | None = None,
    ) -> None:
        self._styles = styles
        self._converted = converted
        self._address = None if column.url is None else Address(column.url)
        self._sums = column.total == "sum"
        self._least = least_width(column)
        self._format = column.format
        self._align, self._wrap = column.align, column.wrap
        name = " ".join(legal(str(zone)).split())[:_ZONE_CHARACTERS].replace('"', "'")
        self._may_be_zoned = column.kind == "datetime" and column.format is None
        self._zoned = f'yyyy-mm-dd hh:mm:ss "{name}"'
        checked = f' table:content-validation-name="{validation}"' if validation else ""
        self._start = _START + checked.encode()
        self._empty = self._start + b"/>"
        # Settled now, and not when a cell of the kind comes: equal rows have equal styles then,
        # in whatever batches they came.
        self._looks = {kind: self._look(self.style(kind)) for kind in Kind}
        self._links = (
            {} if column.url is None else {k: self._look(LINK.over(self.style(k))) for k in Kind}
        )
        self._dressings: dict[int, _Dressing] = {}

    def style(self, kind: Kind) -> Style:
        """How cells of this kind look, unless they say otherwise themselves."""
        return Style(format=self._code(kind), align=self._align, wrap=self._wrap)

    def dress(self, at: int, spelled: Spelled) -> None:
        """Settle how a dressed cell of the coming `parts` looks.

        Args:
            at: Its place in the batch, from 0.
            spelled: The column.
        """
        cell: Cell = (spelled.dressed or {})[at]
        token = spelled.tokens[at]
        kind = spelled.kinds[at] if spelled.kinds else spelled.kind
        if kind is None or token is None:
            kind = Kind.EMPTY
        base = self.style(_shown_kind(kind, token))
        url = place(cell.url) if cell.url else None
        if cell.url and (url is None or token is None or kind is Kind.FORMULA):
            self._converted["link"] += 1
            url = None
        if url is not None or (token and not cell.url and self._address is not None):
            base = LINK.over(base)
        style = base if cell.style is None else cell.style.over(base)
        self._dressings[at] = _Dressing(self._look(style), cell, url)

    def parts(self, spelled: Spelled) -> Sequence[Part]:
        """The literals and texts of the column."""
        kind, tokens = spelled.kind, spelled.tokens
        if spelled.dressed:
            return (self._dressed(spelled),)
        if kind is Kind.EMPTY:
            return (self._empty,)
        if kind is None or kind is Kind.FORMULA:
            return (list(map(self._cell, spelled.kinds or repeat(Kind.FORMULA), tokens)),)
        if self._address is not None:
            return self._links_of(self._address, kind, spelled)
        before = self._start + self._before(kind, self._looks[kind])
        after = _after(kind)
        if spelled.sparse:
            empty = self._empty
            return ([empty if t is None else before + t + after for t in tokens],)
        return (before, tokens, after)

    def calculated(self, kind: Kind, token: bytes, style: Style, formula: str) -> bytes:
        """A cell of its own with a formula of OpenFormula, and its value."""
        marks = f" table:formula={attribute('of:=' + formula)}".encode()
        look = self._look(style)
        return _START + marks + self._before(kind, look) + token + _AFTER

    def length(self, spelled: Spelled, rows: int) -> int:
        """Characters that the longest of the first `rows` cells shows, more or less."""
        kinds = (spelled.kinds or [spelled.kind or Kind.EMPTY] * rows)[:rows]
        codes = [
            None if cell is None or cell.style is None else cell.style.format
            for cell in map((spelled.dressed or {}).get, range(len(kinds)))
        ]
        longest = max(map(self._shown, kinds, spelled.tokens, codes), default=0)
        if not longest and self._may_be_zoned:
            return number_width(self._zoned)
        return max(longest + (_ROOM_OF_SUM if self._sums and longest else 0), self._least)

    def _shown(self, kind: Kind, token: bytes | None, code: str | None = None) -> int:
        if token is None or kind in (Kind.EMPTY, Kind.FORMULA, Kind.BOOL):
            return 0
        if kind is Kind.TEXT:
            lines = characters(token[:_LOOKED_AT]).split(b"\n")
            return max(text_width(line.decode("utf-8", "ignore")) for line in lines)
        code = code or self._code(kind)
        if kind is not Kind.NUMBER:
            return number_width(code or "")
        return len(token) if code is None else number_width(code, float(token))

    # What a cell has before its value

    def _code(self, kind: Kind) -> str | None:
        """The number format of cells of this kind."""
        if self._format and (kind in _NUMBERS or kind is Kind.FORMULA):
            return self._format
        if self._format == _AS_TEXT and kind is Kind.TEXT:
            return self._format
        return self._zoned if kind is Kind.ZONED else _FORMATS.get(kind)

    def _look(self, style: Style) -> _Look:
        return _Look(self._styles.marks(style), self._styles.number_marks(style))

    def _before(self, kind: Kind, look: _Look) -> bytes:
        """What stands between the start of a cell and its value."""
        if kind is Kind.NUMBER:
            return look.marks + look.number + b' office:value="'
        return look.marks + _BEFORE[kind]

    # A column of links

    def _links_of(self, address: Address, kind: Kind, spelled: Spelled) -> Sequence[Part]:
        tokens = spelled.tokens
        formulas = address.formulas(kind, tokens)
        before, after = self._before(kind, self._links[kind]), _after(kind)
        if b"" not in formulas:
            return (self._start, formulas, before, tokens, after)
        start, plain = self._start, self._start + self._before(kind, self._looks[kind])
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

    def _dressed(self, spelled: Spelled) -> list[bytes]:
        dressings, self._dressings = self._dressings, {}
        kinds = _kinds(spelled)
        cells = []
        for at, (kind, token) in enumerate(zip(kinds, spelled.tokens, strict=True)):
            dressing = dressings.get(at)
            if dressing is None:
                cells.append(self._cell(kind, token))
            else:
                cells.append(self._own(kind, token, dressing))
        return cells

    def _own(self, kind: Kind, token: bytes | None, dressing: _Dressing) -> bytes:
        look, cell, url = dressing
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
        looks = self._links if formula else self._looks
        return self._written(kind, token, looks[_shown_kind(kind, token)], formula)

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
        look: _Look,
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

    def _formula(self, token: bytes, look: _Look, note: str | None) -> bytes:
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


class _Look(NamedTuple):
    """What a cell has of its style, and a number besides."""

    marks: bytes
    number: bytes


class _Dressing(NamedTuple):
    look: _Look
    cell: Cell
    url: str | None  # where it leads


def settle(writers: Sequence[CellWriter], spelled: Sequence[Spelled]) -> None:
    """Settle the styles of the dressed cells of some rows, before any of their parts is asked for.

    It goes row by row, not column by column, so that equal rows have equal styles in whatever
    batches they come.
    """
    places = [(row, at) for at, column in enumerate(spelled) for row in column.dressed or ()]
    for row, at in sorted(places):
        writers[at].dress(row, spelled[at])


def _kinds(spelled: Spelled) -> Sequence[Kind]:
    return spelled.kinds or [spelled.kind or Kind.EMPTY] * len(spelled.tokens)


def _after(kind: Kind) -> bytes:
    return _AFTER_TEXT if kind is Kind.TEXT else _AFTER


def _shown_kind(kind: Kind, token: bytes | None) -> Kind:
    """The kind whose format a cell has: that of its value, where it is a formula."""
    if kind is not Kind.FORMULA or token is None:
        return kind
    valued = Kind(token.split(SEPARATOR)[1].decode())
    return valued if valued in _NUMBERS else kind


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
