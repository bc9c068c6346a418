"""Common styles: how cells look, registered while cells are written.

They are in `styles.xml`, which can be written after the content.  What LibreOffice has to know
before the first row of a sheet (widths, page layouts) is in the `automatic_styles` of the content.

Source: OpenDocument 1.3 Part 3 §16 (styles), §20 (formatting attributes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamware.errors import LimitError
from streamware.formats.ods.number_style import NumberStyle, number_style
from streamware.formats.ods.parts import attribute, opening
from streamware.model.style import Style

MAX_STYLES = 65_490  # Excel, which reads ODS too, has no more cell formats

_PLAIN = Style()
_FLOAT = b' office:value-type="float"'
_TEXT_ALIGN = {"left": "start", "center": "center", "right": "end"}
_VERTICAL_ALIGN = {"top": "top", "center": "middle", "bottom": "bottom"}
_BORDERS = {
    "thin": "0.75pt solid",
    "medium": "1.75pt solid",
    "thick": "2.5pt solid",
    "double": "2.5pt double",
    "dotted": "0.75pt dotted",
    "dashed": "0.75pt dashed",
}
_DEFAULT = '<style:style style:name="Default" style:family="table-cell"/>'


class Styles:
    """The cell styles of a document and their number formats, each once."""

    def __init__(self) -> None:
        self._names: dict[Style, str] = {_PLAIN: ""}
        # Name and data style of each number format.
        self._data_styles: dict[str, tuple[str, NumberStyle]] = {}

    def name(self, style: Style) -> str:
        """Return the name of a style, which is added if it is new; empty for `Style()`.

        Raises:
            LimitError: There are more than 65,490 styles.
        """
        name = self._names.get(style)
        if name is None:
            count = len(self._names)
            if count > MAX_STYLES:
                raise LimitError("styles of the document", limit=MAX_STYLES, actual=count)
            name = self._names[style] = f"s{count}"
            if style.format:
                self._data_style(style.format)
        return name

    def value_type(self, style: Style) -> bytes:
        """Return the attributes for the type of a cell that is a number of this style."""
        return self._data_style(style.format)[1].value_type if style.format else _FLOAT

    def part(self, pages: Mapping[str, str]) -> bytes:
        """Return `styles.xml`.

        Args:
            pages: Properties of each page layout, by the name of its master page.
        """
        numbers = "".join(number.xml for _, number in self._data_styles.values())
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

    def _data_style(self, code: str) -> tuple[str, NumberStyle]:
        known = self._data_styles.get(code)
        if known is None:
            name = f"N{len(self._data_styles) + 1}"
            known = self._data_styles[code] = (name, number_style(name, code))
        return known

    def _style(self, style: Style, name: str) -> str:
        number = (
            f' style:data-style-name="{self._data_style(style.format)[0]}"' if style.format else ""
        )
        align = [f'fo:text-align="{_TEXT_ALIGN[style.align]}"'] if style.align else []
        inner = (
            _element("table-cell-properties", _cell_properties(style))
            + _element("paragraph-properties", align)
            + _element("text-properties", _text_properties(style))
        )
        return (
            f'<style:style style:name="{name}" style:family="table-cell"'
            f' style:parent-style-name="Default"{number}>{inner}</style:style>'
        )


def _element(name: str, attributes: Iterable[str]) -> str:
    given = "".join(f" {one}" for one in attributes)
    return f"<style:{name}{given}/>" if given else ""


def _cell_properties(style: Style) -> Iterable[str]:
    if style.background:
        yield f'fo:background-color="#{style.background}"'
    if style.border:
        yield f'fo:border="{_BORDERS[style.border]} #000000"'
    if style.wrap:
        yield 'fo:wrap-option="wrap"'
    if style.valign:
        yield f'style:vertical-align="{_VERTICAL_ALIGN[style.valign]}"'
    if style.align:
        yield 'style:text-align-source="fix"'


def _text_properties(style: Style) -> Iterable[str]:
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
        name = style.font
        # Quoted only if needed: gnumeric takes quotes for a part of the name.
        if not name.replace(" ", "").replace("-", "").isalnum():
            name = "'" + name.replace("'", "") + "'"
        yield f"fo:font-family={attribute(name)}"
    if style.size:
        yield f'fo:font-size="{style.size:g}pt"'
