import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone

import pytest

from streamware.formats.xlsx import parts
from streamware.formats.xlsx.parts import DefinedName

CORE = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
}
MAIN = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def relations(data: bytes) -> dict[str, tuple[str, str]]:
    """Id to the last word of the type, and the target."""
    return {
        item.attrib["Id"]: (item.attrib["Type"].rpartition("/")[2], item.attrib["Target"])
        for item in ET.fromstring(data)
    }


def test_the_package_names_the_workbook_and_the_properties() -> None:
    assert relations(parts.relations()) == {
        "rId1": ("officeDocument", "xl/workbook.xml"),
        "rId2": ("core-properties", "docProps/core.xml"),
        "rId3": ("extended-properties", "docProps/app.xml"),
    }


def test_custom_properties_are_named_where_there_are_some() -> None:
    found = relations(parts.relations("docProps/custom.xml"))
    assert found["rId4"] == ("custom-properties", "docProps/custom.xml")


def test_the_workbook_names_its_sheets_and_the_styles() -> None:
    assert relations(parts.workbook_relations(2)) == {
        "rId1": ("worksheet", "worksheets/sheet1.xml"),
        "rId2": ("worksheet", "worksheets/sheet2.xml"),
        "rId3": ("styles", "styles.xml"),
    }


def test_sheets_are_listed_in_order_each_with_its_relation() -> None:
    book = ET.fromstring(parts.workbook(["Orders", 'a"b & <c>']))
    assert [dict(sheet.attrib) for sheet in book.iterfind("s:sheets/s:sheet", MAIN)] == [
        {"name": "Orders", "sheetId": "1", RELATION: "rId1"},
        {"name": 'a"b & <c>', "sheetId": "2", RELATION: "rId2"},
    ]


def test_the_elements_of_a_workbook_are_in_the_order_of_the_schema() -> None:
    book = ET.fromstring(parts.workbook(["a"], [DefinedName("n", "1")], formulas=True))
    assert [item.tag.partition("}")[2] for item in book] == [
        "bookViews",
        "sheets",
        "definedNames",
        "calcPr",
    ]


def test_a_name_may_belong_to_a_sheet_and_be_hidden() -> None:
    names = [DefinedName("rate", "a & b"), DefinedName("local", "'it''s'!$A$1", 1, hidden=True)]
    book = ET.fromstring(parts.workbook(["a", "it's"], names))
    found = list(book.iterfind("s:definedNames/s:definedName", MAIN))
    assert [(name.attrib, name.text) for name in found] == [
        ({"name": "rate"}, "a & b"),
        ({"name": "local", "localSheetId": "1", "hidden": "1"}, "'it''s'!$A$1"),
    ]


def test_without_names_nothing_is_named() -> None:
    assert b"definedName" not in parts.workbook(["a"], [])


def types(written: list[tuple[str, str | None]]) -> dict[str | None, str]:
    """Name or extension to the last word of the type."""
    found = ET.fromstring(parts.content_types(written))
    return {
        item.get("PartName") or item.get("Extension"): item.attrib["ContentType"].rpartition(".")[2]
        for item in found
    }


def test_every_part_has_a_content_type() -> None:
    sheets: list[tuple[str, str | None]] = [(parts.sheet_name(n), parts.SHEET_TYPE) for n in (1, 2)]
    assert types(sheets) == {
        "rels": "relationships+xml",
        "xml": "application/xml",
        "/xl/worksheets/sheet1.xml": "worksheet+xml",
        "/xl/worksheets/sheet2.xml": "worksheet+xml",
        "/xl/workbook.xml": "main+xml",
        "/xl/styles.xml": "styles+xml",
        "/docProps/core.xml": "core-properties+xml",
        "/docProps/app.xml": "extended-properties+xml",
    }


def test_a_part_whose_extension_tells_its_type_is_not_listed() -> None:
    found = types([("xl/drawings/vmlDrawing1.vml", None), ("xl/worksheets/_rels/a.rels", None)])
    assert found["vml"] == "vmlDrawing"
    assert not any("drawings" in str(name) or "_rels" in str(name) for name in found)


def test_shared_strings_are_listed_where_there_are_some() -> None:
    assert "/xl/sharedStrings.xml" not in types([])
    assert types([(parts.SHARED_STRINGS, None)])["/xl/sharedStrings.xml"] == "sharedStrings+xml"
    assert relations(parts.workbook_relations(1, strings=True))["rId3"] == (
        "sharedStrings",
        "sharedStrings.xml",
    )


def test_a_relation_may_lead_out_of_the_package() -> None:
    data = b"".join(
        parts.relations_of([parts.Relation("hyperlink", "https://a/?b=1&c", external=True)])
    )
    (relation,) = ET.fromstring(data)
    assert relation.attrib["Target"] == "https://a/?b=1&c"
    assert relation.attrib["TargetMode"] == "External"


def test_document_properties_are_written_as_given() -> None:
    core = ET.fromstring(parts.core_properties("Orders & <more>", 'J. "D" Doe', None))
    assert core.findtext("dc:title", namespaces=CORE) == "Orders & <more>"
    assert core.findtext("dc:creator", namespaces=CORE) == 'J. "D" Doe'
    app = parts.app_properties("Ünïque & Co.")
    assert [item.text for item in ET.fromstring(app)] == ["streamware", "Ünïque & Co."]


def test_properties_that_were_not_given_are_not_there() -> None:
    assert list(ET.fromstring(parts.core_properties(None, None, None))) == []
    assert [item.text for item in ET.fromstring(parts.app_properties(None))] == ["streamware"]


def test_the_time_of_creation_is_in_utc() -> None:
    created = datetime(2024, 5, 17, 18, 30, 15, 999, tzinfo=timezone(timedelta(hours=2)))
    core = ET.fromstring(parts.core_properties(None, None, created))
    assert core.findtext("dcterms:created", namespaces=CORE) == "2024-05-17T16:30:15Z"


def test_a_year_before_1000_has_four_digits() -> None:
    core = ET.fromstring(parts.core_properties(None, None, datetime(987, 6, 5, tzinfo=UTC)))
    assert core.findtext("dcterms:created", namespaces=CORE) == "0987-06-05T00:00:00Z"


@pytest.mark.parametrize("text", ["a\0b", "a\x1fb", "a\ud800b", "a\uffffb"], ids=ascii)
def test_what_xml_forbids_is_replaced(text: str) -> None:
    core = ET.fromstring(parts.core_properties(text, None, None))
    assert core.findtext("dc:title", namespaces=CORE) == "a\ufffdb"
    assert [item.text for item in ET.fromstring(parts.app_properties(text))][1] == "a\ufffdb"


def test_sheets_are_counted_from_one() -> None:
    assert parts.sheet_name(1) == "xl/worksheets/sheet1.xml"
