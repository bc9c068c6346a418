import pytest

import streamware as sw
from drive import document
from readers import csv_rows, json_rows, xml_rows

STYLED = sw.Cell("a,b", style=sw.Style(bold=True), url="https://example.com/1", note="why")


def test_cells_of_equal_parts_are_equal() -> None:
    assert sw.Cell(1, note="a") == sw.Cell(1, note="a")
    assert len({sw.Cell(1), sw.Cell(1), sw.Cell(2)}) == 2


def test_a_cell_is_a_value_at_first() -> None:
    assert sw.Cell(1) == sw.Cell(value=1, style=None, url=None, note=None)


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among others"])
def test_other_formats_write_the_value(alone: bool) -> None:
    rows = [{"a": STYLED}] if alone else [{"a": STYLED}, {"a": "x"}, {"a": None}]
    values = ["a,b"] if alone else ["a,b", "x", None]
    assert json_rows(document(rows, "json").data) == [{"a": value} for value in values]
    assert xml_rows(document(rows, "xml").data) == [{"a": value or ""} for value in values]
    assert csv_rows(document(rows, "csv").data)[1:] == [[value or ""] for value in values]
