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
from streamware.formats.xlsx import parts as package
from streamware.formats.xlsx.cells import (
    CellText,
    CellWriter,
    column_letters,
    notation,
    settle,
    text_value,
)
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.styles import Styles
from streamware.values.cell import Spelling
from streamware.values.kinds import Kind
from streamware.values.speller import Spelled

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

MAX_COLUMNS = 16_384
SAMPLED_ROWS = 32  # for the widths; the first batch has no more

_START = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
)
_FROZEN = (
    b'<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    b'<selection pane="bottomLeft"/>'
)
_END = (
    b'<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
    b"</worksheet>"
)
_FORMAT = b'<sheetFormatPr defaultRowHeight="15"/>'
_NARROWEST, _WIDEST, _FILTER_BUTTON = 8.43, 60.0, 3.0

SPELLING = Spelling(escape=CellText(), true=b"1", false=b"0", spreadsheet=True, escaped=notation)


class SheetWriter:
    """The XML of one sheet, a batch at a time.

    Attributes:
        above: Rows above the first data row.
        below: Rows to keep free below the last one.
        formulas: Whether there are any so far.
    """

    def __init__(
        self,
        options: Xlsx,
        head: Head,
        context: Context,
        styles: Styles,
        strings: SharedStrings | None,
        *,
        name: str,
        number: int,
    ) -> None:
        if len(head.columns) > MAX_COLUMNS:
            raise LimitError("columns of the sheet", limit=MAX_COLUMNS, actual=len(head.columns))
        self.head = head
        self.formulas = False
        self.above = 1 if head.titles else 0
        self.below = 0
        self._again = (options, head, context, styles, strings)
        self._name = name
        self._number = number
        self._end = 0  # the last row, once it is known
        self._options = options
        self._spellers = spellers(head.columns, context, SPELLING)
        self._title = spellers([Column(0, "title")], context, SPELLING)[0]
        self._strings = strings
        self._header_style = styles.index(options.header)
        zone = context.values.timezone
        self._writers = [
            CellWriter(
                column,
                at,
                styles,
                zone,
                compact=options.compact,
                converted=context.receipt.converted,
                strings=strings,
            )
            for at, column in enumerate(head.columns)
        ]

    def continued(self, name: str, number: int) -> SheetWriter:
        """The sheet in which its rows go on."""
        return SheetWriter(*self._again, name=name, number=number)

    def spell(self, batch: Batch) -> list[Spelled]:
        """The cells of `batch`, settled: what `rows` takes, wherever in a sheet they will stand."""
        return [
            speller.spell(cells, batch.first)
            for speller, cells in zip(self._spellers, batch.columns, strict=True)
        ]

    def top(self, spelled: Sequence[Spelled], *, selected: bool) -> bytes:
        """Everything before the first data row; widths are sampled from the first of `spelled`."""
        chosen = b' tabSelected="1"' if selected else b""
        frozen = _FROZEN if self._options.freeze and self.head.titles else b""
        view = (
            b"<sheetViews><sheetView"
            + chosen
            + b' workbookViewId="0">'
            + frozen
            + b"</sheetView></sheetViews>"
        )
        return _START + view + _FORMAT + self._widths(spelled) + b"<sheetData>" + self._header()

    def rows(self, spelled: Sequence[Spelled], count: int, number: int) -> bytes:
        """`count` rows of these cells; the first stands in row `number` of the sheet."""
        settle(self._writers, spelled, number)
        numbers = b" ".join([b"%d" % n for n in range(number, number + count)]).split()
        compact = self._options.compact
        parts: list[Part] = [b"<row>"] if compact else [b'<row r="', numbers, b'">']
        for writer, cells in zip(self._writers, spelled, strict=True):
            parts += writer.parts(cells, numbers)
            if cells.kind is Kind.FORMULA or (cells.kinds and Kind.FORMULA in cells.kinds):
                self.formulas = True
        return interleave([*parts, b"</row>"], count)

    def bottom(self, rows: int) -> bytes:
        """Everything after the last of `rows` rows, those above the first counted."""
        self._end = rows
        area = self._filtered()
        filter_ = b'<autoFilter ref="' + area.encode() + b'"/>' if area else b""
        return b"</sheetData>" + filter_ + _END

    def attachments(self) -> list[package.Part]:
        """The parts that belong to the sheet, once `bottom` was asked for."""
        return []

    def defined(self, position: int) -> list[package.DefinedName]:
        """The names that the workbook lists for the sheet in this place, counted from 0."""
        area = self._filtered(dollar="$")
        if not area:
            return []
        text = f"{package.quoted(self._name)}!{area}"
        return [package.DefinedName("_xlnm._FilterDatabase", text, position, hidden=True)]

    def _filtered(self, *, dollar: str = "") -> str:
        """The range that the autofilter covers; empty where there is none."""
        if not (self._options.autofilter and self.head.titles):
            return ""
        last = column_letters(len(self.head.columns) - 1)
        return f"{dollar}A{dollar}1:{dollar}{last}{dollar}{self._end}"

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
            style = b' s="%d"' % self._header_style
            cells.append(b"<c" + reference + style + text_value(token, self._strings))
        row = b"<row>" if self._options.compact else b'<row r="1">'
        return row + b"".join(cells) + b"</row>"

    def _widths(self, spelled: Sequence[Spelled]) -> bytes:
        if not self.head.columns:
            return b""
        widths = [
            column.width or self._sampled(column.title, writer.length(cells, SAMPLED_ROWS))
            for column, writer, cells in zip(self.head.columns, self._writers, spelled, strict=True)
        ]
        cols = "".join(
            f'<col min="{at}" max="{at}" width="{width:g}" customWidth="1"/>'
            for at, width in enumerate(widths, 1)
        )
        return f"<cols>{cols}</cols>".encode()

    def _sampled(self, title: str | None, longest: int) -> float:
        """Characters of the longest of the title and the first cells, within reason."""
        header = len(title) + (_FILTER_BUTTON if self._options.autofilter else 0) if title else 0
        return min(max(header, longest + 1.0, _NARROWEST), _WIDEST)
