"""StyleRegistry: what stands around the values of cells, once for all columns that look alike."""

from __future__ import annotations

from streamware.formats.spreadsheet.look import LINK, ColumnStyle
from streamware.formats.xlsx.address import LINKED
from streamware.formats.xlsx.styles import Styles
from streamware.model.style import Style
from streamware.values.kinds import Kind

VALUE = (b"><v>", b"</v></c>")
"""What stands around a value, behind the marks of its cell."""

AROUND = {
    Kind.TEXT: (b' t="inlineStr"><is><t>', b"</t></is></c>"),
    Kind.BOOL: (b' t="b"><v>', VALUE[1]),
}
"""The same of the kinds that have it otherwise."""


class StyleRegistry:
    """The cell formats of a workbook, as its cells tell them.

    Attributes:
        styles: Those of the workbook.
        compact: Whether cells go without their references.
    """

    def __init__(self, styles: Styles, *, compact: bool) -> None:
        self.styles = styles
        self.compact = compact
        self._marks: dict[tuple[ColumnStyle, bool], CellMarkup] = {}

    def marks(self, look: ColumnStyle, *, linked: bool) -> CellMarkup:
        """Those of columns that look so; `linked` if their cells lead somewhere."""
        marks = self._marks.get((look, linked))
        if marks is None:  # there are as few as there are formats
            marks = self._marks[look, linked] = CellMarkup(self, look, linked=linked)
        return marks

    def styled_markup(self, style: Style) -> bytes:
        """What stands behind the number of the row: the reference's end, and the format."""
        index = self.styles.index(style)
        return (b"" if self.compact else b'"') + (b' s="%d"' % index if index else b"")


class CellMarkup:
    """What stands before and behind the values of columns that look alike.

    Attributes:
        plain: What stands behind the number of the row, by the kind of the cell.
        links: The same of cells that lead somewhere.
        around: That and the rest that stands before a value, and what stands behind it.
    """

    __slots__ = ("_look", "_registry", "_styled", "around", "links", "plain")

    def __init__(self, registry: StyleRegistry, look: ColumnStyle, *, linked: bool) -> None:
        self._registry = registry
        self._look = look
        # Settled now, and not when a cell of the kind comes: equal rows have equal styles then,
        # in whatever batches they came.
        self.plain = {kind: registry.styled_markup(look.style(kind)) for kind in Kind}
        self.around = {
            kind: (marks + AROUND.get(kind, VALUE)[0], AROUND.get(kind, VALUE)[1])
            for kind, marks in self.plain.items()
        }
        kinds = [kind for kind in Kind if kind in LINKED] if linked else []
        self.links = {kind: registry.styled_markup(LINK.over(look.style(kind))) for kind in kinds}
        self._styled: dict[tuple[Style | None, Kind, bool], bytes] = {}

    def styled(self, style: Style | None, kind: Kind, *, linked: bool) -> bytes:
        """Those of a cell that has a style of its own, or leads somewhere."""
        marks = self._styled.get((style, kind, linked))
        if marks is None:
            base = self._look.style(kind)
            base = LINK.over(base) if linked else base
            marks = self._registry.styled_markup(base if style is None else style.over(base))
            self._styled[style, kind, linked] = marks
        return marks
