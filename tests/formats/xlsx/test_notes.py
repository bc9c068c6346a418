import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import streamware as sw
from readers import ooxml_errors, openpyxl_book
from streamware.formats.xlsx import notes
from streamware.formats.xlsx.notes import Notes
from workbooks import workbook

EXCEL = "{urn:schemas-microsoft-com:office:excel}"
VML = "{urn:schemas-microsoft-com:vml}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Checked by hand", "Checked by hand"),
        (" <b> & \"c\" 'd' ", " <b> & \"c\" 'd' "),
        ("two\r\nlines\rhere", "two\nlines\nhere"),
        ("a\x07b\ud800", "a\ufffdb\ufffd"),
        ("注文😀", "注文😀"),
        ("_x0041_", "_x005F_x0041_"),  # openpyxl does not know the escape; Excel does
    ],
)
def test_a_note_is_read_as_it_was(text: str, read: str, tmp_path: Path) -> None:
    made = workbook([(1, sw.Cell(2, note=text))])
    sheet = openpyxl_book(made.data).worksheets[0]
    assert sheet["B1"].comment.text == read
    assert sheet["A1"].comment is None
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_header_may_have_a_note(tmp_path: Path) -> None:
    columns = [sw.Column("id", note="As in the shop"), "name"]
    made = workbook([{"id": 1, "name": "a"}], sw.Xlsx(title_rows=["Orders"]), columns=columns)
    assert openpyxl_book(made.data).worksheets[0]["A2"].comment.text == "As in the shop"
    assert ooxml_errors(made.data, tmp_path) == []


def test_every_note_has_a_box_beside_its_cell() -> None:
    taken = Notes()
    taken.add(1, 0, "a")
    taken.add(7, 3, "b")
    shapes = ET.fromstring(b"".join(taken.drawing(1))).findall(f"{VML}shape")
    places = [
        (shape.findtext(f".//{EXCEL}Row"), shape.findtext(f".//{EXCEL}Column")) for shape in shapes
    ]
    assert places == [("0", "0"), ("6", "3")]
    assert [shape.findtext(f".//{EXCEL}Anchor") for shape in shapes] == [
        "1,15,0,10,3,15,4,4",
        "4,15,5,10,6,15,9,4",
    ]


def anchor(row: int, column: int, text: str = "a") -> list[int]:
    taken = Notes()
    taken.add(row, column, text)
    found = ET.fromstring(b"".join(taken.drawing(1))).findtext(f".//{EXCEL}Anchor")
    return [int(number) for number in (found or "").split(",")]


def test_a_box_stays_within_the_sheet() -> None:
    left, _, top, _, right, _, bottom, _ = anchor(1_048_576, 16_383)
    assert left < right <= 16_383
    assert top < bottom <= 1_048_575


def test_a_box_is_as_high_as_its_text_within_reason() -> None:
    heights = [
        anchor(9, 0, text)[6] - anchor(9, 0, text)[2] for text in ("a", "a\n" * 9, "a" * 999)
    ]
    assert heights == [4, 10, 20]


def test_no_two_boxes_of_a_workbook_have_the_same_id() -> None:
    taken = Notes()
    for row in range(1, 2100):
        taken.add(row, 0, "a")
    drawings = [b"".join(taken.drawing(number)).decode() for number in (1, 2)]
    ids = [int(n) for drawing in drawings for n in re.findall(r'id="_x0000_s(\d+)"', drawing)]
    assert len(set(ids)) == len(ids) == 2 * 2099
    blocks = [re.findall(r'idmap v:ext="edit" data="([\d,]+)"', drawing)[0] for drawing in drawings]
    listed = [set(map(int, found.split(","))) for found in blocks]
    assert {n // 1024 for n in ids} == listed[0] | listed[1]
    assert not listed[0] & listed[1]


def test_the_number_of_notes_is_bounded() -> None:
    taken = Notes()
    assert all(taken.add(row, 0, "") for row in range(1, notes.MAX_NOTES + 1))
    assert not taken.add(1, 1, "")


def test_the_memory_of_notes_is_bounded() -> None:
    taken = Notes()
    count = sum(taken.add(row, 0, "ü" * 500) for row in range(1, 10_000))
    assert count == notes.MAX_BYTES // 1000


def test_notes_past_the_limit_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MAX_NOTES", 2)
    made = workbook(
        [{"id": sw.Cell(n, note="a")} for n in range(5)], columns=[sw.Column("id", note="b")]
    )
    assert made.rows() == [["id"], *([n] for n in range(5))]
    assert made.converted == {"note": 4}


def test_a_header_past_the_limit_is_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MAX_NOTES", 0)
    assert workbook([], columns=[sw.Column("id", note="b")]).converted == {"note": 1}


def test_what_was_added_last_can_be_taken_back() -> None:
    taken = Notes()
    taken.add(1, 0, "a")
    mark = taken.mark()
    taken.add(2, 0, "b")
    taken.rewind(mark)
    assert b"A2" not in b"".join(taken.part())
    assert taken
