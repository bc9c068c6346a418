"""Number formats of a spreadsheet as data styles of ODF.

A code has up to four sections, each a style of its own here: the last is the style itself, which
sends what another section is for to that one, by a map.

Source: ECMA-376 Part 1 §18.8.31 (numFmts); OpenDocument 1.3 Part 3 §16.29 (data styles).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from locale import windows_locale
from typing import NamedTuple

from streamware.formats.ods.parts import attribute, element

_TOKENS = re.compile(
    r"""
    "(?P<quoted>[^"]*)" | \\(?P<escaped>.) | _(?P<space>.) | \*(?P<fill>.)
    | \[\$-(?P<locale>[0-9A-Fa-f]+)[^\]]*\] | \[\$(?P<currency>[^\]-]*)[^\]]*\]
    | \[(?P<elapsed>h+|m+|s+)\]
    | \[(?P<condition><=|>=|<>|<|>|=)(?P<operand>-?[0-9.]+)\]
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
_SYMBOL = re.compile("[A-Z]{3}")


class NumberStyle(NamedTuple):
    """A data style.

    Attributes:
        xml: It, and those that it maps to.
        marks: What tells a number that it is shown by this style, as attributes of its cell.
    """

    xml: str
    marks: bytes


class _Token(NamedTuple):
    kind: str
    text: str


@dataclass(slots=True)
class _Section:
    """What stands between two semicolons."""

    tokens: list[_Token] = field(default_factory=list)
    condition: str | None = None
    color: str | None = None
    locale: str = ""

    def has(self, *kinds: str) -> bool:
        return any(token.kind in kinds for token in self.tokens)


def number_style(name: str, code: str) -> NumberStyle:
    """The style of a number format.

    Args:
        name: Its name; those that it maps to are named after it.
        code: The format's code.  What ODF has no way for (colours by number, room for digits
            that are not there) is left out.
    """
    sections = _sections(code)
    conditions = _conditions(sections)
    *others, last = sections
    maps, xml = "", ""
    for at, (section, condition) in enumerate(zip(others, conditions, strict=True)):
        part = f"{name}P{at}"
        xml += _style(part, section, "", volatile=True)
        maps += (
            f'<style:map style:condition={attribute(condition)} style:apply-style-name="{part}"/>'
        )
    return NumberStyle(xml + _style(name, last, maps), _marks(sections[0]))


def _marks(section: _Section) -> bytes:
    if section.has("percent"):
        return b' office:value-type="percentage"'
    symbol = next((token.text for token in section.tokens if token.kind == "currency"), "")
    if _SYMBOL.fullmatch(symbol):
        return b' office:value-type="currency" office:currency="' + symbol.encode() + b'"'
    return b' office:value-type="float"'


def _sections(code: str) -> list[_Section]:
    sections = [_Section()]
    for found in _TOKENS.finditer(code):
        section, kind = sections[-1], found.lastgroup or ""
        text = found[kind]
        if kind == "literal" and text == ";":
            sections.append(_Section())
        elif kind == "operand":
            sections[-1].condition = f"value(){_sign(found['condition'])}{text}"
        elif kind == "other":
            section.color = _COLORS.get(text.lower(), section.color)
        elif kind == "locale":
            section.locale = _locale(int(text, 16))
        elif kind in ("quoted", "escaped", "literal"):
            section.tokens.append(_Token("literal", text))
        elif kind == "space":
            section.tokens.append(_Token("literal", " "))
        else:
            section.tokens.append(_Token(kind, text))
    return sections


def _locale(number: int) -> str:
    """The language that names of days and months are in, by Windows' number for it."""
    language, _, country = windows_locale.get(number & 0xFFFF, "").partition("_")
    return f' number:language="{language}" number:country="{country}"' if country else ""


def _sign(comparison: str) -> str:
    return "!=" if comparison == "<>" else comparison


def _conditions(sections: Sequence[_Section]) -> list[str]:
    """When each section but the last holds."""
    usual = {1: [], 2: ["value()>=0"], 3: ["value()>0", "value()<0"]}.get(
        len(sections), ["value()>0", "value()<0", "value()=0"]
    )
    return [
        section.condition or default for section, default in zip(sections[:-1], usual, strict=True)
    ]


def _style(name: str, section: _Section, maps: str, *, volatile: bool = False) -> str:
    kind, marks = _kind(section)
    inner = "".join(_dated(section) if kind in ("date", "time") else _numbered(section))
    color = f'<style:text-properties fo:color="#{section.color}"/>' if section.color else ""
    marks += section.locale + (' style:volatile="true"' if volatile else "")
    inner = inner or "<number:text/>"  # nothing is shown then
    tag = f"number:{kind}-style"
    return f'<{tag} style:name="{name}"{marks}>{color}{inner}{maps}</{tag}>'


def _kind(section: _Section) -> tuple[str, str]:
    if section.has("elapsed"):
        return "time", ' number:truncate-on-overflow="false"'
    if section.has("part", "half"):
        days = any(kind in ("year", "month", "day", "era") for kind, _ in _parts(section))
        return ("date" if days else "time"), ""
    if section.has("text"):
        return "text", ""
    if section.has("percent"):
        return "percentage", ""
    return ("currency" if section.has("currency") else "number"), ""


# Dates and times


def _parts(section: _Section) -> Iterator[tuple[str, str]]:
    """What each part of a date is: an `m` next to hours or seconds is a minute."""
    tokens = [token for token in section.tokens if token.kind in ("part", "elapsed", "half")]
    before = ""
    for at, (_, text) in enumerate(tokens):
        first = text[0].lower()
        after = tokens[at + 1].text[0].lower() if at + 1 < len(tokens) else ""
        minute = first == "m" and (before == "h" or after == "s") and len(text) < 3
        names = {"y": "year", "m": "month", "d": "day", "h": "hour", "s": "second"}
        yield ("minute" if minute else names.get(first, "era" if first != "a" else "half")), text
        before = first


def _dated(section: _Section) -> Iterator[str]:
    parts = _parts(section)
    for kind, text in section.tokens:
        if kind in ("part", "elapsed", "half"):
            yield _part(*next(parts))
        elif kind == "currency":
            continue
        else:
            yield element("number:text", text)


def _part(name: str, text: str) -> str:
    long = ' number:style="long"' if len(text) > 1 else ""
    if name in ("year", "era"):
        return (
            "<number:year/>"
            if text.lower() in ("y", "yy")
            else '<number:year number:style="long"/>'
        )
    if name == "month":
        textual = ' number:textual="true"' if len(text) > 2 else ""
        return f"<number:month{textual}{_long(text)}/>"
    if name == "day" and len(text) > 2:
        return f"<number:day-of-week{_long(text)}/>"
    if name == "half":
        return "<number:am-pm/>"
    tag = {"day": "day", "hour": "hours", "minute": "minutes", "second": "seconds"}[name]
    whole, _, decimals = text.partition(".")
    long = ' number:style="long"' if len(whole) > 1 else ""
    fraction = f' number:decimal-places="{len(decimals)}"' if decimals else ""
    return f"<number:{tag}{long}{fraction}/>"


def _long(text: str) -> str:
    return ' number:style="long"' if len(text) in (2, 4) else ""


# Numbers


def _numbered(section: _Section) -> Iterator[str]:
    """What stands before the digits, the number itself, and what stands behind it."""
    tokens = section.tokens
    places = [at for at, t in enumerate(tokens) if t.kind in ("digits", "exponent", "slash")]
    # A comma or point without a digit is a literal.
    if not any(tokens[at].text[0] in "0#?" for at in places):
        places = []
    first, last = (places[0], places[-1]) if places else (len(tokens), len(tokens))
    for token in tokens[:first]:
        yield _literal(token)
    if places:
        yield _number(tokens[first : last + 1])
    for token in tokens[last + 1 :]:
        yield _literal(token)


def _literal(token: _Token) -> str:
    if token.kind == "general":
        return '<number:number number:min-integer-digits="1"/>'
    if token.kind == "text":
        return "<number:text-content/>"
    if token.kind == "currency":
        return element("number:currency-symbol", token.text)
    if token.kind == "fill":
        return element("number:fill-character", token.text)
    return element("number:text", token.text)


def _number(tokens: Sequence[_Token]) -> str:
    kinds = {token.kind for token in tokens}
    pattern = "".join(token.text for token in tokens if token.kind == "digits")
    if "slash" in kinds:
        return _fraction(tokens)
    if "exponent" in kinds:
        at = next(at for at, token in enumerate(tokens) if token.kind == "exponent")
        mantissa = "".join(token.text for token in tokens[:at] if token.kind == "digits")
        digits = "".join(token.text for token in tokens[at:] if token.kind == "digits")
        places = f' number:min-exponent-digits="{len(digits)}"'
        step = len(mantissa.partition(".")[0])
        places += f' number:exponent-interval="{step}"' if step > 1 else ""
        places += ' number:forced-exponent-sign="true"' if tokens[at].text[1] == "+" else ""
        return f"<number:scientific-number{_places(mantissa)}{places}/>"
    scale = len(pattern) - len(pattern.rstrip(","))
    factor = f' number:display-factor="{1000**scale}"' if scale else ""
    embedded = "".join(_embedded(tokens))
    tag = f"<number:number{_places(pattern.rstrip(','))}{factor}"
    return f"{tag}>{embedded}</number:number>" if embedded else f"{tag}/>"


def _places(pattern: str) -> str:
    whole, _, decimals = pattern.partition(".")
    decimals = decimals.replace(",", "")
    grouping = ' number:grouping="true"' if "," in whole else ""
    return (
        f' number:decimal-places="{len(decimals)}"'
        f' number:min-decimal-places="{decimals.count("0")}"'
        f' number:min-integer-digits="{whole.count("0")}"{grouping}'
    )


def _embedded(tokens: Sequence[_Token]) -> Iterator[str]:
    """What stands among the digits, as in a telephone number: placed from their right end."""
    whole: list[_Token] = []
    for token in tokens:
        if token.text == "." and token.kind == "digits":
            break
        whole.append(token)
    for at, token in enumerate(whole):
        right = sum(len(t.text) for t in whole[at:] if t.kind == "digits" and t.text != ",")
        if token.kind != "digits" and right:
            yield f'<number:embedded-text number:position="{right}">' + (
                element("x", token.text)[3:-4] + "</number:embedded-text>"
            )


def _fraction(tokens: Sequence[_Token]) -> str:
    at = next(at for at, token in enumerate(tokens) if token.kind == "slash")
    before = [token.text for token in tokens[:at] if token.kind == "digits"]
    below = tokens[at].text[1:].strip()
    *integers, above = before or [""]
    whole = "".join(integers)
    integer = f' number:min-integer-digits="{whole.count("0")}"' if whole else ""
    fixed = f' number:denominator-value="{below}"' if below.strip("0#?").isdigit() else ""
    return (
        f'<number:fraction{integer} number:min-numerator-digits="{len(above)}"'
        f' number:min-denominator-digits="{len(below)}"{fixed}/>'
    )
