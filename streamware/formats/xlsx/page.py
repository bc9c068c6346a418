"""Writes how a sheet is shown and printed.

Source: ECMA-376 Part 1 §18.3.1.82 (sheetPr), §18.3.1.87 (sheetView), §18.3.1.66 (pane), §18.3.1.63
(pageSetup).
"""

from __future__ import annotations

from streamware.formats.spreadsheet.reference import column_letters
from streamware.model.sheet_options import SheetOptions

MARGINS = '<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'


def properties(options: SheetOptions) -> str:
    """Return the element `sheetPr`: the colour of the tab, and fitting to a page."""
    color = f'<tabColor rgb="FF{options.tab_color}"/>' if options.tab_color else ""
    fitted = '<pageSetUpPr fitToPage="1"/>' if options.fit_to_width else ""
    return f"<sheetPr>{color}{fitted}</sheetPr>" if color or fitted else ""


def view(options: SheetOptions, *, rows: int, selected: bool) -> str:
    """Return the element `sheetViews`: zoom, direction, and what is frozen.

    Args:
        options: Options of the sheet.
        rows: The number of rows at the top that are frozen.
        selected: Whether the sheet is shown when the workbook is opened.
    """
    zoom = options.zoom
    marks = "".join(
        mark
        for mark, has in (
            (' rightToLeft="1"', options.right_to_left),
            (' tabSelected="1"', selected),
            (f' zoomScale="{zoom}" zoomScaleNormal="{zoom}"', zoom != 100),
        )
        if has
    )
    frozen = _panes(options.freeze_columns, rows)
    return f'<sheetViews><sheetView{marks} workbookViewId="0">{frozen}</sheetView></sheetViews>'


def setup(options: SheetOptions) -> str:
    """Return the elements `pageMargins` and `pageSetup`."""
    across = ' orientation="landscape"' if options.landscape else ""
    fitted = ' fitToHeight="0"' if options.fit_to_width else ""
    return MARGINS + (f"<pageSetup{across}{fitted}/>" if across or fitted else "")


def _panes(columns: int, rows: int) -> str:
    if not columns and not rows:
        return ""
    across = f' xSplit="{columns}"' if columns else ""
    down = f' ySplit="{rows}"' if rows else ""
    names = [
        name
        for name, there in (
            ("topRight", columns),
            ("bottomLeft", rows),
            ("bottomRight", columns and rows),
        )
        if there
    ]
    cell = f"{column_letters(columns)}{rows + 1}"
    pane = f'<pane{across}{down} topLeftCell="{cell}" activePane="{names[-1]}" state="frozen"/>'
    return pane + "".join(f'<selection pane="{name}"/>' for name in names)
