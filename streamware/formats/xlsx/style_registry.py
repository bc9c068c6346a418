"""The registry of the markup that cells have for their styles, shared by columns of one style."""

from __future__ import annotations

from streamware.formats.spreadsheet.column_style import LINK, ColumnStyle
from streamware.formats.xlsx.address import LINKED
from streamware.formats.xlsx.styles import Styles
from streamware.model.style import Style
from streamware.values.kinds import Kind

VALUE = (b"><v>", b"</v></c>")
"""The markup before and after a value, following the attributes of its cell."""

AROUND = {
    Kind.TEXT: (b' t="inlineStr"><is><t>', b"</t></is></c>"),
    Kind.BOOL: (b' t="b"><v>', VALUE[1]),
}
"""The same for the kinds that have other markup."""


class StyleRegistry:
    """The markup for all styles of a workbook.

    Attributes:
        styles: The styles themselves.
        compact: Whether cells have no references.
    """

    def __init__(self, styles: Styles, *, compact: bool) -> None:
        self.styles = styles
        self.compact = compact
        self._markup: dict[tuple[ColumnStyle, bool], CellMarkup] = {}

    def cell_markup(self, style: ColumnStyle, *, linked: bool) -> CellMarkup:
        """Return the markup of the cells of a column.

        Args:
            style: Style of the column.
            linked: Whether its cells are links.
        """
        markup = self._markup.get((style, linked))
        if markup is None:
            markup = self._markup[style, linked] = CellMarkup(self, style, linked=linked)
        return markup

    def styled_markup(self, style: Style) -> bytes:
        """Return what follows the row number of a cell: the end of its reference, its style."""
        index = self.styles.index(style)
        return (b"" if self.compact else b'"') + (b' s="%d"' % index if index else b"")


class CellMarkup:
    """The markup around the values of a column, by the kind of the cell.

    Attributes:
        plain: What follows the row number of a cell that is not a link.
        links: What follows the row number of a cell that is a link; empty if the column has none.
        around: Everything between the row number and the value, and everything after the value.
    """

    __slots__ = ("_registry", "_style", "_styled", "around", "links", "plain")

    def __init__(self, registry: StyleRegistry, style: ColumnStyle, *, linked: bool) -> None:
        self._registry = registry  # of the styles of the workbook
        self._style = style  # of the column
        # Register the styles of all kinds now, not when the first cell of a kind comes: then equal
        # rows give equal styles, whatever the batches.
        self.plain = {kind: registry.styled_markup(style.style(kind)) for kind in Kind}
        # Made of `plain`, for columns of one kind.
        self.around = {
            kind: (start + AROUND.get(kind, VALUE)[0], AROUND.get(kind, VALUE)[1])
            for kind, start in self.plain.items()
        }
        kinds = [kind for kind in Kind if kind in LINKED] if linked else []
        # Registered after `plain`: indices of styles follow the order of registration.
        self.links = {kind: registry.styled_markup(LINK.over(style.style(kind))) for kind in kinds}
        # Markup of cells with a style of their own, by style, kind and whether it is a link.
        self._styled: dict[tuple[Style | None, Kind, bool], bytes] = {}

    def styled(self, style: Style | None, kind: Kind, *, linked: bool) -> bytes:
        """Return what follows the row number of a cell that differs from its column.

        Args:
            style: The cell's own style, if it has one.
            kind: Kind of the cell.
            linked: Whether the cell is a link.
        """
        markup = self._styled.get((style, kind, linked))
        if markup is None:
            base = self._style.style(kind)
            base = LINK.over(base) if linked else base
            markup = self._registry.styled_markup(base if style is None else style.over(base))
            self._styled[style, kind, linked] = markup
        return markup
