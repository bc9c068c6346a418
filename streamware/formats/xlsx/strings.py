"""The table of shared strings, for programs that show no others.

Source: ECMA-376 Part 1 §18.4.9 (sst), §18.4.8 (si).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

MAX_STRINGS = 50_000
MAX_BYTES = 4 * 2**20  # of their text

_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="%d">'
)
_STRIPPED = b" \t\n\r"


class SharedStrings:
    """The texts that cells of a workbook share, in the order in which rows have them.

    Memory holds at most `MAX_STRINGS` texts of `MAX_BYTES` together; a text that comes later
    stands in its cell.
    """

    def __init__(self) -> None:
        self._ids: dict[bytes, bytes] = {}
        self._size = 0

    def collect(self, columns: Sequence[FormattedColumn]) -> None:
        """Take in the texts of some rows, row by row: the order must not depend on batches."""
        texts = [list(_texts(cells)) for cells in columns if _may_have_text(cells)]
        if texts:
            new = dict.fromkeys(chain.from_iterable(zip(*texts, strict=True)))
            new.pop(None, None)
            for token in new:
                if token not in self._ids:
                    self._added(token)

    def ids(self, tokens: Sequence[bytes | None]) -> list[bytes | None]:
        """The number of each text; None for what is not in the table."""
        return list(map(self._ids.get, tokens))  # type: ignore[arg-type]  # None is no key of it

    def id(self, token: bytes) -> bytes | None:
        """The number of a text, which is taken in; None where there is no room for it."""
        return self._ids.get(token) or self._added(token)

    def part(self) -> bytes | None:
        """`xl/sharedStrings.xml`; None where there are none."""
        if not self._ids:
            return None
        items = b"".join(map(_item, self._ids))
        return _HEAD % len(self._ids) + items + b"</sst>"

    def _added(self, token: bytes) -> bytes | None:
        size = self._size + len(token)
        if len(self._ids) >= MAX_STRINGS or size > MAX_BYTES:
            return None
        self._size = size
        number = self._ids[token] = b"%d" % len(self._ids)
        return number


def _may_have_text(cells: FormattedColumn) -> bool:
    return cells.kind is Kind.TEXT or cells.kinds is not None


def _texts(cells: FormattedColumn) -> Sequence[bytes | None]:
    if cells.kinds is None:
        return cells.tokens
    pairs = zip(cells.kinds, cells.tokens, strict=True)
    return [token if kind is Kind.TEXT else None for kind, token in pairs]


def _item(token: bytes) -> bytes:
    space = b' xml:space="preserve"' if token.strip(_STRIPPED) != token else b""
    return b"<si><t" + space + b">" + token + b"</t></si>"
