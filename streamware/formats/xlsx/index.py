"""Writes the index of a workbook: a sheet that lists the others, with links to them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from streamware.formats.spreadsheet.column_style import LINK
from streamware.formats.spreadsheet.reference import quoted
from streamware.formats.xlsx.links import MAX_LINKS
from streamware.formats.xlsx.page import MARGINS
from streamware.formats.xlsx.styles import Styles
from streamware.model.style import Style

NAME = "Index"
ROWS = Style(format="#,##0")

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<dimension ref="A1:B{}"/>'
    '<sheetViews><sheetView tabSelected="1" workbookViewId="0"/></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/>'
    '<cols><col min="1" max="1" width="{}" customWidth="1"/>'
    '<col min="2" max="2" width="12" customWidth="1"/></cols><sheetData>'
)
_NARROWEST = 12


def index_sheet(sheets: Sequence[tuple[str, int]], styles: Styles) -> bytes:
    """Return the sheet, which has no header, because that would need a language.

    Args:
        sheets: The names of the other sheets, and the numbers of their data rows.
        styles: The styles of the workbook.
    """
    link, count = styles.index(LINK), styles.index(ROWS)
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" s="{link}" t="inlineStr"><is><t>{escape(name)}</t></is></c>'
        f'<c r="B{n}" s="{count}"><v>{rows}</v></c></row>'
        for n, (name, rows) in enumerate(sheets, 1)
    )
    places = "".join(
        f'<hyperlink ref="A{n}" location={quoteattr(quoted(name) + "!A1")}/>'
        for n, (name, _) in enumerate(sheets[:MAX_LINKS], 1)
    )
    width = max([_NARROWEST, *(len(name) + 1 for name, _ in sheets)])
    links = f"<hyperlinks>{places}</hyperlinks>" if places else ""
    return (
        f"{_HEAD.format(len(sheets), width)}{rows}</sheetData>{links}{MARGINS}</worksheet>".encode()
    )
