"""Links: where the cells of a sheet lead.

Source: ECMA-376 Part 1 §18.3.1.47 (hyperlink); RFC 3986 §2.1 and §3 (percent-encoding, parts of
an address).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from streamware.formats.text import legal
from streamware.formats.xlsx.parts import Relation

MAX_LINKS = 65_530  # of a sheet (Microsoft's limits page)
MAX_ADDRESS = 2079  # characters: Excel repairs a workbook that has a longer one
MAX_BYTES = 8 * 2**20  # of the addresses of a sheet

# What no address has as it is.  What is quoted already stays; the backslash is for files.
_UNSAFE = re.compile(r'[\x00-\x20"<>^`{|}\x7f\[\]]|%(?![0-9A-Fa-f]{2})')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WITH_HOST = re.compile(
    r"(?:https?|ftps?)://(?:[^/?#]*@)?[^/?#@:%\s]+(?::[0-9]{0,5})?(?:[/?].*)?\Z", re.IGNORECASE
)
_HOSTED = re.compile(r"(?:https?|ftps?):", re.IGNORECASE)
_LINKED = re.compile(r"(?:https?|ftps?)://|mailto:", re.IGNORECASE)
_RUN = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)  # these lead nowhere
_CONTROL = re.compile("[\x00-\x1f]")


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


def parts_of(url: str) -> tuple[str, str] | None:
    """What comes before the `#` of an address, quoted as far as it has to be, and what after it.

    None where it is no address: one without a scheme is where it has no blanks, and one of a
    script never is.
    """
    address, _, place = legal(url).partition("#")
    address = address.strip()
    if _RUN.match(address) or (" " in address and not _SCHEME.match(address)):
        return None
    address = _UNSAFE.sub(_quoted, address)
    if max(len(address), len(place)) > MAX_ADDRESS or not (_sound(address) if address else place):
        return None
    return address, place


def address_in(text: str) -> str | None:
    """The address that a text is, of the web, of FTP or of mail; None where it is none."""
    text = text.strip()
    parted = parts_of(text) if _LINKED.match(text) and not _CONTROL.search(text) else None
    if parted is None:
        return None
    address, place = parted
    return f"{address}#{_UNSAFE.sub(_quoted, place)}" if place else address


def _link(reference: str, number: int, place: str) -> str:
    outside = f' r:id="rId{number}"' if number else ""
    inside = f" location={quoteattr(place)}" if place else ""
    return f'<hyperlink ref="{reference}"{outside}{inside}/>'


def _quoted(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _sound(address: str) -> bool:
    """Whether programs that check addresses open a workbook that has it."""
    if _HOSTED.match(address):
        return _WITH_HOST.match(address) is not None
    scheme = _SCHEME.match(address)
    return scheme is None or scheme.end() < len(address)
