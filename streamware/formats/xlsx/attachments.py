"""Attachments: the parts that belong to one sheet, and how the sheet refers to them.

Source: ECMA-376 Part 2 §9.3 (relationships); Part 1 §12.3 (the parts of SpreadsheetML).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from streamware.formats.spreadsheet.reference import column_letters
from streamware.formats.xlsx.links import Links, LinksMark
from streamware.formats.xlsx.notes import Notes, NotesMark
from streamware.formats.xlsx.parts import NOTES_TYPE, TABLE_TYPE, Part, Relation, relations_of
from streamware.formats.xlsx.records import RecordFile


class Attachments:
    """The links, the notes and the table of one sheet.

    Args:
        converted: Counts the links and notes that are left out.
        file: Takes the links and notes until the end of the sheet; None to keep them in memory.
        table: Whether the sheet is a table, or its style.
    """

    def __init__(
        self, converted: Counter[str], file: RecordFile | None = None, *, table: bool | str
    ) -> None:
        self._converted = converted  # counts links and notes that are left out
        self._table = bool(table)  # whether the sheet is a table
        self._links = Links(file)  # of single cells
        self._notes = Notes(file)  # of single cells

    def add_link(self, row: int, column: int, url: str) -> bool:
        """Make a cell a link; if that is impossible, count it and return False.

        Args:
            row: Row of the cell, from 1.
            column: Column of the cell, from 0.
            url: The address, or `#'Other sheet'!A1` for a place in the workbook.
        """
        added = self._links.add(f"{column_letters(column)}{row}", url)
        if not added:
            self._converted["link"] += 1
        return added

    def add_note(self, row: int, column: int, text: str) -> None:
        """Put a note on a cell, or count it if there is no room for it.

        Args:
            row: Row of the cell, from 1.
            column: Column of the cell, from 0.
            text: The note.
        """
        if not self._notes.add(row, column, text):
            self._converted["note"] += 1

    def mark(self) -> tuple[LinksMark, NotesMark]:
        """Return the state, for `rewind`."""
        return self._links.mark(), self._notes.mark()

    def rewind(self, mark: tuple[LinksMark, NotesMark]) -> None:
        """Remove the links and notes that were added after `mark`."""
        links, notes = mark
        self._links.rewind(links)
        self._notes.rewind(notes)

    def hyperlinks(self) -> Iterator[bytes]:
        """Yield the element `hyperlinks`, in pieces; nothing if there are none."""
        return self._links.element()

    def references(self) -> str:
        """Return the elements that refer to the drawing of the notes and to the table."""
        first = self._links.addresses + 1
        ids = {relation.type: f"rId{n}" for n, relation in enumerate(self._relations(1), first)}
        drawing, tables = "", ""
        if "vmlDrawing" in ids:
            drawing = f'<legacyDrawing r:id="{ids["vmlDrawing"]}"/>'
        if "table" in ids:
            tables = f'<tableParts count="1"><tablePart r:id="{ids["table"]}"/></tableParts>'
        return drawing + tables

    def parts(self, number: int, table: bytes) -> list[Part]:
        """Return the parts.

        Args:
            number: Number of the sheet's part, from 1.
            table: Content of the part of the table, if there is one.
        """
        found = []
        others = self._relations(number)
        if others or self._links.addresses:
            name = f"xl/worksheets/_rels/sheet{number}.xml.rels"
            relations = relations_of(chain(self._links.relations(), others))
            found.append(Part(name, None, relations))
        if self._notes:
            drawing = self._notes.drawing(number)
            found.append(Part(f"xl/drawings/vmlDrawing{number}.vml", None, drawing))
            notes = self._notes.part()
            found.append(Part(f"xl/comments{number}.xml", NOTES_TYPE, notes))
        if self._table:
            name = f"xl/tables/table{number}.xml"
            found.append(Part(name, TABLE_TYPE, table))
        return found

    def _relations(self, number: int) -> list[Relation]:
        """Return the relations to the other parts; those to addresses come before them."""
        found = []
        if self._notes:
            found.append(Relation("vmlDrawing", f"../drawings/vmlDrawing{number}.vml"))
            found.append(Relation("comments", f"../comments{number}.xml"))
        if self._table:
            found.append(Relation("table", f"../tables/table{number}.xml"))
        return found
