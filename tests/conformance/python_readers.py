"""What openpyxl, python-calamine, pandas and tablib see of a workbook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import python_calamine
import tablib
from openpyxl.styles.colors import Color
from openpyxl.utils.units import DEFAULT_COLUMN_WIDTH

from conformance.views import Cell, SheetView, Told, View, cell_of, letters

ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})


def calamine(path: Path) -> View:
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    sheets = []
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        rows = [[cell_of(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
        merged = getattr(sheet, "merged_cell_ranges", None)
        told: dict[str, Any] = {}
        if merged is not None:
            told["merged"] = [_range(*start, *end) for start, end in merged]
        sheets.append(SheetView(name, rows, told))
    return View(sheets)


def _range(top: int, left: int, bottom: int, right: int) -> str:
    return f"{letters(left)}{top + 1}:{letters(right)}{bottom + 1}"


def pandas_by(engine: str, path: Path) -> View:
    """What pandas reads, nothing taken for a header or for missing."""
    frames = pandas.read_excel(
        path, sheet_name=None, header=None, na_filter=False, dtype=object, engine=engine
    )
    return View(
        [
            SheetView(name, [[_plain(value) for value in row] for row in frame.to_numpy(object)])
            for name, frame in frames.items()
        ]
    )


def _plain(value: Any) -> Cell | None:
    """Of a value of pandas or NumPy."""
    if value is pandas.NaT or (isinstance(value, float) and value != value):
        return None
    plain = value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value
    return cell_of(plain.item() if hasattr(plain, "item") else plain)


def tablib_file(path: Path) -> View:
    book = tablib.Databook().load(path.read_bytes(), path.suffix[1:], headers=False)
    return View(
        [
            SheetView(sheet.title, [[cell_of(value) for value in row] for row in sheet])
            for sheet in book.sheets()
        ]
    )


def openpyxl_file(path: Path) -> View:
    """The whole workbook: once for its formulas and looks, once for the values in them."""
    written = openpyxl.load_workbook(path, rich_text=False)
    cached = openpyxl.load_workbook(path, data_only=True)
    sheets = [
        SheetView(sheet.title, list(_rows(sheet, cached[sheet.title])), _sheet(sheet, path))
        for sheet in written.worksheets
    ]
    return View(sheets, _workbook(written))


def openpyxl_stream(path: Path) -> View:
    """The workbook in the mode that reads a row at a time, values only."""
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return View(
            [
                SheetView(
                    sheet.title,
                    [[_cell(cell, cell.value) for cell in row] for row in sheet.iter_rows()],
                )
                for sheet in book.worksheets
            ]
        )
    finally:
        book.close()


def _rows(sheet: Any, cached: Any) -> Iterator[list[Cell | None]]:
    for row, values in zip(sheet.iter_rows(), cached.iter_rows(), strict=True):
        yield [_formula(cell, value) for cell, value in zip(row, values, strict=True)]


def _formula(cell: Any, cached: Any) -> Cell | None:
    if getattr(cell, "data_type", None) != "f":
        return _cell(cell, cell.value)
    text = getattr(cell.value, "text", cell.value)
    made = _cell(cached, cached.value) or Cell("text", "")
    return made._replace(formula=text.removeprefix("="))


def _cell(cell: Any, value: Any) -> Cell | None:
    if isinstance(value, str) and cell.data_type == "e" and value in ERRORS:
        return Cell("error", value)
    if isinstance(value, (datetime, date, time, timedelta)):
        return cell_of(value)
    return cell_of(value)


def _sheet(sheet: Any, path: Path) -> Told:
    told: dict[str, Any] = {name: {} for name in _LOOKS} | {"links": {}, "notes": {}}
    for row in sheet.iter_rows():
        for cell in row:
            if cell.has_style:
                _look(told, cell)
            if cell.hyperlink is not None:
                link = cell.hyperlink
                within = f"#{link.location}" if link.location else ""
                told["links"][cell.coordinate] = f"{link.target or ''}{within}"
            if cell.comment is not None:
                told["notes"][cell.coordinate] = cell.comment.text
    return told | _columns(sheet) | _whole(sheet)


_LOOKS = (
    *("formats", "bold", "italic", "underline", "color", "background", "font", "size"),
    *("align", "valign", "wrap", "border"),
)


def _look(told: dict[str, Any], cell: Any) -> None:
    font, fill, align = cell.font, cell.fill, cell.alignment
    seen = {
        "formats": None if cell.number_format == "General" else cell.number_format,
        "bold": font.b or None,
        "italic": font.i or None,
        "underline": bool(font.u) or None,
        "color": _rgb(font.color),
        "background": _rgb(fill.fgColor) if fill.patternType == "solid" else None,
        "font": font.name,
        "size": font.sz,
        "align": align.horizontal,
        "valign": align.vertical,
        "wrap": align.wrap_text or None,
        "border": cell.border.top.style if cell.border.top is not None else None,
    }
    for name, value in seen.items():
        if value is not None:
            told[name][cell.coordinate] = value


def _rgb(color: Color | None) -> str | None:
    return str(color.rgb)[-6:] if color is not None and color.type == "rgb" else None


def _columns(sheet: Any) -> dict[str, Any]:
    widths, hidden = {}, []
    for letter, column in sheet.column_dimensions.items():
        widths[letter] = column.width if column.width is not None else DEFAULT_COLUMN_WIDTH
        if column.hidden:
            hidden.append(letter)
    return {"widths": widths, "hidden": hidden}


def _whole(sheet: Any) -> dict[str, Any]:
    view, pane = sheet.sheet_view, sheet.sheet_view.pane
    frozen = [int(pane.ySplit or 0), int(pane.xSplit or 0)] if pane is not None else [0, 0]
    protection = sheet.protection
    return {
        "frozen": frozen,
        "filter": sheet.auto_filter.ref,
        "merged": [str(found) for found in sheet.merged_cells.ranges],
        "rules": [
            [str(on.sqref), rule.type] for on in sheet.conditional_formatting for rule in on.rules
        ],
        "validations": [
            [str(found.sqref), found.type] for found in sheet.data_validations.dataValidation
        ],
        "tables": [
            {
                "name": table.name,
                "ref": table.ref,
                "columns": [column.name for column in table.tableColumns],
                "totals": bool(table.totalsRowCount),
                "style": table.tableStyleInfo.name,
            }
            for table in sheet.tables.values()
        ],
        "tab": _rgb(sheet.sheet_properties.tabColor),
        "rtl": bool(view.rightToLeft),
        "zoom": view.zoomScale or 100,
        "landscape": sheet.page_setup.orientation == "landscape",
        "fit": bool(
            sheet.sheet_properties.pageSetUpPr and sheet.sheet_properties.pageSetUpPr.fitToPage
        ),
        "repeat": (sheet.print_title_rows or "").replace("$", "") or None,
        "protected": bool(protection.sheet),
    }


def _workbook(book: Any) -> Told:
    properties = book.properties
    created = properties.created
    return {
        "names": {name: found.attr_text for name, found in book.defined_names.items()},
        "title": properties.title,
        "author": properties.creator,
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else None,
        "custom": {found.name: _custom(found.value) for found in book.custom_doc_props.props},
    }


def _custom(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
