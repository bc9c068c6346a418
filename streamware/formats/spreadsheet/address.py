"""Addresses: what is one that a cell can lead to, and what has to be quoted in it.

Source: RFC 3986 §2 and §3 (percent-encoding, parts of an address); what Excel repairs.
"""

from __future__ import annotations

import re

from streamware.formats.text import legal
from streamware.values.cell import SEPARATOR

MAX_ADDRESS = 2079  # characters: Excel repairs a workbook that has a longer one

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
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


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


def percent_encoded(blob: bytes) -> bytes:
    """Every character that is not unreserved in its notation with a percent sign (RFC 3986 §2.1).

    A replacement for each that occurs in a whole column takes less time than a look at each.
    """
    others = set(blob.translate(None, _UNRESERVED + SEPARATOR))
    for byte in sorted(others, key=lambda byte: byte != ord("%")):  # the sign itself comes first
        blob = blob.replace(bytes([byte]), b"%%%02X" % byte)
    return blob


def _quoted(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _sound(address: str) -> bool:
    """Whether programs that check addresses open a workbook that has it."""
    if _HOSTED.match(address):
        return _WITH_HOST.match(address) is not None
    scheme = _SCHEME.match(address)
    return scheme is None or scheme.end() < len(address)
