"""The order of the parts of a workbook.

The package's relations and the document properties, then each sheet with what is attached to
it, then the styles that the sheets used, the workbook that lists them, its relations, and the
content types last, with an override for every part: an order that shipping writers proved in
Excel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streamware.columns import Batch, Column, Head
from streamware.encoder import Context
from streamware.errors import OrderError
from streamware.formats.xlsx import parts
from streamware.formats.xlsx.names import SheetNames
from streamware.formats.xlsx.sheet import SheetWriter
from streamware.formats.xlsx.styles import Styles
from streamware.values.speller import Spelled
from streamware.zip import ZipWriter

if TYPE_CHECKING:
    from streamware.formats.xlsx import Xlsx

MAX_ROWS = 1_048_576  # of a sheet, its header counted (Microsoft's limits page)
MAX_SHEET = 0xFFFF_FFFF - 2**24  # bytes of XML: a zip entry of 4 GiB needs ZIP64


class OpenSheet:
    """A sheet that is being written.

    Attributes:
        writer: Makes its XML.
        title: The name that was asked for.
        name: The name that it has in the workbook.
        number: Of its part, from 1.
        rows: So many so far, those above the data counted.
        size: Bytes of its XML so far; 0 before its first batch.
    """

    def __init__(self, writer: SheetWriter, title: str, name: str, number: int) -> None:
        self.writer = writer
        self.title = title
        self.name = name
        self.number = number
        self.rows = writer.above
        self.size = 0

    @property
    def room(self) -> int:
        """Rows that it can still take."""
        return MAX_ROWS - self.rows - self.writer.below

    def top(self, spelled: Sequence[Spelled]) -> bytes:
        """The XML up to its first row."""
        xml = self.writer.top(spelled, selected=self.number == 1)
        self.size = len(xml)
        return xml

    def fits(self, xml: bytes) -> bool:
        """Whether these rows can be added; the first can always."""
        return self.size + len(xml) <= MAX_SHEET or self.rows == self.writer.above

    def add(self, xml: bytes, rows: int) -> None:
        """Take note that these rows were added."""
        self.rows += rows
        self.size += len(xml)


class XlsxEncoder:
    """Rows to XLSX.

    Memory holds one block of XML and the state of deflate, whatever the number of rows.
    """

    def __init__(self, options: Xlsx, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        self._context = context
        self._columns = tuple(columns)
        self._zip = ZipWriter(small=options.compression == "small", backend=options.deflate)
        self._styles = Styles()
        self._names = SheetNames()
        self._listed: list[str] = []
        self._filters: list[tuple[int, str]] = []
        self._sheet: OpenSheet | None = None
        self._formulas = False

    def start(self) -> bytes:
        """The relations of the package and the document properties."""
        options = self._options
        core = parts.core_properties(options.title, options.author, options.created)
        return (
            self._zip.entry(parts.RELATIONS, parts.relations())
            + self._zip.entry(parts.CORE, core)
            + self._zip.entry(parts.APP, parts.app_properties(options.company))
        )

    def feed(self, batch: Batch) -> bytes:
        """The rows of `batch`, in as many sheets as they take."""
        out = b""
        if self._sheet is None or self._sheet.writer.head is not batch.head:
            out = self._close()
            self._begin(batch.head, batch.head.name or self._options.sheet)
        while batch.count > self._current.room:
            room = self._current.room
            if room:
                out += self._write(_taken(batch, 0, room))
                batch = _taken(batch, room, batch.count)
            else:
                out += self._go_on()
        return out + self._write(batch)

    def flush(self) -> bytes:
        """A sync-flushed block of deflate: what was fed can be read."""
        return self._zip.flush()

    def finish(self) -> bytes:
        """The end of the last sheet, and the parts that list what there is."""
        out = b""
        if self._sheet is None:
            out = self.feed(Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns)))
        return out + self._close() + b"".join(self._ending())

    def abort(self) -> None:
        """Without its central directory, what was written is no zip."""
        self._sheet = None

    def _ending(self) -> Iterator[bytes]:
        count = len(self._listed)
        workbook = parts.workbook(self._listed, self._filters, formulas=self._formulas)
        yield self._zip.entry(parts.STYLES, self._styles.part())
        yield self._zip.entry(parts.WORKBOOK, workbook)
        yield self._zip.entry(parts.WORKBOOK_RELATIONS, parts.workbook_relations(count))
        yield self._zip.entry(parts.CONTENT_TYPES, parts.content_types(count))
        yield self._zip.finish()

    def _begin(self, head: Head, title: str) -> None:
        """The next rows belong to a new sheet."""
        name = self._names.add(title)
        if name != title:
            self._context.receipt.converted["sheet_name"] += 1
        self._listed.append(name)
        number = len(self._listed)
        writer = SheetWriter(
            self._options, head, self._context, self._styles, None, name=name, number=number
        )
        self._sheet = OpenSheet(writer, title, name, number)

    def _go_on(self) -> bytes:
        """The sheet is full: its rows go on in another one."""
        full = self._current
        out = self._close()
        name = self._names.add(full.title)
        self._listed.append(name)
        number = len(self._listed)
        writer = full.writer.continued(name, number)
        self._sheet = OpenSheet(writer, full.title, name, number)
        return out

    def _open(self, spelled: Sequence[Spelled]) -> bytes:
        """The part of the sheet, up to its first row."""
        sheet = self._current
        return self._zip.open(parts.sheet_name(sheet.number)) + self._zip.write(sheet.top(spelled))

    def _write(self, batch: Batch) -> bytes:
        sheet = self._current
        spelled = sheet.writer.spell(batch)
        out = b"" if sheet.size else self._open(spelled)
        if not batch.count:
            return out
        xml = sheet.writer.rows(spelled, batch.count, sheet.rows + 1)
        if not sheet.fits(xml):
            out += self._go_on() + self._open(spelled)
            sheet = self._current
            xml = sheet.writer.rows(spelled, batch.count, sheet.rows + 1)
        sheet.add(xml, batch.count)
        return out + self._zip.write(xml)

    def _close(self) -> bytes:
        sheet = self._sheet
        if sheet is None:
            return b""
        area = sheet.writer.filtered(sheet.rows, dollar="$")
        if area:
            self._filters.append((sheet.number - 1, area))
        self._formulas = self._formulas or sheet.writer.formulas
        out = self._zip.write(sheet.writer.bottom(sheet.rows)) + self._zip.close()
        self._sheet = None
        return out

    @property
    def _current(self) -> OpenSheet:
        if self._sheet is None:
            raise OrderError("no sheet is open")
        return self._sheet


def _taken(batch: Batch, start: int, stop: int) -> Batch:
    columns = [cells[start:stop] for cells in batch.columns]
    return Batch(batch.head, batch.first + start, min(stop, batch.count) - start, columns)
