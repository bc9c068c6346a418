"""The registry of the markup that cells have for their styles, shared by columns of one style."""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.column_style import LINK, ColumnStyle
from streamware.model.style import Style
from streamware.values.kinds import Kind


class StyledMarkup(NamedTuple):
    """The attributes that a cell has for its style.

    Attributes:
        style: The attribute that names the style; empty for the default style.
        value_type: The attributes for the type of the cell, if it is a number.
        code: Its number format, or None.
    """

    style: bytes
    value_type: bytes
    code: str | None


class CellMarkup(NamedTuple):
    """The attributes for styles of a column, by the kind of the cell.

    Attributes:
        plain: Those of cells that are not links.
        links: Those of cells that are links; empty if the column has none.
    """

    plain: dict[Kind, StyledMarkup]
    links: dict[Kind, StyledMarkup]


class StyleRegistry:
    """The markup for all styles of a document.

    Attributes:
        styles: The styles themselves.
    """

    def __init__(self, styles: Styles) -> None:
        self.styles = styles
        self._markup: dict[tuple[ColumnStyle, bool], CellMarkup] = {}

    def cell_markup(self, style: ColumnStyle, *, linked: bool) -> CellMarkup:
        """Return the markup of the cells of a column.

        Args:
            style: Style of the column.
            linked: Whether its cells are links.
        """
        markup = self._markup.get((style, linked))
        if markup is None:
            # Register the styles of all kinds now, not when the first cell of a kind comes: then
            # equal rows give equal styles, whatever the batches.
            plain = {kind: self.styled_markup(style.style(kind)) for kind in Kind}
            styles = {kind: LINK.over(style.style(kind)) for kind in Kind} if linked else {}
            links = {kind: self.styled_markup(link) for kind, link in styles.items()}
            markup = self._markup[style, linked] = CellMarkup(plain, links)
        return markup

    def styled_markup(self, style: Style) -> StyledMarkup:
        """Return the markup of a cell of this style."""
        name = self.styles.name(style)
        attribute = f' table:style-name="{name}"'.encode() if name else b""
        return StyledMarkup(attribute, self.styles.value_type(style), style.format)
