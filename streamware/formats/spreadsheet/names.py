"""The names of sheets, and the defined names of formulas.

Source: Microsoft, "Excel specifications and limits", "Names in formulas"; what Excel repairs or
refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

from streamware.model.formula import MAX_FORMULA, problem_of
from streamware.model.utf16 import units

MAX_NAME = 255  # UTF-16 units of a defined name
MAX_UNITS = 31  # UTF-16 units of the name of a sheet

_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")

_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # the start of an escape of a character

_DEFINED = re.compile(r"(?!_xlnm\b)[^\W\d][\w.]*", re.IGNORECASE)
# Constants, anything like a reference in A1 or R1C1 notation, and the names of our tables.
_TAKEN = re.compile(
    r"[A-Z]{1,3}[0-9]+|R[0-9]*(?:C[0-9]*)?|C[0-9]*|TABLE[0-9]+|TRUE|FALSE", re.IGNORECASE
)


class SheetNames:
    """The names of the sheets of a workbook."""

    def __init__(self) -> None:
        self._taken: set[str] = set()  # the names so far, without case
        # The next number to try after a name, by the name as cut for numbers of so many digits.
        self._next: dict[tuple[str, int], int] = {}

    def add(self, name: str) -> str:
        """Return `name`, cleaned, cut and numbered until Excel accepts it, ignoring case."""
        legal = _ESCAPED.sub("-", _FORBIDDEN.sub("_", name))
        base = _cut(legal.strip(" '"), MAX_UNITS).strip(" '") or "Sheet"
        free = base if base.casefold() not in self._taken else self._numbered(base)
        self._taken.add(free.casefold())
        return free

    def _numbered(self, base: str) -> str:
        """Return `base` with the lowest number that makes it a new name.

        Names are never given back, so the numbers that were taken once are not tried again.
        """
        for digits in count(1):
            cut = _cut(base, MAX_UNITS - len(" ()") - digits)
            key = cut.casefold(), digits
            first = self._next.get(key, max(2, 10 ** (digits - 1)))
            for number in range(first, 10**digits):
                self._next[key] = number + 1
                candidate = f"{cut} ({number})"
                if candidate.casefold() not in self._taken:
                    return candidate
        raise AssertionError  # `count` has no end


def defined_names(names: Mapping[str, str]) -> dict[str, str]:
    """Return the defined names, each with its formula without the equals sign.

    Raises:
        TypeError: A formula is not a str.
        ValueError: Excel would refuse a name or a formula.
    """
    seen: set[str] = set()
    found = {}
    for name, formula in names.items():
        if not isinstance(formula, str):
            raise TypeError(
                f"the name {name!r} must stand for a formula such as 'Orders!$A$1:$C$9', not a"
                f" {type(formula).__name__}"
            )
        if not _DEFINED.fullmatch(name) or _TAKEN.fullmatch(name) or units(name) > MAX_NAME:
            raise ValueError(
                f"{name!r} cannot be a name: it must have at most {MAX_NAME} letters, digits, dots"
                " and underscores, and must not look like a cell, a table or TRUE"
            )
        if name.casefold() in seen:
            raise ValueError(f"the name {name!r} is given twice")
        seen.add(name.casefold())
        found[name] = _formula(name, formula)
    return found


def _formula(name: str, formula: str) -> str:
    text = formula.removeprefix("=")
    if not text or text[0].isspace():
        raise ValueError(
            f"the formula of the name {name!r} must not be empty, or start with a blank"
        )
    if units(text) > MAX_FORMULA:
        raise ValueError(
            f"the formula of the name {name!r} must have at most {MAX_FORMULA} characters, not"
            f" {units(text)}"
        )
    if problem := problem_of(text):
        raise ValueError(f"the formula of the name {name!r} {problem}")
    return text


def _cut(text: str, units: int) -> str:
    """Return as much of a text as fits into this number of UTF-16 units, without final blanks."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").rstrip(" ")
