"""Functions as a file has them: those that came after the first edition of the format, prefixed.

A program that does not know one then says so and keeps the formula; without the prefix Excel
shows `#NAME?` even where it does know it.

Source: [MS-XLSX] §2.2.2.3 (future functions).
"""

from __future__ import annotations

import re

from streamware.formats.spreadsheet.functions import LATER

_OF_SHEETS = frozenset({"FILTER", "SORT"})  # macro sheets have others of these names

_CALLED = re.compile(r"[A-Z0-9.]++(?=\()")
_TOKENS = re.compile(
    r"""
    "(?:[^"]|"")*"            # a text
    | '(?:[^']|'')*'          # a sheet
    | \[(?:[^][']|'.)*\]      # a column of a table, in which ' is an escape
    | (?<![\w.\\?!])(?P<name>[A-Za-z][A-Za-z0-9.]*)(?=\()
    """,
    re.VERBOSE | re.DOTALL,
)


def prefixed(formula: str) -> str:
    """A formula as it stands in a file: `IFS(A1,2)` as `_xlfn.IFS(A1,2)`.

    What has its prefix already stays.  Parameters of LET and LAMBDA, which are `_xlpm.x` in a
    file, and functions passed by their bare names, `_xleta.SUM`, are left as they come.
    """
    if "(" not in formula or LATER.isdisjoint(_CALLED.findall(formula.upper())):
        return formula  # as nearly all are: a look takes a fraction of what writing the cell does
    return _TOKENS.sub(_written, formula)


def _written(found: re.Match[str]) -> str:
    name = (found["name"] or "").upper()
    if name not in LATER:
        return found[0]
    return f"_xlfn._xlws.{name}" if name in _OF_SHEETS else f"_xlfn.{name}"
