"""Writes the relations of parts, and the parts of a workbook that belong to no sheet.

Source: ECMA-376 Part 2 §9.3 (relationships), §10.1.2 (content types), §11 (core properties); Part 1
§18.2 (workbook), §22.2 (extended properties).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from streamware.formats.spreadsheet.properties import moment
from streamware.formats.text import element, legal

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"

STYLES = "xl/styles.xml"
WORKBOOK = "xl/workbook.xml"
WORKBOOK_RELATIONS = "xl/_rels/workbook.xml.rels"
CONTENT_TYPES = "[Content_Types].xml"
RELATIONS = "_rels/.rels"
CORE = "docProps/core.xml"
APP = "docProps/app.xml"
SHARED_STRINGS = "xl/sharedStrings.xml"

SHEET_TYPE = f"{_TYPES}.worksheet+xml"
TABLE_TYPE = f"{_TYPES}.table+xml"
NOTES_TYPE = f"{_TYPES}.comments+xml"
_PIECE = 512  # texts that are joined into a piece
_FIXED = {
    WORKBOOK: f"{_TYPES}.sheet.main+xml",
    STYLES: f"{_TYPES}.styles+xml",
    SHARED_STRINGS: f"{_TYPES}.sharedStrings+xml",
    CORE: "application/vnd.openxmlformats-package.core-properties+xml",
    APP: "application/vnd.openxmlformats-officedocument.extended-properties+xml",
}
# The types of parts by their extension, unless they are overridden (Part 2 §10.1.2.2).
_DEFAULTS = {
    "rels": "application/vnd.openxmlformats-package.relationships+xml",
    "xml": "application/xml",
    "vml": "application/vnd.openxmlformats-officedocument.vmlDrawing",
}


class Part(NamedTuple):
    """A part that belongs to a sheet.

    Attributes:
        name: Its name in the zip.
        content_type: Its media type; None if its extension gives it.
        data: Its content; in pieces if it may be long.
    """

    name: str
    content_type: str | None
    data: bytes | Iterator[bytes]


class Relation(NamedTuple):
    """A relation of a part to another part, or to an address.

    Attributes:
        type: Its type, without the prefix that all types have.
        target: Path of the part, or the address.
        external: Whether the target is outside of the package.
    """

    type: str
    target: str
    external: bool = False


class DefinedName(NamedTuple):
    """A name for a formula or a range.

    Attributes:
        name: The name.
        text: The formula or range, such as `'Orders'!$A$1:$C$9`.
        position: Position of the sheet that it belongs to, from 0; None for the whole workbook.
        hidden: Whether programs do not show it.
    """

    name: str
    text: str
    position: int | None = None
    hidden: bool = False


def sheet_name(number: int) -> str:
    """Return the name of the part of a sheet, by the sheet's number from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def relations(custom: str | None = None) -> bytes:
    """Return the relations of the package.

    Args:
        custom: Name of the part of custom properties, if there are any.
    """
    found = [
        (f"{_OFFICE}/relationships/officeDocument", WORKBOOK, False),
        (f"{_PACKAGE}/relationships/metadata/core-properties", CORE, False),
        (f"{_OFFICE}/relationships/extended-properties", APP, False),
    ]
    if custom is not None:
        found.append((f"{_OFFICE}/relationships/custom-properties", custom, False))
    return b"".join(_relationships(found))


def core_properties(title: str | None, author: str | None, created: datetime | None) -> bytes:
    """Return the core properties (Part 2 §11)."""
    inner = element("dc:title", title) + element("dc:creator", author)
    if created is not None:
        inner += f'<dcterms:created xsi:type="dcterms:W3CDTF">{moment(created)}</dcterms:created>'
    return (
        f'{_DECLARATION}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{inner}</cp:coreProperties>'
    ).encode()


def app_properties(company: str | None) -> bytes:
    """Return the extended properties."""
    inner = element("Application", "streamware") + element("Company", company)
    return (
        f'{_DECLARATION}<Properties xmlns="{_OFFICE}/extended-properties">{inner}</Properties>'
    ).encode()


def workbook(
    sheets: Iterable[str],
    defined: Iterable[DefinedName] = (),
    *,
    formulas: bool = False,
    since_1904: bool = False,
) -> bytes:
    """Return the part that lists the sheets and the defined names.

    Args:
        sheets: The names of the sheets, in the order of their tabs and of their parts.
        defined: The defined names, in any order.
        formulas: Whether there are formulas: then the program that opens the file calculates.
        since_1904: Whether dates are counted from 1904.
    """
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, 1)
    )
    names = ""
    for name, text, position, hidden in defined:
        local = "" if position is None else f' localSheetId="{position}"'
        local += ' hidden="1"' if hidden else ""
        names += f"<definedName name={quoteattr(name)}{local}>{escape(legal(text))}</definedName>"
    if names:
        names = f"<definedNames>{names}</definedNames>"
    system = '<workbookPr date1904="1"/>' if since_1904 else ""
    calculated = '<calcPr fullCalcOnLoad="1"/>' if formulas else ""
    return (
        f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships">'
        f"{system}<bookViews><workbookView/></bookViews><sheets>{listed}</sheets>{names}"
        f"{calculated}</workbook>"
    ).encode()


def workbook_relations(sheets: int, *, strings: bool = False) -> bytes:
    """Return the relations of the workbook to its sheets, its styles and its shared strings.

    Args:
        sheets: The number of sheets; the id of each is the number of its part.
        strings: Whether there is a part of shared strings.
    """
    relations = [
        Relation("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, sheets + 1)
    ]
    relations.append(Relation("styles", "styles.xml"))
    if strings:
        relations.append(Relation("sharedStrings", "sharedStrings.xml"))
    return b"".join(relations_of(relations))


def relations_of(relations: Iterable[Relation]) -> Iterator[bytes]:
    """Yield the relations of a part, in pieces; the first has the id `rId1`."""
    return _relationships(
        (f"{_OFFICE}/relationships/{type_}", target, external)
        for type_, target, external in relations
    )


def in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield many short texts joined into few pieces, in UTF-8."""
    following = iter(texts)
    while some := list(islice(following, _PIECE)):
        yield "".join(some).encode()


def content_types(written: Iterable[tuple[str, str | None]]) -> bytes:
    """Return the part with the media types of all parts.

    Args:
        written: The names and media types of the parts that not every workbook has; None as media
            type if the extension gives it.
    """
    given = list(written)
    overrides = {name: type_ for name, type_ in given if type_ is not None} | _FIXED
    if not any(name == SHARED_STRINGS for name, _ in given):
        del overrides[SHARED_STRINGS]
    drawn = any(name.endswith(".vml") for name, _ in given)
    inner = "".join(
        f'<Default Extension="{extension}" ContentType="{type_}"/>'
        for extension, type_ in _DEFAULTS.items()
        if extension != "vml" or drawn
    ) + "".join(
        f'<Override PartName="/{part}" ContentType="{type_}"/>' for part, type_ in overrides.items()
    )
    return f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">{inner}</Types>'.encode()


def _relationships(relations: Iterable[tuple[str, str, bool]]) -> Iterator[bytes]:
    listed = (
        f'<Relationship Id="rId{number}" Type="{type_}" Target={quoteattr(target)}'
        + (' TargetMode="External"/>' if external else "/>")
        for number, (type_, target, external) in enumerate(relations, 1)
    )
    head = f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">'
    return in_pieces(chain([head], listed, ["</Relationships>"]))
