"""The order of the parts of a workbook, one sheet after the other.

The package's relations and the document properties, then each sheet, then the styles that the
sheets used, the workbook that lists them, its relations, and the content types last, with an
override for every part: an order that shipping writers proved in Excel.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        self._sheet: SheetWriter | None = None
        self._title = options.sheet
        self._formulas = False
        self._rows = 0  # in the sheet, its header counted
        self._above = 0  # of them the header
        self._size = 0  # bytes of its XML

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
        if self._sheet is None or self._sheet.head is not batch.head:
            out = self._close()
            self._begin(batch.head, batch.head.name or self._options.sheet)
        while self._rows + batch.count > MAX_ROWS:
            room = MAX_ROWS - self._rows
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
        out += self._close()
        count = len(self._listed)
        late = (
            (parts.STYLES, self._styles.part()),
            (parts.WORKBOOK, parts.workbook(self._listed, self._filters, formulas=self._formulas)),
            (parts.WORKBOOK_RELATIONS, parts.workbook_relations(count)),
            (parts.CONTENT_TYPES, parts.content_types(count)),
        )
        return (
            out + b"".join(self._zip.entry(name, part) for name, part in late) + self._zip.finish()
        )

    def abort(self) -> None:
        """Without its central directory, what was written is no zip."""
        self._sheet = None

    def _begin(self, head: Head, title: str) -> None:
        """The next rows belong to a new sheet."""
        name = self._names.add(title)
        if name != title:
            self._context.receipt.converted["sheet_name"] += 1
        self._added(head, title, name)

    def _go_on(self) -> bytes:
        """The sheet is full: its rows go on in another one."""
        head = self._current.head
        out = self._close()
        self._added(head, self._title, self._names.add(self._title))
        return out

    def _added(self, head: Head, title: str, name: str) -> None:
        self._title = title
        self._listed.append(name)
        self._sheet = SheetWriter(self._options, head, self._context, self._styles)
        self._rows = self._above = 1 if head.titles else 0
        self._size = 0

    def _open(self, spelled: Sequence[Spelled]) -> bytes:
        """The part of the sheet, up to its first row."""
        top = self._current.top(spelled, selected=len(self._listed) == 1)
        self._size = len(top)
        return self._zip.open(parts.sheet_name(len(self._listed))) + self._zip.write(top)

    def _write(self, batch: Batch) -> bytes:
        spelled = self._current.spell(batch)
        out = b"" if self._size else self._open(spelled)
        if not batch.count:
            return out
        xml = self._current.rows(spelled, batch.count, self._rows + 1)
        if self._size + len(xml) > MAX_SHEET and self._rows > self._above:
            out += self._go_on() + self._open(spelled)
            xml = self._current.rows(spelled, batch.count, self._rows + 1)
        self._rows += batch.count
        self._size += len(xml)
        return out + self._zip.write(xml)

    def _close(self) -> bytes:
        if self._sheet is None:
            return b""
        area = self._sheet.filtered(self._rows, dollar="$")
        if area:
            self._filters.append((len(self._listed) - 1, area))
        self._formulas = self._formulas or self._sheet.formulas
        out = self._zip.write(self._sheet.bottom(self._rows)) + self._zip.close()
        self._sheet = None
        return out

    @property
    def _current(self) -> SheetWriter:
        if self._sheet is None:
            raise OrderError("no sheet is open")
        return self._sheet


def _taken(batch: Batch, start: int, stop: int) -> Batch:
    columns = [cells[start:stop] for cells in batch.columns]
    return Batch(batch.head, batch.first + start, min(stop, batch.count) - start, columns)
