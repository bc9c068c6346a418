"""Translates formulas of Excel to OpenFormula, the formula language of ODF.

Source: ECMA-376 Part 1 §18.17 (formulas); OpenDocument 1.3 Part 4 (OpenFormula) §5 and §6; for
functions that OpenFormula does not have, how LibreOffice 7.4 imports workbooks of Excel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from streamware.formats.spreadsheet.functions import LATER

_CELL = r"\$?[A-Za-z]{1,3}\$?[0-9]{1,7}"
_COLUMNS = r"\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3}"
_ROWS = r"\$?[0-9]{1,7}:\$?[0-9]{1,7}"
_TOKENS = re.compile(
    rf"""
    (?P<text>"(?:[^"]|"")*")
    | (?P<reference>
        (?:(?P<quoted>'(?:[^'\[\]]|'')+')! | (?P<sheet>[^\W\d][\w.]*)!)?
        (?P<area>{_CELL}(?::{_CELL})?|{_COLUMNS}|{_ROWS})
        (?![\w.(:!])
      )
    | (?P<error>\#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!))
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?)
    | (?P<function>[^\W\d][\w.]*)\(
    | (?P<name>[^\W\d][\w.]*)(?![\w.!\[])
    | (?P<open>[({{])
    | (?P<close>[)}}])
    | (?P<separator>[,;])
    | (?P<operator><=|>=|<>|[-+*/^&=<>%])
    | (?P<blank>[ \n\t]+)
    """,
    re.VERBOSE,
)
_STANDARD = frozenset(
    "ACOT ACOTH ARABIC BASE BITAND BITLSHIFT BITOR BITRSHIFT BITXOR COMBINA COT COTH CSC CSCH DAYS"  # noqa: SIM905
    " DECIMAL GAMMA GAUSS IFNA IMCOSH IMCOT IMCSC IMCSCH IMSEC IMSECH IMSINH IMTAN ISFORMULA"
    " ISOWEEKNUM MUNIT NUMBERVALUE PDURATION PERMUTATIONA PHI RRI SEC SECH SHEET SHEETS UNICHAR"
    " UNICODE XOR".split()
)
_OF_MICROSOFT = (LATER - _STANDARD).union(
    "BAHTTEXT CEILING FLOOR ISO.CEILING NETWORKDAYS.INTL WORKDAY.INTL".split()  # noqa: SIM905
)
_RENAMED = {
    name: f"LEGACY.{name}"  # OpenFormula has other functions of these names
    for name in "CHIDIST CHIINV CHITEST FDIST FINV NORMSDIST NORMSINV TDIST".split()  # noqa: SIM905
} | {
    "BINOM.DIST.RANGE": "B",
    "F.DIST": "FDIST",
    "F.INV": "FINV",
    "FORMULATEXT": "FORMULA",
    "SKEW.P": "SKEWP",
}


class _UntranslatableError(Exception):
    """The formula has a part that has no translation."""


def open_formula(text: str) -> str | None:
    """Return a formula of Excel, both without the leading `=`, in OpenFormula.

    References get brackets, and arguments semicolons between them.  The result is None if there
    is no translation: columns of tables, other files and references to several sheets have none.
    """
    try:
        return "".join(_translated(text))
    except _UntranslatableError:
        return None


def _translated(text: str) -> Iterator[str]:
    at = 0
    # What is open: "f" for the arguments of a function, "(" for brackets, "{" for an array.
    nested: list[str] = []
    tokens = []
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise _UntranslatableError
        tokens.append(found)
        at = found.end()
    for place, found in enumerate(tokens):
        kind = _kind(found)
        if kind == "blank":
            before = _kind(tokens[place - 1]) if place else ""
            after = _kind(tokens[place + 1]) if place + 1 < len(tokens) else ""
            # A blank between references is an operator, the intersection.
            yield "!" if before == after == "reference" else " "
        else:
            yield _token(kind, found, nested)
    if nested:
        raise _UntranslatableError


def _kind(found: re.Match[str]) -> str:
    return "reference" if found["reference"] else found.lastgroup or ""


def _token(kind: str, found: re.Match[str], nested: list[str]) -> str:
    """Translate a token that is not blank, and update what is open."""
    text = found[0]
    if kind == "reference":
        return _reference(found)
    if kind == "function":
        nested.append("f")
        name = found["function"].upper().removeprefix("_XLFN.").removeprefix("_XLWS.")
        if name in _RENAMED:
            name = _RENAMED[name]
        elif name in _OF_MICROSOFT:
            name = f"COM.MICROSOFT.{name}"
        return f"{name}("
    if kind == "name":
        return f"{text.upper()}()" if text.upper() in ("TRUE", "FALSE") else text
    if kind == "open":
        nested.append(text)
    elif kind == "close":
        if not nested or (nested.pop() == "{") != (text == "}"):
            raise _UntranslatableError
    elif kind == "separator":
        return _separator(text, nested)
    return text


def _separator(text: str, nested: list[str]) -> str:
    inside = nested[-1] if nested else ""
    if inside == "{":  # between columns and between rows
        return ";" if text == "," else "|"
    if text == ";" or not inside:
        raise _UntranslatableError
    return ";" if inside == "f" else "~"  # within brackets a comma is the union of references


def _reference(found: re.Match[str]) -> str:
    sheet = found["quoted"] or (found["sheet"] and f"'{found['sheet']}'")
    first, colon, last = found["area"].partition(":")
    start = f"${sheet}.{first}" if sheet else f".{first}"
    return f"[{start}{colon}{'.' if colon else ''}{last}]"
