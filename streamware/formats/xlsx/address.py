"""Links the cells of a column to addresses with formulas: any number, as none stays in memory.

Source: ECMA-376 Part 1 §18.17.7.147 (HYPERLINK), §18.17.2.2 (constants).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from streamware.formats.spreadsheet.address import address_in, percent_encoded, without_prefix
from streamware.formats.text import legal, unescaped
from streamware.model.columns import MAX_LITERAL
from streamware.model.utf16 import units
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.dates import EPOCH, iso_duration
from streamware.values.kinds import Kind

LINKED = frozenset({*Kind} - {Kind.EMPTY, Kind.FORMULA, Kind.JSON})
"""The kinds of cells that can be such a link."""

_ESCAPED = re.compile(rb"_x005F_(?=x[0-9A-Fa-f]{4}_)")
_WORDS = {b"1": b"TRUE", b"0": b"FALSE"}


class Address:
    """An address that contains the text of a cell.

    Args:
        template: The address, with `{}` for the percent-encoded text.  If it begins with `{}`, the
            text is an address itself, and is encoded only as needed.
        epoch: The day whose serial is 0 in the workbook.
    """

    def __init__(self, template: str, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch  # the day whose serial is 0
        around = without_prefix(template).split("{}")
        self._around = [_escaped(legal(part)) for part in around]  # the template around the texts
        self._whole = template.startswith("{}")  # whether the text is an address itself
        # The most characters that an encoded text may have, which is in every `{}`.
        self._room = (MAX_LITERAL - sum(map(units, around))) // (len(around) - 1)

    def formulas(self, kind: Kind, tokens: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the element `f` for each cell of this kind; None for an empty or too long one."""
        if self._whole or kind not in (Kind.TEXT, Kind.NUMBER):
            return [self.formula(kind, token) if token else None for token in tokens]
        texts = SEPARATOR.join([token or b"" for token in tokens])
        mark = b'"' if kind is Kind.TEXT else b""
        quoted = percent_encoded(_shown(kind, texts, self._epoch)).split(SEPARATOR)
        literals = _literal(kind, texts).split(SEPARATOR)
        if max(map(len, quoted)) > self._room:
            return [self.formula(kind, token) if token else None for token in tokens]
        around, comma, end = self._around, b'",' + mark, mark + b")</f>"
        return [
            b'<f>HYPERLINK("' + text.join(around) + comma + literal + end if token else None
            for text, literal, token in zip(quoted, literals, tokens, strict=True)
        ]

    def formula(self, kind: Kind, token: bytes) -> bytes | None:
        """Return the element `f` for one cell; None if it is empty, too long or not linkable."""
        if not token or kind not in LINKED:
            return None
        if self._whole:
            return self._of_address(token) if kind is Kind.TEXT else None
        quoted = percent_encoded(_shown(kind, token, self._epoch))
        if len(quoted) > self._room:  # the literal is never longer than `quoted`
            return None
        mark = b'"' if kind is Kind.TEXT else b""
        literal = mark + _literal(kind, token) + mark
        return b'<f>HYPERLINK("' + quoted.join(self._around) + b'",' + literal + b")</f>"

    def _of_address(self, token: bytes) -> bytes | None:
        text = unescaped(_without_escapes(token)).decode()
        address = address_in(text)
        if address is None or units(text) > MAX_LITERAL:
            return None
        first, *others = self._around[1:]
        inner = _escaped(address) + percent_encoded(text.encode()).join([first, *others])
        if units(unescaped(inner).replace(b'""', b'"').decode()) > MAX_LITERAL:
            return None
        return b'<f>HYPERLINK("' + inner + b'","' + _literal(Kind.TEXT, token) + b'")</f>'


def _literal(kind: Kind, token: bytes) -> bytes:
    """Return the value of a cell as a constant of a formula; for a text, without its quotes."""
    if kind is Kind.TEXT:
        return _without_escapes(token).replace(b'"', b'""')
    return _WORDS[token] if kind is Kind.BOOL else token.upper()  # the exponent of a number


def _shown(kind: Kind, token: bytes, epoch: datetime) -> bytes:
    """Return the text of a cell, with dates and durations as in ISO 8601."""
    if kind is Kind.TEXT:
        return unescaped(_without_escapes(token))
    if kind is Kind.BOOL:
        return _WORDS[token].lower()
    if kind is Kind.NUMBER:
        return token
    span = timedelta(days=float(token))
    if kind in (Kind.DURATION, Kind.NEGATIVE):
        return iso_duration(span).encode()
    moment = epoch + span
    if kind is Kind.DATE:
        return moment.date().isoformat().encode()
    return (moment.time() if kind is Kind.TIME else moment).isoformat().encode()


def _without_escapes(blob: bytes) -> bytes:
    """Return `blob` without the escapes of ST_Xstring, which programs do not read in a formula."""
    return _ESCAPED.sub(b"_", blob) if b"_x005F_" in blob else blob


def _escaped(text: str) -> bytes:
    """Return a text as a string literal of a formula, without its quotes."""
    return escape(text.replace('"', '""')).encode()
