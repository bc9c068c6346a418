"""Addresses made of the cells of a column, as formulas.

A number, a date or a truth stays one so, which within a `text:a` it would not; and a formula
takes LibreOffice a fifth of the memory of a text with a link inside.

Source: OpenDocument 1.3 Part 4 §6.11.5 (HYPERLINK), §5.4 (constants).
"""

from __future__ import annotations

from collections.abc import Sequence

from streamware.formats.ods.serials import serial, span
from streamware.formats.ods.white_space import characters
from streamware.formats.spreadsheet.address import address_in, parts_of, percent_encoded
from streamware.formats.text import legal
from streamware.model.columns import MAX_LITERAL
from streamware.values.cell import SEPARATOR
from streamware.values.kinds import Kind
from streamware.values.tokens import iso_duration

_ATTRIBUTE = (
    (b"&", b"&amp;"),
    (b"<", b"&lt;"),
    (b'"', b"&quot;&quot;"),  # doubled, for it stands within a literal
    (b"\n", b"&#10;"),
    (b"\t", b"&#9;"),
)
_START, _END = b' table:formula="of:=HYPERLINK(&quot;', b')"'


class Address:
    """An address in which the text of a cell stands.

    Args:
        template: The address, `{}` where the text stands, quoted for an address.  Where it begins
            with `{}`, the text is an address itself, and quoted only as far as one needs it.
    """

    def __init__(self, template: str) -> None:
        around = template.split("{}")
        self._around = [_literal(legal(part).encode()) for part in around]
        self._whole = template.startswith("{}")
        self._room = (MAX_LITERAL - sum(map(len, around))) // (len(around) - 1)

    def formulas(self, kind: Kind, tokens: Sequence[bytes | None]) -> list[bytes]:
        """The formula of each cell of this kind; empty where the cell is, or too long for one."""
        if self._whole:
            found = [t if kind is Kind.TEXT else None for t in tokens]
            return [self._of_address(characters(token)) if token else b"" for token in found]
        if kind is not Kind.TEXT:
            return [self._formula(kind, token) if token else b"" for token in tokens]
        texts = characters(SEPARATOR.join([token or b"" for token in tokens]))
        literals = _literal(texts).split(SEPARATOR)
        addresses = percent_encoded(texts).split(SEPARATOR)
        around, start, end = self._around, _START, b'&quot;)"'
        pairs = zip(addresses, literals, texts.split(SEPARATOR), strict=True)
        return [
            start + address.join(around) + b"&quot;;&quot;" + literal + end
            if 0 < len(address) <= self._room and (len(text) <= MAX_LITERAL or _fits(text))
            else b""
            for address, literal, text in pairs
        ]

    def _of_address(self, text: bytes) -> bytes:
        address = address_in(text.decode())
        if address is None or not _fits(text):
            return b""
        first, *others = self._around[1:]
        inner = _literal(address.encode()) + percent_encoded(text).join([first, *others])
        if len(characters(inner.replace(b"&quot;&quot;", b'"')).decode()) > MAX_LITERAL:
            return b""
        return _START + inner + b"&quot;;&quot;" + _literal(text) + b'&quot;)"'

    def _formula(self, kind: Kind, token: bytes) -> bytes:
        address = percent_encoded(_shown(kind, token))
        if len(address) > self._room:
            return b""
        return _START + address.join(self._around) + b"&quot;;" + _value(kind, token) + _END


def leading(url: str, kind: Kind, token: bytes) -> bytes:
    """The formula by which a cell that is no text leads to this address, as `place` has it."""
    return _START + _literal(url.encode()) + b"&quot;;" + _value(kind, token) + _END


def place(url: str) -> str | None:
    """An address; one within the document as ODF has it: `#Other.A1`, not `#Other!A1`.

    None where it is no address.
    """
    parted = parts_of(url)
    if parted is None:
        return None
    address, spot = parted
    if address:
        return f"{address}#{spot}" if spot else address
    sheet, mark, cell = spot.rpartition("!")
    return f"#{sheet}.{cell}" if mark else f"#{spot}"


def _fits(text: bytes) -> bool:
    return len(text.decode()) <= MAX_LITERAL


def _literal(text: bytes) -> bytes:
    for mark, reference in _ATTRIBUTE:
        text = text.replace(mark, reference)
    return text


def _shown(kind: Kind, token: bytes) -> bytes:
    """The text of a cell, spans as in ISO 8601."""
    if kind is Kind.DURATION:
        return iso_duration(span(token)).encode()
    if kind is Kind.TIME:
        hours, minutes, seconds = token[2:-1].replace(b"H", b"M").split(b"M")
        return b":".join([hours, minutes, seconds])
    return token


def _value(kind: Kind, token: bytes) -> bytes:
    """A cell's value within a formula."""
    if kind is Kind.BOOL:
        return token.upper() + b"()"
    if kind is Kind.NUMBER:
        return token.upper()  # the exponent
    return serial(kind, token)
