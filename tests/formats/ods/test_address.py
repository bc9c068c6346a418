from pathlib import Path

import pytest

import streamware as sw
from readers import libreoffice_book
from streamware.formats.ods.address import file_url, link_target
from workbooks import workbook


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com/a b#c", "https://example.com/a%20b#c"),
        ("internal:Orders!B2", "#Orders.B2"),
        ("#Other sheet!B2", "#'Other sheet'.B2"),
        ("a.pdf", "../a.pdf"),
        ("./a.pdf", "../a.pdf"),
        ("../a b.pdf", "../../a%20b.pdf"),
        ("docs\\a.ods#Orders", "../docs/a.ods#Orders"),
        ("/srv/a.pdf", "/srv/a.pdf"),
        ("\\\\server\\share\\a b.pdf", "file://server/share/a%20b.pdf"),
        ("C:\\a b.pdf", "file:///C:/a%20b.pdf"),
        ("file:///C:\\a b.txt", "file:///C:/a%20b.txt"),
        ("javascript:alert(1)", None),
        ("/orders/5", None),
        ("not a url", None),
    ],
)
def test_an_address_is_written_as_odf_has_it(url: str, target: str | None) -> None:
    assert link_target(url) == target


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("\\\\server\\{}.pdf", "file://server/{}.pdf"),
        ("C:\\x\\{}", "file:///C:/x/{}"),
        ("docs/{}", "docs/{}"),
    ],
)
def test_the_address_of_a_column_can_be_a_file(template: str, written: str) -> None:
    assert file_url(template) == written
    made = workbook([("a",)], "ods", columns=[sw.Column(0, url=template)])
    address = written.format("a")
    assert f"HYPERLINK(&quot;{address}&quot;" in made.parts["content.xml"].decode()


@pytest.mark.slow
def test_libreoffice_goes_where_the_links_lead(tmp_path: Path) -> None:
    urls = ["a b.pdf", "../b.pdf", "internal:Other sheet!B2", "\\\\server\\share\\x.pdf"]
    rows = [(sw.Cell(url, url=url),) for url in urls]
    sheets = [sw.Sheet("Links", rows, [0]), sw.Sheet("Other sheet", [(1,)], [0])]
    book = libreoffice_book(workbook(sheets, "ods").data, tmp_path, "book.ods")
    found = [row[0].hyperlink for row in book["Links"].iter_rows()]
    # The workbook that it saves is one folder deeper.
    assert found[0].target.endswith("../a%20b.pdf")
    assert found[1].target.endswith("../../b.pdf")
    assert (found[2].target, found[2].location) == (None, "'Other sheet'!B2")
    assert found[3].target == "file://server/share/x.pdf"
