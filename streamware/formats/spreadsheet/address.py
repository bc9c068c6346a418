"""The addresses that a cell can link to: checks them, and percent-encodes what must be.

Source: RFC 3986 §2 and §3 (percent-encoding, components); what Excel repairs.
"""

from __future__ import annotations

import re

from streamware.formats.spreadsheet.reference import quoted
from streamware.formats.text import legal
from streamware.values.cell_formatter import SEPARATOR

MAX_ADDRESS = 2079  # characters; Excel repairs a workbook that has a longer one

# Characters that must be encoded; encoded ones and the backslash of file names stay as they are.
_UNSAFE = re.compile(r'[\x00-\x20"<>^`{|}\x7f\[\]]|%(?![0-9A-Fa-f]{2})')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WITH_HOST = re.compile(
    r"(?:https?|ftps?)://(?:[^/?#]*@)?[^/?#@:%\s]+(?::[0-9]{0,5})?(?:[/?].*)?\Z", re.IGNORECASE
)
_HOSTED = re.compile(r"(?:https?|ftps?):", re.IGNORECASE)
_LINKED = re.compile(r"(?:https?|ftps?)://|mailto:", re.IGNORECASE)
_RUN = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)  # schemes that are never links
OF_SITE = re.compile(r"/(?!.*\.[A-Za-z0-9]{1,5}\Z)", re.DOTALL)
"""What begins as an absolute path, but does not end as the name of a file."""
_LOCAL = re.compile(r"\\\\|[A-Za-z]:[\\/]")  # of a server such as \\server\share, or of a drive
_PATH = re.compile(r"\.{0,2}[\\/]|.*\.[A-Za-z0-9]{1,5}\Z", re.DOTALL)
_NAME = re.compile(r"[^\W\d][\w.]*")
_CELL = re.compile(r"[A-Za-z]{1,3}[0-9]+|[RrCc][0-9]*")
_CONTROL = re.compile("[\x00-\x1f]")
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def parts_of(url: str) -> tuple[str, str] | None:
    r"""Return what precedes the `#` of an address, encoded as needed, and what follows it.

    Return None for anything but an address.  Text without a scheme is an address if it has no
    blanks, or is the path of a file; `javascript:` and the like are never addresses.  The path of a
    drive or of a server is written as Excel does: `file:///C:\a.pdf`.  The path of a web site, such
    as `/orders/5`, is none: programs would look for a file.
    """
    address, _, place = without_prefix(legal(url)).partition("#")
    address = address.strip()
    if (
        _RUN.match(address)
        or OF_SITE.match(address)
        or (" " in address and not (_SCHEME.match(address) or _PATH.match(address)))
    ):
        return None
    if _LOCAL.match(address):
        address = f"file:///{address}"
    elif not _SCHEME.match(address):
        address = address.replace("\\", "/")
    if not address:
        place = _quoted_sheet(place)
    address = _UNSAFE.sub(_encoded, address)
    if max(len(address), len(place)) > MAX_ADDRESS or not (
        _is_valid(address) if address else place
    ):
        return None
    return address, place


def without_prefix(url: str) -> str:
    """Return an address without a prefix of XlsxWriter: `#Other!A1` for `internal:Other!A1`."""
    prefix, colon, rest = url.lstrip().partition(":")
    if colon and prefix.lower() == "internal":
        return "#" + rest.lstrip("#")
    return rest if colon and prefix.lower() == "external" else url


def _quoted_sheet(place: str) -> str:
    """Return a place in the workbook with the name of its sheet in quotes, if it needs them."""
    sheet, mark, cell = place.rpartition("!")
    if not mark or sheet.startswith("'") or (_NAME.fullmatch(sheet) and not _CELL.fullmatch(sheet)):
        return place
    return f"{quoted(sheet)}!{cell}"


def address_in(text: str) -> str | None:
    """Return `text` as a web, FTP or mail address, encoded as needed; None if it is no such."""
    text = text.strip()
    parted = parts_of(text) if _LINKED.match(text) and not _CONTROL.search(text) else None
    if parted is None:
        return None
    address, place = parted
    return f"{address}#{_UNSAFE.sub(_encoded, place)}" if place else address


def percent_encoded(blob: bytes) -> bytes:
    """Return `blob` with every character but the unreserved percent-encoded (RFC 3986 §2.1).

    `blob` is a whole column: one replacement for each byte that occurs in it is faster than a loop
    over its bytes.
    """
    others = set(blob.translate(None, _UNRESERVED + SEPARATOR))
    for byte in sorted(others, key=lambda byte: byte != ord("%")):  # the percent sign first
        blob = blob.replace(bytes([byte]), b"%%%02X" % byte)
    return blob


def _encoded(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _is_valid(address: str) -> bool:
    """Return whether programs that check addresses open a workbook that has this one."""
    if _HOSTED.match(address):
        return _WITH_HOST.match(address) is not None
    scheme = _SCHEME.match(address)
    return scheme is None or scheme.end() < len(address)
