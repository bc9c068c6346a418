"""Links: the hyperlinks of single cells of a sheet.

Source: ECMA-376 Part 1 §18.3.1.47 (hyperlink).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from streamware.formats.spreadsheet.address import parts_of
from streamware.formats.xlsx.parts import Relation, in_pieces
from streamware.formats.xlsx.records import Mark, RecordFile, Records

MAX_LINKS = 65_530  # of a sheet (Microsoft's limits page)
MAX_BYTES = 8 * 2**20  # of the addresses of a sheet in memory
RECENT, RECENT_LENGTH = 64, 256  # the last addresses are known again, unless they are longer


class LinksMark(NamedTuple):
    """The state of `Links`, to which `rewind` returns."""

    size: int
    links: Mark
    addresses: Mark


class Links:
    """The links of one sheet.

    Without a file, memory holds at most `MAX_BYTES` of addresses, each address once.  With a file,
    an address that is repeated much later has a relation of its own again.

    Args:
        file: Takes what waits for the end of the sheet; None to keep it in memory.
    """

    def __init__(self, file: RecordFile | None = None) -> None:
        self._spooled = file is not None  # whether there is a file
        self._links = Records(file)  # as XML, which takes less memory than objects
        self._addresses = Records(file)  # those that have a relation
        self._ids: dict[str, int] = {}  # the number of the relation to an address
        self._size = 0  # bytes of places, and of addresses that were not known

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
        if size > MAX_BYTES and not self._spooled:
            return False
        number = self._number(address) if address else 0
        outside = f' r:id="rId{number}"' if number else ""
        inside = f" location={quoteattr(place)}" if place else ""
        self._links.add(f'<hyperlink ref="{reference}"{outside}{inside}/>')
        self._size = size
        return True

    def mark(self) -> LinksMark:
        """Return the state, for `rewind`."""
        return LinksMark(self._size, self._links.mark(), self._addresses.mark())

    def rewind(self, mark: LinksMark) -> None:
        """Remove the links that were added after `mark`."""
        self._size = mark.size
        self._links.rewind(mark.links)
        self._addresses.rewind(mark.addresses)
        self._ids = {
            address: number
            for address, number in self._ids.items()
            if number <= len(self._addresses)
        }

    @property
    def addresses(self) -> int:
        """The number of relations to addresses."""
        return len(self._addresses)

    def relations(self) -> Iterator[Relation]:
        """Yield the relations to the addresses; the first has the id `rId1`."""
        return (Relation("hyperlink", address, external=True) for address in self._addresses)

    def element(self) -> Iterator[bytes]:
        """Yield the element `hyperlinks`, in pieces; nothing if there are no links."""
        if self._links:
            yield from in_pieces(chain(["<hyperlinks>"], self._links, ["</hyperlinks>"]))

    def _number(self, address: str) -> int:
        """Return the number of the relation to an address, which is added if it is not known."""
        number = self._ids.get(address)
        if number is None:
            self._addresses.add(address)
            number = len(self._addresses)
            if not self._spooled:
                self._ids[address] = number
            elif len(address) <= RECENT_LENGTH:
                self._ids[address] = number
                if len(self._ids) > RECENT:
                    del self._ids[next(iter(self._ids))]
        return number
