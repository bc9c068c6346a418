"""The parts of an ODS file that are not its content: what every one has, and the small ones.

Source: OASIS OpenDocument 1.3 Part 2 §3 (packages), Part 3 §3.1 (the document's roots), §4
(metadata).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from streamware.formats.spreadsheet.properties import moment
from streamware.formats.text import legal

MEDIA_TYPE = "application/vnd.oasis.opendocument.spreadsheet"

MIMETYPE = "mimetype"
CONTENT = "content.xml"
STYLES = "styles.xml"
SETTINGS = "settings.xml"
META = "meta.xml"
MANIFEST = "META-INF/manifest.xml"

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_NAMESPACES = {
    "office": f"{_OASIS}:office:1.0",
    "table": f"{_OASIS}:table:1.0",
    "text": f"{_OASIS}:text:1.0",
    "style": f"{_OASIS}:style:1.0",
    "number": f"{_OASIS}:datastyle:1.0",
    "fo": f"{_OASIS}:xsl-fo-compatible:1.0",
    "meta": f"{_OASIS}:meta:1.0",
    "config": f"{_OASIS}:config:1.0",
    "of": f"{_OASIS}:of:1.2",
    "xlink": "http://www.w3.org/1999/xlink",
    "dc": "http://purl.org/dc/elements/1.1/",
    # LibreOffice's own, for what ODF 1.3 has no place: conditional formats by range.
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
}
_IN_ATTRIBUTE = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_VERSION = "1.3"


def opening(root: str, *prefixes: str) -> str:
    """The declaration and the start tag of a part."""
    names = "".join(f' xmlns:{prefix}="{_NAMESPACES[prefix]}"' for prefix in prefixes)
    return f'{_DECLARATION}<office:{root}{names} office:version="{_VERSION}">'


def attribute(text: str) -> str:
    """A text as an attribute's value, quotes included."""
    return f'"{escape(legal(text), _IN_ATTRIBUTE)}"'


def element(name: str, text: str | None) -> str:
    """An element of this text; nothing where there is none."""
    return "" if text is None else f"<{name}>{escape(legal(text))}</{name}>"


def meta(
    *,
    title: str | None,
    author: str | None,
    created: datetime | None,
    properties: Mapping[str, object],
) -> bytes:
    """`meta.xml`.

    Args:
        title: Of the document.
        author: Of the document.
        created: When it was made.
        properties: The document's own, by name: text, numbers, truths, dates.
    """
    inner = (
        element("meta:generator", "streamware")
        + element("dc:title", title)
        + element("meta:initial-creator", author)
        + element("dc:creator", author)
        + element("meta:creation-date", None if created is None else moment(created))
        + "".join(_property(name, value) for name, value in properties.items())
    )
    root = opening("document-meta", "office", "meta", "dc")
    return f"{root}<office:meta>{inner}</office:meta></office:document-meta>".encode()


def manifest(parts: Iterable[str]) -> bytes:
    """`META-INF/manifest.xml`: the media type of every part."""
    name = f"{_OASIS}:manifest:1.0"
    files = "".join(
        f'<manifest:file-entry manifest:full-path="{part}" manifest:media-type="text/xml"/>'
        for part in parts
    )
    return (
        f'{_DECLARATION}<manifest:manifest xmlns:manifest="{name}" manifest:version="{_VERSION}">'
        f'<manifest:file-entry manifest:full-path="/" manifest:version="{_VERSION}"'
        f' manifest:media-type="{MEDIA_TYPE}"/>{files}</manifest:manifest>'
    ).encode()


def _property(name: str, value: object) -> str:
    kind, text = "string", str(value)
    if isinstance(value, bool):
        kind, text = "boolean", "true" if value else "false"
    elif isinstance(value, (int, float, Decimal)):
        kind = "float"
    elif isinstance(value, datetime):
        kind, text = "date", moment(value)
    elif isinstance(value, date):
        kind, text = "date", value.isoformat()
    marks = f'meta:name={attribute(name)} meta:value-type="{kind}"'
    return f"<meta:user-defined {marks}>{escape(legal(text))}</meta:user-defined>"
