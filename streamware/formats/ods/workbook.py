"""The order of the parts of an ODS file.

The media type first and stored, by which programs know the file; then the content, a sheet after
the other; then what the sheets came to use: styles, views, properties; the manifest last.

Source: OpenDocument 1.3 Part 2 §3; Part 3 §3.7 (office:spreadsheet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamware.errors import StateError
from streamware.formats.ods import parts
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.layout import Layouts
from streamware.formats.ods.parts import attribute
from streamware.formats.ods.reference import Table
from streamware.formats.ods.rules import Validations
from streamware.formats.ods.settings import View, settings
from streamware.formats.ods.sheet import SheetWriter
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.styles import Styles
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.heading import rows_above
from streamware.formats.spreadsheet.names import SheetNames
from streamware.formats.spreadsheet.properties import settled
from streamware.formats.spreadsheet.reference import quoted
from streamware.formats.spreadsheet.sheet import MAX_ROWS, taken
from streamware.formats.zip import ZipWriter
from streamware.model.columns import Batch, Column, Head
from streamware.values.formatter import FormattedColumn

if TYPE_CHECKING:
    from streamware.formats.ods import Ods

_PREFIXES = ("office", "table", "text", "style", "fo", "number", "xlink", "of", "calcext")


class OdsEncoder:
    """Rows to ODS.

    Memory holds one block of XML and the state of deflate, whatever the number of rows.
    """

    def __init__(self, options: Ods, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        self._context = context
        self._columns = tuple(columns)
        self._zip = ZipWriter(options.compression)
        self._registry = StyleRegistry(Styles())
        self._layouts = Layouts()
        self._validations = Validations()
        self._declared = ""  # them, as XML
        self._names = SheetNames()
        self._views: list[View] = []
        self._ranges: list[str] = []
        self._sheet: SheetWriter | None = None
        self._title = options.sheet
        self._begun = False
        self._opened = False  # the table of the sheet
        self._rows = 0  # in the sheet, those above the data counted

    def start(self) -> bytes:
        """The media type, and the beginning of the content."""
        return self._zip.stored_entry(parts.MIMETYPE, parts.MEDIA_TYPE.encode()) + self._zip.open(
            parts.CONTENT
        )

    def feed(self, batch: Batch) -> bytes:
        """The rows of `batch`, in as many sheets as they take."""
        out = b""
        if self._sheet is None or self._sheet.head is not batch.head:
            out = self._close()
            self._begin(batch.head)
        while batch.count > (room := MAX_ROWS - self._rows - self._current.below):
            if room:
                out += self._write(taken(batch, 0, room))
                batch = taken(batch, room, batch.count)
            else:
                out += self._go_on()
        return out + self._write(batch)

    def flush(self) -> bytes:
        """A sync-flushed block of deflate: what was fed can be read."""
        return self._zip.flush()

    def finish(self) -> bytes:
        """The end of the last sheet, and the parts that come after the content."""
        out = b""
        if self._sheet is None:
            out = self.feed(Batch(Head(None, self._columns), 1, 0, [()] * len(self._columns)))
        out += self._close()
        out += self._zip.write(self._ending()) + self._zip.close()
        late = {
            parts.STYLES: self._registry.styles.part(self._layouts.pages),
            parts.SETTINGS: settings(self._views),
            parts.META: self._meta(),
            parts.MANIFEST: parts.manifest(
                (parts.CONTENT, parts.STYLES, parts.SETTINGS, parts.META)
            ),
        }
        entries = [self._zip.entry(name, part) for name, part in late.items()]
        return out + b"".join(entries) + self._zip.finish()

    def abort(self) -> None:
        """Without its central directory, what was written is no zip."""
        self._sheet = None

    # The content

    def _beginning(self, formatted: Sequence[FormattedColumn]) -> bytes:
        """What stands before the first table."""
        sheet = self._current
        styles = self._layouts.declare(
            sheet.shapes(formatted),
            (self._options, sheet.options),
            more=sheet.head.name is not None,
        )
        return (
            parts.opening("document-content", *_PREFIXES)
            + f"<office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:spreadsheet>{self._declared}"
        ).encode()

    def _ending(self) -> bytes:
        """What stands behind the last table."""
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

    def _meta(self) -> bytes:
        options = self._options
        own: dict[str, object] = {} if options.company is None else {"Company": options.company}
        own |= settled(
            options.properties or {}, self._context.receipt, self._context.values.timezone
        )
        return parts.meta(
            title=options.title, author=options.author, created=options.created, properties=own
        )

    # The sheets

    def _begin(self, head: Head) -> None:
        """The next rows belong to a new sheet."""
        self._title = head.name or self._options.sheet
        name = self._names.add(self._title)
        if name != self._title:
            self._context.receipt.converted["sheet_name"] += 1
        if not self._views:
            self._declared = self._declare(head, name)
        self._add(
            SheetWriter(
                self._options,
                head,
                self._context,
                self._registry,
                self._validations,
                name=name,
            )
        )

    def _declare(self, head: Head, name: str) -> str:
        """What may be typed into the columns that are known before the first sheet."""
        above = rows_above(head, head.options or self._options)
        table = Table(name, len(head.columns), above + 1, above + 1)
        columns = [
            (column, table.cell(at))
            for known in (head.columns, self._columns)
            for at, column in enumerate(known)
        ]
        return self._validations.declare(columns, f"sheet {name!r}", self._context.values.timezone)

    def _go_on(self) -> bytes:
        """The sheet is full: its rows go on in another one."""
        following = self._current.continued(self._names.add(self._title))
        out = self._close()
        self._add(following)
        return out

    def _add(self, sheet: SheetWriter) -> None:
        self._sheet = sheet
        self._rows = sheet.above
        self._opened = False
        options = sheet.options
        self._views.append(View(sheet.name, options.freeze_columns, sheet.frozen, options.zoom))

    def _open(self, formatted: Sequence[FormattedColumn]) -> bytes:
        """The table, up to its first row."""
        sheet = self._current
        out = b"" if self._begun else self._beginning(formatted)
        self._begun = self._opened = True
        style, known = self._layouts.table(sheet.options)
        if not known:
            self._context.receipt.converted["tab_color"] += 1
        columns = [self._layouts.column(shape) for shape in sheet.shapes(formatted)]
        return self._zip.write(out + sheet.top(style, columns))

    def _write(self, batch: Batch) -> bytes:
        formatted = self._current.spell(batch)
        out = b"" if self._opened else self._open(formatted)
        if not batch.count:
            return out
        self._rows += batch.count
        return out + self._zip.write(self._current.rows(formatted, batch.count))

    def _close(self) -> bytes:
        if self._sheet is None:
            return b""
        out = self._zip.write(self._sheet.bottom())
        self._ranges.append(self._sheet.database_range(len(self._views)))
        self._sheet = None
        return out

    @property
    def _current(self) -> SheetWriter:
        if self._sheet is None:
            raise StateError("no sheet is open")
        return self._sheet
