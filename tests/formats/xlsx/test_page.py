import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import ooxml_errors, openpyxl_book
from streamware.formats.xlsx import page
from workbooks import workbook

ROWS = [{"id": 1, "name": "a", "town": "b"}]


def sheet(**options: Any) -> Any:
    """What openpyxl sees of it."""
    return openpyxl_book(workbook(ROWS, sw.Xlsx(**options)).data).worksheets[0]


def test_a_sheet_without_wishes_has_no_properties() -> None:
    assert page.properties(sw.SheetOptions()) == ""
    assert "pageSetup" not in page.setup(sw.SheetOptions())


def test_the_tab_has_its_colour() -> None:
    assert sheet(tab_color="#ff8800").sheet_properties.tabColor.rgb == "FFFF8800"


def test_the_zoom_is_the_one_asked_for() -> None:
    assert sheet(zoom=150).sheet_view.zoomScale == 150
    assert sheet().sheet_view.zoomScale is None


def test_columns_may_go_from_right_to_left() -> None:
    assert sheet(right_to_left=True).sheet_view.rightToLeft is True


def test_a_sheet_may_be_printed_across() -> None:
    assert sheet(landscape=True).page_setup.orientation == "landscape"


def test_a_sheet_may_be_printed_as_wide_as_a_page_and_as_long_as_it_is() -> None:
    found = sheet(fit_to_width=True)
    assert found.sheet_properties.pageSetUpPr.fitToPage is True
    assert (found.page_setup.fitToWidth, found.page_setup.fitToHeight) == (None, 0)


@pytest.mark.parametrize(
    ("options", "cell", "panes"),
    [
        pytest.param({}, "A2", ["bottomLeft"], id="the header"),
        pytest.param({"freeze_columns": 2}, "C2", ["topRight", "bottomLeft", "bottomRight"]),
        pytest.param({"freeze_columns": 1, "freeze": False}, "B1", ["topRight"], id="a column"),
        pytest.param({"freeze": False}, None, [], id="nothing"),
        pytest.param({"title_rows": ["a", "b"]}, "A4", ["bottomLeft"], id="title rows as well"),
    ],
)
def test_what_is_asked_for_stays_in_sight(
    options: dict[str, Any], cell: str | None, panes: list[str]
) -> None:
    found = sheet(**options)
    assert found.freeze_panes == cell
    assert [selection.pane for selection in found.sheet_view.selection if selection.pane] == panes


def test_only_the_selected_sheet_is() -> None:
    for selected in (True, False):
        view = ET.fromstring(page.view(sw.SheetOptions(), rows=0, selected=selected))[0]
        assert (view.get("tabSelected") == "1") is selected


def test_a_sheet_with_all_of_it_is_valid(tmp_path: Path) -> None:
    options = sw.Xlsx(
        tab_color="#123456",
        zoom=80,
        right_to_left=True,
        landscape=True,
        fit_to_width=True,
        freeze_columns=2,
    )
    assert ooxml_errors(workbook(ROWS, options).data, tmp_path) == []
