"""Number formats of spreadsheets, given by name or as a code.

Source: ECMA-376 Part 1 §18.8.31 (numFmts); Microsoft, "Excel specifications and limits".
"""

from __future__ import annotations

import re

from streamware.model.utf16 import units

MAX_LENGTH = 255  # UTF-16 units
MAX_PERCENT = 99  # percent signs that are counted: with more, the number would overflow a double

_NAMED = {
    "integer": "0",
    "decimal": "#,##0.00",
    "percent": "0.00%",
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm:ss",
    "time": "hh:mm:ss",
    "duration": "[h]:mm:ss",
    "text": "@",
}
# ISO 4217: currencies whose smaller unit is not a hundredth.
_NO_DECIMALS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905
_MONEY = re.compile(r"money:([A-Z]{3})")
_LITERALS = re.compile(
    r'"[^"]*"|\\.|_.|\*.|\[[^\[\]]*\]|general|am/pm|a/p', re.DOTALL | re.IGNORECASE
)
_QUOTED = re.compile(r'"[^"]*"|\\.', re.DOTALL)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
# What brackets may hold: elapsed time, a colour, a condition, a currency or locale, digits.
_IN_BRACKETS = re.compile(
    r"h+|m+|s+|black|blue|cyan|green|magenta|red|white|yellow|color ?[0-9]{1,2}"
    r"|(?:<|<=|=|<>|>=|>) ?-?[0-9.]+(?:e[+-]?[0-9]+)?|\$.*|dbnum[0-9]|natnum[0-9]+",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_STRFTIME = re.compile("%[a-zA-Z]")
_CURRENCY = re.compile(r"money\b.*|[a-z]{3}", re.DOTALL | re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile("[0#?.,]+")
_DECIMAL_SECONDS = re.compile("(?<=[sS]),(?=0)")
# The digits after the last comma of a number without a point, if they are no group of thousands:
# 0,00 and 0,##, but not #,##0, 0,000, #,### or #,0.
_DECIMALS = re.compile(
    "(?:[0#?,]*0[0#?,]*,[0#?]{1,2}|[0#?,]*,(?:00|[0#?]{4,})|[0#?,]*0[0,]*[#?][0#?,]*|,[0#?]+)\\Z"
)
_BLANK_GROUPS = re.compile("(?<=[#0])[ '\u2019\u00a0\u202f](?=[#0]{3})")
# Groups as in Switzerland, France or Sweden: a code has literals there, as in '5 and 1234'567.
_OTHER_GROUPS = re.compile("(?<![#0?])#[ '\u2019\u00a0\u202f]##0")
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]")
_TIME = re.compile("[ymdhs]")
_PLACEHOLDERS = re.compile(r"[ymdhsegb]+", re.IGNORECASE)


def code_of(format: str) -> str:  # noqa: A002 - the name of the argument it checks
    """Return the code of a number format that is given by name or as a code.

    Args:
        format: "integer", "decimal", "percent", "date", "datetime", "time", "duration", "text",
            "money:" and the three capital letters of a currency such as "money:EUR", which need
            not be in ISO 4217; or a code such as `"0.00"`.

    Raises:
        TypeError: It is not a str.
        ValueError: It is neither a name nor a code.
    """
    if not isinstance(format, str):
        raise TypeError(f"format must be a str such as '0.00', not {type(format).__name__}")
    if format in _NAMED:
        return _NAMED[format]
    if money := _MONEY.fullmatch(format):
        decimals = ".000" if money[1] in _THREE_DECIMALS else ".00"
        if money[1] in _NO_DECIMALS:
            decimals = ""
        return f"#,##0{decimals} [${money[1]}]"
    problem = _problem(format)
    if problem:
        names = ", ".join(sorted(_NAMED))
        raise ValueError(
            f"the number format {format!r} {problem}; it must be a code of Excel such as '0.00',"
            f" or a name: {names}, money:EUR"
        )
    if not _is_english(format):
        raise ValueError(
            f"the number format {format!r} has separators as in other languages; write"
            f" {_in_english(format)!r}: in a code the point is always decimal and the comma groups"
            " digits, and programs show both as in the reader's language"
        )
    return format


def _problem(code: str) -> str | None:
    if not code:
        return "is empty"
    if units(code) > MAX_LENGTH:
        return f"has {units(code)} characters, and at most {MAX_LENGTH} are allowed"
    if _FORBIDDEN.search(code):
        return "has a control character"
    rest = _LITERALS.sub("", code)
    if '"' in rest:
        return "has a quote that is not closed"
    if "[" in rest or "]" in rest:
        return "has a bracket without its pair"
    if rest.endswith(("\\", "_", "*")):
        return f"ends with {rest[-1]!r}, which needs a character after it"
    if rest.count(";") > 3:
        return "has more than four sections"
    if strftime := _STRFTIME.search(_LITERALS.sub(" ", code)):
        return f"has {strftime[0]!r}, which only strftime knows; write a date as dd.mm.yyyy"
    odd = [word for word in _WORD.findall(rest) if not _PLACEHOLDERS.fullmatch(word)]
    if odd:
        currency = _CURRENCY.fullmatch(code)
        return (
            "is unknown; a currency is written in capital letters: money:EUR"
            if currency
            else f"has {odd[0]!r}, which needs quotes, or is not English (a date is d, m and y)"
        )
    brackets = _BRACKETS.findall(_QUOTED.sub("", code))
    unknown = [inside for inside in brackets if not _IN_BRACKETS.fullmatch(inside)]
    return f"has [{unknown[0]}], which has no meaning in a code" if unknown else None


def _is_english(code: str) -> bool:
    """Return whether nothing in the code can only be meant as in another language."""
    rest = _LITERALS.sub("x", code)
    if _DECIMAL_SECONDS.search(rest) or _OTHER_GROUPS.search(rest):
        return False
    return all(map(_is_grouped, _DIGITS.findall(rest)))


def _is_grouped(digits: str) -> bool:
    """Return whether the digits of a number have points and commas as in 1,234.50."""
    whole, point, fraction = digits.partition(".")
    if point:  # neither #.##0,00 nor #.##0
        return not re.search(r"\.|,[0#?]|[#?]0", fraction)
    whole = whole.rstrip(",")  # commas at the end divide by thousands
    return "," not in whole or not _DECIMALS.match(whole)


def _in_english(code: str) -> str:
    """Return the code that is probably meant by one with a decimal comma."""
    seconds = _DECIMAL_SECONDS.sub(".", code)
    if seconds != code:
        return seconds
    at, swapped = 0, ""
    for found in [*_LITERALS.finditer(code), None]:
        end = len(code) if found is None else found.start()
        piece = code[at:end]
        decimal_comma = _OTHER_GROUPS.search(piece) is None or "," in piece
        swapped += piece.translate(str.maketrans(".,", ",.")) if decimal_comma else piece
        if found is not None:
            swapped += found[0]
            at = found.end()
    swapped = _BLANK_GROUPS.sub(",", swapped)
    return swapped if _is_english(swapped) else "#,##0.00"


def shows_time(code: str) -> bool:
    """Return whether a code shows a number as a date, a time or a duration."""
    rest = _QUOTED.sub("", code.lower().replace("general", ""))
    return _ELAPSED.search(rest) is not None or _TIME.search(_BRACKETS.sub("", rest)) is not None


def shown_length(code: str, number: float) -> int:
    """Return about how many characters a number takes in this format.

    Only the first section is looked at; exponents and fractions count as long as their code.
    """
    section = code.split(";", 1)[0]
    pattern = _LITERALS.sub("", section)
    whole, _, fraction = pattern.partition(".")
    if not re.search("[0#?]", pattern) or re.search("[eE/]", pattern):
        return len(section)
    scaled = abs(number) * 100 ** min(pattern.count("%"), MAX_PERCENT)
    digits = max(len(f"{scaled:.0f}"), whole.count("0"))
    separators = (digits - 1) // 3 if "," in whole else 0
    decimals = len(re.findall("[0#?]", fraction))
    literals = len(re.sub("[0#?,.]", "", pattern)) + sum(map(_length, _LITERALS.findall(section)))
    return (number < 0) + digits + separators + decimals + (decimals > 0) + literals


def _length(literal: str) -> int:
    """Return the visible characters of a literal: none of a colour, the text of a currency."""
    if literal.startswith("["):
        return len(literal[2:-1].partition("-")[0]) if literal[1] == "$" else 0
    return len(literal) - 2 if literal.startswith('"') else 1
