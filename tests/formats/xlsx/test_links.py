from pathlib import Path

import pytest

import streamware as sw
from readers import ooxml_errors, openpyxl_book
from streamware.formats.xlsx import links
from streamware.formats.xlsx.links import Links
from workbooks import workbook


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "target", "place"),
    [
        ("https://example.com/orders/7?a=1&b=2", "https://example.com/orders/7?a=1&b=2", None),
        ("https://example.com/a b<c>", "https://example.com/a%20b%3Cc%3E", None),
        ("https://example.com/100%25", "https://example.com/100%25", None),
        ("https://example.com/100%", "https://example.com/100%25", None),
        ("https://example.com/a#part", "https://example.com/a", "part"),
        ("https://user@example.com:8080?q", "https://user@example.com:8080?q", None),
        ("https://münchen.de/ü", "https://münchen.de/ü", None),
        (" https://example.com/\x00\ud800 ", "https://example.com/\ufffd\ufffd", None),
        ("mailto:a@example.com", "mailto:a@example.com", None),
        ("orders/7.html", "orders/7.html", None),
        ("file:///C:\\a b.txt", "file:///C:\\a%20b.txt", None),
        ("#'Other sheet'!B2", None, "'Other sheet'!B2"),
        ("#Other sheet!B2", None, "'Other sheet'!B2"),
        ("#It's!B2", None, "'It''s'!B2"),
        ("#Q1!B2", None, "'Q1'!B2"),
        ("#Orders!B2", None, "Orders!B2"),
        ("internal:Orders!B2", None, "Orders!B2"),
        ("internal:'Other sheet'!B2", None, "'Other sheet'!B2"),
        ("internal:#Orders!B2", None, "Orders!B2"),
        ("external:../a b.pdf", "../a%20b.pdf", None),
        ("../a b.pdf", "../a%20b.pdf", None),
        ("a b.pdf", "a%20b.pdf", None),
        ("a b/c d.xlsx#Orders!A1", "a%20b/c%20d.xlsx", "Orders!A1"),
        ("..\\docs\\a b.pdf", "../docs/a%20b.pdf", None),
        ("\\\\server\\share", "file:///\\\\server\\share", None),
        ("\\\\server\\a b\\ü.pdf", "file:///\\\\server\\a%20b\\ü.pdf", None),
        ("C:\\a b.pdf", "file:///C:\\a%20b.pdf", None),
        ("tel:+49 170", "tel:+49%20170", None),
        ('mailto:a@b.c?subject="x" <y>', "mailto:a@b.c?subject=%22x%22%20%3Cy%3E", None),
    ],
)
def test_a_cell_leads_where_it_was_told(
    url: str, target: str | None, place: str | None, tmp_path: Path
) -> None:
    made = workbook([("before", sw.Cell("here", url=url))])
    found = openpyxl_book(made.data).worksheets[0]["B1"].hyperlink
    assert (found.target, found.location) == (target, place)
    assert made.rows() == [["before", "here"]]
    assert made.converted == {}
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "#",
        "http://",
        "https:///path",
        "https://a b.com/",
        "https:example.com",
        "https://a:port/",
        "mailto:",
        "not a url",
        "javascript:alert(1)",
        " JavaScript:alert(1)#a",
        "data:text/html,x",
        "https://example.com/" + "a" * 2060,
        "https://example.com/#" + "a" * 2080,
    ],
)
def test_what_is_no_address_is_plain_text(url: str) -> None:
    assert not Links().add("A1", url)


def test_an_address_that_is_none_is_counted() -> None:
    made = workbook([(sw.Cell("here", url="http://"),)])
    assert made.rows() == [["here"]]
    assert made.converted == {"link": 1}


def test_equal_addresses_are_there_once() -> None:
    taken = Links()
    for at, url in enumerate(["https://a/", "https://b/", "https://a/", "https://a/#x", "#A1"], 1):
        assert taken.add(f"A{at}", url)
    assert [relation.target for relation in taken.relations()] == ["https://a/", "https://b/"]
    assert b"".join(taken.element()).decode() == (
        '<hyperlinks><hyperlink ref="A1" r:id="rId1"/><hyperlink ref="A2" r:id="rId2"/>'
        '<hyperlink ref="A3" r:id="rId1"/><hyperlink ref="A4" r:id="rId1" location="x"/>'
        '<hyperlink ref="A5" location="A1"/></hyperlinks>'
    )


def test_a_sheet_without_links_has_no_element_of_them() -> None:
    assert list(Links().element()) == []


def test_there_are_as_many_links_as_excel_has() -> None:
    taken = Links()
    assert all(taken.add(f"A{at}", "https://a/") for at in range(1, links.MAX_LINKS + 1))
    assert not taken.add("B1", "https://a/")
    assert links.MAX_LINKS == 65_530


def test_the_memory_of_links_is_bounded() -> None:
    taken = Links()
    count = sum(taken.add(f"A{at}", f"https://a/{at:01000}") for at in range(10_000))
    assert count == links.MAX_BYTES // 1010


def test_links_past_the_limit_are_plain_text_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_LINKS", 3)
    made = workbook([(sw.Cell(n, url="https://a/"),) for n in range(10)])
    assert made.rows() == [[n] for n in range(10)]
    assert made.converted == {"link": 7}
    sheet = openpyxl_book(made.data).worksheets[0]
    assert [cell.hyperlink is not None for cell in sheet["A"]] == [True] * 3 + [False] * 7


def test_what_was_added_last_can_be_taken_back() -> None:
    taken = Links()
    taken.add("A1", "https://a/")
    mark = taken.mark()
    taken.add("A2", "https://a/")
    taken.rewind(mark)
    assert b"".join(taken.element()).count(b"<hyperlink ") == 1


def test_an_address_takes_room_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_BYTES", 20)
    taken = Links()
    assert [taken.add(f"A{n}", "https://a.example/") for n in range(1, 5)] == [True] * 4
    assert not taken.add("A5", "https://b.example/")
    assert taken.add("A6", "https://a.example/#b")
    assert not taken.add("A7", "https://a.example/#bc")
