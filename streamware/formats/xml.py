"""XML: a root element, in it an element for each row, in that an element for each cell.

Source: XML 1.0 (Fifth Edition); Namespaces in XML 1.0 §3 (NCName).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal
from unicodedata import normalize

from streamware.errors import EncodeError
from streamware.formats.protocol import Context, Part, interleave
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


class XmlEncoder:
    """Encodes rows as XML elements."""

    def __init__(self, options: Xml, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        # The columns that are attributes of the row, and those that are elements in it, each with
        # its position in a batch.
        self._attributes: list[tuple[int, _XmlColumn]] = []
        self._elements: list[tuple[int, _XmlColumn]] = []
        known = [name for column in columns for name in (column.title, column.key)]
        for name in options.attributes:
            if name not in known:
                titles = ", ".join(str(column.title) for column in columns)
                raise EncodeError(f"attributes names {name!r}, but the columns are: {titles}")
        quoted = formatters(columns, context, TextRules(escape=XmlEscape(attribute=True)))
        inside = formatters(columns, context, TextRules(escape=XmlEscape(attribute=False)))
        for at, (column, name) in enumerate(zip(columns, names(columns), strict=True)):
            if column.title in options.attributes or column.key in options.attributes:
                attribute = _XmlColumn.attribute(quoted[at], name.encode(), options.null)
                self._attributes.append((at, attribute))
            else:
                element = _XmlColumn.element(inside[at], name.encode(), options.null)
                self._elements.append((at, element))
        self._row = options.row.encode()
        self._root = options.root.encode()

    def start(self) -> bytes:
        """Return the declaration and the start tag of the root."""
        xsi = _XSI if self._options.null == "nil" else b""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n<' + self._root + xsi + b">\n"

    def feed(self, batch: Batch) -> bytes:
        """Return an element for each row."""
        parts: list[Part] = [b"<" + self._row]
        for at, column in self._attributes:
            parts += column.parts(batch.columns[at], batch.first)
        parts.append(b">")
        for at, column in self._elements:
            parts += column.parts(batch.columns[at], batch.first)
        parts.append(b"</" + self._row + b">\n")
        return interleave(parts, batch.count)

    def flush(self) -> bytes:
        """Return nothing: no row is held back."""
        return b""

    def finish(self) -> bytes:
        """Return the end tag of the root."""
        return b"</" + self._root + b">\n"

    def abort(self) -> None:
        """Do nothing: there is nothing to release."""


class _XmlColumn:
    """Writes a column: its cells with markup around them, and what stands for an empty one."""

    def __init__(
        self, formatter: ColumnFormatter, opening: bytes, closing: bytes, null: bytes
    ) -> None:
        self._formatter = formatter
        self._opening = opening
        self._closing = closing
        self._null = null

    @classmethod
    def attribute(cls, formatter: ColumnFormatter, name: bytes, null: str) -> _XmlColumn:
        """Return a column of attributes; `null` is as in `Xml`."""
        opening, closing = b" " + name + b'="', b'"'
        return cls(formatter, opening, closing, opening + closing if null == "empty" else b"")

    @classmethod
    def element(cls, formatter: ColumnFormatter, name: bytes, null: str) -> _XmlColumn:
        """Return a column of elements; `null` is as in `Xml`."""
        opening, closing = b"<" + name + b">", b"</" + name + b">"
        nulls = {
            "empty": opening + closing,
            "absent": b"",
            "nil": b"<" + name + b' xsi:nil="true"/>',
        }
        return cls(formatter, opening, closing, nulls[null])

    def parts(self, cells: Sequence[object], first: int) -> Sequence[Part]:
        """Return the parts of the column in every row."""
        formatted = self._formatter.format(cells, first)
        if not formatted.sparse:
            return (self._opening, formatted.tokens, self._closing)
        if self._null == self._opening + self._closing:
            return (self._opening, [token or b"" for token in formatted.tokens], self._closing)
        if formatted.kind is Kind.EMPTY:
            return (self._null,)
        opening, closing, null = self._opening, self._closing, self._null
        return ([null if t is None else opening + t + closing for t in formatted.tokens],)
