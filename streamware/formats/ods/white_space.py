"""Escapes cell text: markup, line breaks, and the blanks that a paragraph would lose.

A tab stays as it is.  The standard asks for `text:tab`, but LibreOffice 7 and calamine lose that
and keep a tab; a reader that follows the standard to the letter shows a blank.

Source: OpenDocument 1.3 Part 3 §6.1.2 (white space), §6.1.3 (text:s).
"""

from __future__ import annotations

import re
from collections import Counter

from streamware.formats.text import MARKUP, unescaped
from streamware.values.cell_formatter import SEPARATOR, Escape, TextRules

LINE = b"</text:p><text:p>"
"""A line break: a cell has a paragraph for each line."""

_BLANKS = re.compile(rb"(?:\A|(?<=[\x1f\n])) +|  +| +(?=[\x1f\n]|\Z)")
_SPACES = re.compile(rb'<text:s text:c="([0-9]+)"/>')
_COLLAPSIBLE = (b"  ", SEPARATOR + b" ", b" " + SEPARATOR, b"\n ", b" \n")


class CellText(Escape):
    """Escapes markup, and writes line breaks and blanks that would be lost as elements."""

    care = b"&<>\n "
    replacements = MARKUP
    looked_at = b"\n "

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells, ready to go into `text:p`."""
        for mark, reference in MARKUP:
            if mark in kept:
                blob = blob.replace(mark, reference)
        # Whether a blank is at an end of a line, or follows another blank.
        if b" " in kept and (
            blob.startswith(b" ")
            or blob.endswith(b" ")
            or any(collapsible in blob for collapsible in _COLLAPSIBLE)
        ):
            blob = _BLANKS.sub(lambda found: b'<text:s text:c="%d"/>' % len(found[0]), blob)
        if b"\n" in kept:
            blob = blob.replace(b"\n", LINE)
        return blob.split(SEPARATOR)


TEXT_RULES = TextRules(escape=CellText(), spreadsheet=True, iso=True)
"""How ODS wants values written."""


def characters(blob: bytes) -> bytes:
    """Return the text from which `CellText` made `blob`."""
    if b"<" in blob:
        blob = blob.replace(LINE, b"\n")
        blob = _SPACES.sub(lambda found: b" " * int(found[1]), blob)
    return unescaped(blob)
