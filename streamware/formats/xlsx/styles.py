"""Styles: the part with the styles of cells, which are registered while cells are written.

Source: ECMA-376 Part 1 §18.8.
"""

from __future__ import annotations

from functools import lru_cache
from xml.sax.saxutils import quoteattr

from streamware.errors import LimitError
from streamware.formats.text import legal
from streamware.model.style import Style

MAX_FORMATS = 65_490  # cell formats in a workbook (Microsoft's limits page)
MAX_FONTS = 512  # fonts in a workbook (Microsoft's limits page)
MAX_NUMBER_FORMATS = 250  # that are not built in; "between 200 and 250" (Microsoft's limits page)

_GENERAL = "General"
_FIRST_CUSTOM = 164  # ids below are built in (§18.8.30)
_BUILT_IN = {
    _GENERAL: 0,
    "0": 1,
    "0.00": 2,
    "#,##0": 3,
    "#,##0.00": 4,
    "0%": 9,
    "0.00%": 10,
    "@": 49,
}

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_BASE = (
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
)
_NORMAL = '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
# Excel uses its own first two fills, whatever the file says.
_FILLS = (
    '<fill><patternFill patternType="none"/></fill>',
    '<fill><patternFill patternType="gray125"/></fill>',
)
_FONT, _SIZE = "Calibri", 11
_PLAIN = Style()


class Styles:
    """The cell formats of a workbook, and the differential formats of its rules.

    Equal styles have one index, and equal fonts, fills and borders are written once.
    """

    def __init__(self) -> None:
        self._indices: dict[Style, int] = {}  # of the cell format of a style
        # Indices by XML, or by the code of a number format.
        self._formats: dict[str, int] = {}  # cell formats: cellXfs (§18.8.10)
        self._numbers: dict[str, int] = {}  # number formats that are not built in (§18.8.31)
        self._fonts: dict[str, int] = {}  # fonts (§18.8.23)
        self._fills = {fill: at for at, fill in enumerate(_FILLS)}  # fills (§18.8.21)
        self._borders: dict[str, int] = {}  # borders (§18.8.5)
        self._differences: dict[str, int] = {}  # differential formats: dxfs (§18.8.15)
        self.index(_PLAIN)

    def index(self, style: Style) -> int:
        """Return the index of the cell format of a style (`c/@s`); it is 0 for `Style()`.

        Raises:
            LimitError: There are more cell formats, number formats or fonts than Excel allows.
        """
        index = self._indices.get(style)
        if index is None:
            index = _index(self._formats, self._format(style))
            if index >= MAX_FORMATS:
                raise LimitError(
                    "cell formats of the workbook", limit=MAX_FORMATS, actual=index + 1
                )
            self._indices[style] = index
        return index

    def difference(self, style: Style) -> int:
        """Return the index of the differential format of a rule (`cfRule/@dxfId`).

        A rule cannot change the size and name of a font, the alignment and the wrapping.
        """
        emphasis = _emphasis(style, size="")
        changed = f"<font>{emphasis}</font>" if emphasis else ""
        if style.format:
            number = self._number(style.format)
            changed += f'<numFmt numFmtId="{number}" formatCode={quoteattr(legal(style.format))}/>'
        if style.background:
            # Unlike the fill of a cell, this one has its colour as background (§18.8.32).
            color = f'<bgColor rgb="FF{style.background}"/>'
            changed += f"<fill><patternFill>{color}</patternFill></fill>"
        if style.border:
            changed += _border(style.border, diagonal="")
        return _index(self._differences, f"<dxf>{changed}</dxf>")

    def part(self) -> bytes:
        """Return `xl/styles.xml`."""
        numbers = [
            f'<numFmt numFmtId="{number}" formatCode={quoteattr(legal(code))}/>'
            for code, number in self._numbers.items()
        ]
        return (
            _HEAD
            + (_listed("numFmts", numbers) if numbers else "")
            + _listed("fonts", self._fonts)
            + _listed("fills", self._fills)
            + _listed("borders", self._borders)
            + _BASE
            + _listed("cellXfs", self._formats)
            + _NORMAL
            + (_listed("dxfs", self._differences) if self._differences else "")
            + "</styleSheet>"
        ).encode()

    def _format(self, style: Style) -> str:
        """Return the cell format of a style as XML; add what it refers to."""
        number = self._number(style.format or _GENERAL)
        font_xml, fill_xml, border_xml, alignment = _elements(style)
        font = _index(self._fonts, font_xml)
        if font >= MAX_FONTS:
            raise LimitError("fonts of the workbook", limit=MAX_FONTS, actual=font + 1)
        fill = _index(self._fills, fill_xml)
        border = _index(self._borders, border_xml)
        applied = "".join(
            f' apply{name}="1"'
            for name, used in (
                ("NumberFormat", number),
                ("Font", font),
                ("Fill", fill),
                ("Border", border),
                ("Alignment", alignment),
            )
            if used
        )
        return (
            f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0"'
            f"{applied}" + (f">{alignment}</xf>" if alignment else "/>")
        )

    def _number(self, code: str) -> int:
        """Return the id of a number format, which is added if it is new."""
        number = _BUILT_IN.get(code) or self._numbers.get(code)
        if number is None and code != _GENERAL:
            count = len(self._numbers) + 1
            if count > MAX_NUMBER_FORMATS:
                raise LimitError(
                    "number formats of the workbook", limit=MAX_NUMBER_FORMATS, actual=count
                )
            number = self._numbers[code] = _FIRST_CUSTOM + count - 1
        return number or 0


def _index(known: dict[str, int], xml: str) -> int:
    """Return the index of `xml`, which is added if it is new."""
    return known.setdefault(xml, len(known))


def _listed(name: str, items: dict[str, int] | list[str]) -> str:
    return f'<{name} count="{len(items)}">{"".join(items)}</{name}>'


@lru_cache(256)
def _elements(style: Style) -> tuple[str, str, str, str]:
    """Return the elements that a cell format refers to: font, fill, border; and its alignment."""
    fill = _FILLS[0]
    if style.background is not None:
        color = f'<fgColor rgb="FF{style.background}"/><bgColor indexed="64"/>'
        fill = f'<fill><patternFill patternType="solid">{color}</patternFill></fill>'
    return _font(style), fill, _border(style.border), _alignment(style)


def _font(style: Style) -> str:
    emphasis = _emphasis(style, size=f'<sz val="{style.size or _SIZE:g}"/>')
    if style.font is None:
        return f'<font>{emphasis}<name val="{_FONT}"/><family val="2"/></font>'
    return f"<font>{emphasis}<name val={quoteattr(legal(style.font))}/></font>"


def _emphasis(style: Style, *, size: str) -> str:
    """Return the elements of a font except for its name, in the order that Excel requires."""
    marks = (("<b/>", style.bold), ("<i/>", style.italic), ("<u/>", style.underline))
    color = f'<color rgb="FF{style.color}"/>' if style.color else ""
    return "".join(mark for mark, has in marks if has) + size + color


def _border(line: str | None, *, diagonal: str = "<diagonal/>") -> str:
    sides = ("left", "right", "top", "bottom")
    if line is None:
        drawn = "".join(f"<{side}/>" for side in sides)
    else:
        drawn = "".join(f'<{side} style="{line}"><color auto="1"/></{side}>' for side in sides)
    return f"<border>{drawn}{diagonal}</border>"


def _alignment(style: Style) -> str:
    chosen = (
        ("horizontal", style.align),
        ("vertical", style.valign),
        ("wrapText", "1" if style.wrap else None),
    )
    given = "".join(f' {name}="{value}"' for name, value in chosen if value)
    return f"<alignment{given}/>" if given else ""
