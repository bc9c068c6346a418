"""The parts of a workbook that are not sheets.

Source: ECMA-376 Part 2 §9 and §10 (relationships, content types); Part 1 §18.2 (workbook) and
§22.2 (extended properties).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
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


def legal(text: str) -> str:
    """`text` without what XML forbids (XML 1.0 §2.2), and without lone surrogates."""
    return _FORBIDDEN.sub("\ufffd", text)


def sheet_name(number: int) -> str:
    """Name of the part of a sheet, counted from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def relations() -> bytes:
    """The package's own relations."""
    return _relationships(
        (
            (f"{_OFFICE}/relationships/officeDocument", WORKBOOK),
            (f"{_PACKAGE}/relationships/metadata/core-properties", CORE),
            (f"{_OFFICE}/relationships/extended-properties", APP),
        )
    )


def core_properties(title: str | None, author: str | None, created: datetime | None) -> bytes:
    """Dublin Core properties (Part 2 §11)."""
    inner = _element("dc:title", title) + _element("dc:creator", author)
    if created is not None:
        moment = created.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        inner += f'<dcterms:created xsi:type="dcterms:W3CDTF">{moment}Z</dcterms:created>'
    return (
        f'{_DECLARATION}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{inner}</cp:coreProperties>'
    ).encode()


def app_properties(company: str | None) -> bytes:
    """Extended properties."""
    inner = _element("Application", "streamware") + _element("Company", company)
    return (
        f'{_DECLARATION}<Properties xmlns="{_OFFICE}/extended-properties">{inner}</Properties>'
    ).encode()


def workbook(
    names: Sequence[str], filters: Iterable[tuple[int, str]], *, formulas: bool = False
) -> bytes:
    """The list of sheets, and their autofilters' hidden names.

    Args:
        names: Names of the sheets, in order.
        filters: Position of a sheet from 0, and its filtered range such as `$A$1:$C$9`.
        formulas: Whether there are any: the program that opens it calculates them.
    """
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, 1)
    )
    defined = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{at}" hidden="1">'
        f"{escape(_quoted(names[at]))}!{area}</definedName>"
        for at, area in filters
    )
    if defined:
        defined = f"<definedNames>{defined}</definedNames>"
    calculated = '<calcPr fullCalcOnLoad="1"/>' if formulas else ""
    return (
        f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships">'
        f"<bookViews><workbookView/></bookViews><sheets>{sheets}</sheets>{defined}"
        f"{calculated}</workbook>"
    ).encode()


def workbook_relations(sheets: int) -> bytes:
    """Where the sheets and the styles are."""
    targets = [
        (f"{_OFFICE}/relationships/worksheet", f"worksheets/sheet{n}.xml")
        for n in range(1, sheets + 1)
    ]
    return _relationships([*targets, (f"{_OFFICE}/relationships/styles", "styles.xml")])


def content_types(sheets: int) -> bytes:
    """The media type of every part."""
    overrides = [(sheet_name(n), f"{_TYPES}.worksheet+xml") for n in range(1, sheets + 1)]
    overrides += [
        (WORKBOOK, f"{_TYPES}.sheet.main+xml"),
        (STYLES, f"{_TYPES}.styles+xml"),
        (CORE, "application/vnd.openxmlformats-package.core-properties+xml"),
        (APP, "application/vnd.openxmlformats-officedocument.extended-properties+xml"),
    ]
    inner = "".join(
        f'<Override PartName="/{part}" ContentType="{type_}"/>' for part, type_ in overrides
    )
    return (
        f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{inner}</Types>'
    ).encode()


def _relationships(targets: Iterable[tuple[str, str]]) -> bytes:
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{type_}" Target="{target}"/>'
        for number, (type_, target) in enumerate(targets, 1)
    )
    return (
        f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'
    ).encode()


def _element(name: str, text: str | None) -> str:
    return "" if text is None else f"<{name}>{escape(legal(text))}</{name}>"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
