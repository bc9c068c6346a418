"""FormulaGuard: finds text that a spreadsheet would take for a formula when it opens a CSV.

Text starts a formula with one of eight signs, the full-width ones included.  It can do so in the
middle, too: a program that splits the file at another delimiter than it was written with makes a
cell of what follows `;`, and a row of what follows a line break.  Quotes do not help there, because
they are quotes only where a cell starts with them.

Source: OWASP, "CSV Injection"; what Excel and LibreOffice import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntFlag
from functools import cache

DELIMITERS = ",;\t|"
"""What programs may split a CSV at."""

_STRONG = "=@＝＠"  # noqa: RUF001 - the full-width signs are meant
_WEAK = "+-＋－"  # noqa: RUF001 - signs that are in text for other reasons, too
_BREAKS = "\r\n"
# Soft hyphen, zero-width characters, and those that set the direction of text.
_INVISIBLE = "".join(
    map(chr, (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F)))
) + "".join(map(chr, (*range(0x2060, 0x2070), 0xFEFF)))
# What a program may remove before it looks at the first character: every blank of Unicode, too.
_BLANK = " \t\r\n\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + _INVISIBLE
_BLANK += "".join(map(chr, range(0x2000, 0x200B)))

SIGNS = b"=@+-"
"""The ASCII signs that start a formula."""
STARTS = frozenset(_STRONG + _WEAK + _BLANK)
"""The first characters of texts that may start like a formula."""
SIGN_BYTES = b"=@+-\t\r\xef"
"""Bytes that every text with a formula has one of, except for text that starts with a line feed.

The last one is the first of full-width signs.
"""

_FULL_WIDTH = re.compile(rb"\xef\xbc[\x8b\x8d\x9d\xa0]")
_NUMBER = r"[+-][.,]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?%?"
_PHONE = r"\+[0-9(][0-9 ().-]*"
_NUMBER_OR_PHONE = re.compile(rf"{_NUMBER}\Z|{_PHONE}\Z")
# The same inside a text, up to the next delimiter, or at the end of a list of JSON.
_PIECE = re.compile(rf'(?:{_NUMBER}|{_PHONE})["\]}} ]*(?:[,;\t|\r\n]|\Z)')
_LINE = re.compile(r"[^\r\n]*")
_CALL = re.compile(r"\w\s*\(|\|")  # of a function, or of a program by DDE
_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_JSON_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in _STRONG + _WEAK}


class Meaning(IntFlag):
    """What a character means to the guard; `kernel/guard.hpp` has the same."""

    STRONG = 1
    WEAK = 2
    END = 4
    BLANK = 8
    INVISIBLE = 16
    QUOTE = 32


class FormulaGuard:
    """Puts an apostrophe before each sign that would start a formula.

    Args:
        delimiter: That of the file.  A text that contains it is quoted, and needs no guard.

    Attributes:
        ends: What may end a cell inside of a text.
        meanings: What each character means that has a meaning; the kernel guards text by it.
    """

    def __init__(self, delimiter: str) -> None:
        others = "".join(each for each in DELIMITERS if each != delimiter)
        before = re.escape(others + _BLANK + '"')
        self.ends = (others + _BREAKS).encode()  # what may end a cell inside of a text
        self._split = re.compile(f"[{re.escape(others + _BREAKS)}]").split  # at those
        signs = re.escape(_STRONG + _WEAK)
        # Finds what is before a sign inside of a text.
        self._signs = re.compile(f"(?<![{before}])[{before}]++(?=[{signs}])")
        self.meanings = _meanings(others)  # of characters, for the kernel
        # What may be between end and sign.  In a blob that is removed, and a sign after the end of
        # a cell is `;=`.
        self._removed = b' "' + b"\t" * (delimiter == "\t") + bytes(range(0x80, 0x100))
        signs_and_ends = b"=" * len(SIGNS) + b";" * len(self.ends)
        # What makes each sign and each end the same.
        self._unified = bytes.maketrans(SIGNS + self.ends, signs_and_ends)

    def finds(self, blob: bytes) -> bool:
        """Return whether there may be a formula inside of a text of a blob."""
        return b";=" in blob.translate(self._unified, self._removed) or (
            b"\xef\xbc" in blob and _FULL_WIDTH.search(blob) is not None
        )

    def guarded(self, text: str) -> str:
        """Return the text with apostrophes where it needs them; itself if it needs none."""
        starts = text[:1] in STARTS and _starts_formula(text)
        pieces = ["'"] if starts else []
        done = 0
        for found in self._signs.finditer(text):
            at = found.end()
            # The first character has its apostrophe already.
            before = found[0] if found.start() or not starts else found[0][1:]
            if self._starts_cell(text, before, at):
                pieces += [text[done:at], "'"]
                done = at
        return "".join([*pieces, text[done:]]) if pieces else text

    def guarded_json(self, text: str) -> str:
        """Return JSON of the same value with escapes for the signs in its texts; itself as above.

        An apostrophe would change the value.
        """
        if self.guarded(text) is text:
            return text
        return _JSON_TEXT.sub(lambda found: found[0].translate(_JSON_ESCAPES), text)

    def _starts_cell(self, text: str, before: str, at: int) -> bool:
        """Return whether a cell could start with the sign at `at`.

        Args:
            text: The text.
            before: The delimiters, blanks and quotes before the sign.
            at: Position of the sign.
        """
        between = self._split(before)[-1]
        if between == before:
            return False
        if text[at] in _STRONG:
            return True
        if between.strip(_INVISIBLE + '"') or _PIECE.match(text, at):
            return False  # a, -b
        if before[-len(between) - 1] not in _BREAKS:
            return True
        # Items of a list, and rulers, start with a sign, too.
        end = _LINE.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
        following = text[at + 1 : at + 2]
        harmless = not following or following in _WEAK or following.isspace()
        return not harmless or _CALL.search(text, at, end) is not None


def _meanings(others: str) -> Mapping[str, Meaning]:
    meanings = dict.fromkeys(_STRONG, Meaning.STRONG) | dict.fromkeys(_WEAK, Meaning.WEAK)
    meanings |= dict.fromkeys(_BLANK, Meaning.BLANK)
    meanings |= dict.fromkeys(_INVISIBLE, Meaning.BLANK | Meaning.INVISIBLE)
    for end in others + _BREAKS:
        meanings[end] = meanings.get(end, Meaning(0)) | Meaning.END
    return meanings | {'"': Meaning.QUOTE}


@cache
def guard_of(delimiter: str) -> FormulaGuard:
    """Return the guard for files with this delimiter."""
    return FormulaGuard(delimiter)


def _starts_formula(text: str) -> bool:
    if text[0] in "\t\r\n":
        return True
    text = text.lstrip(_BLANK)
    return text[:1] in STARTS and bool(text) and not _NUMBER_OR_PHONE.match(text)
