"""Names of sheets.

Source: Microsoft, "Excel specifications and limits"; what Excel repairs or refuses.
"""

from __future__ import annotations

import re

MAX_UNITS = 31  # UTF-16 units

_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")


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


def _clean(name: str) -> str:
    return _cut(_FORBIDDEN.sub("_", name).strip(" '"), MAX_UNITS).strip(" '") or "Sheet"


def _cut(text: str, units: int) -> str:
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").rstrip(" ")
