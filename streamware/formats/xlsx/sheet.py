"""One sheet of a workbook.

Source: ECMA-376 Part 1 §18.3.1.99 (worksheet): the order of its elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamware.columns import Batch, Column, Head
from streamware.encoder import Context, Part, interleave
from streamware.errors import LimitError
from streamware.formats.text import spellers
from streamware.formats.xlsx.cells import CellText, CellWriter, column_letters, notation
from streamware.formats.xlsx.styles import HEADER, Styles
from streamware.values import Spelling

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

MAX_COLUMNS = 16_384
SAMPLED_ROWS = 32  # for the widths; the first batch has no more

_START = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FROZEN = b'<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/>'
_FORMAT = b'<sheetFormatPr defaultRowHeight="15"/>'
_NARROWEST, _WIDEST, _FILTER_BUTTON = 8.43, 60.0, 3.0

SPELLING = Spelling(escape=CellText(), true=b"1", false=b"0", spreadsheet=True, escaped=notation)


class SheetWriter:
    """The XML of one sheet, a batch at a time."""

    def __init__(self, options: Xlsx, head: Head, context: Context, styles: Styles) -> None:
        if len(head.columns) > MAX_COLUMNS:
            raise LimitError("columns of the sheet", limit=MAX_COLUMNS, actual=len(head.columns))
        self.head = head
        self._options = options
        self._spellers = spellers(head.columns, context, SPELLING)
        self._title = spellers([Column(0, "title")], context, SPELLING)[0]
        zone = context.values.timezone
        self._writers = [
            CellWriter(column, at, speller, styles, zone, compact=options.compact)
            for at, (column, speller) in enumerate(zip(head.columns, self._spellers, strict=True))
        ]

    def top(self, batch: Batch, *, selected: bool) -> bytes:
        """Everything before the first data row; widths are sampled from the first of `batch`."""
        chosen = b' tabSelected="1"' if selected else b""
        frozen = _FROZEN if self._options.freeze and self.head.titles else b""
        view = (
            b"<sheetViews><sheetView"
            + chosen
            + b' workbookViewId="0">'
            + frozen
            + b"</sheetView></sheetViews>"
        )
        return _START + view + _FORMAT + self._widths(batch) + b"<sheetData>" + self._header()

    def rows(self, batch: Batch, number: int) -> bytes:
        """The rows of `batch`; the first stands in row `number` of the sheet."""
        numbers = b" ".join([b"%d" % n for n in range(number, number + batch.count)]).split()
        compact = self._options.compact
        parts: list[Part] = [b"<row>"] if compact else [b'<row r="', numbers, b'">']
        for writer, cells in zip(self._writers, batch.columns, strict=True):
            parts += writer.parts(cells, batch.first, numbers)
        return interleave([*parts, b"</row>"], batch.count)

    def bottom(self, rows: int) -> bytes:
        """Everything after the last of `rows` rows, the header counted."""
        area = self.filtered(rows)
        filter_ = b'<autoFilter ref="' + area.encode() + b'"/>' if area else b""
        margins = b'<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
        return b"</sheetData>" + filter_ + margins + b"</worksheet>"

    def filtered(self, rows: int, *, dollar: str = "") -> str:
        """The range that the autofilter covers; empty where there is none."""
        if not (self._options.autofilter and self.head.titles):
            return ""
        last = column_letters(len(self.head.columns) - 1)
        return f"{dollar}A{dollar}1:{dollar}{last}{dollar}{rows}"

    def _header(self) -> bytes:
        titles = self.head.titles
        if not titles:
            return b""
        tokens = self._title.spell(titles, 0).tokens
        cells = []
        for at, token in enumerate(tokens):
            reference = (
                b"" if self._options.compact else b' r="' + column_letters(at).encode() + b'1"'
            )
            space = b' xml:space="preserve"' if token.strip() != token else b""
            text = b"<is><t" + space + b">" + token + b"</t></is>"
            cells.append(b"<c" + reference + b' s="%d" t="inlineStr">' % HEADER + text + b"</c>")
        row = b"<row>" if self._options.compact else b'<row r="1">'
        return row + b"".join(cells) + b"</row>"

    def _widths(self, batch: Batch) -> bytes:
        if not self.head.columns:
            return b""
        widths = [
            column.width or _sampled(column, cells, filtered=self._options.autofilter)
            for column, cells in zip(
                self.head.columns, batch.columns or [()] * len(self.head.columns), strict=True
            )
        ]
        cols = "".join(
            f'<col min="{at}" max="{at}" width="{width:g}" customWidth="1"/>'
            for at, width in enumerate(widths, 1)
        )
        return f"<cols>{cols}</cols>".encode()


def _sampled(column: Column, cells: Sequence[object], *, filtered: bool) -> float:
    """Characters of the longest of the title and the first cells, within reason."""
    title = len(column.title) + (_FILTER_BUTTON if filtered else 0) if column.title else 0
    longest = max((_length(cell) for cell in cells[:SAMPLED_ROWS]), default=0)
    return min(max(title, longest + 1.0, _NARROWEST), _WIDEST)


def _length(cell: object) -> int:
    if isinstance(cell, str):
        return max(map(len, cell[:10_000].split("\n")))
    return 0 if cell is None else min(len(str(cell)), 26)
