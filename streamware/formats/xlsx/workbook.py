"""Encodes rows as XLSX, in the order of its parts.

First come the relations of the package and the document properties.  Each sheet follows, with the
parts that belong to it.  Then come the shared strings and the custom properties, if there are any;
the styles that the sheets used; the workbook, which lists the sheets, and its relations; and last
the content types, with the media type of every part.  Established writers use this order, and
Excel opens their files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from streamware.errors import LimitError, StateError
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.names import SheetNames
from streamware.formats.spreadsheet.sheet import MAX_ROWS, batch_rows
from streamware.formats.xlsx import parts, properties
from streamware.formats.xlsx.context import WorkbookContext
from streamware.formats.xlsx.functions import prefixed
from streamware.formats.xlsx.index import NAME, index_sheet
from streamware.formats.xlsx.records import RecordFile
from streamware.formats.xlsx.sheet import SheetWriter
from streamware.formats.xlsx.strings import SharedStrings
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.formats.xlsx.styles import Styles
from streamware.formats.zip import SpooledEntry, ZipWriter
from streamware.model.columns import Batch, Column, Head
from streamware.values.column_formatter import FormattedColumn

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

MAX_SHEET = 0xFFFF_FFFF - 2**24  # bytes of XML: a zip entry of 4 GiB needs ZIP64
MAX_OPEN = 255  # sheets in one pass: each has a stream of deflate, and a file


@dataclass(slots=True, kw_only=True)
class Listed:
    """A sheet as the workbook lists it.

    Attributes:
        name: Its name in the workbook.
        order: How many sheets were started up to this one; 0 is the index.
        family: The order of the sheet whose rows it continues, or its own order.
        number: Number of its part, which is that of its tab, from 1; 0 as long as it is unknown.
        rows: The number of its data rows, once it has ended.
        names: The names that belong to it, once it has ended.
        formulas: Whether it has formulas, once it has ended.
    """

    name: str
    order: int
    family: int
    number: int = 0
    rows: int = 0
    names: list[parts.DefinedName] = field(default_factory=list)
    formulas: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class OpenSheet:
    """A sheet that is being written.

    Attributes:
        writer: Makes its XML.
        listed: How the workbook lists it.
        spooled: Takes its XML while another sheet is written into the zip; else None.
        size: Bytes of its XML so far; 0 before its first batch.
        before: The number of data rows in the sheets that it continues.
    """

    writer: SheetWriter
    listed: Listed
    spooled: SpooledEntry | None
    size: int = 0
    before: int = 0

    @property
    def part(self) -> str:
        """Name of its part."""
        return parts.sheet_name(self.listed.number)

    @property
    def room(self) -> int:
        """The number of rows that it can still take."""
        return MAX_ROWS - self.writer.last - self.writer.below

    @property
    def count(self) -> int | None:
        """The number of data rows that it will have, unless its XML gets too large before."""
        count = self.writer.head.count
        return None if count is None else min(count - self.before, self.room)

    def rows(self, formatted: Sequence[FormattedColumn], count: int) -> bytes | None:
        """Return the XML of the next `count` rows; None if it would be too large for the sheet."""
        first = self.writer.last == self.writer.above  # which every sheet takes
        return self._fitting(self.writer.rows(formatted, count), first=first)

    def compiled(self, batch: Batch) -> bytes | None:
        """Return the XML of a batch that the kernel has written; None if `rows` is needed."""
        xml = self.writer.compiled(batch)
        return None if xml is None else self._fitting(xml, first=False)

    def _fitting(self, xml: bytes, *, first: bool) -> bytes | None:
        """Return the rows just written; None, as if they had not been, if they are too large."""
        if self.size + len(xml) > MAX_SHEET and not first:
            self.writer.undo()
            return None
        self.writer.keep()
        return xml

    def end(self) -> Iterator[bytes]:
        """Yield the XML after its last row, and complete what the workbook lists."""
        yield from self.writer.bottom()
        self.listed.rows = self.writer.last - self.writer.above
        self.listed.names = self.writer.defined_names()
        self.listed.formulas = self.writer.formulas


class XlsxEncoder:
    """Encodes rows as XLSX.

    Memory holds one block of XML and the state of deflate, whatever the number of rows.  If the
    rows of several sheets come in one pass, the first sheet is written into the zip.  Each of the
    others is deflated into a spool, which takes 256 KiB plus what the spool keeps in memory.  Their
    links and notes wait in one more spool.

    Args:
        options: Options of the workbook.
        columns: Columns of the sheet if there are no rows at all.
        context: The context of the export.
    """

    def __init__(self, options: Xlsx, columns: Sequence[Column], context: Context) -> None:
        self._options = options  # of the workbook
        self._columns = tuple(columns)  # of the sheet if there are no rows
        self._zip = ZipWriter(options.compression)  # the file
        spooled = context.interleaved and context.open_spool
        # What the sheets share.
        self._workbook = WorkbookContext(
            context,
            StyleRegistry(Styles(), compact=options.compact),
            SharedStrings() if options.strings == "shared" else None,
            RecordFile(spooled) if spooled else None,
        )
        self._names = SheetNames()  # of all sheets so far
        # The sheet that lists the others; its name is taken first, so that no other gets it.
        self._index: Listed | None = None
        if options.index:
            name = self._name(NAME if options.index is True else str(options.index))
            self._index = Listed(name=name, order=0, family=0, number=1)  # the first part
        self._listed: list[Listed] = []  # all sheets so far, except the index
        self._written: list[tuple[str, str | None]] = []  # names of parts, and their media types
        self._open: dict[Head, OpenSheet] = {}  # the sheets that can still take rows
        self._waiting: deque[OpenSheet] = deque()  # the spooled sheets, in the order of their parts

    def start(self) -> bytes:
        """Return the relations of the package and the document properties."""
        options = self._options
        core = parts.core_properties(options.title, options.author, options.created)
        custom = properties.PART if options.properties else None
        return (
            self._zip.entry(parts.RELATIONS, parts.relations(custom))
            + self._zip.entry(parts.CORE, core)
            + self._zip.entry(parts.APP, parts.app_properties(options.company))
        )

    def feed(self, batch: Batch) -> bytes:
        """Return the rows of `batch`, in as many sheets as they need."""
        head = batch.head
        out = b"" if head in self._open else self._begin(head)
        while batch.count > (room := self._open[head].room):
            if room:
                out += self._write(batch_rows(batch, 0, room))
                batch = batch_rows(batch, room, batch.count)
            else:
                out += self._continue(head)
        return out + self._write(batch)

    def flush(self) -> bytes:
        """Return a sync-flushed block of deflate, which makes everything so far readable."""
        return self._zip.flush()

    def finish(self) -> Iterator[bytes]:
        """Yield the ends of the sheets, the spooled sheets, and the parts that list everything."""
        if not self._listed:
            yield self.feed(Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns)))
        yield self._end_direct()
        self._number_waiting()
        while self._waiting:
            sheet = self._waiting[0]  # removed only when it is written, so that `abort` closes it
            if self._open.get(sheet.writer.head) is sheet:
                self._end(sheet)
            if sheet.spooled is not None:
                yield from self._zip.copy(sheet.part, sheet.spooled)
            yield self._attach(sheet)
            self._waiting.popleft()
        self._close_records()
        yield from self._last_parts()

    def abort(self) -> None:
        """Close the spools.  Without its central directory, the file is not a zip."""
        self._open.clear()
        while self._waiting:
            spooled = self._waiting.popleft().spooled
            if spooled is not None:
                spooled.close()
        self._close_records()

    def _close_records(self) -> None:
        if self._workbook.records is not None:
            self._workbook.records.close()

    # The parts

    def _attach(self, sheet: OpenSheet) -> bytes:
        """Return the parts that belong to a sheet, whose own part has just ended."""
        self._written.append((sheet.part, parts.SHEET_TYPE))
        return b"".join(map(self._entry, sheet.writer.attachments(sheet.listed.number)))

    def _entry(self, part: parts.Part) -> bytes:
        self._written.append((part.name, part.content_type))
        pieces = (part.data,) if isinstance(part.data, bytes) else part.data
        opening = self._zip.open(part.name)
        return b"".join([opening, *map(self._zip.write, pieces), self._zip.close()])

    def _last_parts(self) -> Iterator[bytes]:
        """Yield the parts that list everything, and the end of the zip."""
        sheets = sorted(self._listed, key=attrgetter("number"))
        index = self._index
        if index is not None:  # the first sheet, written as the last one
            styles = self._workbook.registry.styles
            data = index_sheet([(sheet.name, sheet.rows) for sheet in sheets], styles)
            name = parts.sheet_name(index.number)
            yield self._entry(parts.Part(name, parts.SHEET_TYPE, data))
            sheets.insert(0, index)
        of_sheets = [
            name._replace(position=at) for at, sheet in enumerate(sheets) for name in sheet.names
        ]
        given = (self._options.names or {}).items()
        named = [parts.DefinedName(name, prefixed(formula)) for name, formula in given]
        workbook = parts.workbook(
            [sheet.name for sheet in sheets],
            [*of_sheets, *named],
            formulas=any(sheet.formulas for sheet in sheets),
            since_1904=self._workbook.since_1904,
        )
        shared = self._workbook.strings
        strings = None if shared is None else shared.part()
        if strings is not None:
            yield self._entry(parts.Part(parts.SHARED_STRINGS, None, strings))
        relations = parts.workbook_relations(len(sheets), strings=strings is not None)
        if self._options.properties:
            context = self._workbook.export
            custom = properties.custom_properties(
                self._options.properties, context.receipt, context.values.timezone
            )
            yield self._entry(parts.Part(properties.PART, properties.CONTENT_TYPE, custom))
        yield self._zip.entry(parts.STYLES, self._workbook.registry.styles.part())
        yield self._zip.entry(parts.WORKBOOK, workbook)
        yield self._zip.entry(parts.WORKBOOK_RELATIONS, relations)
        yield self._zip.entry(parts.CONTENT_TYPES, parts.content_types(self._written))
        yield self._zip.finish()

    # The sheets

    def _begin(self, head: Head) -> bytes:
        """Open a new sheet; return the end of the one before, unless sheets are interleaved."""
        out = b"" if self._workbook.export.interleaved else self._end_direct()
        if len(self._open) >= MAX_OPEN:
            raise LimitError("sheets in one pass", limit=MAX_OPEN, actual=len(self._open) + 1)
        name = self._name(head.name or self._options.sheet)
        order = len(self._listed) + 1
        listed = Listed(name=name, order=order, family=order)
        spool = bool(self._open)
        if not spool:
            listed.number = order + (self._index is not None)
        self._add(listed, self._writer(listed, head), spool=spool)
        return out

    def _continue(self, head: Head) -> bytes:
        """Open the sheet in which the rows of a full one continue; return the end of that one."""
        full = self._open[head]
        out = self._end(full)
        name = self._names.add(head.name or self._options.sheet)
        listed = Listed(name=name, order=len(self._listed) + 1, family=full.listed.family)
        if full.spooled is None:  # all sheets up to this one are next to each other
            listed.number = full.listed.number + 1
        writer = self._writer(listed, head)
        writer.share_widths(full.writer)
        self._add(listed, writer, spool=full.spooled is not None)
        self._open[head].before = full.before + full.listed.rows
        return out

    def _number_waiting(self) -> None:
        """Number the spooled sheets, all of which are known now, in the order of their tabs.

        Some readers do not look up which part is a sheet: they take the n-th part for the n-th.
        """
        tabs = attrgetter("listed.family", "listed.order")
        self._waiting = deque(sorted(self._waiting, key=tabs))
        first = max(sheet.number for sheet in self._listed) + 1
        for number, sheet in enumerate(self._waiting, first):
            sheet.listed.number = number

    def _name(self, wanted: str) -> str:
        """Return a name for a sheet: the one wanted, or the nearest that is possible, counted."""
        name = self._names.add(wanted)
        if name != wanted:
            self._workbook.converted["sheet_name"] += 1
        return name

    def _writer(self, listed: Listed, head: Head) -> SheetWriter:
        options = head.options or self._options
        return SheetWriter(listed.name, listed.order, head, options, self._workbook)

    def _add(self, listed: Listed, writer: SheetWriter, *, spool: bool) -> None:
        spooled = None
        if spool:
            open_spool = self._workbook.export.open_spool
            if open_spool is None:
                raise StateError(
                    "several sheets in one pass need scratch files, so the Context must have"
                    " open_spool"
                )
            spooled = self._zip.spooled_entry(open_spool())
        sheet = OpenSheet(writer=writer, listed=listed, spooled=spooled)
        if sheet.room < 1:
            around = writer.above + writer.below
            what = f"rows above and below the table of sheet {listed.name!r}"
            raise LimitError(what, limit=MAX_ROWS - 1, actual=around)
        self._listed.append(listed)
        self._open[writer.head] = sheet
        if spool:
            self._waiting.append(sheet)

    def _write(self, batch: Batch) -> bytes:
        """Return the rows of `batch`, which are at most as many as its sheet has room for."""
        sheet = self._open[batch.head]
        if sheet.size and batch.count:  # the first batch has the widths of the columns
            xml = sheet.compiled(batch)
            if xml is not None:
                return self._put(sheet, xml)
        formatted = sheet.writer.format(batch)
        out = b"" if sheet.size else self._start_sheet(sheet, formatted)
        if not batch.count:
            return out
        xml = sheet.rows(formatted, batch.count)
        if xml is None:
            out += self._continue(batch.head)
            sheet = self._open[batch.head]
            out += self._start_sheet(sheet, formatted)
            xml = sheet.writer.rows(formatted, batch.count)
        return out + self._put(sheet, xml)

    def _start_sheet(self, sheet: OpenSheet, formatted: Sequence[FormattedColumn]) -> bytes:
        """Return the part of the sheet up to its first row."""
        entry = b"" if sheet.spooled else self._zip.open(sheet.part)
        selected = sheet.listed.number == 1
        return entry + self._put(
            sheet, sheet.writer.top(formatted, selected=selected, count=sheet.count)
        )

    def _put(self, sheet: OpenSheet, xml: bytes) -> bytes:
        """Write XML of a sheet where it belongs; return what is ready of the zip."""
        sheet.size += len(xml)
        if sheet.spooled is None:
            return self._zip.write(xml)
        sheet.spooled.write(xml)
        return b""

    def _end(self, sheet: OpenSheet) -> bytes:
        """Close a sheet; return its end, and the parts that belong to it."""
        out = b"".join([self._put(sheet, xml) for xml in sheet.end()])
        del self._open[sheet.writer.head]
        if sheet.spooled is None:
            return out + self._zip.close() + self._attach(sheet)
        sheet.spooled.finish()
        return out

    def _end_direct(self) -> bytes:
        """Close the sheet that is written into the zip, if there is one, and return its end."""
        direct = (sheet for sheet in self._open.values() if sheet.spooled is None)
        sheet = next(direct, None)
        return b"" if sheet is None else self._end(sheet)
