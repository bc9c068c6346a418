"""The order of the parts of a workbook.

The package's relations and the document properties, then each sheet with what is attached to
it, then the styles that the sheets used, the workbook that lists them, its relations, and the
content types last, with an override for every part: an order that shipping writers proved in
Excel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from streamware.errors import LimitError, StateError
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.names import SheetNames
from streamware.formats.spreadsheet.properties import Property
from streamware.formats.spreadsheet.sheet import MAX_ROWS, taken
from streamware.formats.xlsx import parts, properties
from streamware.formats.xlsx.functions import prefixed
from streamware.formats.xlsx.index import NAME, index_sheet
from streamware.formats.xlsx.sheet import SheetWriter
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.formats.xlsx.styles import Styles
from streamware.formats.zip import SpooledEntry, ZipWriter
from streamware.model.columns import Batch, Column, Head
from streamware.values.formatter import FormattedColumn

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

MAX_SHEET = 0xFFFF_FFFF - 2**24  # bytes of XML: a zip entry of 4 GiB needs ZIP64
MAX_OPEN = 255  # sheets in one pass: each has a stream of deflate, and a file


@dataclass(slots=True, kw_only=True)
class Listed:
    """A sheet as the workbook lists it.

    Attributes:
        name: The name that it has in the workbook.
        number: Of its part, from 1.
        family: Number of the sheet whose rows it goes on with, or its own.
        rows: Its data rows, once it has ended.
        defined: The names that belong to it, once it has ended.
    """

    name: str
    number: int
    family: int
    rows: int = 0
    defined: list[parts.DefinedName] = field(default_factory=list)

    def names(self, position: int) -> Iterator[parts.DefinedName]:
        """The names that belong to it, where it stands in this place, counted from 0."""
        return (name._replace(position=position) for name in self.defined)


class OpenSheet:
    """A sheet that is being written.

    Attributes:
        writer: Makes its XML.
        title: The name that was asked for.
        listed: What the workbook knows of it.
        part: Name of its part.
        attached: The parts that belong to it, once it has ended.
        spooled: What it is deflated into while another is written into the zip; else None.
        rows: So many so far, those above the data counted.
        size: Bytes of its XML so far; 0 before its first batch.
        selected: Whether it is shown when the workbook is opened.
    """

    def __init__(
        self,
        writer: SheetWriter,
        title: str,
        listed: Listed,
        spooled: SpooledEntry | None,
        *,
        selected: bool,
    ) -> None:
        self.writer = writer
        self.title = title
        self.listed = listed
        self.part = parts.sheet_name(listed.number)
        self.attached: list[parts.Part] = []
        self.spooled = spooled
        self.rows = writer.above
        self.size = 0
        self.selected = selected

    @property
    def room(self) -> int:
        """Rows that it can still take."""
        return MAX_ROWS - self.rows - self.writer.below

    def top(self, formatted: Sequence[FormattedColumn]) -> bytes:
        """The XML up to its first row."""
        xml = self.writer.top(formatted, selected=self.selected)
        self.size = len(xml)
        return xml

    def fits(self, xml: bytes) -> bool:
        """Whether these rows can be added; the first can always."""
        return self.size + len(xml) <= MAX_SHEET or self.rows == self.writer.above

    def add(self, xml: bytes, rows: int) -> None:
        """Take note that these rows were added."""
        self.rows += rows
        self.size += len(xml)

    def bottom(self) -> bytes:
        """The XML after its last row."""
        xml = self.writer.bottom(self.rows)
        self.listed.rows = self.rows - self.writer.above
        self.listed.defined = self.writer.defined(0)
        self.attached = self.writer.attachments()
        return xml


class XlsxEncoder:
    """Rows to XLSX.

    Memory holds one block of XML and the state of deflate, whatever the number of rows.  Where
    the rows of several sheets come in one pass, the first sheet goes straight into the zip, and
    each of the others into a spool, deflated; that takes a quarter of a mebibyte for each, and
    what a spool keeps in memory.
    """

    def __init__(self, options: Xlsx, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        self._context = context
        self._columns = tuple(columns)
        self._zip = ZipWriter(options.compression)
        self._registry = StyleRegistry(Styles(), compact=options.compact)
        self._strings = SharedStrings() if options.strings == "shared" else None
        self._names = SheetNames()
        self._index = self._reserved(options.index)
        self._listed: list[Listed] = []
        self._written: list[tuple[str, str | None]] = []  # parts, and their media types
        self._open: dict[Head, OpenSheet] = {}
        self._waiting: deque[OpenSheet] = deque()  # to be copied, by their numbers
        self._formulas = False

    def start(self) -> bytes:
        """The relations of the package and the document properties."""
        options = self._options
        core = parts.core_properties(options.title, options.author, options.created)
        custom = properties.PART if options.properties else None
        return (
            self._zip.entry(parts.RELATIONS, parts.relations(custom))
            + self._zip.entry(parts.CORE, core)
            + self._zip.entry(parts.APP, parts.app_properties(options.company))
        )

    def feed(self, batch: Batch) -> bytes:
        """The rows of `batch`, in as many sheets as they take."""
        head = batch.head
        out = b"" if head in self._open else self._begin(head)
        while batch.count > (room := self._open[head].room):
            if room:
                out += self._write(taken(batch, 0, room))
                batch = taken(batch, room, batch.count)
            else:
                out += self._go_on(head)
        return out + self._write(batch)

    def flush(self) -> bytes:
        """A sync-flushed block of deflate: what was fed can be read."""
        return self._zip.flush()

    def finish(self) -> Iterator[bytes]:
        """The ends of the sheets, those that were spooled, and the parts that list all."""
        if not self._listed:
            yield self.feed(Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns)))
        yield self._end_direct()
        while self._waiting:
            yield from self._copied(self._waiting[0])
            self._waiting.popleft()
        yield from self._ending()

    def abort(self) -> None:
        """Without its central directory, what was written is no zip."""
        self._open.clear()
        while self._waiting:
            self._discard(self._waiting.popleft())

    # The parts

    def _copied(self, sheet: OpenSheet) -> Iterator[bytes]:
        """The part of a sheet that was spooled, and those that belong to it."""
        if self._open.get(sheet.writer.head) is sheet:
            self._end(sheet)
        if sheet.spooled is not None:
            yield from self._zip.copy(sheet.part, sheet.spooled)
        yield self._attached(sheet)

    def _attached(self, sheet: OpenSheet) -> bytes:
        self._written.append((sheet.part, parts.SHEET_TYPE))
        return b"".join(map(self._entry, sheet.attached))

    def _entry(self, part: parts.Part) -> bytes:
        self._written.append((part.name, part.content_type))
        pieces = (part.data,) if isinstance(part.data, bytes) else part.data
        opening = self._zip.open(part.name)
        return b"".join([opening, *map(self._zip.write, pieces), self._zip.close()])

    def _ending(self) -> Iterator[bytes]:
        sheets = sorted(self._listed, key=attrgetter("family", "number"))
        if self._index is not None:
            yield self._entry(self._indexed(self._index, sheets))
            sheets.insert(0, self._index)
        names = chain.from_iterable(sheet.names(at) for at, sheet in enumerate(sheets))
        given = (self._options.names or {}).items()
        named = [parts.DefinedName(name, prefixed(formula)) for name, formula in given]
        workbook = parts.workbook(
            [(sheet.name, sheet.number) for sheet in sheets],
            chain(names, named),
            formulas=self._formulas,
        )
        strings = None if self._strings is None else self._strings.part()
        if strings is not None:
            yield self._entry(parts.Part(parts.SHARED_STRINGS, None, strings))
        relations = parts.workbook_relations(len(sheets), strings=strings is not None)
        if self._options.properties:
            yield self._entry(self._provenance(self._options.properties))
        yield self._zip.entry(parts.STYLES, self._registry.styles.part())
        yield self._zip.entry(parts.WORKBOOK, workbook)
        yield self._zip.entry(parts.WORKBOOK_RELATIONS, relations)
        yield self._zip.entry(parts.CONTENT_TYPES, parts.content_types(self._written))
        yield self._zip.finish()

    def _reserved(self, index: bool | str) -> Listed | None:
        """The sheet that will list the others: its name is taken."""
        if not index:
            return None
        return Listed(name=self._named(NAME if index is True else str(index)), number=0, family=0)

    def _indexed(self, index: Listed, sheets: Sequence[Listed]) -> parts.Part:
        """The sheet that lists the others."""
        index.number = len(sheets) + 1
        data = index_sheet([(sheet.name, sheet.rows) for sheet in sheets], self._registry.styles)
        return parts.Part(parts.sheet_name(index.number), parts.SHEET_TYPE, data)

    def _provenance(self, given: Mapping[str, Property]) -> parts.Part:
        """The custom properties, now that the rows are counted."""
        zone = self._context.values.timezone
        data = properties.custom_properties(given, self._context.receipt, zone)
        return parts.Part(properties.PART, properties.CONTENT_TYPE, data)

    # The sheets

    def _begin(self, head: Head) -> bytes:
        """A new sheet; the one before is over, unless they are interleaved."""
        out = b"" if self._context.interleaved else self._end_direct()
        if len(self._open) >= MAX_OPEN:
            raise LimitError("sheets in one pass", limit=MAX_OPEN, actual=len(self._open) + 1)
        title = head.name or self._options.sheet
        name = self._named(title)
        number = len(self._listed) + 1
        writer = SheetWriter(
            self._options,
            head,
            self._context,
            self._registry,
            self._strings,
            name=name,
            number=number,
        )
        listed = Listed(name=name, number=number, family=number)
        spooled = self._spooled() if self._open else None
        selected = number == 1 and self._index is None
        self._add(OpenSheet(writer, title, listed, spooled, selected=selected))
        return out

    def _named(self, title: str) -> str:
        """The name of a sheet that is to have this one."""
        name = self._names.add(title)
        if name != title:
            self._context.receipt.converted["sheet_name"] += 1
        return name

    def _go_on(self, head: Head) -> bytes:
        """The sheet is full: its rows go on in another one."""
        full = self._open[head]
        out = self._end(full)
        name = self._names.add(full.title)
        number = len(self._listed) + 1
        listed = Listed(name=name, number=number, family=full.listed.family)
        writer = full.writer.continued(name, number)
        spooled = full.spooled and self._spooled()
        self._add(OpenSheet(writer, full.title, listed, spooled, selected=False))
        return out

    def _add(self, sheet: OpenSheet) -> None:
        if sheet.room < 1:
            around = sheet.writer.above + sheet.writer.below
            what = f"rows above and below the table of sheet {sheet.listed.name!r}"
            raise LimitError(what, limit=MAX_ROWS - 1, actual=around)
        self._listed.append(sheet.listed)
        self._open[sheet.writer.head] = sheet
        if sheet.spooled is not None:
            self._waiting.append(sheet)

    def _spooled(self) -> SpooledEntry:
        if self._context.open_spool is None:
            raise StateError(
                "sheets in one pass need a scratch file, and there is no place for one"
            )
        return self._zip.spooled_entry(self._context.open_spool())

    def _write(self, batch: Batch) -> bytes:
        head = batch.head
        sheet = self._open[head]
        formatted = sheet.writer.spell(batch)
        out = b"" if sheet.size else self._start(sheet, formatted)
        if not batch.count:
            return out
        xml = sheet.writer.rows(formatted, batch.count, sheet.rows + 1)
        if not sheet.fits(xml):
            out += self._go_on(head)
            sheet = self._open[head]
            out += self._start(sheet, formatted)
            xml = sheet.writer.rows(formatted, batch.count, sheet.rows + 1)
        sheet.add(xml, batch.count)
        return out + self._put(sheet, xml)

    def _start(self, sheet: OpenSheet, formatted: Sequence[FormattedColumn]) -> bytes:
        """The part of the sheet, up to its first row."""
        entry = b"" if sheet.spooled else self._zip.open(sheet.part)
        return entry + self._put(sheet, sheet.top(formatted))

    def _put(self, sheet: OpenSheet, xml: bytes) -> bytes:
        if sheet.spooled is None:
            return self._zip.write(xml)
        sheet.spooled.write(xml)
        return b""

    def _end(self, sheet: OpenSheet) -> bytes:
        """The end of the sheet, and what is attached to it; it is open no more."""
        out = self._put(sheet, sheet.bottom())
        self._formulas = self._formulas or sheet.writer.formulas
        del self._open[sheet.writer.head]
        if sheet.spooled is None:
            return out + self._zip.close() + self._attached(sheet)
        sheet.spooled.finish()
        return out

    def _end_direct(self) -> bytes:
        """The end of the sheet that goes straight into the zip, if there is one."""
        direct = (sheet for sheet in self._open.values() if sheet.spooled is None)
        sheet = next(direct, None)
        return b"" if sheet is None else self._end(sheet)

    def _discard(self, sheet: OpenSheet) -> None:
        if sheet.spooled is not None:
            sheet.spooled.close()
