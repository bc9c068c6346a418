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
        self._rows = 0
        self._size = 0

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
            out = self._close() + self._open(batch, batch.head.name or self._options.sheet)
        while self._rows + batch.count > MAX_ROWS:
            room = MAX_ROWS - self._rows
            out += self._write(_taken(batch, 0, room)) if room else b""
            batch = _taken(batch, room, batch.count)
            out += self._close() + self._open(batch, self._title)
        return out + self._write(batch)

    def flush(self) -> bytes:
        """A sync-flushed block of deflate: what was fed can be read."""
        return self._zip.flush()

    def finish(self) -> bytes:
        """The end of the last sheet, and the parts that list what there is."""
        out = b""
        if self._sheet is None:
            empty = Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns))
            out = self._open(empty, self._options.sheet)
        out += self._close()
        count = len(self._listed)
        late = (
            (parts.STYLES, self._styles.part()),
            (parts.WORKBOOK, parts.workbook(self._listed, self._filters)),
            (parts.WORKBOOK_RELATIONS, parts.workbook_relations(count)),
            (parts.CONTENT_TYPES, parts.content_types(count)),
        )
        return (
            out + b"".join(self._zip.entry(name, part) for name, part in late) + self._zip.finish()
        )

    def abort(self) -> None:
        """Without its central directory, what was written is no zip."""
        self._sheet = None

    def _open(self, batch: Batch, title: str) -> bytes:
        self._title = title
        name = self._names.add(title)
        if name != title and not (title in self._listed or self._sheet):
            self._context.receipt.converted["sheet_name"] += 1
        self._listed.append(name)
        self._sheet = SheetWriter(self._options, batch.head, self._context, self._styles)
        self._rows = 1 if batch.head.titles else 0
        top = self._sheet.top(batch, selected=len(self._listed) == 1)
        self._size = len(top)
        return self._zip.open(parts.sheet_name(len(self._listed))) + self._zip.write(top)

    def _write(self, batch: Batch) -> bytes:
        if not batch.count:
            return b""
        xml = self._current.rows(batch, self._rows + 1)
        out = b""
        if self._size + len(xml) > MAX_SHEET and self._rows > 1:
            out = self._close() + self._open(batch, self._title)
            xml = self._current.rows(batch, self._rows + 1)
        self._rows += batch.count
        self._size += len(xml)
        return out + self._zip.write(xml)

    def _close(self) -> bytes:
        if self._sheet is None:
            return b""
        area = self._sheet.filtered(self._rows, dollar="$")
        if area:
            self._filters.append((len(self._listed) - 1, area))
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
