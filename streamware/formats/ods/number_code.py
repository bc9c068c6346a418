"""Parses the code of a number format, such as `#,##0.00;[Red]-#,##0.00`.

A code has up to four sections between semicolons.  A section is a list of tokens: what to show,
in order.  It may have a condition, a colour and a locale in brackets besides.

Source: ECMA-376 Part 1 §18.8.31 (numFmts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from locale import windows_locale
from typing import NamedTuple

# The name of a group is the kind of its token, except for those that `parse` handles itself.
_TOKENS = re.compile(
    r"""
    "(?P<quoted>[^"]*)" | \\(?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.)
    | \[\$-(?P<locale>[0-9A-Fa-f]+)[^\]]*\] | \[\$(?P<currency>[^\]-]*)[^\]]*\]
    | \[(?P<elapsed>h+|m+|s+)\]
    | \[(?P<comparison><=|>=|<>|<|>|=)(?P<operand>-?[0-9.]+)\]
    | \[(?P<other>[^\]]*)\]
    | (?P<general>General) | (?P<half>AM/PM|A/P)
    | (?P<part>y+|m+|d+|h+|s+(?:\.0+)?|e+(?![+-])|g+)
    | (?P<exponent>E[+-]) | (?P<digits>[0\#?]+|[.,]) | (?P<slash>/\s*[0-9\#?]+)
    | (?P<percent>%) | (?P<text>@) | (?P<literal>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_COLORS = {
    "black": "000000",
    "blue": "0000FF",
    "cyan": "00FFFF",
    "green": "00FF00",
    "magenta": "FF00FF",
    "red": "FF0000",
    "white": "FFFFFF",
    "yellow": "FFFF00",
}


class Token(NamedTuple):
    """One thing to show.

    Attributes:
        kind: What it is:

            - "literal": `text` as it is
            - "fill": a character repeated until the cell is full
            - "currency": a currency symbol or code
            - "general": a number in the usual way
            - "digits": placeholders for digits, a decimal point or a group separator
            - "exponent": `E+` or `E-`, after which come placeholders for its digits
            - "slash": the slash of a fraction with its denominator
            - "percent": a percent sign
            - "text": the text of the cell
            - "part": part of a date or time, such as `yyyy` or `ss.00`
            - "elapsed": hours, minutes or seconds that do not wrap around, such as `h` of `[h]`
            - "half": AM or PM
        text: Its characters in the code, without quotes, backslash or brackets.
    """

    kind: str
    text: str


@dataclass(slots=True)
class Section:
    """The code between two semicolons.

    Attributes:
        tokens: What to show, in order.
        comparison: The comparison of its condition, such as ">="; None if it has no condition.
        operand: The number that the condition compares with.
        color: Six hexadecimal digits, or None.
        language: Language of names of days and months, such as "de"; empty if not given.
        country: Country of that language, such as "AT".
    """

    tokens: list[Token] = field(default_factory=list)
    comparison: str | None = None
    operand: str = ""
    color: str | None = None
    language: str = ""
    country: str = ""

    def has(self, *kinds: str) -> bool:
        """Return whether it has a token of one of these kinds."""
        return any(token.kind in kinds for token in self.tokens)


def parse(code: str) -> list[Section]:
    """Return the sections of a code, at least one.

    Colours by number are left out, as are other unknown words in brackets.
    """
    sections = [Section()]
    for found in _TOKENS.finditer(code):
        section, kind = sections[-1], found.lastgroup or ""
        text = found[kind]
        if kind == "literal" and text == ";":
            sections.append(Section())
        elif kind == "operand":
            section.comparison, section.operand = found["comparison"], text
        elif kind == "other":
            section.color = _COLORS.get(text.lower(), section.color)
        elif kind == "locale":
            name = windows_locale.get(int(text, 16) & 0xFFFF, "")
            section.language, _, section.country = name.partition("_")
        elif kind in ("quoted", "escaped", "literal"):
            section.tokens.append(Token("literal", text))
        elif kind == "space":  # as wide as the character
            section.tokens.append(Token("literal", " "))
        else:
            section.tokens.append(Token(kind, text))
    return sections
