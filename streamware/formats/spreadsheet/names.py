"""Names: of sheets, and those that stand for formulas.

Source: Microsoft, "Excel specifications and limits", "Names in formulas"; what Excel repairs or
refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from streamware.model.utf16 import units

MAX_NAME = 255  # characters of a name that stands for a formula
MAX_FORMULA = 8192
MAX_UNITS = 31  # UTF-16 units

_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")

_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # programs read a character of that number in it

_DEFINED = re.compile(r"(?!_xlnm\b)[^\W\d][\w.]*", re.IGNORECASE)
# Constants, what looks like a cell in either notation, and what tables of the sheets are called.
_TAKEN = re.compile(
    r"[A-Z]{1,3}[0-9]+|R[0-9]*(?:C[0-9]*)?|C[0-9]*|TABLE[0-9]+|TRUE|FALSE", re.IGNORECASE
)


class SheetNames:
    """Gives each sheet of a workbook a name that Excel accepts."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add(self, name: str) -> str:
        """`name`, cleaned, cut and numbered until it is legal and new (ignoring case)."""
        base = _clean(name)
        number, candidate = 1, base
        while candidate.casefold() in self._taken:
            number += 1
            suffix = f" ({number})"
            candidate = _cut(base, MAX_UNITS - len(suffix)) + suffix
        self._taken.add(candidate.casefold())
        return candidate


def defined_names(names: Mapping[str, str]) -> dict[str, str]:
    """Names that stand for formulas, each formula without its equals sign.

    Raises:
        TypeError: A formula is no text.
        ValueError: A name or a formula that Excel refuses.
    """
    seen: set[str] = set()
    found = {}
    for name, formula in names.items():
        if not isinstance(formula, str):
            raise TypeError(f"the name {name!r} stands for a formula, such as 'Orders!$A$1:$C$9'")
        if not _DEFINED.fullmatch(name) or _TAKEN.fullmatch(name) or units(name) > MAX_NAME:
            raise ValueError(
                f"{name!r} is no name of a workbook: those have letters, digits, dots and"
                f" underscores, at most {MAX_NAME}, and look like no cell, no table and no TRUE"
            )
        if name.casefold() in seen:
            raise ValueError(f"the name {name!r} comes twice")
        seen.add(name.casefold())
        found[name] = _formula(name, formula)
    return found


def _formula(name: str, formula: str) -> str:
    text = formula.removeprefix("=")
    if not text or text[0].isspace():
        raise ValueError(f"the formula of the name {name!r} is empty, or starts with a blank")
    if units(text) > MAX_FORMULA:
        raise ValueError(
            f"the formula of the name {name!r} has {units(text)} characters; {MAX_FORMULA} are"
            " allowed"
        )
    return text


def _clean(name: str) -> str:
    legal = _ESCAPED.sub("-", _FORBIDDEN.sub("_", name))
    return _cut(legal.strip(" '"), MAX_UNITS).strip(" '") or "Sheet"


def _cut(text: str, units: int) -> str:
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").rstrip(" ")
