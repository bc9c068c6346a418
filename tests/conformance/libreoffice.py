"""What LibreOffice sees of workbooks: converted, many at a time, to its own form as one XML file.

Source: ODF 1.3 Part 3; names below `calcext` and `loext` are LibreOffice's own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from conformance.views import EPOCH, Cell, SheetView, Told, View, cell_of, letters, reference, tried

PATIENCE = 600
INCH = 96
POINTS = {"in": INCH, "cm": INCH / 2.54, "mm": INCH / 25.4, "pt": INCH / 72}
MOST = 16_000
"""Rows and columns that are repeated more often than that are the empty ones at the end."""

_SPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
    "dc": "http://purl.org/dc/elements/1.1/",
    "config": "urn:oasis:names:tc:opendocument:xmlns:config:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    "tableooo": "http://openoffice.org/2009/table",
}
_DURATION = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+(?:[.,]\d+)?)S")
_RANGE = re.compile(r"(?:\$?'(?:[^']|'')*'|\$?[^.:' ]*)\.(\$?[A-Z]+\$?\d+)")


def name(prefixed: str) -> str:
    prefix, _, local = prefixed.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def read(paths: Sequence[Path], folder: Path) -> list[View]:
    """One run of LibreOffice for all of them, with a profile of its own."""
    out = folder / "fods"
    command = ["soffice", "--headless", "--norestore"]
    command += [f"-env:UserInstallation={(folder / 'profile').as_uri()}"]
    command += ["--convert-to", "fods", "--outdir", str(out), *map(str, paths)]
    subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return [tried(partial(_view, out / f"{path.stem}.fods")) for path in paths]


def _view(path: Path) -> View:
    if not path.exists():
        return View(error="LibreOffice wrote nothing")
    root = ET.parse(path).getroot()
    book = _Book(root)
    return View([book.sheet(table) for table in root.iter(name("table:table"))], book.told())


class _Book:
    """The parts of a document that its sheets refer to."""

    def __init__(self, root: ET.Element) -> None:
        self.root = root
        self.styles = {
            (style.get(name("style:family")), style.get(name("style:name"))): style
            for style in root.iter(name("style:style"))
        }
        self.default = root.find(
            f".//{name('style:default-style')}[@{name('style:family')}='table-cell']"
        )
        self.validations = {
            found.get(name("table:name")): found.get(name("table:condition"), "")
            for found in root.iter(name("table:content-validation"))
        }
        self.layouts = {
            found.get(name("style:name")): found for found in root.iter(name("style:page-layout"))
        }
        self.pages = {
            found.get(name("style:name")): found.get(name("style:page-layout-name"))
            for found in root.iter(name("style:master-page"))
        }
        self.views = self._views()

    def _views(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for tables in self.root.iter(name("config:config-item-map-named")):
            if tables.get(name("config:name")) != "Tables":
                continue
            for entry in tables:
                items = {
                    item.get(name("config:name"), ""): item.text or ""
                    for item in entry.iter(name("config:config-item"))
                }
                found[entry.get(name("config:name"), "")] = items
        return found

    def told(self) -> Told:
        """What is told of the whole workbook."""
        meta = self.root.find(name("office:meta"))
        assert meta is not None
        custom = {
            found.get(name("meta:name"), ""): _custom(found)
            for found in meta.iter(name("meta:user-defined"))
        }
        created = meta.findtext(name("meta:creation-date"))
        return {
            "names": {
                found.get(name("table:name"), ""): _named(
                    found.get(name("table:cell-range-address"))
                    or found.get(name("table:expression"))
                    or ""
                )
                for tag in ("table:named-range", "table:named-expression")
                for found in self.root.iter(name(tag))
            },
            "title": meta.findtext(name("dc:title")),
            "author": meta.findtext(name("meta:initial-creator"))
            or meta.findtext(name("dc:creator")),
            "created": None if created is None else created[:19] + "Z",
            "company": custom.pop("Company", None),
            "custom": custom,
        }

    def sheet(self, table: ET.Element) -> SheetView:
        title = table.get(name("table:name"), "")
        told: dict[str, Any] = {key: {} for key in (*_LOOKS, "links", "notes", "shown", "widths")}
        told |= {"hidden": [], "merged": []}
        told["defaults"] = self._columns(table, told)
        rows: list[list[Cell | None]] = []
        validated: dict[str, list[int]] = {}
        for row, count in _rows(table):
            cells = list(self._cells(row, len(rows) + 1, told, validated, count))
            if count < MOST:
                rows.extend([cells] * count)
        told["validations"] = [
            [f"{letter}{min(at)}:{letter}{max(at)}", _validation(self.validations[used])]
            for key, at in validated.items()
            for letter, _, used in [key.partition(" ")]
        ]
        return SheetView(title, rows, told | self._whole(table, title))

    def _columns(self, table: ET.Element, told: dict[str, Any]) -> list[str | None]:
        """The style of each column's cells where they have none of their own."""
        at = 0
        defaults: list[str | None] = []
        for column in table.iter(name("table:table-column")):
            count = int(column.get(name("table:number-columns-repeated"), 1))
            style = self.styles["table-column", column.get(name("table:style-name"))]
            width = _property(style, "style:column-width")
            for c in range(at, at + (count if at + count < MOST else 1)):
                if width is not None:
                    told["widths"][letters(c)] = _pixels(width) / 7
                if column.get(name("table:visibility")) == "collapse":
                    told["hidden"].append(letters(c))
            defaults += [column.get(name("table:default-cell-style-name"))] * min(count, MOST)
            at += count
        return defaults

    def _cells(
        self,
        row: ET.Element,
        number: int,
        told: dict[str, Any],
        validated: dict[str, list[int]],
        rows: int,
    ) -> Iterator[Cell | None]:
        at = 0
        for cell in row:
            if cell.tag not in (name("table:table-cell"), name("table:covered-table-cell")):
                continue
            count = int(cell.get(name("table:number-columns-repeated"), 1))
            if cell is row[-1] and count > 1 and not cell.get(name("office:value-type")):
                return
            made = _cell(cell)
            for c in range(at, at + count):
                self._tell(cell, number, c, told)
                if used := cell.get(name("table:content-validation-name")):
                    found = validated.setdefault(f"{letters(c)} {used}", [])
                    found += [number, number + rows - 1]
                yield made
            at += count

    def _tell(self, cell: ET.Element, row: int, column: int, told: dict[str, Any]) -> None:
        at = reference(row, column)
        if spanned := cell.get(name("table:number-columns-spanned")):
            down = int(cell.get(name("table:number-rows-spanned"), 1))
            end = reference(row + down - 1, column + int(spanned) - 1)
            told["merged"].append(f"{at}:{end}")
        note = cell.find(name("office:annotation"))
        if note is not None:
            told["notes"][at] = _text(note)
        link = cell.find(f".//{name('text:a')}")
        if link is not None:
            told["links"][at] = _excel_link(link.get(name("xlink:href"), ""))
        if cell.get(name("office:value-type")):
            told["shown"][at] = _text(cell)
        used = cell.get(name("table:style-name")) or told["defaults"][column] or "Default"
        for key, value in self._look(used).items():
            if value is not None:
                told[key][at] = value

    def _look(self, used: str) -> dict[str, Any]:
        def has(prefixed: str) -> str | None:
            style = self.styles.get(("table-cell", used))
            while style is not None:
                if (value := _property(style, prefixed)) is not None:
                    return value
                style = self.styles.get(("table-cell", style.get(name("style:parent-style-name"))))
            return None

        line = has("fo:border-top") or has("fo:border") or "none"
        size = has("fo:font-size")
        return {
            "bold": has("fo:font-weight") == "bold" or None,
            "italic": has("fo:font-style") == "italic" or None,
            "underline": has("style:text-underline-style") not in (None, "none") or None,
            "color": _color(has("fo:color")),
            "background": _color(has("fo:background-color")),
            "font": has("style:font-name"),
            "size": float(size.removesuffix("pt")) if size else None,
            "align": {"start": "left", "end": "right", "center": "center"}.get(
                has("fo:text-align") or ""
            ),
            "valign": {"top": "top", "middle": "center", "bottom": "bottom"}.get(
                has("style:vertical-align") or ""
            ),
            "wrap": has("fo:wrap-option") == "wrap" or None,
            "border": None if line == "none" else _line(line),
        }

    def _whole(self, table: ET.Element, title: str) -> dict[str, Any]:
        view = self.views.get(title, {})
        style = self.styles["table", table.get(name("table:style-name"))]
        master = style.get(name("style:master-page-name"), "Default")
        layout = self.layouts.get(self.pages.get(master))
        header = table.find(name("table:table-header-rows"))
        before = _before(table, header)
        ranges = [
            (
                found.get(name("table:name"), ""),
                _address(found.get(name("table:target-range-address"), "")),
                found,
            )
            for found in self.root.iter(name("table:database-range"))
            if _sheet_of(found.get(name("table:target-range-address"), "")) == title
        ]
        seen = {
            "frozen": [_split(view, "Vertical"), _split(view, "Horizontal")],
            "zoom": int(view.get("ZoomValue", 100)),
        }
        return (seen if view else {}) | {
            "filter": next(
                (
                    ref
                    for _, ref, found in ranges
                    if found.get(name("table:display-filter-buttons")) == "true"
                ),
                None,
            ),
            "tables": [
                {"name": called, "ref": ref}
                for called, ref, _ in ranges
                if not called.startswith("__Anonymous")
            ],
            "rules": [
                [_address(on.get(name("calcext:target-range-address"), "")), _rule(rule)]
                for on in table.iter(name("calcext:conditional-format"))
                for rule in on
            ],
            "tab": _color(
                _property(style, "tableooo:tab-color") or _property(style, "table:tab-color")
            ),
            "rtl": _property(style, "style:writing-mode") == "rl-tb",
            "landscape": layout is not None
            and _property(layout, "style:print-orientation") == "landscape",
            "fit": layout is not None and _property(layout, "style:scale-to-X") == "1",
            "repeat": None if header is None else f"{before + 1}:{before + _height(header)}",
            "protected": table.get(name("table:protected")) == "true",
        }


_LOOKS = (
    *("bold", "italic", "underline", "color", "background", "font", "size"),
    *("align", "valign", "wrap", "border"),
)


def _rows(table: ET.Element) -> Iterator[tuple[ET.Element, int]]:
    for found in table:
        if found.tag == name("table:table-row"):
            yield found, int(found.get(name("table:number-rows-repeated"), 1))
        elif found.tag in (name("table:table-header-rows"), name("table:table-row-group")):
            yield from _rows(found)


def _before(table: ET.Element, header: ET.Element | None) -> int:
    count = 0
    for found in table:
        if found is header:
            break
        if found.tag == name("table:table-row"):
            count += int(found.get(name("table:number-rows-repeated"), 1))
    return count


def _height(header: ET.Element) -> int:
    return sum(count for _, count in _rows(header))


def _cell(cell: ET.Element) -> Cell | None:
    kind = cell.get(name("office:value-type"))
    formula = cell.get(name("table:formula"))
    text = None if formula is None else _formula(formula)
    if cell.get(name("calcext:value-type")) == "error":
        return Cell("error", _text(cell), text)
    if text in ("TRUE()", "FALSE()"):  # that is how it keeps a truth value
        return Cell("bool", text == "TRUE()")
    made: Cell | None
    if kind is None:
        return None if text is None else Cell("text", "", text)
    if kind == "string":
        made = cell_of(_text(cell)) or Cell("text", "")
    elif kind in ("float", "percentage", "currency"):
        made = Cell("number", float(cell.get(name("office:value"), "nan")))
    elif kind == "boolean":
        made = Cell("bool", cell.get(name("office:boolean-value")) == "true")
    elif kind == "date":
        made = Cell("moment", _days(cell.get(name("office:date-value"), "")))
    else:
        made = Cell("moment", _duration(cell.get(name("office:time-value"), "")))
    return made if text is None else made._replace(formula=text)


def _days(text: str) -> float:
    day, _, clock = text.partition("T")
    days = cell_of(_date(day))
    assert days is not None
    hours, minutes, seconds = (
        float(part) for part in (clock or "0:0:0").replace(",", ".").split(":")
    )
    return float(days.value) + (hours * 3600 + minutes * 60 + seconds) / 86_400


def _date(text: str) -> object:
    year, month, day = (int(part) for part in text.split("-"))
    return EPOCH.date().replace(year, month, day)


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    assert found is not None, f"a time {text!r}"
    sign, hours, minutes, seconds = found.groups()
    days = (int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))) / 86_400
    return -days if sign else days


def _text(cell: ET.Element) -> str:
    """Its paragraphs; one note's own paragraphs are not the cell's."""
    return "\n".join("".join(_runs(found)) for found in cell.findall(name("text:p")))


def _runs(found: ET.Element) -> Iterator[str]:
    yield found.text or ""
    for child in found:
        if child.tag == name("text:s"):
            yield " " * int(child.get(name("text:c"), 1))
        elif child.tag == name("text:tab"):
            yield "\t"
        elif child.tag == name("text:line-break"):
            yield "\n"
        else:
            yield from _runs(child)
        yield child.tail or ""


def _formula(text: str) -> str:
    """As Excel writes it: `of:=[.A1]+1` is `A1+1`."""
    plain = text.removeprefix("of:").removeprefix("=").removeprefix("msoxl:")
    return re.sub(r"\[\.?([^\]]*)\]", lambda found: found[1].replace(".", ""), plain).replace(
        ";", ","
    )


def _property(style: ET.Element, prefixed: str) -> str | None:
    for properties in style:
        if (value := properties.get(name(prefixed))) is not None:
            return value
    return None


def _pixels(length: str) -> float:
    return float(length[:-2]) * POINTS[length[-2:]]


def _color(value: str | None) -> str | None:
    return value[1:].upper() if value and value.startswith("#") else None


def _line(border: str) -> str:
    width, kind, *_ = border.split()
    if kind != "solid":
        return {
            "fine-dashed": "dashed",
            "double": "double",
            "double-thin": "double",
            "dotted": "dotted",
            "dashed": "dashed",
        }.get(kind, kind)
    points = _pixels(width) / POINTS["pt"]
    return "thin" if points < 1.2 else "medium" if points < 2.1 else "thick"


def _custom(found: ET.Element) -> object:
    kind, text = found.get(name("meta:value-type"), "string"), found.text or ""
    if kind == "float":
        return float(text)
    if kind == "boolean":
        return text == "true"
    return text[:19] + "Z" if kind == "date" else text


def _split(view: dict[str, str], way: str) -> int:
    return int(view[f"{way}SplitPosition"]) if view.get(f"{way}SplitMode") == "2" else 0


def _address(text: str) -> str:
    """`'My sheet'.A1:'My sheet'.B2` is `A1:B2`."""
    found = _RANGE.findall(text)
    return ":".join(dict.fromkeys(found)).replace("$", "") if found else text


def _named(text: str) -> str:
    """`$Orders.$A$1:.$B$2`, its sheet named once or twice, is `Orders!$A$1:$B$2`."""
    sheet = _sheet_of(text) if "." in text and ":" in text else ""
    return f"{sheet}!{_address(text)}" if sheet else text


def _excel_link(target: str) -> str:
    """Within the workbook: `#'First'.A1` is `#'First'!A1`, which LibreOffice takes as well."""
    return re.sub(r"\.([A-Z]+\d+)$", r"!\1", target) if target.startswith("#") else target


def _sheet_of(text: str) -> str:
    quoted = re.match(r"\$?'((?:[^']|'')*)'\.", text)
    return quoted[1].replace("''", "'") if quoted else text.partition(".")[0].lstrip("$")


def _rule(rule: ET.Element) -> str:
    if rule.tag == name("calcext:condition"):
        return "expression" if "formula-is" in rule.get(name("calcext:value"), "") else "cellIs"
    return {name("calcext:color-scale"): "colorScale", name("calcext:data-bar"): "dataBar"}.get(
        rule.tag, rule.tag
    )


def _validation(condition: str) -> str:
    for part, kind in (
        ("is-in-list", "list"),
        ("whole-number", "whole"),
        ("decimal-number", "decimal"),
        ("is-date", "date"),
        ("text-length", "textLength"),
    ):
        if part in condition:
            return kind
    return "custom"
