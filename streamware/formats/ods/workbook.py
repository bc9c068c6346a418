"""Encodes rows as an ODS file, in the order of its parts.

The media type comes first and uncompressed, because programs recognise the file by it.  Then comes
the content, one sheet after another, and then the parts that need to know all sheets: styles, views
and document properties.  The manifest is last.

Source: OpenDocument 1.3 Part 2 §3; Part 3 §3.7 (office:spreadsheet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamware.errors import StateError
from streamware.formats.ods import parts
from streamware.formats.ods.automatic_styles import AutomaticStyles
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import CellRange
from streamware.formats.ods.rules import Validations
from streamware.formats.ods.settings import View, settings
from streamware.formats.ods.sheet import SheetWriter
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.styles import Styles
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.heading import rows_above
from streamware.formats.spreadsheet.names import SheetNames
from streamware.formats.spreadsheet.properties import resolved
from streamware.formats.spreadsheet.reference import quoted
from streamware.formats.spreadsheet.sheet import batch_rows
from streamware.formats.zip import ZipWriter
from streamware.model.columns import Batch, Column, Head
from streamware.values.column_formatter import FormattedColumn

if TYPE_CHECKING:
    from streamware.formats.ods import Ods

_PREFIXES = ("office", "table", "text", "style", "fo", "number", "xlink", "of", "calcext")


class OdsEncoder:
    """Encodes rows as ODS.

    Memory holds a block of XML and the state of deflate, whatever the number of rows.
    """

    def __init__(self, options: Ods, columns: Sequence[Column], context: Context) -> None:
        self._options = options  # of the document
        self._context = context  # of the export
        self._columns = tuple(columns)  # of the sheet if there are no rows
        self._zip = ZipWriter(options.compression)  # the file
        self._registry = StyleRegistry(Styles())  # the styles of all cells
        self._automatic = AutomaticStyles()  # the styles of sheets and columns
        self._validations = Validations()  # the validations of all columns
        self._names = SheetNames()  # names of the sheets
        self._views: list[View] = []  # of the sheets that are closed
        self._ranges: list[str] = []  # database ranges of the sheets that are closed
        self._sheet: SheetWriter | None = None  # the sheet that is being written

    def start(self) -> bytes:
        """Return the media type, and the start of the content."""
        return self._zip.stored_entry(parts.MIMETYPE, parts.MEDIA_TYPE.encode()) + self._zip.open(
            parts.CONTENT
        )

    def feed(self, batch: Batch) -> bytes:
        """Write the rows of `batch`, to as many sheets as they need; return what is ready."""
        out = b""
        if self._sheet is None or self._sheet.head is not batch.head:
            out = self._close()
            self._begin(batch.head)
        while batch.count > (room := self._current.room):
            if room:
                out += self._write(batch_rows(batch, 0, room))
                batch = batch_rows(batch, room, batch.count)
            else:
                out += self._continue()
        return out + self._write(batch)

    def flush(self) -> bytes:
        """Return a sync-flushed block of deflate, which makes everything so far readable."""
        return self._zip.flush()

    def finish(self) -> bytes:
        """Return the end of the last sheet, and the parts that follow the content."""
        out = b""
        if self._sheet is None:
            out = self.feed(Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns)))
        out += self._close()
        out += self._zip.write(self._ending()) + self._zip.close()
        options = self._options
        custom: dict[str, object] = {} if options.company is None else {"Company": options.company}
        custom |= resolved(
            options.properties or {}, self._context.receipt, self._context.values.timezone
        )
        meta = parts.meta(
            title=options.title, author=options.author, created=options.created, properties=custom
        )
        late = {
            parts.STYLES: self._registry.styles.part(self._automatic.pages),
            parts.SETTINGS: settings(self._views),
            parts.META: meta,
            parts.MANIFEST: parts.manifest(
                (parts.CONTENT, parts.STYLES, parts.SETTINGS, parts.META)
            ),
        }
        entries = [self._zip.entry(name, part) for name, part in late.items()]
        return out + b"".join(entries) + self._zip.finish()

    def abort(self) -> None:
        """Drop the open sheet.  Without a central directory the bytes sent are not a zip."""
        self._sheet = None

    # The content

    def _ending(self) -> bytes:
        """Return what is after the last table."""
        base = attribute(f"{quoted(self._views[0].name)}.A1")
        names = "".join(
            f"<table:named-expression table:name={attribute(name)}"
            f" table:base-cell-address={base} table:expression={attribute(f'of:={formula}')}/>"
            for name, text in (self._options.names or {}).items()
            if (formula := open_formula(text))
        )
        ranges = "".join(self._ranges)
        return (
            (f"<table:named-expressions>{names}</table:named-expressions>" if names else "")
            + (f"<table:database-ranges>{ranges}</table:database-ranges>" if ranges else "")
            + "</office:spreadsheet></office:body></office:document-content>"
        ).encode()

    # The sheets

    def _begin(self, head: Head) -> None:
        """Start a new sheet, to which the next rows belong."""
        title = head.name or self._options.sheet
        name = self._names.add(title)
        if name != title:
            self._context.receipt.converted["sheet_name"] += 1
        if not self._views:  # the first sheet
            # The only validations that are known before the content.
            first = rows_above(head, head.options or self._options) + 1
            cells = CellRange(name, len(head.columns), first, first)
            columns = [(column, cells.first_cell(at)) for at, column in enumerate(head.columns)]
            self._validations.declare(columns, f"sheet {name!r}", self._context.values.timezone)
        self._sheet = self._new_sheet(name, head)

    def _continue(self) -> bytes:
        """Continue the rows of the sheet, which is full, in a new one."""
        full = self._current
        name = self._names.add(full.head.name or self._options.sheet)
        following = self._new_sheet(name, full.head)
        following.share_widths(full)
        out = self._close()
        self._sheet = following
        return out

    def _new_sheet(self, name: str, head: Head) -> SheetWriter:
        return SheetWriter(
            name,
            head,
            head.options or self._options,
            self._context,
            registry=self._registry,
            validations=self._validations,
        )

    def _open(self, formatted: Sequence[FormattedColumn]) -> bytes:
        """Write the table up to its first row."""
        sheet = self._current
        beginning = b""
        if not self._views:  # the first sheet, before which the content starts
            styles = self._automatic.declare(
                sheet.widths(formatted),
                (self._options, sheet.options),
                more=sheet.head.name is not None,
            )
            beginning = (
                parts.opening("document-content", *_PREFIXES)
                + f"<office:automatic-styles>{styles}</office:automatic-styles>"
                f"<office:body><office:spreadsheet>{self._validations.xml}"
            ).encode()
        style, known = self._automatic.table_style(sheet.options)
        if not known:
            self._context.receipt.converted["tab_color"] += 1
        columns = [self._automatic.column_style(width) for width in sheet.widths(formatted)]
        return self._zip.write(beginning + sheet.top(style, columns))

    def _write(self, batch: Batch) -> bytes:
        if self._current.opened and batch.count:  # the first batch has the widths of the columns
            xml = self._current.compiled(batch)
            if xml is not None:
                return self._zip.write(xml)
        formatted = self._current.format(batch)
        out = b"" if self._current.opened else self._open(formatted)
        if not batch.count:
            return out
        return out + self._zip.write(self._current.rows(formatted, batch.count))

    def _close(self) -> bytes:
        """Write the end of the open sheet, if there is one."""
        if self._sheet is None:
            return b""
        out = self._zip.write(self._sheet.bottom())
        self._views.append(self._sheet.view)
        self._ranges.append(self._sheet.database_range(len(self._views)))
        self._sheet = None
        return out

    @property
    def _current(self) -> SheetWriter:
        if self._sheet is None:
            raise StateError("no sheet is open")
        return self._sheet
