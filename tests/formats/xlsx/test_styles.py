import xml.etree.ElementTree as ET

import pytest

from streamware import LimitError, Style
from streamware.formats.xlsx import styles
from streamware.formats.xlsx.styles import Styles

MAIN = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def part(found: Styles) -> ET.Element:
    sheet = ET.fromstring(found.part())
    for items in sheet:
        if items.get("count") is not None:
            assert items.get("count") == str(len(items)), items.tag
    return sheet


def formats(found: Styles) -> list[str]:
    """Number format of every cell format, in order: its code, or its built-in number."""
    sheet = part(found)
    codes = {
        item.attrib["numFmtId"]: item.attrib["formatCode"]
        for item in sheet.iterfind("s:numFmts/s:numFmt", MAIN)
    }
    cells = sheet.findall("s:cellXfs/s:xf", MAIN)
    return [codes.get(cell.attrib["numFmtId"], cell.attrib["numFmtId"]) for cell in cells]


def looks(style: Style) -> dict[str, str]:
    """The font, fill, border and alignment of a style's cell format, as XML."""
    found = Styles()
    index = found.index(style)
    sheet = part(found)
    cell = sheet.findall("s:cellXfs/s:xf", MAIN)[index]
    parts = {
        name: sheet.findall(f"s:{name}s/s:{name}", MAIN)[int(cell.attrib[f"{name}Id"])]
        for name in ("font", "fill", "border")
    }
    alignment = cell.find("s:alignment", MAIN)
    if alignment is not None:
        parts["alignment"] = alignment
    return {name: bare(element) for name, element in parts.items()}


def bare(element: ET.Element) -> str:
    """What stands within an element, and its attributes where there is nothing."""
    if not len(element):
        return " ".join(f"{name}={value}" for name, value in element.items())
    return (
        "".join(ET.tostring(child, encoding="unicode") for child in element)
        .replace(f' xmlns:ns0="{MAIN["s"]}"', "")
        .replace("ns0:", "")
    )


def test_the_default_style_is_the_first_format() -> None:
    assert Styles().index(Style()) == 0
    assert formats(Styles()) == ["0"]


def test_equal_styles_have_one_index() -> None:
    found = Styles()
    chosen = [Style(bold=True), Style(format="yyyy"), Style(bold=True), Style(format="yyyy")]
    assert [found.index(style) for style in chosen] == [1, 2, 1, 2]
    assert formats(found) == ["0", "0", "yyyy"]


def test_the_general_format_is_the_default_one() -> None:
    assert Styles().index(Style(format="General")) == 0


def test_each_part_of_a_style_is_there_once() -> None:
    found = Styles()
    for style in (
        Style(bold=True),
        Style(bold=True, background="#FF0000"),
        Style(background="#FF0000", border="thin"),
        Style(border="thin", format="0.000"),
        Style(format="0.000", bold=True),
    ):
        found.index(style)
    sheet = part(found)
    counts = {
        name: [each.get("count") for each in sheet.findall(f"s:{name}", MAIN)]
        for name in ("numFmts", "fonts", "fills", "borders", "cellXfs")
    }
    assert counts == {
        "numFmts": ["1"],
        "fonts": ["2"],
        "fills": ["3"],
        "borders": ["2"],
        "cellXfs": ["6"],
    }


@pytest.mark.parametrize(
    ("style", "name", "expected"),
    [
        (Style(), "font", '<sz val="11" /><name val="Calibri" /><family val="2" />'),
        (
            Style(bold=True, italic=True, underline=True, color="#c00000"),
            "font",
            (
                '<b /><i /><u /><sz val="11" /><color rgb="FFC00000" />'
                '<name val="Calibri" /><family val="2" />'
            ),
        ),
        (Style(font="A & B", size=9.5), "font", '<sz val="9.5" /><name val="A &amp; B" />'),
        (
            Style(background="#D9E1F2"),
            "fill",
            (
                '<patternFill patternType="solid"><fgColor rgb="FFD9E1F2" />'
                '<bgColor indexed="64" /></patternFill>'
            ),
        ),
        (Style(align="right"), "alignment", "horizontal=right"),
        (
            Style(align="center", valign="center", wrap=True),
            "alignment",
            "horizontal=center vertical=center wrapText=1",
        ),
        (Style(), "border", "<left /><right /><top /><bottom /><diagonal />"),
    ],
)
def test_a_style_is_made_of_parts(style: Style, name: str, expected: str) -> None:
    assert looks(style)[name] == expected


def test_a_border_goes_all_around() -> None:
    sides = ("left", "right", "top", "bottom")
    drawn = "".join(f'<{side} style="thin"><color auto="1" /></{side}>' for side in sides)
    assert looks(Style(border="thin"))["border"] == drawn + "<diagonal />"


def test_what_a_style_leaves_open_is_not_applied() -> None:
    assert b" apply" not in Styles().part()
    found = Styles()
    found.index(Style(background="#FFFFFF"))
    assert found.part().count(b" apply") == 1


def test_a_built_in_format_keeps_its_number() -> None:
    found = Styles()
    for code in ("0.00", "yyyy", "@", "0%", "#,##0"):
        found.index(Style(format=code))
    assert formats(found) == ["0", "2", "yyyy", "49", "9", "3"]
    assert b'<numFmts count="1"><numFmt numFmtId="164"' in found.part()


def test_a_format_may_have_markup_in_it() -> None:
    found = Styles()
    found.index(Style(format='"<a> & "0'))
    assert formats(found)[-1] == '"<a> & "0'


def test_more_formats_than_excel_has_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styles, "MAX_FORMATS", 3)
    found = Styles()
    found.index(Style(size=8))
    found.index(Style(size=9))
    with pytest.raises(LimitError, match="cell formats of the workbook: 4 is over the limit of 3"):
        found.index(Style(size=10))
    assert found.index(Style(size=9)) == 2


def test_more_number_formats_than_excel_has_are_an_error() -> None:
    found = Styles()
    for number in range(250):
        found.index(Style(format=f'0"{number}"'))
    found.index(Style(format="0.00"))
    with pytest.raises(LimitError, match=r"number formats of the workbook: 251 is over .* 250"):
        found.index(Style(format="0.000"))


# What a rule changes


def test_equal_differences_have_one_index() -> None:
    found = Styles()
    red, green = Style(color="#FF0000"), Style(color="#00FF00")
    assert [found.difference(style) for style in (red, green, red)] == [0, 1, 0]
    differences = part(found).find("s:dxfs", MAIN)
    assert differences is not None
    assert len(differences) == 2


def test_a_difference_has_only_what_was_chosen() -> None:
    found = Styles()
    found.difference(Style(bold=True, color="#9C0006", background="#FFC7CE"))
    assert (
        b'<dxf><font><b/><color rgb="FF9C0006"/></font>'
        b'<fill><patternFill><bgColor rgb="FFFFC7CE"/></patternFill></fill></dxf>'
    ) in found.part()


def test_a_difference_may_have_a_number_format_and_a_border() -> None:
    found = Styles()
    found.difference(Style(format="0.000", border="thin"))
    (change,) = part(found).findall("s:dxfs/s:dxf", MAIN)
    assert [child.tag.partition("}")[2] for child in change] == ["numFmt", "border"]
    assert change[0].attrib == {"numFmtId": "164", "formatCode": "0.000"}
    assert [side.get("style") for side in change[1]] == ["thin"] * 4


def test_there_are_no_differences_where_nothing_asks_for_one() -> None:
    assert b"dxf" not in Styles().part()


def test_a_workbook_has_512_fonts() -> None:
    found = Styles()
    for size in range(511):  # the default is one as well
        found.index(Style(size=1 + size / 8, bold=True))
    with pytest.raises(LimitError, match=r"fonts of the workbook.*512"):
        found.index(Style(italic=True))
