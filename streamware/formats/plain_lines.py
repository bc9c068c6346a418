"""PlainLines: writes batches of ordinary values as lines of CSV, all rows in a few calls.

orjson writes rows faster than anything else.  In its JSON every text is in quotes, a comma is
between the cells and `],[` is between the rows.  Where no text has a comma, a quote, a control or a
backslash, which JSON escapes, or anything else that needs care, that differs from lines of CSV in a
few places, and they are replaced.  All other batches are written column by column, with the same
result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from itertools import chain, compress, repeat
from operator import attrgetter, is_
from typing import Any

from streamware.model.columns import Batch, RowColumns
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.formula_text import SIGN_BYTES, STARTS, FormulaGuard
from streamware.values.numbers import has_small, orjson

_ORDINARY = frozenset({str, int, float, bool, None.__class__, date, datetime})
_SYNTAX = b'[]{}"\\,'  # of JSON, without the colon, which no delimiter can be
_NO_SIGNS = bytes(set(range(256)) - set(SIGN_BYTES))
_FIRST_BYTES = bytes({each.encode()[0] for each in STARTS})
_START = re.compile(b'"[' + re.escape(_FIRST_BYTES) + b"]")
_ZONE = attrgetter("tzinfo")
_MOST_SKIPPED = 64  # batches


class PlainLines:
    """Writes rows as lines of CSV if they have only ordinary values that need no care.

    After rows that have others, the next ones are not tried, so that nothing is lost with documents
    that are full of them.

    Args:
        delimiter: The byte between the cells.
        line_end: What ends each line.
        null: The text of an empty cell.
        guard: Finds text that looks like a formula; None if it may.
    """

    def __init__(
        self, delimiter: bytes, line_end: bytes, null: bytes, guard: FormulaGuard | None
    ) -> None:
        self._delimiter = delimiter  # the byte between the cells
        self._delimited = bytes.maketrans(b",", delimiter)  # makes every comma a delimiter
        self._line_end = line_end  # what ends each line
        self._null = null  # the text of an empty cell
        self._guard = guard  # finds text that looks like a formula; None if it may
        self._skipped = 0  # batches that were not tried after the last one that needed care
        self._rest = 0  # batches that are still not to be tried

    @staticmethod
    def can_write(delimiter: bytes, null: bytes) -> bool:
        """Return whether lines with such a delimiter and such empty cells can be written so."""
        known = orjson is not None and (delimiter == b"," or delimiter not in _SYNTAX)
        return known and set(_SYNTAX).isdisjoint(null)

    def lines(self, batch: Batch) -> bytes | None:
        """Return the lines; None if they have to be written column by column."""
        if self._rest:
            self._rest -= 1
            return None
        columns = batch.columns
        rows = columns.rows if isinstance(columns, RowColumns) else list(zip(*columns, strict=True))
        lines = self._written(rows, len(columns))
        self._skipped = 0 if lines else min(4 * self._skipped + 1, _MOST_SKIPPED)
        self._rest = self._skipped
        return lines

    def _written(self, rows: Sequence[Any], width: int) -> bytes | None:
        if not _are_ordinary(rows):
            return None
        try:
            blob = orjson.dumps(rows)
        except TypeError:  # an integer of more than 64 bits, or a lone surrogate
            return None
        if (
            blob.count(b",") != len(rows) * width - 1
            or b"\\" in blob
            or b"\xef" in blob  # U+FFFE and U+FFFF start so, and full-width signs
            or (self._delimiter != b"," and self._delimiter in blob)
            or self._may_have_formula(blob)
        ):
            return None
        return self._as_lines(blob)

    def _may_have_formula(self, blob: bytes) -> bool:
        guard = self._guard
        if guard is None or not blob.translate(None, _NO_SIGNS):
            return False
        return bool(_START.search(blob)) or guard.finds(blob.replace(b",", SEPARATOR))

    def _as_lines(self, blob: bytes) -> bytes:
        """Return the lines whose cells JSON has; every comma in it separates cells or rows."""
        lines = blob[2:-2]
        if b"null" in lines:
            lines = lines.replace(b",null", b"," + self._null)
            lines = lines.replace(b",[null", b",[" + self._null)
            if lines.startswith(b"null"):
                lines = self._null + lines[len(b"null") :]
        lines = lines.replace(b"],[", self._line_end)
        return lines.translate(self._delimited, b'"') + self._line_end


def _are_ordinary(rows: Sequence[Any]) -> bool:
    """Return whether all cells are of types that JSON has like CSV, and have no other zone."""
    types = set(map(type, chain.from_iterable(rows)))
    if not types <= _ORDINARY and not all(map(_is_ordinary, types)):
        return False
    if datetime in types and any(zone is not None for zone in map(_ZONE, _of(datetime, rows))):
        return False
    return float not in types or _are_repr(_of(float, rows))


def _of(type_: type, rows: Sequence[Any]) -> list[Any]:
    cells = list(chain.from_iterable(rows))
    return list(compress(cells, map(is_, map(type, cells), repeat(type_))))


def _are_repr(floats: list[float]) -> bool:
    """Return whether JSON has floats as `repr` does; it does not have those that are not finite."""
    text = orjson.dumps(floats)
    return not (b"e" in text or b"n" in text or has_small(text))


def _is_ordinary(type_: type) -> bool:
    return type_ in _ORDINARY or (issubclass(type_, str) and not issubclass(type_, Enum))
