"""The small parts of an ODS file, and what all parts share.

Source: OASIS OpenDocument 1.3 Part 2 §3 (packages), Part 3 §3.1 (the document's roots), §4
(metadata).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from streamware.formats.spreadsheet.properties import moment
from streamware.formats.text import element, legal

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
    # An extension of LibreOffice, for conditional formats of ranges, which ODF 1.3 lacks.
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
}
_IN_ATTRIBUTE = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_VERSION = "1.3"


def opening(root: str, *prefixes: str) -> str:
    """Return the declaration and the start tag of a part."""
    names = "".join(f' xmlns:{prefix}="{_NAMESPACES[prefix]}"' for prefix in prefixes)
    return f'{_DECLARATION}<office:{root}{names} office:version="{_VERSION}">'


def attribute(text: str) -> str:
    """Return a text as the value of an attribute, with the quotes."""
    return f'"{escape(legal(text), _IN_ATTRIBUTE)}"'


def meta(
    *,
    title: str | None,
    author: str | None,
    created: datetime | None,
    properties: Mapping[str, object],
) -> bytes:
    """Return `meta.xml`.

    Args:
        title: Title of the document.
        author: Author of the document.
        created: When it was created.
        properties: Custom properties by name: texts, numbers, booleans, dates.
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
    """Return `META-INF/manifest.xml`, which lists the media type of every part."""
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
    attributes = f'meta:name={attribute(name)} meta:value-type="{kind}"'
    return f"<meta:user-defined {attributes}>{escape(legal(text))}</meta:user-defined>"
