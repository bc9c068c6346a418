"""The parts that belong to one sheet."""

from collections import Counter

import pytest

from streamware.formats.xlsx import links, notes
from streamware.formats.xlsx.attachments import Attachments


def test_a_sheet_without_any_has_no_parts_and_refers_to_none() -> None:
    found = Attachments(Counter(), table=False)
    assert found.parts(1, b"") == []
    assert (list(found.hyperlinks()), found.references()) == ([], "")


def test_the_relations_to_addresses_come_before_the_others() -> None:
    found = Attachments(Counter(), table=True)
    assert found.add_link(7, 1, "https://example.com/")
    found.add_note(1, 0, "why")
    assert 'ref="B7" r:id="rId1"' in b"".join(found.hyperlinks()).decode()
    assert found.references() == (
        '<legacyDrawing r:id="rId2"/><tableParts count="1"><tablePart r:id="rId4"/></tableParts>'
    )
    assert [part.name for part in found.parts(2, b"<table/>")] == [
        "xl/worksheets/_rels/sheet2.xml.rels",
        "xl/drawings/vmlDrawing2.vml",
        "xl/comments2.xml",
        "xl/tables/table2.xml",
    ]


def test_what_was_added_after_a_mark_can_be_removed() -> None:
    found = Attachments(Counter(), table=False)
    found.add_link(1, 0, "#A1")
    mark = found.mark()
    before = list(found.hyperlinks())
    found.add_link(2, 0, "#A1")
    found.add_note(2, 0, "why")
    found.rewind(mark)
    assert (list(found.hyperlinks()), found.references()) == (before, "")


def test_what_has_no_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_LINKS", 0)
    monkeypatch.setattr(notes, "MAX_NOTES", 0)
    converted = Counter[str]()
    found = Attachments(converted, table=False)
    assert not found.add_link(1, 0, "#A1")
    found.add_note(1, 0, "why")
    assert converted == {"link": 1, "note": 1}
