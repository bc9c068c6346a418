"""Automatic styles: column widths, tab colours and page layouts of the sheets.

They are at the beginning of the content, where only the first sheet is known.  If others may
follow, styles are declared for them in advance: one for every whole width and every page layout.

Source: OpenDocument 1.3 Part 3 §16.5.4 (style:page-layout), §17.15 (table properties), §17.16
(column properties).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from streamware.model.sheet_options import SheetOptions

_MAX_WIDTH = 255  # characters
_PIXELS_PER_CHARACTER, _PADDING, _PIXELS_PER_INCH = 7.5, 5, 96
_CM_PER_INCH = 2.54

# LibreOffice makes rows higher if needed.  Given a height to start with, it opens a file in half
# the time.
_ROW = (
    '<style:style style:name="row" style:family="table-row"><style:table-row-properties'
    ' style:row-height="0.452cm" style:use-optimal-row-height="true"/></style:style>'
)


class AutomaticStyles:
    """The automatic styles of a document.

    Attributes:
        pages: Properties of each page layout in use, by the name of its master page.
    """

    def __init__(self) -> None:
        self._columns: set[str] = set()  # names of the column styles
        self._colors: set[str | None] = {None}  # tab colours that are declared
        self.pages: dict[str, str] = {}

    def declare(
        self,
        widths: Sequence[float],
        options: Sequence[SheetOptions],
        *,
        more: bool,
    ) -> str:
        """Return the styles.  Call it once, before the others.

        Args:
            widths: Widths of the columns of the first sheet.
            options: Options of the sheets that are known.
            more: Whether other sheets may follow.
        """
        declared = set(widths) | set(range(1, _MAX_WIDTH + 1) if more else ())
        self._colors |= {one.tab_color for one in options}
        columns = {_column_name(width): width for width in sorted(declared)}
        self._columns = set(columns)
        # Whether each layout is right to left, and its master page.
        layouts = [(one.right_to_left, _page_name(one)) for one in options]
        if more:
            pages = ("Sheet", "SheetAcross", "SheetFitted", "SheetAcrossFitted")
            layouts = [(rtl, page) for rtl in (False, True) for page in pages]
        tables = {(color or "", rtl, page) for color in self._colors for rtl, page in layouts}
        styles = [_column_style(*one) for one in columns.items()]
        return "".join([*styles, _ROW, *(_table_style(*one) for one in sorted(tables))])

    def column_style(self, width: float) -> str:
        """Return the name of a column's style; if not declared, that of the next whole width."""
        name = _column_name(width)
        return name if name in self._columns else _column_name(ceil(width))

    def table_style(self, options: SheetOptions) -> tuple[str, bool]:
        """Return the name of the style of a sheet, and whether it has the right tab colour."""
        known = options.tab_color in self._colors
        page = _page_name(options)
        orientation = ' style:print-orientation="landscape"' if options.landscape else ""
        if options.landscape:  # LibreOffice does not swap the sides itself
            orientation += ' fo:page-width="29.7cm" fo:page-height="21cm"'
        fitted = ' style:scale-to-X="1" style:scale-to-Y="0"' if options.fit_to_width else ""
        self.pages[page] = f"<style:page-layout-properties{orientation}{fitted}/>"
        color = options.tab_color if known else None
        return _table_name(color or "", options.right_to_left, page), known


def _page_name(options: SheetOptions) -> str:
    return f"Sheet{'Across' * options.landscape}{'Fitted' * options.fit_to_width}"


def _table_name(color: str, right_to_left: bool, page: str) -> str:
    return f"{page}{'R' * right_to_left}{color}"


def _table_style(color: str, right_to_left: bool, page: str) -> str:
    mode = "rl-tb" if right_to_left else "lr-tb"
    tab = f' table:tab-color="#{color}"' if color else ""
    return (
        f'<style:style style:name="{_table_name(color, right_to_left, page)}" style:family="table"'
        f' style:master-page-name="{page}"><style:table-properties table:display="true"'
        f' style:writing-mode="{mode}"{tab}/></style:style>'
    )


def _column_name(width: float) -> str:
    return f"w{width * 100:.0f}"


def _column_style(name: str, width: float) -> str:
    size = (width * _PIXELS_PER_CHARACTER + _PADDING) / _PIXELS_PER_INCH * _CM_PER_INCH
    return (
        f'<style:style style:name="{name}" style:family="table-column">'
        f'<style:table-column-properties style:column-width="{size:.3f}cm"/></style:style>'
    )
