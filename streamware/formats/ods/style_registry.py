"""StyleRegistry: how cells tell their styles, once for all columns that look alike."""

from __future__ import annotations

from typing import NamedTuple

from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.look import LINK, ColumnStyle
from streamware.model.style import Style
from streamware.values.kinds import Kind


class StyledMarkup(NamedTuple):
    """What a cell has of its style, and a number besides."""

    marks: bytes
    number: bytes


class CellMarkup(NamedTuple):
    """What cells have of their style, by their kinds, and what those that lead somewhere have."""

    plain: dict[Kind, StyledMarkup]
    links: dict[Kind, StyledMarkup]


class StyleRegistry:
    """The styles of a document, as its cells tell them.

    Attributes:
        styles: Those of the document.
    """

    def __init__(self, styles: Styles) -> None:
        self.styles = styles
        self._marks: dict[tuple[ColumnStyle, bool], CellMarkup] = {}

    def marks(self, look: ColumnStyle, *, linked: bool) -> CellMarkup:
        """Those of columns that look so; `linked` if their cells lead somewhere."""
        marks = self._marks.get((look, linked))
        if marks is None:
            # Settled now, and not when a cell of the kind comes: equal rows have equal styles
            # then, in whatever batches they came.
            plain = {kind: self.styled_markup(look.style(kind)) for kind in Kind}
            styles = {kind: LINK.over(look.style(kind)) for kind in Kind} if linked else {}
            links = {kind: self.styled_markup(style) for kind, style in styles.items()}
            marks = self._marks[look, linked] = CellMarkup(plain, links)
        return marks

    def styled_markup(self, style: Style) -> StyledMarkup:
        """What a cell has that looks so."""
        return StyledMarkup(self.styles.marks(style), self.styles.number_marks(style))
