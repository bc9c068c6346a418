"""SharedStrings: the table of texts, for programs that do not show inline strings.

Source: ECMA-376 Part 1 §18.4.9 (sst), §18.4.8 (si).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

MAX_STRINGS = 50_000  # texts in the table
MAX_BYTES = 4 * 2**20  # of their text

_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="%d">'
)
_STRIPPED = b" \t\n\r"


class SharedStrings:
    """The texts that the cells of a workbook share, in the order of the rows.

    Memory holds at most `MAX_STRINGS` texts, of `MAX_BYTES` in total.  Texts after that are written
    into their cells.
    """

    def __init__(self) -> None:
        self._ids: dict[bytes, bytes] = {}  # the number of each text, as cells have it
        self._size = 0  # bytes of the texts

    def collect(self, columns: Sequence[FormattedColumn]) -> None:
        """Add the texts of some rows, row by row: their order must not depend on the batches."""
        texts: list[Sequence[bytes | None]] = []
        for cells in columns:
            if cells.kind is Kind.TEXT:
                texts.append(cells.tokens)
            elif cells.kinds is not None:
                pairs = zip(cells.kinds, cells.tokens, strict=True)
                texts.append([token if kind is Kind.TEXT else None for kind, token in pairs])
        if texts:
            new = dict.fromkeys(chain.from_iterable(zip(*texts, strict=True)))
            new.pop(None, None)
            for token in new:
                if token not in self._ids:
                    self._add(token)

    def ids(self, tokens: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the number of each text; None for a text that is not in the table."""
        return list(map(self._ids.get, tokens))  # type: ignore[arg-type]  # None is not a key

    def id(self, token: bytes) -> bytes | None:
        """Return the number of a text, added if it is new; None if there is no room for it."""
        return self._ids.get(token) or self._add(token)

    def part(self) -> bytes | None:
        """Return `xl/sharedStrings.xml`; None if there are no texts."""
        if not self._ids:
            return None
        items = []
        for token in self._ids:
            space = b' xml:space="preserve"' if token.strip(_STRIPPED) != token else b""
            items.append(b"<si><t" + space + b">" + token + b"</t></si>")
        return b"".join([_HEAD % len(self._ids), *items, b"</sst>"])

    def _add(self, token: bytes) -> bytes | None:
        size = self._size + len(token)
        if len(self._ids) >= MAX_STRINGS or size > MAX_BYTES:
            return None
        self._size = size
        number = self._ids[token] = b"%d" % len(self._ids)
        return number
