import pytest

import streamware as sw
from streamware.formats.spreadsheet.heading import TITLE, rows_above, title_cells
from streamware.model.columns import Head

TITLED = (sw.Column("a", "A"),)
UNTITLED = (sw.Column(0),)


@pytest.mark.parametrize(
    ("columns", "title_rows", "rows"),
    [(UNTITLED, [], 0), (TITLED, [], 1), (UNTITLED, ["Orders", []], 2), (TITLED, [""], 2)],
)
def test_title_rows_and_a_header_are_above(
    columns: tuple[sw.Column, ...], title_rows: list[str | list[object]], rows: int
) -> None:
    options = sw.SheetOptions(title_rows=title_rows)
    assert rows_above(Head(None, columns), options) == rows


def test_a_text_is_a_title_row_of_its_own() -> None:
    assert title_cells("Orders") == [sw.Cell("Orders", TITLE)]
    assert title_cells(("Day", 1)) == ("Day", 1)
