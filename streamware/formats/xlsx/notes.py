"""Notes: the comments on cells of a sheet, and the drawing of their boxes.

Excel shows a note only if it has a drawing, in VML, a language that is older than the standard.

Source: ECMA-376 Part 1 §18.7 (comments); Part 4 §19 (VML), §19.4 (its spreadsheet drawing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from xml.sax.saxutils import escape

from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.spreadsheet.sheet import MAX_ROWS
from streamware.formats.text import legal
from streamware.formats.xlsx.parts import in_pieces
from streamware.formats.xlsx.records import Mark, RecordFile, Records
from streamware.model.sheet_options import MAX_COLUMNS

MAX_NOTES = 65_530  # of a sheet
MAX_BYTES = 4 * 2**20  # of their text in memory

_BETWEEN = "\x1f"  # the fields of a note: no legal text contains it
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_BLOCK = 1024  # ids of shapes come in blocks, which the drawing lists
_BLOCKS = MAX_NOTES // _BLOCK + 1
_LINE, _FEWEST_LINES, _MOST_LINES = 20, 4, 20  # characters; rows of a sheet
_LAST_ROW, _LAST_COLUMN = MAX_ROWS - 1, MAX_COLUMNS - 1  # from 0
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<comments xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<authors><author></author></authors><commentList>"
)
_FOOT = "</commentList></comments>"
_DRAWING = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit">'
    '<o:idmap v:ext="edit" data="{}"/></o:shapelayout>'
    '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202"'
    ' path="m,l,21600r21600,l21600,xe"><v:stroke joinstyle="miter"/>'
    '<v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_SHAPE = (
    '<v:shape id="_x0000_s{}" type="#_x0000_t202" style="position:absolute;visibility:hidden"'
    ' fillcolor="#ffffe1" o:insetmode="auto"><v:fill color2="#ffffe1"/>'
    '<v:shadow on="t" color="black" obscured="t"/><v:path o:connecttype="none"/>'
    '<v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></v:textbox>'
    '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:Anchor>{}</x:Anchor>'
    "<x:AutoFill>False</x:AutoFill><x:Row>{}</x:Row><x:Column>{}</x:Column></x:ClientData>"
    "</v:shape>"
)


class _Note(NamedTuple):
    row: int  # from 1
    column: int  # from 0
    text: str


class NotesMark(NamedTuple):
    """The state of `Notes`, to which `rewind` returns."""

    size: int
    notes: Mark


class Notes:
    """The notes of one sheet.

    Without a file, memory holds at most `MAX_NOTES` of them, with at most `MAX_BYTES` of text.

    Args:
        file: Takes what waits for the end of the sheet; None to keep it in memory.
    """

    def __init__(self, file: RecordFile | None = None) -> None:
        self._spooled = file is not None  # whether there is a file
        self._notes = Records(file)  # row, column and text, with `_BETWEEN` between them
        self._size = 0  # bytes of their text

    def __bool__(self) -> bool:
        return bool(self._notes)

    def add(self, row: int, column: int, text: str) -> bool:
        """Put a note on a cell; return False if there is no room for it.

        Args:
            row: Row of the cell, from 1.
            column: Column of the cell, from 0.
            text: The note.
        """
        text = legal(text).replace("\r\n", "\n").replace("\r", "\n")
        size = self._size + len(text.encode())
        if len(self._notes) >= MAX_NOTES or (size > MAX_BYTES and not self._spooled):
            return False
        self._notes.add(f"{row}{_BETWEEN}{column}{_BETWEEN}{text}")
        self._size = size
        return True

    def mark(self) -> NotesMark:
        """Return the state, for `rewind`."""
        return NotesMark(self._size, self._notes.mark())

    def rewind(self, mark: NotesMark) -> None:
        """Remove the notes that were added after `mark`."""
        self._size = mark.size
        self._notes.rewind(mark.notes)

    def part(self) -> Iterator[bytes]:
        """Yield the part with their texts, in pieces."""
        return in_pieces(chain([_HEAD], map(_comment, self._read()), [_FOOT]))

    def drawing(self, number: int) -> Iterator[bytes]:
        """Yield the part with their boxes, in pieces.

        Args:
            number: Number of the sheet, which makes the ids of the shapes unique in the workbook.
        """
        first = (number - 1) * _BLOCKS + 1
        blocks = range(first, first + len(self._notes) // _BLOCK + 1)
        shapes = (_shape(first * _BLOCK + at, note) for at, note in enumerate(self._read(), 1))
        head = _DRAWING.format(",".join(map(str, blocks)))
        return in_pieces(chain([head], shapes, ["</xml>"]))

    def _read(self) -> Iterator[_Note]:
        for record in self._notes:
            row, column, text = record.split(_BETWEEN)
            yield _Note(int(row), int(column), text)


def _comment(note: _Note) -> str:
    text = escape(_LOOKS_ESCAPED.sub("_x005F_", note.text))
    reference = f"{column_letters(note.column)}{note.row}"
    return (
        f'<comment ref="{reference}" authorId="0">'  # exceljs needs a run, which Excel writes too
        f'<text><r><t xml:space="preserve">{text}</t></r></text>'
        "</comment>"
    )


def _shape(number: int, note: _Note) -> str:
    row, column = note.row - 1, note.column
    lines = sum(len(line) // _LINE + 1 for line in note.text[: _MOST_LINES * _LINE].split("\n"))
    height = min(max(lines, _FEWEST_LINES), _MOST_LINES)
    # The box is beside the cell, or over it at the edge of the sheet.
    left = column + 1 if column + 3 <= _LAST_COLUMN else _LAST_COLUMN - 2
    top = min(max(row - 1, 0), _LAST_ROW - height)
    anchor = f"{left},15,{top},10,{left + 2},15,{top + height},4"
    return _SHAPE.format(number, anchor, row, column)
