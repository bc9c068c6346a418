"""A column's cells as sheet XML.

Source: ECMA-376 Part 1 §18.3.1.4 (c), §18.18.11 (ST_CellType), §22.9.2.19 (ST_Xstring).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from itertools import repeat

from streamware.columns import Column
from streamware.encoder import Part
from streamware.formats.xlsx.styles import Styles
from streamware.values.cell import SEPARATOR
from streamware.values.kinds import Kind
from streamware.values.speller import Spelled

_LOOKS_ESCAPED = re.compile(rb"_(?=x[0-9A-Fa-f]{4}_)")
_MARKUP = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"))
_STRIPPED = b" \t\n\r"
_ZONE_CHARACTERS = 99  # of a zone's name, for a number format may have 255
_LOOKED_AT = 1024  # bytes of a text, to see how wide it is

# What is shown of dates and times unless the column says otherwise.
_FORMATS = {
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.TIME: "hh:mm:ss",
    Kind.DURATION: "[h]:mm:ss",
}
_TYPES = {Kind.TEXT: b"str", Kind.BOOL: b"b", Kind.JSON: b"str"}
_NUMBERS = frozenset({Kind.NUMBER, Kind.DATE, Kind.DATETIME, Kind.ZONED, Kind.TIME, Kind.DURATION})


class CellText:
    """Markup escaped, and text that looks like an escape of ST_Xstring escaped as one."""

    care = b"&<>_"

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Cells ready to stand within `<t>`."""
        if b"_" in kept and _LOOKS_ESCAPED.search(blob):
            cells = blob.split(SEPARATOR)
            converted["escape"] += sum(_LOOKS_ESCAPED.search(cell) is not None for cell in cells)
            blob = _LOOKS_ESCAPED.sub(b"_x005F_", blob)
        for mark, reference in _MARKUP:
            if mark in kept:
                blob = blob.replace(mark, reference)
        return blob.split(SEPARATOR)


def notation(character: str) -> bytes:
    """A character XML forbids, as Excel writes it (§22.9.2.19): `_x0007_`."""
    return b"_x%04X_" % ord(character)


def column_letters(at: int) -> str:
    """The letters of a column counted from 0: A … Z, AA … XFD."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class CellWriter:
    """Writes the cells of one column."""

    def __init__(
        self,
        column: Column,
        at: int,
        styles: Styles,
        zone: tzinfo,
        *,
        compact: bool,
    ) -> None:
        self._styles = styles
        self._compact = compact
        self._format = column.format
        name = str(zone)[:_ZONE_CHARACTERS].replace('"', "'")
        self._zoned = f'yyyy-mm-dd hh:mm:ss "{name}"'
        self._start = b"<c" if compact else b'<c r="' + column_letters(at).encode()
        self._end_reference = b"" if compact else b'"'
        # Settled now, and not when a cell of the kind comes: equal rows have equal styles then,
        # in whatever batches they came.
        self._around = {kind: self._settle(kind) for kind in Kind}

    def parts(self, spelled: Spelled, numbers: Sequence[bytes]) -> Sequence[Part]:
        """The literals, references and texts of the column, in the rows of these numbers."""
        kind, tokens = spelled.kind, spelled.tokens
        if kind is Kind.EMPTY and not self._compact:
            return ()
        if kind is None or kind is Kind.FORMULA or (kind is Kind.TEXT and _has_edge_blanks(tokens)):
            kinds = spelled.kinds or repeat(kind or Kind.EMPTY)
            return (list(map(self._cell, kinds, tokens, numbers)),)
        before, after = self._around[kind]
        if spelled.sparse and not self._compact:
            start = self._start
            pairs = zip(tokens, numbers, strict=True)
            return ([b"" if t is None else start + n + before + t + after for t, n in pairs],)
        if spelled.sparse:
            start = self._start + before
            return ([b"<c/>" if t is None else start + t + after for t in tokens],)
        if self._compact:
            return (self._start + before, tokens, after)
        return (self._start, numbers, before, tokens, after)

    def length(self, spelled: Spelled, rows: int) -> int:
        """Characters that the longest of the first `rows` cells shows, more or less."""
        kinds = (spelled.kinds or [spelled.kind or Kind.EMPTY] * rows)[:rows]
        return max(map(self._shown, kinds, spelled.tokens), default=0)

    def _shown(self, kind: Kind, token: bytes | None) -> int:
        if token is None or kind in (Kind.EMPTY, Kind.FORMULA, Kind.BOOL):
            return 0
        if kind in (Kind.TEXT, Kind.JSON):
            return max(
                len(line.decode("utf-8", "ignore")) for line in token[:_LOOKED_AT].split(b"\n")
            )
        return len(token) if kind is Kind.NUMBER else len(self._code(kind) or "")

    def _settle(self, kind: Kind) -> tuple[bytes, bytes]:
        """What stands between a cell's reference and its text, and behind it."""
        style = self._style(kind)
        end = self._end_reference + style
        if kind in (Kind.TEXT, Kind.JSON):
            return end + b' t="inlineStr"><is><t>', b"</t></is></c>"
        if kind is Kind.BOOL:
            return end + b' t="b"><v>', b"</v></c>"
        return end + b"><v>", b"</v></c>"

    def _style(self, kind: Kind) -> bytes:
        code = self._code(kind)
        return b"" if code is None else b' s="%d"' % self._styles.index(code)

    def _code(self, kind: Kind) -> str | None:
        """The number format of cells of this kind."""
        if self._format and (kind in _NUMBERS or kind is Kind.FORMULA):
            return self._format
        return self._zoned if kind is Kind.ZONED else _FORMATS.get(kind)

    def _cell(self, kind: Kind, token: bytes | None, number: bytes) -> bytes:
        if token is None:
            return b"<c/>" if self._compact else b""
        start = self._start if self._compact else self._start + number
        if kind is Kind.FORMULA:
            return start + self._end_reference + self._formula(token)
        before, after = self._around[kind]
        if kind is Kind.TEXT and token.strip(_STRIPPED) != token:
            before = before.replace(b"<t>", b'<t xml:space="preserve">')
        return start + before + token + after

    def _formula(self, token: bytes) -> bytes:
        # Nobody reads the escapes of ST_Xstring in a formula, though the schema has them there.
        text, kind_name, cached = token.split(SEPARATOR)
        for mark, reference in _MARKUP:
            text = text.replace(mark, reference)
        kind = Kind(kind_name.decode())
        type_ = _TYPES.get(kind)
        marks = self._style(kind if kind in _NUMBERS else Kind.FORMULA)
        marks += b"" if type_ is None else b' t="' + type_ + b'"'
        value = b"" if kind is Kind.EMPTY else b"<v>" + cached + b"</v>"
        return marks + b"><f>" + text + b"</f>" + value + b"</c>"


def _has_edge_blanks(tokens: Sequence[bytes | None]) -> bool:
    # A text without any is stripped to itself, which makes the comparison one of identities.
    present = [token for token in tokens if token] if None in tokens else tokens
    return list(map(bytes.strip, present)) != present  # type: ignore[arg-type]  # no None is left
