"""Writes the names of functions as in files, where those added after Excel 2007 have a prefix.

With the prefix, a program that does not know a function says so and keeps the formula.  Without
it, Excel shows `#NAME?` even for a function that it knows.

Source: [MS-XLSX] §2.2.2.3 (future functions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamware.formats.spreadsheet.functions import LATER
from streamware.formats.text import MARKUP
from streamware.values.cell_formatter import SEPARATOR

_OF_WORKSHEETS = frozenset({"FILTER", "SORT"})  # in macro sheets these are other functions

_CALLED = re.compile(r"(?<![A-Z0-9.])[A-Z0-9.]++(?=\()")
# No character is looked at twice, whatever the formula: what is not closed goes to the end.
_TOKENS = re.compile(
    r"""
    "(?:[^"]|"")*+"?          # a text
    | '(?:[^']|'')*+'?        # a sheet
    | \[(?:[^][']|'.)*+\]?    # a column of a table, in which ' is an escape
    | (?<![\w.\\?!])(?P<name>[A-Za-z][A-Za-z0-9.]*+)(?=\()
    """,
    re.VERBOSE | re.DOTALL,
)


def prefixed(formula: str) -> str:
    """Return a formula as it is in a file: `_xlfn.IFS(A1,2)` for `IFS(A1,2)`.

    A prefix that is given already stays.  Parameters of LET and LAMBDA, which are `_xlpm.x` in a
    file, and functions passed by name, `_xleta.SUM`, are not changed.
    """
    return _TOKENS.sub(_renamed, formula) if _has_later(formula) else formula


def in_files(formulas: Sequence[bytes]) -> list[bytes]:
    """Return formulas as XML, with the prefixes of their functions.

    Programs do not read escapes of ST_Xstring in a formula, although the schema allows them.
    """
    blob = SEPARATOR.join(formulas)
    if _has_later(blob.decode()):
        blob = SEPARATOR.join([prefixed(formula.decode()).encode() for formula in formulas])
    for mark, reference in MARKUP:
        blob = blob.replace(mark, reference)
    return blob.split(SEPARATOR)


def _has_later(formulas: str) -> bool:
    """Return whether a later function may be in any formula; it takes little time."""
    return "(" in formulas and not LATER.isdisjoint(_CALLED.findall(formulas.upper()))


def _renamed(found: re.Match[str]) -> str:
    name = (found["name"] or "").upper()
    if name not in LATER:
        return found[0]
    return f"_xlfn._xlws.{name}" if name in _OF_WORKSHEETS else f"_xlfn.{name}"
