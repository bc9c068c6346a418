import xml.etree.ElementTree as ET

import pytest

from streamware import LimitError
from streamware.formats.xlsx import styles
from streamware.formats.xlsx.styles import HEADER, Styles

MAIN = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def formats(found: Styles) -> list[str]:
    """Number format of every cell format, in order: its code, or its built-in number."""
    sheet = ET.fromstring(found.part())
    codes = {
        item.attrib["numFmtId"]: item.attrib["formatCode"]
        for item in sheet.iterfind("s:numFmts/s:numFmt", MAIN)
    }
    cells = sheet.findall("s:cellXfs/s:xf", MAIN)
    assert sheet.find("s:cellXfs", MAIN).get("count") == str(len(cells))  # type: ignore[union-attr]
    return [codes.get(cell.attrib["numFmtId"], cell.attrib["numFmtId"]) for cell in cells]


def test_there_is_a_plain_style_and_a_bold_one() -> None:
    assert formats(Styles()) == ["0", "0"]
    sheet = ET.fromstring(Styles().part())
    fonts = sheet.findall("s:fonts/s:font", MAIN)
    header = sheet.findall("s:cellXfs/s:xf", MAIN)[HEADER]
    assert fonts[int(header.attrib["fontId"])].find("s:b", MAIN) is not None


def test_each_format_has_one_index() -> None:
    found = Styles()
    assert [found.index(code) for code in ("yyyy", "[h]:mm", "yyyy")] == [2, 3, 2]
    assert formats(found) == ["0", "0", "yyyy", "[h]:mm"]


def test_the_general_format_is_the_plain_style() -> None:
    assert Styles().index("General") == 0


def test_a_built_in_format_keeps_its_number() -> None:
    found = Styles()
    for code in ("0.00", "yyyy", "@", "0%", "#,##0"):
        found.index(code)
    assert formats(found) == ["0", "0", "2", "yyyy", "49", "9", "3"]
    assert b'<numFmts count="1"><numFmt numFmtId="164"' in found.part()


def test_a_format_may_have_markup_in_it() -> None:
    found = Styles()
    found.index('"<a> & "0')
    assert formats(found)[-1] == '"<a> & "0'


def test_what_xml_forbids_in_a_format_is_replaced() -> None:
    found = Styles()
    found.index("0\x07\ud800")
    assert formats(found)[-1] == "0\ufffd\ufffd"


def test_more_formats_than_excel_has_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styles, "MAX_FORMATS", 4)
    found = Styles()
    found.index("a")
    found.index("b")
    with pytest.raises(LimitError, match="cell formats of the workbook: 5 is over the limit of 4"):
        found.index("c")
    assert found.index("b") == 3
