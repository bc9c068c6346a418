"""XML: a root element, in it an element for each row, in that an element for each cell.

Source: XML 1.0 (Fifth Edition); Namespaces in XML 1.0 §3 (NCName).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal
from unicodedata import normalize

from streamware.errors import EncodeError
from streamware.formats.kernel_rows import (
    KINDS,
    KernelColumn,
    KernelRow,
    kernel_column,
    kernel_rows,
    markup_of,
)
from streamware.formats.protocol import Context, Part, interleave, joined
from streamware.formats.text import MARKUP, formatters, unique
from streamware.model.columns import Batch, Column
from streamware.values.cell_formatter import SEPARATOR, Escape, TextRules
from streamware.values.column_formatter import ColumnFormatter
from streamware.values.kinds import Kind

# NCName (Namespaces in XML 1.0 §3): only letters of living scripts, and only those that the fourth
# edition of XML 1.0 (appendix B) has too, because expat implements that one.
_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    "\u0180-\u01c3\u01cd-\u01f0\u01fa-\u0217\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce"
    "\u0401-\u040c\u040e-\u044f\u0451-\u045c\u045e-\u0481\u0490-\u04c4\u0531-\u0556\u0561-\u0586"
    "\u05d0-\u05ea\u0621-\u063a\u0641-\u064a\u0671-\u06b7\u0905-\u0939\u0e01-\u0e2e\u10d0-\u10f6"
    "\u1e00-\u1e9b\u1ea0-\u1ef9\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3"
)
_LATER = (
    r"0-9.\u00b7\u0300-\u0345\u064b-\u0652\u093e-\u094d\u0e30-\u0e3a\u0e40-\u0e4e\u3005"
    r"\u30fc-\u30fe-"
)
_NOT_NAME = re.compile(f"[^{_START}{_LATER}]+")
_NOT_START = re.compile(f"^[^{_START}]")
_XSI = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Xml:
    """XML with an element for each row, and in it an element for each cell, named after its column.

    Attributes:
        root: Name of the root element.
        row: Name of the element of a row.
        attributes: Titles or keys of the columns that are written as attributes of the row.
        null: How an empty cell is written: as an "empty" element, not at all ("absent"), or as
            an element with `xsi:nil` ("nil").  An attribute is empty with "empty", else absent.
    """

    root: str = "rows"
    row: str = "row"
    attributes: Collection[str] = ()
    null: Literal["empty", "absent", "nil"] = "empty"

    name: ClassVar[str] = "xml"
    media_type: ClassVar[str] = "application/xml"
    other_media_types: ClassVar[tuple[str, ...]] = ("text/xml",)
    extension: ClassVar[str] = ".xml"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for option, given in (("root", self.root), ("row", self.row)):
            if given != (nearest := ncname(given)):
                raise ValueError(
                    f"{option} must be an XML name (NCName) such as {nearest!r}, not {given!r}"
                )
        if isinstance(self.attributes, str):
            raise TypeError("attributes must be a list of column titles or keys, not a str")
        if self.null not in ("empty", "absent", "nil"):
            raise ValueError(f"null must be 'empty', 'absent' or 'nil', not {self.null!r}")

    def encoder(self, columns: Sequence[Column], context: Context) -> XmlEncoder:
        """Return a new encoder."""
        return XmlEncoder(self, columns, context)


def ncname(text: str) -> str:
    """Return the nearest NCName: other characters are decomposed, or become an underscore.

    Names that begin with "xml" are reserved (XML 1.0 §2.3), and `xmlns` would be a declaration.
    """
    name = _NOT_NAME.sub(
        lambda found: _NOT_NAME.sub("_", normalize("NFKD", found[0])), text.strip()
    )
    name = name or "_"
    return f"_{name}" if _NOT_START.match(name) or name[:3].lower() == "xml" else name


def names(columns: Sequence[Column]) -> list[str]:
    """Return a name for the element of each column, all different."""
    return unique(
        ncname(c.title if c.title is not None else f"column{at}") for at, c in enumerate(columns, 1)
    )


class XmlEscape(Escape):
    """Escapes markup (XML 1.0 §2.4), and CR, which a parser would read as LF (§2.11)."""

    def __init__(self, *, attribute: bool) -> None:
        # §3.3.3: a parser reads white space in an attribute as blanks, unless it is a reference.
        self.replacements = [*MARKUP, (b"\r", b"&#13;")]
        if attribute:
            self.replacements += [(b'"', b"&quot;"), (b"\n", b"&#10;"), (b"\t", b"&#9;")]
        self.care = b"".join(old for old, _ in self.replacements)

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells, ready to go between tags or between quotes."""
        for old, new in self.replacements:
            if old in kept:
                blob = blob.replace(old, new)
        return blob.split(SEPARATOR)


_IN_ATTRIBUTES = TextRules(escape=XmlEscape(attribute=True))
_IN_ELEMENTS = TextRules(escape=XmlEscape(attribute=False))


class XmlEncoder:
    """Encodes rows as XML elements."""

    def __init__(self, options: Xml, columns: Sequence[Column], context: Context) -> None:
        self._options = options  # of the format
        known = [name for column in columns for name in (column.title, column.key)]
        for name in options.attributes:
            if name not in known:
                titles = ", ".join(str(column.title) for column in columns)
                raise EncodeError(f"attributes names {name!r}, but the columns are: {titles}")
        quoted = formatters(columns, context, _IN_ATTRIBUTES)
        inside = formatters(columns, context, _IN_ELEMENTS)
        attributes: list[tuple[int, _XmlColumn]] = []
        elements: list[tuple[int, _XmlColumn]] = []
        for at, (column, name) in enumerate(zip(columns, names(columns), strict=True)):
            if column.title in options.attributes or column.key in options.attributes:
                written = _XmlColumn.attribute(column, quoted[at], name.encode(), options.null)
                attributes.append((at, written))
            else:
                written = _XmlColumn.element(column, inside[at], name.encode(), options.null)
                elements.append((at, written))
        # The columns in the order of a row, each with its position in a batch.
        self._columns = attributes + elements
        row = options.row.encode()
        # What a row starts with; its tag ends before the first element.
        self._before = b"<" + row + b">"
        self._after = b"</" + row + b">\n"  # ends a row
        if attributes:
            self._before = b"<" + row  # their columns follow
            if elements:
                elements[0][1].before = b">"
            else:
                self._after = b">" + self._after  # of an element without content
        self._root = options.root.encode()  # name of the root element
        # Writes rows in which few cells need care; None without the kernel.
        self._rows = kernel_rows(
            KernelRow(start=self._before, end=self._after),
            [written.stated() for _, written in self._columns],
            text_rules=_IN_ELEMENTS,
            context=context,
            spliced=range(len(attributes)),  # other characters are escaped in them
        )

    def start(self) -> bytes:
        """Return the declaration and the start tag of the root."""
        xsi = _XSI if self._options.null == "nil" else b""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n<' + self._root + xsi + b">\n"

    def feed(self, batch: Batch) -> bytes:
        """Return an element for each row."""
        columns = batch.columns
        if len(self._columns) > 1 and self._columns[0][1].is_attribute:
            columns = [batch.columns[at] for at, _ in self._columns]
        if self._rows is not None and batch.count:
            ordered = batch if columns is batch.columns else replace(batch, columns=columns)
            written = self._rows.write(ordered, batch.first, self._pieces)
            if written is not None:
                return written
        parts: list[Part] = [self._before]
        for (_, column), cells in zip(self._columns, columns, strict=True):
            parts += column.parts(cells, batch.first)
        return interleave([*parts, self._after], batch.count)

    def _pieces(self, at: int, cells: Sequence[object], first: int, number: int) -> Sequence[bytes]:
        return joined(self._columns[at][1].parts(cells, first), len(cells))

    def flush(self) -> bytes:
        """Return nothing: no row is held back."""
        return b""

    def finish(self) -> bytes:
        """Return the end tag of the root."""
        return b"</" + self._root + b">\n"

    def abort(self) -> None:
        """Do nothing: there is nothing to release."""


class _XmlColumn:
    """Writes a column: its cells with markup around them, and what stands for an empty one.

    Attributes:
        is_attribute: Whether its cells are attributes.
        before: What is between the cells and those of the column before.
    """

    def __init__(
        self,
        column: Column,
        formatter: ColumnFormatter,
        around: tuple[bytes, bytes],
        null: bytes,
        *,
        is_attribute: bool,
    ) -> None:
        self.is_attribute = is_attribute  # whether its cells are attributes
        self.before = b""  # what is between its cells and those of the column before
        self._kind = column.kind  # of its cells, if the caller gave it
        self._formatter = formatter  # makes text of its cells
        self._opening, self._closing = around  # of a cell that is not empty
        self._null = null  # an empty cell

    @classmethod
    def attribute(
        cls, column: Column, formatter: ColumnFormatter, name: bytes, null: str
    ) -> _XmlColumn:
        """Return a column of attributes; `null` is as in `Xml`."""
        opening, closing = b" " + name + b'="', b'"'
        empty = opening + closing if null == "empty" else b""
        return cls(column, formatter, (opening, closing), empty, is_attribute=True)

    @classmethod
    def element(
        cls, column: Column, formatter: ColumnFormatter, name: bytes, null: str
    ) -> _XmlColumn:
        """Return a column of elements; `null` is as in `Xml`."""
        opening, closing = b"<" + name + b">", b"</" + name + b">"
        nulls = {
            "empty": opening + closing,
            "absent": b"",
            "nil": b"<" + name + b' xsi:nil="true"/>',
        }
        return cls(column, formatter, (opening, closing), nulls[null], is_attribute=False)

    def stated(self) -> KernelColumn:
        """Return the markup of the column."""
        around = (self.before + self._opening, self._closing)
        markup = markup_of(self.before + self._null, dict.fromkeys(KINDS, around))
        return kernel_column(self._kind, markup)

    def parts(self, cells: Sequence[object], first: int) -> Sequence[Part]:
        """Return the parts of the column in every row."""
        formatted = self._formatter.format(cells, first)
        opening, closing, null = self._opening, self._closing, self._null
        if not formatted.sparse:
            return (self.before + opening, formatted.tokens, closing)
        if null == opening + closing:
            return (self.before + opening, [token or b"" for token in formatted.tokens], closing)
        if formatted.kind is Kind.EMPTY:
            return (self.before + null,)
        return (
            self.before,
            [null if t is None else opening + t + closing for t in formatted.tokens],
        )
