"""White space in text: what would be lost in a paragraph has elements of its own.

A tab has none here: LibreOffice 7 and calamine keep one as it is, and lose a `text:tab`; to a
reader by the letter it is a blank.

Source: OpenDocument 1.3 Part 3 §6.1.2 (white space), §6.1.3 (text:s).
"""

from __future__ import annotations

import re
from collections import Counter

from streamware.formats.text import MARKUP, unescaped
from streamware.values.cell import SEPARATOR

LINE = b"</text:p><text:p>"
"""A line's end: a cell has a paragraph for each line."""

_BLANKS = re.compile(rb"(?:\A|(?<=[\x1f\n])) +|  +| +(?=[\x1f\n]|\Z)")
_WRITTEN = re.compile(rb'<text:s text:c="([0-9]+)"/>')
_ODD = (b"  ", SEPARATOR + b" ", b" " + SEPARATOR, b"\n ", b" \n")


class CellText:
    """Markup escaped; line ends, and blanks that would be lost, as elements."""

    care = b"&<>\n "

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Cells ready to stand within `text:p`."""
        for mark, reference in MARKUP:
            if mark in kept:
                blob = blob.replace(mark, reference)
        if b" " in kept and _has_odd_blanks(blob):
            blob = _BLANKS.sub(lambda found: b'<text:s text:c="%d"/>' % len(found[0]), blob)
        if b"\n" in kept:
            blob = blob.replace(b"\n", LINE)
        return blob.split(SEPARATOR)


def characters(blob: bytes) -> bytes:
    """The text that `CellText` made this of."""
    if b"<" in blob:
        blob = blob.replace(LINE, b"\n")
        blob = _WRITTEN.sub(lambda found: b" " * int(found[1]), blob)
    return unescaped(blob)


def _has_odd_blanks(blob: bytes) -> bool:
    # At an end of a line, or behind another one.
    return blob.startswith(b" ") or blob.endswith(b" ") or any(odd in blob for odd in _ODD)
