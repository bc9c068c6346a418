"""Writes the code of a number format as a data style of ODF.

A data style has no sections.  Each section of the code becomes a style: the last one is the style
itself, and its `style:map` elements send numbers that meet a condition to the others.  For
example, `0;[Red]-0` becomes

    <number:number-style style:name="N1P0" style:volatile="true">      shows 0
    <number:number-style style:name="N1">                              shows -0 in red
      <style:map style:condition="value()&gt;=0" style:apply-style-name="N1P0"/>

Source: ECMA-376 Part 1 §18.8.31 (numFmts); OpenDocument 1.3 Part 3 §16.29 (data styles).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamware.formats.ods.number_code import Section, Token, parse
from streamware.formats.ods.parts import attribute
from streamware.formats.text import element

_CURRENCY_CODE = re.compile("[A-Z]{3}")
_DATE_FIELDS = {"y": "year", "m": "month", "d": "day", "h": "hours", "s": "seconds", "a": "am-pm"}


class NumberStyle(NamedTuple):
    """A data style.

    Attributes:
        xml: The style, after those that it maps to.
        value_type: The attributes for the type of a cell whose number has this style.
    """

    xml: str
    value_type: bytes


def number_style(name: str, code: str) -> NumberStyle:
    """Return the style of a number format.

    Args:
        name: Name of the style; the styles it maps to are named after it.
        code: Code of the format.  What ODF cannot express is left out: colours by number, and
            blanks in the place of digits (`?`).
    """
    sections = parse(code)
    *others, last = sections
    maps, xml = "", ""
    for at, (section, condition) in enumerate(zip(others, _conditions(sections), strict=True)):
        part = f"{name}P{at}"
        xml += _style(part, section, "", volatile=True)
        maps += (
            f'<style:map style:condition={attribute(condition)} style:apply-style-name="{part}"/>'
        )
    first = sections[0]
    symbol = next((token.text for token in first.tokens if token.kind == "currency"), "")
    value_type = b' office:value-type="float"'
    if first.has("percent"):
        value_type = b' office:value-type="percentage"'
    elif _CURRENCY_CODE.fullmatch(symbol):
        value_type = f' office:value-type="currency" office:currency="{symbol}"'.encode()
    return NumberStyle(xml + _style(name, last, maps), value_type)


def _conditions(sections: Sequence[Section]) -> list[str]:
    """Return the conditions of all sections but the last."""
    defaults = {1: [], 2: ["value()>=0"], 3: ["value()>0", "value()<0"]}.get(
        len(sections), ["value()>0", "value()<0", "value()=0"]
    )
    return [
        f"value(){section.comparison.replace('<>', '!=')}{section.operand}"
        if section.comparison
        else default
        for section, default in zip(sections[:-1], defaults, strict=True)
    ]


def _style(name: str, section: Section, maps: str, *, volatile: bool = False) -> str:
    """Return the style of a section; a volatile one is kept though only a map refers to it."""
    kind = _kind(section)
    content = "".join(_date_content(section) if kind in ("date", "time") else _content(section))
    attributes = ""
    if section.has("elapsed"):
        attributes += ' number:truncate-on-overflow="false"'
    if section.country:
        attributes += f' number:language="{section.language}" number:country="{section.country}"'
    if volatile:
        attributes += ' style:volatile="true"'
    color = f'<style:text-properties fo:color="#{section.color}"/>' if section.color else ""
    content = content or "<number:text/>"  # an empty section shows nothing
    tag = f"number:{kind}-style"
    return f'<{tag} style:name="{name}"{attributes}>{color}{content}{maps}</{tag}>'


def _kind(section: Section) -> str:
    """Return the kind of data style: its element is `number:KIND-style`."""
    if section.has("elapsed"):
        return "time"
    if section.has("part", "half"):
        fields = {name for name, _ in date_fields(section)}
        return "date" if fields & {"year", "month", "day", "era"} else "time"
    if section.has("text"):
        return "text"
    if section.has("percent"):
        return "percentage"
    return "currency" if section.has("currency") else "number"


# Dates and times


def _date_content(section: Section) -> Iterator[str]:
    fields = date_fields(section)
    for kind, text in section.tokens:
        if kind in ("part", "elapsed", "half"):
            yield _date_element(*next(fields))
        elif kind != "currency":
            yield element("number:text", text)


def date_fields(section: Section) -> Iterator[tuple[str, str]]:
    """Yield the name and the code of each field of a date or time.

    `m` is a month, but after hours or before seconds it is minutes.
    """
    codes = [token.text for token in section.tokens if token.kind in ("part", "elapsed", "half")]
    letters = [code[0].lower() for code in codes]
    for code, letter, before, after in zip(
        codes, letters, ["", *letters], [*letters[1:], ""], strict=False
    ):
        if letter == "m" and (before == "h" or after == "s") and len(code) < 3:
            yield "minutes", code
        else:
            yield _DATE_FIELDS.get(letter, "era"), code


def _date_element(name: str, code: str) -> str:
    if name == "am-pm":
        return "<number:am-pm/>"
    if name in ("year", "era"):
        long = "" if code.lower() in ("y", "yy") else ' number:style="long"'
        return f"<number:year{long}/>"
    if name == "month" or (name == "day" and len(code) > 2):  # mm, mmm and mmmm; ddd and dddd
        tag = "month" if name == "month" else "day-of-week"
        textual = ' number:textual="true"' if name == "month" and len(code) > 2 else ""
        long = ' number:style="long"' if len(code) in (2, 4) else ""
        return f"<number:{tag}{textual}{long}/>"
    whole, _, decimals = code.partition(".")
    long = ' number:style="long"' if len(whole) > 1 else ""
    places = f' number:decimal-places="{len(decimals)}"' if decimals else ""
    return f"<number:{name}{long}{places}/>"


# Numbers and texts


def _content(section: Section) -> Iterator[str]:
    """Yield what is before the number, the number itself, and what is after it."""
    tokens = section.tokens
    number = [at for at, t in enumerate(tokens) if t.kind in ("digits", "exponent", "slash")]
    # A comma or point without a placeholder for a digit is a literal.
    if not any(tokens[at].text[0] in "0#?" for at in number):
        number = []
    first, last = (number[0], number[-1]) if number else (len(tokens), len(tokens))
    yield from map(_text_element, tokens[:first])
    if number:
        yield _number_element(tokens[first : last + 1])
    yield from map(_text_element, tokens[last + 1 :])


def _text_element(token: Token) -> str:
    if token.kind == "general":
        return '<number:number number:min-integer-digits="1"/>'
    if token.kind == "text":
        return "<number:text-content/>"
    if token.kind == "currency":
        return element("number:currency-symbol", token.text)
    if token.kind == "fill":
        return element("number:fill-character", token.text)
    return element("number:text", token.text)


def _number_element(tokens: Sequence[Token]) -> str:
    """Return the number that tokens from the first placeholder to the last one show."""
    kinds = [token.kind for token in tokens]
    if "slash" in kinds:
        return _fraction(tokens, kinds.index("slash"))
    if "exponent" in kinds:
        return _scientific(tokens, kinds.index("exponent"))
    pattern = _placeholders(tokens)
    scale = len(pattern) - len(pattern.rstrip(","))  # each comma at the end divides by 1000
    factor = f' number:display-factor="{1000**scale}"' if scale else ""
    # Text among the digits, as in a telephone number.  Its position is the number of digits to the
    # right of it, up to the decimal point.
    embedded = ""
    point = next((at for at, t in enumerate(tokens) if t == ("digits", ".")), len(tokens))
    whole = tokens[:point]
    for at, token in enumerate(whole):
        right = len(_placeholders(whole[at:]).replace(",", ""))
        if token.kind != "digits" and right:
            position = f' number:position="{right}"'
            embedded += element("number:embedded-text", token.text, position)
    tag = f"<number:number{_digit_attributes(pattern.rstrip(','))}{factor}"
    return f"{tag}>{embedded}</number:number>" if embedded else f"{tag}/>"


def _placeholders(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens if token.kind == "digits")


def _digit_attributes(pattern: str) -> str:
    whole, _, decimals = pattern.partition(".")
    decimals = decimals.replace(",", "")
    grouping = ' number:grouping="true"' if "," in whole else ""
    return (
        f' number:decimal-places="{len(decimals)}"'
        f' number:min-decimal-places="{decimals.count("0")}"'
        f' number:min-integer-digits="{whole.count("0")}"{grouping}'
    )


def _scientific(tokens: Sequence[Token], exponent: int) -> str:
    mantissa = _placeholders(tokens[:exponent])
    attributes = _digit_attributes(mantissa)
    attributes += f' number:min-exponent-digits="{len(_placeholders(tokens[exponent:]))}"'
    interval = len(mantissa.partition(".")[0])
    if interval > 1:  # ##0.0E+0 has exponents that 3 divides
        attributes += f' number:exponent-interval="{interval}"'
    if tokens[exponent].text[1] == "+":
        attributes += ' number:forced-exponent-sign="true"'
    return f"<number:scientific-number{attributes}/>"


def _fraction(tokens: Sequence[Token], slash: int) -> str:
    before = [token.text for token in tokens[:slash] if token.kind == "digits"]
    denominator = tokens[slash].text[1:].strip()
    *integers, numerator = before or [""]
    whole = "".join(integers)
    integer = f' number:min-integer-digits="{whole.count("0")}"' if whole else ""
    fixed = (
        f' number:denominator-value="{denominator}"' if denominator.strip("0#?").isdigit() else ""
    )
    return (
        f'<number:fraction{integer} number:min-numerator-digits="{len(numerator)}"'
        f' number:min-denominator-digits="{len(denominator)}"{fixed}/>'
    )
