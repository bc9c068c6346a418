"""Links: the hyperlinks of single cells of a sheet.

Source: ECMA-376 Part 1 §18.3.1.47 (hyperlink).
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from streamware.formats.spreadsheet.address import parts_of
from streamware.formats.xlsx.parts import Relation

MAX_LINKS = 65_530  # of a sheet (Microsoft's limits page)
MAX_BYTES = 8 * 2**20  # of the addresses of a sheet


class Links:
    """The links of one sheet.

    Memory holds at most `MAX_BYTES` of addresses, each address once.
    """

    def __init__(self) -> None:
        self._links: list[str] = []  # as XML, which takes less memory than objects
        self._ids: dict[str, int] = {}  # the number of the relation to an address
        self._size = 0  # bytes of the addresses

    def add(self, reference: str, url: str) -> bool:
        """Make a cell a link; return False if that is impossible, or there is no room for it.

        Args:
            reference: The cell, such as `B7`.
            url: An address, or `#'Other sheet'!A1` for a place in the workbook.
        """
        parted = parts_of(url)
        if parted is None or len(self._links) >= MAX_LINKS:
            return False
        address, place = parted
        # An address counts once.  A place counts each time, because every link repeats it.
        size = self._size + len(place) + (0 if address in self._ids else len(address))
        if size > MAX_BYTES:
            return False
        number = self._ids.setdefault(address, len(self._ids) + 1) if address else 0
        outside = f' r:id="rId{number}"' if number else ""
        inside = f" location={quoteattr(place)}" if place else ""
        self._links.append(f'<hyperlink ref="{reference}"{outside}{inside}/>')
        self._size = size
        return True

    def mark(self) -> int:
        """Return the number of links, for `rewind`."""
        return len(self._links)

    def rewind(self, mark: int) -> None:
        """Remove the links that were added after `mark`; their addresses stay."""
        del self._links[mark:]

    @property
    def addresses(self) -> int:
        """The number of different addresses."""
        return len(self._ids)

    def relations(self) -> Iterator[Relation]:
        """Yield the relations to the addresses; the first has the id `rId1`."""
        return (Relation("hyperlink", address, external=True) for address in self._ids)

    def element(self) -> str:
        """Return the element `hyperlinks`; empty if there are no links."""
        if not self._links:
            return ""
        return f"<hyperlinks>{''.join(self._links)}</hyperlinks>"
