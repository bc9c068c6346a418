"""What LibreOffice wants to know before the first row: widths, and how sheets are printed.

These styles stand at the beginning of the content, when only the first sheet is known.  Where
others may follow, a palette of widths is there for them.

Source: OpenDocument 1.3 Part 3 §16.5.4 (style:page-layout), §17.15 (table properties), §17.16
(column properties).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from streamware.formats.ods.sheet import Shape
from streamware.model.sheet_options import SheetOptions

_WIDEST = 255
_PIXELS, _PADDING, _INCH = 7.5, 5, 96  # of a digit, and beside the text; per inch
_CENTIMETRES = 2.54

# LibreOffice makes a row higher where it has to; told a height to begin with, it opens a file in
# half the time.
_ROW = (
    '<style:style style:name="row" style:family="table-row"><style:table-row-properties'
    ' style:row-height="0.452cm" style:use-optimal-row-height="true"/></style:style>'
)


class Layouts:
    """The automatic styles of tables and columns, and the pages that tables are printed on."""

    def __init__(self) -> None:
        self._columns: set[str] = set()
        self._colors: set[str | None] = {None}
        self.pages: dict[str, str] = {}

    def declare(
        self,
        shapes: Sequence[Shape],
        options: Iterable[SheetOptions],
        *,
        more: bool,
    ) -> str:
        """The automatic styles.

        Args:
            shapes: Columns of the first sheet.
            options: Those of the sheets that are known.
            more: Whether other sheets may follow.
        """
        widths = {shape.width for shape in shapes} | set(range(1, _WIDEST + 1) if more else ())
        given = list(options)
        self._colors |= {one.tab_color for one in given}
        columns = {_column(width): width for width in sorted(widths)}
        self._columns = set(columns)
        tables = sorted(
            {(color or "", rtl, page) for color in self._colors for rtl, page in _ways(given, more)}
        )
        styles = [_column_style(*one) for one in columns.items()]
        return "".join([*styles, _ROW, *(_table_style(*one) for one in tables)])

    def column(self, shape: Shape) -> str:
        """Name of the style of a column; of the next width, if its own was not declared."""
        name = _column(shape.width)
        return name if name in self._columns else _column(ceil(shape.width))

    def table(self, options: SheetOptions) -> tuple[str, bool]:
        """Name of the style of a table, and whether its tab has the colour it should have."""
        known = options.tab_color in self._colors
        page = _page(options)
        self.pages.setdefault(page, _page_properties(options))
        color = options.tab_color if known else None
        return _table(color or "", options.right_to_left, page), known


def _ways(options: Sequence[SheetOptions], more: bool) -> Iterable[tuple[bool, str]]:
    if more:
        pages = ("Sheet", "SheetAcross", "SheetFitted", "SheetAcrossFitted")
        return [(rtl, page) for rtl in (False, True) for page in pages]
    return [(one.right_to_left, _page(one)) for one in options]


def _page(options: SheetOptions) -> str:
    return f"Sheet{'Across' * options.landscape}{'Fitted' * options.fit_to_width}"


def _page_properties(options: SheetOptions) -> str:
    across = ' style:print-orientation="landscape"' if options.landscape else ""
    if options.landscape:  # LibreOffice turns no page by itself
        across += ' fo:page-width="29.7cm" fo:page-height="21cm"'
    fitted = ' style:scale-to-X="1" style:scale-to-Y="0"' if options.fit_to_width else ""
    return f"<style:page-layout-properties{across}{fitted}/>"


def _table(color: str, right_to_left: bool, page: str) -> str:
    return f"{page}{'R' * right_to_left}{color}"


def _table_style(color: str, right_to_left: bool, page: str) -> str:
    mode = "rl-tb" if right_to_left else "lr-tb"
    tab = f' table:tab-color="#{color}"' if color else ""
    return (
        f'<style:style style:name="{_table(color, right_to_left, page)}" style:family="table"'
        f' style:master-page-name="{page}"><style:table-properties table:display="true"'
        f' style:writing-mode="{mode}"{tab}/></style:style>'
    )


def _column(width: float) -> str:
    return f"w{width * 100:.0f}"


def _column_style(name: str, width: float) -> str:
    size = (width * _PIXELS + _PADDING) / _INCH * _CENTIMETRES
    return (
        f'<style:style style:name="{name}" style:family="table-column">'
        f'<style:table-column-properties style:column-width="{size:.3f}cm"/></style:style>'
    )
