import xml.etree.ElementTree as ET

import pytest

from streamware.formats.xlsx import strings
from streamware.formats.xlsx.strings import SharedStrings
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def text(*tokens: bytes | None) -> FormattedColumn:
    return FormattedColumn(Kind.TEXT, list(tokens), sparse=None in tokens)


def texts(found: SharedStrings) -> list[str | None]:
    part = found.part()
    assert part is not None
    table = ET.fromstring(part)
    assert table.get("uniqueCount") == str(len(table))
    return [item.findtext(f"{MAIN}t") for item in table]


def test_equal_texts_have_one_number() -> None:
    found = SharedStrings()
    found.collect([text(b"a", b"b", b"a")])
    found.collect([text(b"b")])
    assert found.ids([b"a", b"b", b"a"]) == [b"0", b"1", b"0"]
    assert texts(found) == ["a", "b"]


def test_texts_are_numbered_row_by_row() -> None:
    whole, halves = SharedStrings(), SharedStrings()
    whole.collect([text(b"a", b"c"), text(b"b", b"d")])
    halves.collect([text(b"a"), text(b"b")])
    halves.collect([text(b"c"), text(b"d")])
    assert texts(whole) == ["a", "b", "c", "d"]
    assert whole.part() == halves.part()


def test_only_texts_are_taken_in() -> None:
    found = SharedStrings()
    mixed = FormattedColumn(None, [b"1", b"a", None], kinds=[Kind.NUMBER, Kind.TEXT, Kind.EMPTY])
    found.collect([mixed, FormattedColumn(Kind.NUMBER, [b"1", b"2", b"3"]), text(None, None, b"b")])
    assert texts(found) == ["a", "b"]


def test_a_text_that_is_not_there_has_no_number() -> None:
    found = SharedStrings()
    assert found.ids([b"a", None]) == [None, None]
    assert found.id(b"a") == b"0"
    assert found.ids([b"a", None]) == [b"0", None]


def test_there_is_no_part_without_texts() -> None:
    found = SharedStrings()
    found.collect([])
    found.collect([text(None), FormattedColumn(Kind.NUMBER, [b"1"])])
    assert found.part() is None


def test_blanks_around_a_text_are_kept() -> None:
    found = SharedStrings()
    found.collect([text(b" a ", b"b", b"")])
    part = found.part()
    assert part is not None
    assert part.count(b'xml:space="preserve"') == 1
    assert texts(found) == [" a ", "b", ""]


def test_the_table_has_room_for_so_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "MAX_STRINGS", 2)
    found = SharedStrings()
    found.collect([text(b"a", b"b", b"c", b"a")])
    assert found.ids([b"a", b"b", b"c"]) == [b"0", b"1", None]
    assert found.id(b"c") is None


def test_the_table_has_room_for_so_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "MAX_BYTES", 5)
    found = SharedStrings()
    found.collect([text(b"abc", b"abcd", b"ab", b"")])
    assert found.ids([b"abc", b"abcd", b"ab", b""]) == [b"0", None, b"1", b"2"]
