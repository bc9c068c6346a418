"""What gnumeric sees of a workbook: converted to its own XML, one at a time."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from conformance.views import Cell, SheetView, Told, View, letters, reference, tried

PATIENCE = 60
META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
GNM = "{http://www.gnumeric.org/v10.dtd}"
_LITERAL = re.compile(r'"[^"]*"|\\.|\[\$[^\]]*\]|\[(?:Red|Black|Color\d+)\]', re.IGNORECASE)
_KINDS = {"20": "bool", "40": "number", "50": "error", "60": "text"}
_RULES = {"8": "expression"}
_VALIDATIONS = {
    "AS_INT": "whole",
    "AS_NUMBER": "decimal",
    "IN_LIST": "list",
    "AS_DATE": "date",
    "AS_TIME": "time",
    "TEXT_LENGTH": "textLength",
    "CUSTOM": "custom",
}


def read(paths: Sequence[Path], folder: Path) -> list[View]:
    return [tried(partial(_read, path, folder / f"{path.stem}.gnumeric")) for path in paths]


def _read(path: Path, out: Path) -> View:
    command = ["ssconvert", "-T", "Gnumeric_XmlIO:sax:0", str(path), str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if ran.returncode or not out.exists():
        return View(error=ran.stderr.strip() or f"exit code {ran.returncode}")
    root = ET.parse(out).getroot()
    return View([_sheet(sheet) for sheet in root.iter(f"{GNM}Sheet")], _workbook(root))


def _sheet(sheet: ET.Element) -> SheetView:
    told: dict[str, Any] = {key: {} for key in (*_LOOKS, "formats", "links", "notes", "widths")}
    told |= {"hidden": [], "rules": [], "validations": []}
    end = (_number(sheet, "MaxRow"), _number(sheet, "MaxCol"))
    formats: dict[tuple[int, int], str] = {}
    for region in sheet.iter(f"{GNM}StyleRegion"):
        style = region.find(f"{GNM}Style")
        assert style is not None
        _ranged(told, region, style)
        for row, column in _within(region, end):
            formats[row, column] = style.get("Format", "General")
            _look(told, reference(row + 1, column), style)
    rows: list[list[Cell | None]] = [[None] * (end[1] + 1) for _ in range(end[0] + 1)]
    for cell in sheet.iter(f"{GNM}Cell"):
        row, column = int(cell.get("Row", 0)), int(cell.get("Col", 0))
        rows[row][column] = _cell(cell, formats.get((row, column), "General"))
    told["validations"] = _joined(told["validations"])
    return SheetView(sheet.findtext(f"{GNM}Name"), rows, told | _whole(sheet, told))


def _joined(pairs: list[list[str]]) -> list[list[str]]:
    """Cells of a column that have the same kind are one range."""
    found: dict[tuple[str, str], list[int]] = {}
    for area, kind in pairs:
        column = re.match("[A-Z]+", area)
        assert column is not None
        found.setdefault((column[0], kind), []).extend(map(int, re.findall(r"\d+", area)))
    return [[f"{c}{min(at)}:{c}{max(at)}", kind] for (c, kind), at in found.items()]


_LOOKS = (
    *("bold", "italic", "underline", "color", "background", "font", "size"),
    *("align", "valign", "wrap", "border"),
)
_LINES = {"1": "thin", "2": "medium", "3": "dashed", "4": "dotted", "5": "thick", "6": "double"}


def _number(sheet: ET.Element, tag: str) -> int:
    return int(sheet.findtext(f"{GNM}{tag}", "-1"))


def _within(region: ET.Element, end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for row in range(int(region.get("startRow", 0)), min(int(region.get("endRow", 0)), end[0]) + 1):
        for column in range(
            int(region.get("startCol", 0)), min(int(region.get("endCol", 0)), end[1]) + 1
        ):
            yield row, column


def _look(told: dict[str, Any], at: str, style: ET.Element) -> None:
    font = style.find(f"{GNM}Font")
    assert font is not None
    top = style.find(f"{GNM}StyleBorder/{GNM}Top")
    link = style.find(f"{GNM}HyperLink")
    shaded = style.get("Shade") == "1"
    code = style.get("Format", "General")
    seen = {
        "formats": None if code == "General" else code,
        "bold": font.get("Bold") == "1" or None,
        "italic": font.get("Italic") == "1" or None,
        "underline": font.get("Underline") != "0" or None,
        "color": _rgb(style.get("Fore", "0:0:0")),
        "background": _rgb(style.get("Back", "0:0:0")) if shaded else None,
        "font": font.text,
        "size": float(font.get("Unit", 0)),
        "align": _choice(style.get("HAlign", "")),
        "valign": _choice(style.get("VAlign", "")),
        "wrap": style.get("WrapText") == "1" or None,
        "border": None if top is None else _LINES.get(top.get("Style", "")),
        "links": None if link is None else link.get("target"),
    }
    for key, value in seen.items():
        if value is not None:
            told[key][at] = value


def _rgb(color: str) -> str:
    """`FFFF:0:8080` is `FF0080`."""
    return "".join(f"{int(part, 16) >> 8:02X}" for part in color.split(":"))


def _choice(name: str) -> str | None:
    chosen = name.rpartition("_")[2].lower()
    return None if chosen == "general" else chosen


def _ranged(told: dict[str, Any], region: ET.Element, style: ET.Element) -> None:
    first = reference(int(region.get("startRow", 0)) + 1, int(region.get("startCol", 0)))
    last = reference(int(region.get("endRow", 0)) + 1, int(region.get("endCol", 0)))
    for rule in style.iter(f"{GNM}Condition"):
        told["rules"].append([f"{first}:{last}", _RULES.get(rule.get("Operator", ""), "cellIs")])
    for found in style.iter(f"{GNM}Validation"):
        kind = found.get("Type", "").removeprefix("GNM_VALIDATION_TYPE_")
        told["validations"].append([f"{first}:{last}", _VALIDATIONS.get(kind, kind)])


def _cell(cell: ET.Element, code: str) -> Cell:
    kind, text = cell.get("ValueType"), cell.text or ""
    if kind is None:  # a formula; its value is not in this file
        # Formulas that differ in nothing but their place are written once.
        return Cell("formula", "", text.removeprefix("=").replace('\\"', '""') or None)
    if kind == "20":
        return Cell("bool", text == "TRUE")
    if kind == "40":
        return Cell("moment" if _is_moment(code) else "number", float(text))
    return Cell("error" if kind == "50" else "text", text)


def _is_moment(code: str) -> bool:
    return code != "General" and bool(re.search("[ymdhs]", _LITERAL.sub("", code), re.IGNORECASE))


def _whole(sheet: ET.Element, told: dict[str, Any]) -> dict[str, Any]:
    for column in sheet.iter(f"{GNM}ColInfo"):
        first = int(column.get("No", 0))
        for c in range(first, first + int(column.get("Count", 1))):
            told["widths"][letters(c)] = float(column.get("Unit", 0)) * 96 / 72 / 7
            if column.get("Hidden") == "1":
                told["hidden"].append(letters(c))
    for note in sheet.iter(f"{GNM}CellComment"):
        told["notes"][note.get("ObjectBound", "")] = note.get("Text")
    freeze = sheet.find(f".//{GNM}FreezePanes")
    area = sheet.find(f".//{GNM}Filter")
    print_ = sheet.find(f"{GNM}PrintInformation")
    assert print_ is not None
    top = print_.find(f"{GNM}repeat_top")
    repeat = "" if top is None else top.get("value", "")
    for found in sheet.iter(f"{GNM}Name"):
        if found.findtext(f"{GNM}name") == "Print_Titles":
            repeat = repeat or found.findtext(f"{GNM}value", "")
    scale = print_.find(f"{GNM}Scale")
    tab = sheet.get("TabColor")
    return {
        "frozen": [0, 0] if freeze is None else _frozen(freeze.get("UnfrozenTopLeft", "A1")),
        "filter": None if area is None else area.get("Area"),
        "merged": [found.text for found in sheet.iter(f"{GNM}Merge")],
        "tab": None if tab is None else _rgb(tab),
        "rtl": sheet.get("RTL_Layout") == "1",
        "zoom": round(float(sheet.findtext(f"{GNM}Zoom", "1")) * 100),
        "landscape": print_.findtext(f"{GNM}orientation") == "landscape",
        "fit": scale is not None and scale.get("type") == "size_fit",
        "repeat": _repeated(repeat),
        "protected": sheet.get("Protected") == "1",
    }


def _plain(value: str) -> str:
    """A number as Python writes it; gnumeric does with 21 digits."""
    try:
        return repr(float(value))
    except ValueError:
        return value


def _typed(found: ET.Element) -> object:
    kind, text = found.get(f"{META}value-type"), found.text or ""
    if kind == "float":
        return float(text)
    return text == "true" if kind == "boolean" else text


def _frozen(corner: str) -> list[int]:
    found = re.fullmatch(r"([A-Z]+)(\d+)", corner)
    assert found is not None
    column = next(c for c in range(16_384) if letters(c) == found[1])
    return [int(found[2]) - 1, column]


def _repeated(value: str) -> str | None:
    """`Sheet1!$1:$1` is `1:1`."""
    rows = re.findall(r"\d+", value.rpartition("!")[2])
    return f"{rows[0]}:{rows[-1]}" if rows else None


def _workbook(root: ET.Element) -> Told:
    names = {}
    for found in root.findall(f"{GNM}Names/{GNM}Name"):
        names[found.findtext(f"{GNM}name")] = _plain(found.findtext(f"{GNM}value", ""))
    meta = {child.tag.rpartition("}")[2]: child.text for child in root.iterfind(".//{*}meta/*")}
    custom = {found.get(f"{META}name"): _typed(found) for found in root.iter(f"{META}user-defined")}
    return {
        "names": names,
        "title": meta.get("title"),
        "author": meta.get("initial-creator") or meta.get("creator"),
        "company": custom.pop("Company", None),
        "custom": custom,
    }
