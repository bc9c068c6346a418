"""Links and notes that wait for the end of their sheet."""

import io
from typing import BinaryIO

import pytest

from streamware.formats.xlsx import records
from streamware.formats.xlsx.links import RECENT, Links
from streamware.formats.xlsx.notes import Notes
from streamware.formats.xlsx.records import RecordFile, Records


class Opened:
    """Counts the files that are opened."""

    def __init__(self) -> None:
        self.files: list[io.BytesIO] = []

    def __call__(self) -> BinaryIO:
        self.files.append(io.BytesIO())
        return self.files[-1]


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def file(opened: Opened) -> RecordFile:
    return RecordFile(opened)


def test_a_few_records_need_no_file(opened: Opened, file: RecordFile) -> None:
    found = Records(file)
    found.add("a")
    found.add("b")
    assert (list(found), len(found), opened.files) == (["a", "b"], 2, [])
    file.close()


def test_the_records_of_many_sheets_share_a_file(opened: Opened, file: RecordFile) -> None:
    sheets = [Records(file) for _ in range(5)]
    for at in range(1000):
        for number, sheet in enumerate(sheets):
            sheet.add(f"{number} ü\n{at}")
    assert len(opened.files) == 1
    for number, sheet in enumerate(sheets):
        assert list(sheet) == [f"{number} ü\n{at}" for at in range(1000)]
        assert len(sheet) == 1000
    file.close()
    assert opened.files[0].closed


def test_records_can_be_added_after_others_were_read(file: RecordFile) -> None:
    first, second = Records(file), Records(file)
    for at in range(1000):
        first.add(f"first {at}")
    assert len(list(first)) == 1000
    for at in range(1000):
        second.add(f"second {at}")
    assert list(first) == [f"first {at}" for at in range(1000)]
    assert list(second) == [f"second {at}" for at in range(1000)]


@pytest.mark.parametrize("after", [1, 100, 5000])
def test_records_after_a_mark_can_be_removed(file: RecordFile, after: int) -> None:
    found = Records(file)
    for at in range(700):
        found.add(f"before {at}")
    mark = found.mark()
    for at in range(after):
        found.add(f"after {at}")
    found.rewind(mark)
    found.add("then")
    assert list(found) == [*(f"before {at}" for at in range(700)), "then"]
    assert len(found) == 701


def test_without_a_file_all_stay_in_memory() -> None:
    found = Records()
    for at in range(records.BLOCK):
        found.add(str(at))
    assert list(found) == list(map(str, range(records.BLOCK)))


def test_spooled_links_know_only_the_last_addresses_again(file: RecordFile) -> None:
    spooled, kept = Links(file), Links()
    for at in range(10 * RECENT):
        for links in (spooled, kept):
            assert links.add(f"A{at}", f"https://a.example/{at}")
            assert links.add(f"B{at}", f"https://a.example/{max(at - 9, 0)}")
            assert links.add(f"C{at}", f"https://a.example/{at // 300}")
    assert kept.addresses == 10 * RECENT
    assert 10 * RECENT < spooled.addresses < 11 * RECENT


def test_an_address_that_was_taken_back_has_a_relation_again(file: RecordFile) -> None:
    for links in (Links(file), Links()):
        links.add("A1", "https://a.example/1")
        mark = links.mark()
        links.add("A2", "https://a.example/2")
        links.rewind(mark)
        links.add("A2", "https://a.example/2")
        links.add("A3", "https://a.example/1")
        assert [relation.target for relation in links.relations()] == [
            "https://a.example/1",
            "https://a.example/2",
        ]
        assert b"".join(links.element()).decode() == (
            '<hyperlinks><hyperlink ref="A1" r:id="rId1"/><hyperlink ref="A2" r:id="rId2"/>'
            '<hyperlink ref="A3" r:id="rId1"/></hyperlinks>'
        )


def test_what_is_in_the_file_is_not_bounded_by_memory(file: RecordFile) -> None:
    links, notes = Links(file), Notes(file)
    assert all(links.add(f"A{at}", f"https://a.example/{at:01500}") for at in range(6000))
    assert all(notes.add(at, 0, "ü" * 500) for at in range(1, 6000))


def test_spooled_notes_are_those_in_memory(file: RecordFile) -> None:
    spooled, kept = Notes(file), Notes()
    for row in range(1, 900):
        for notes in (spooled, kept):
            assert notes.add(row, 3, f"note\r\n{row} & \x1e\x1f\ud800 _x0041_")
    assert b"".join(spooled.part()) == b"".join(kept.part())
    assert b"".join(spooled.drawing(2)) == b"".join(kept.drawing(2))
