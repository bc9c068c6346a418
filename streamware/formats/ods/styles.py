"""How cells look: named styles, collected while cells are written.

They are the document's common styles, which stand in a part of their own behind the content.
What LibreOffice wants to know before the first row of a sheet (widths, how it is printed) are
the automatic styles, in `sheet`.

Source: OpenDocument 1.3 Part 3 §16 (styles), §20 (formatting attributes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamware.errors import LimitError
from streamware.formats.ods.number_style import NumberStyle, number_style
from streamware.formats.ods.parts import attribute, opening
from streamware.model.style import Style

MAX_STYLES = 65_490  # as many as a workbook of Excel has formats, which reads these files, too

_PLAIN = Style()
_FLOAT = b' office:value-type="float"'
_FLUSH = {"left": "start", "center": "center", "right": "end"}
_VERTICAL = {"top": "top", "center": "middle", "bottom": "bottom"}
_LINES = {
    "thin": "0.75pt solid",
    "medium": "1.75pt solid",
    "thick": "2.5pt solid",
    "double": "2.5pt double",
    "dotted": "0.75pt dotted",
    "dashed": "0.75pt dashed",
}
_DEFAULT = '<style:style style:name="Default" style:family="table-cell"/>'


class Styles:
    """The styles of the cells of a document, and their number formats, each once."""

    def __init__(self) -> None:
        self._names: dict[Style, str] = {_PLAIN: ""}
        self._numbers: dict[str, tuple[str, NumberStyle]] = {}

    def name(self, style: Style) -> str:
        """Name of the style of cells that look so; empty for `Style()`.

        Raises:
            LimitError: There are more styles than a spreadsheet has.
        """
        name = self._names.get(style)
        if name is None:
            count = len(self._names)
            if count > MAX_STYLES:
                raise LimitError("styles of the document", limit=MAX_STYLES, actual=count)
            name = self._names[style] = f"s{count}"
            if style.format:
                self._number(style.format)
        return name

    def marks(self, style: Style) -> bytes:
        """What tells a cell that it looks so, as an attribute."""
        name = self.name(style)
        return f' table:style-name="{name}"'.encode() if name else b""

    def number_marks(self, style: Style) -> bytes:
        """What tells a number that it looks so."""
        return self._number(style.format)[1].value_type if style.format else _FLOAT

    def part(self, pages: Mapping[str, str]) -> bytes:
        """`styles.xml`.

        Args:
            pages: Properties of the page layouts, by the name of the page.
        """
        numbers = "".join(number.xml for _, number in self._numbers.values())
        cells = "".join(self._style(style, name) for style, name in self._names.items() if name)
        layouts = "".join(
            f'<style:page-layout style:name="{name}-layout">{properties}</style:page-layout>'
            for name, properties in pages.items()
        )
        masters = "".join(
            f'<style:master-page style:name="{name}" style:page-layout-name="{name}-layout"/>'
            for name in pages
        )
        return (
            opening("document-styles", "office", "style", "number", "fo")
            + f"<office:styles>{numbers}{_DEFAULT}{cells}</office:styles>"
            + f"<office:automatic-styles>{layouts}</office:automatic-styles>"
            + f"<office:master-styles>{masters}</office:master-styles></office:document-styles>"
        ).encode()

    def _number(self, code: str) -> tuple[str, NumberStyle]:
        known = self._numbers.get(code)
        if known is None:
            name = f"N{len(self._numbers) + 1}"
            known = self._numbers[code] = (name, number_style(name, code))
        return known

    def _style(self, style: Style, name: str) -> str:
        number = f' style:data-style-name="{self._number(style.format)[0]}"' if style.format else ""
        inner = (
            _element("table-cell-properties", _box(style))
            + _element("paragraph-properties", _alignment(style))
            + _element("text-properties", _text(style))
        )
        return (
            f'<style:style style:name="{name}" style:family="table-cell"'
            f' style:parent-style-name="Default"{number}>{inner}</style:style>'
        )


def _element(name: str, attributes: Iterable[str]) -> str:
    given = "".join(f" {one}" for one in attributes)
    return f"<style:{name}{given}/>" if given else ""


def _box(style: Style) -> Iterable[str]:
    if style.background:
        yield f'fo:background-color="#{style.background}"'
    if style.border:
        yield f'fo:border="{_LINES[style.border]} #000000"'
    if style.wrap:
        yield 'fo:wrap-option="wrap"'
    if style.valign:
        yield f'style:vertical-align="{_VERTICAL[style.valign]}"'
    if style.align:
        yield 'style:text-align-source="fix"'


def _alignment(style: Style) -> Iterable[str]:
    if style.align:
        yield f'fo:text-align="{_FLUSH[style.align]}"'


def _text(style: Style) -> Iterable[str]:
    if style.bold:
        yield 'fo:font-weight="bold" style:font-weight-asian="bold"'
        yield 'style:font-weight-complex="bold"'
    if style.italic:
        yield 'fo:font-style="italic" style:font-style-asian="italic"'
    if style.underline:
        yield 'style:text-underline-style="solid" style:text-underline-width="auto"'
        yield 'style:text-underline-type="single" style:text-underline-color="font-color"'
    if style.color:
        yield f'fo:color="#{style.color}"'
    if style.font:
        yield f"fo:font-family={attribute(_family(style.font))}"
    if style.size:
        yield f'fo:font-size="{style.size:g}pt"'


def _family(font: str) -> str:
    """A font's name; with quotes only where it needs them, for gnumeric takes them for a part."""
    quoted = font.replace("'", "")
    return font if font.replace(" ", "").replace("-", "").isalnum() else f"'{quoted}'"
