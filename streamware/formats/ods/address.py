"""Writes links as HYPERLINK formulas.

In a formula a number, a date or a boolean keeps its type; in a `text:a` it would be text.  And
LibreOffice needs a fifth of the memory for a formula that it needs for a text with a link in it.

Source: OpenDocument 1.3 Part 4 §6.11.5 (HYPERLINK), §5.4 (constants).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamware.formats.ods.serials import parse_duration, serial
from streamware.formats.ods.white_space import characters
from streamware.formats.spreadsheet.address import (
    address_in,
    parts_of,
    percent_encoded,
    without_prefix,
)
from streamware.formats.text import legal
from streamware.model.columns import MAX_LITERAL
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.dates import iso_duration
from streamware.values.kinds import Kind

_ATTRIBUTE = (
    (b"&", b"&amp;"),
    (b"<", b"&lt;"),
    (b'"', b"&quot;&quot;"),  # doubled, because it is in a string literal
    (b"\n", b"&#10;"),
    (b"\t", b"&#9;"),
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_START, _END = b' table:formula="of:=HYPERLINK(&quot;', b')"'


class Address:
    """The address that the cells of a column link to.

    Args:
        template: The address, with `{}` for the percent-encoded text of the cell.  If it starts
            with `{}`, the text is an address itself, and is encoded only as needed.
    """

    def __init__(self, template: str) -> None:
        around = file_url(without_prefix(template)).split("{}")
        # The template around the texts, as in a string literal of a formula.
        self._around = [_literal(legal(part).encode()) for part in around]
        self._text_is_address = template.startswith("{}")
        # The most bytes that a percent-encoded text may have, which is in every `{}`.
        self._room = (MAX_LITERAL - sum(map(len, around))) // (len(around) - 1)

    def formulas(self, kind: Kind, tokens: Sequence[bytes | None]) -> list[bytes]:
        """Return the formula of each cell of this kind; empty if the cell is empty or too long."""
        if self._text_is_address:
            found = [t if kind is Kind.TEXT else None for t in tokens]
            return [
                self._formula_of_address(characters(token)) if token else b"" for token in found
            ]
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

    def _formula_of_address(self, text: bytes) -> bytes:
        """Return the formula of a cell with a text; empty if the text is not an address."""
        address = address_in(text.decode())
        if address is None or not _fits(text):
            return b""
        first, *others = self._around[1:]
        inner = _literal(address.encode()) + percent_encoded(text).join([first, *others])
        if len(characters(inner.replace(b"&quot;&quot;", b'"')).decode()) > MAX_LITERAL:
            return b""
        return _START + inner + b"&quot;;&quot;" + _literal(text) + b'&quot;)"'

    def _formula(self, kind: Kind, token: bytes) -> bytes:
        """Return the formula of a cell that is not a text; empty if it is too long.

        In its address, durations are in ISO 8601.
        """
        text = token
        if kind is Kind.DURATION:
            text = iso_duration(parse_duration(token)).encode()
        elif kind is Kind.TIME:
            hours, minutes, seconds = token[2:-1].replace(b"H", b"M").split(b"M")
            text = b":".join([hours, minutes, seconds])
        address = percent_encoded(text)
        if len(address) > self._room:
            return b""
        return _START + address.join(self._around) + b"&quot;;" + _constant(kind, token) + _END


def link_formula(url: str, kind: Kind, token: bytes) -> bytes:
    """Return the formula of a cell, not a text, that links to an address from `link_target`."""
    return _START + _literal(url.encode()) + b"&quot;;" + _constant(kind, token) + _END


def file_url(address: str) -> str:
    """Return the path of a file as a URL, without the backslashes that Excel writes in one."""
    if address.startswith("\\\\") or _DRIVE.match(address):
        address = f"file:///{address}"
    if not address.lower().startswith("file:"):
        return address
    address = address.replace("\\", "/")
    return f"file://{address[10:]}" if address.startswith("file://///") else address


def link_target(url: str) -> str | None:
    """Return an address as ODF writes it, or None if `url` is not an address.

    Within the document it is `#Other.A1` instead of `#Other!A1`.  What is beside the document is
    one folder up, because the document itself counts as a folder (OpenDocument 1.3 Part 2 §3.7).
    """
    parts = parts_of(url)
    if parts is None:
        return None
    address, fragment = parts
    if address:
        address = file_url(address)
        if not _SCHEME.match(address) and not address.startswith("/"):
            address = f"../{address.removeprefix('./')}"
        return f"{address}#{fragment}" if fragment else address
    sheet, mark, cell = fragment.rpartition("!")
    return f"#{sheet}.{cell}" if mark else f"#{fragment}"


def _fits(text: bytes) -> bool:
    """Return whether a text can be a string literal of a formula."""
    return len(text.decode()) <= MAX_LITERAL


def _literal(text: bytes) -> bytes:
    """Return a text as a string literal of a formula in an attribute, without its quotes."""
    for mark, reference in _ATTRIBUTE:
        text = text.replace(mark, reference)
    return text


def _constant(kind: Kind, token: bytes) -> bytes:
    """Return the value of a cell as a constant of a formula."""
    if kind is Kind.BOOL:
        return token.upper() + b"()"
    if kind is Kind.NUMBER:
        return token.upper()  # the E of an exponent
    return serial(kind, token)
