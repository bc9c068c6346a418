"""Links: where the cells of a sheet lead.

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

    Memory holds their addresses, each once: at most `MAX_BYTES`.
    """

    def __init__(self) -> None:
        self._links: list[str] = []  # their XML: it takes less than what it says
        self._ids: dict[str, int] = {}
        self._size = 0

    def add(self, reference: str, url: str) -> bool:
        """Have the cell at `reference` lead to `url`; False where it cannot.

        Args:
            reference: Such as `B7`.
            url: An address; `#'Other sheet'!A1` is a place in the workbook.
        """
        parted = parts_of(url)
        if parted is None or len(self._links) >= MAX_LINKS:
            return False
        address, place = parted
        # Only what is new takes room; a place is in its link each time.
        size = self._size + len(place) + (0 if address in self._ids else len(address))
        if size > MAX_BYTES:
            return False
        number = self._ids.setdefault(address, len(self._ids) + 1) if address else 0
        self._links.append(_link(reference, number, place))
        self._size = size
        return True

    def mark(self) -> int:
        """How many there are, for `rewind`."""
        return len(self._links)

    def rewind(self, mark: int) -> None:
        """Forget those that were added since."""
        del self._links[mark:]

    @property
    def addresses(self) -> int:
        """So many different ones."""
        return len(self._ids)

    def relations(self) -> Iterator[Relation]:
        """Those of the sheet to the addresses; the first has the id `rId1`."""
        return (Relation("hyperlink", address, external=True) for address in self._ids)

    def element(self) -> str:
        """`hyperlinks`; empty where there are none."""
        if not self._links:
            return ""
        return f"<hyperlinks>{''.join(self._links)}</hyperlinks>"


def _link(reference: str, number: int, place: str) -> str:
    outside = f' r:id="rId{number}"' if number else ""
    inside = f" location={quoteattr(place)}" if place else ""
    return f'<hyperlink ref="{reference}"{outside}{inside}/>'
