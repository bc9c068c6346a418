"""XML: one root, one element a row, one a cell.

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
from streamware.values.cell import SEPARATOR, TextRules
from streamware.values.formatter import ColumnFormatter
from streamware.values.kinds import Kind

# NCName (Namespaces in XML 1.0 §3), less the colon: letters of the living scripts that the fourth
# edition of XML 1.0 (appendix B) allows, too, because expat goes by that one.
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
    """XML, each row an element and each cell an element in it, named after its column.

    Attributes:
        root: Name of the root element.
        row: Name of a row's element.
        attributes: Titles (or keys) of the columns written as attributes of the row instead.
        null: An empty cell is an "empty" element, "absent", or `xsi:nil` ("nil"); an
            attribute is then absent, or empty where "empty" is asked for.
    """

    root: str = "rows"
    row: str = "row"
    attributes: Collection[str] = ()
    null: Literal["empty", "absent", "nil"] = "empty"

    name: ClassVar[str] = "xml"
    media_type: ClassVar[str] = "application/xml"
    extension: ClassVar[str] = ".xml"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for given in (self.root, self.row):
            if given != ncname(given):
                raise ValueError(f"{given!r} is no XML name (NCName); {ncname(given)!r} is")
        if isinstance(self.attributes, str):
            raise TypeError("attributes are a list of columns")
        if self.null not in ("empty", "absent", "nil"):
            raise ValueError("null is 'empty', 'absent' or 'nil'")

    def encoder(self, columns: Sequence[Column], context: Context) -> XmlEncoder:
        """A fresh encoder."""
        return XmlEncoder(self, columns, context)


def ncname(text: str) -> str:
    """The nearest NCName: decomposed, or else an underscore, what it cannot hold.

    Names that begin with "xml" are reserved (XML 1.0 §2.3), and `xmlns` would be a declaration.
    """
    name = _NOT_NAME.sub(_nearest, text.strip()) or "_"
    return f"_{name}" if _NOT_START.match(name) or name[:3].lower() == "xml" else name


def _nearest(found: re.Match[str]) -> str:
    return _NOT_NAME.sub("_", normalize("NFKD", found[0]))


def names(columns: Sequence[Column]) -> list[str]:
    """An element's name for each column, all different."""
    return unique(
        ncname(c.title if c.title is not None else f"column{at}") for at, c in enumerate(columns, 1)
    )


class Markup:
    """XML 1.0 §2.4: the three characters that are markup; CR, which a parser would read as LF."""

    def __init__(self, *, attribute: bool) -> None:
        # §3.3.3: a parser reads white space in an attribute as blanks, unless it is a reference.
        self._replace = [*MARKUP, (b"\r", b"&#13;")]
        if attribute:
            self._replace += [(b'"', b"&quot;"), (b"\n", b"&#10;"), (b"\t", b"&#9;")]
        self.care = b"".join(old for old, _ in self._replace)

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Cells ready to stand between tags, or within quotes."""
        for old, new in self._replace:
            if old in kept:
                blob = blob.replace(old, new)
        return blob.split(SEPARATOR)


class XmlEncoder:
    """Rows to XML."""

    def __init__(self, options: Xml, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        named = [name.encode() for name in names(columns)]
        as_attribute = [
            column.title in options.attributes or column.key in options.attributes
            for column in columns
        ]
        self._check_attributes(columns)
        inside = formatters(columns, context, TextRules(escape=Markup(attribute=False)))
        quoted = formatters(columns, context, TextRules(escape=Markup(attribute=True)))
        self._columns = [
            _Place(
                quoted[at] if attribute else inside[at],
                named[at],
                options.null,
                attribute=attribute,
            )
            for at, attribute in enumerate(as_attribute)
        ]
        self._order = sorted(range(len(columns)), key=lambda at: not as_attribute[at])
        self._attributes = sum(as_attribute)
        self._row = options.row.encode()
        self._root = options.root.encode()

    def start(self) -> bytes:
        """The declaration and the root's start tag."""
        xsi = _XSI if self._options.null == "nil" else b""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n<' + self._root + xsi + b">\n"

    def feed(self, batch: Batch) -> bytes:
        """One element a row."""
        parts: list[Part] = [b"<" + self._row]
        for number, at in enumerate(self._order):
            if number == self._attributes:
                parts.append(b">")
            parts += self._columns[at].parts(batch.columns[at], batch.first)
        if self._attributes == len(self._order):
            parts.append(b">")
        parts.append(b"</" + self._row + b">\n")
        return interleave(parts, batch.count)

    def flush(self) -> bytes:
        """Nothing is ever held back."""
        return b""

    def finish(self) -> bytes:
        """The root's end tag."""
        return b"</" + self._root + b">\n"

    def abort(self) -> None:
        """Nothing to give up."""

    def _check_attributes(self, columns: Sequence[Column]) -> None:
        there = [name for column in columns for name in (column.title, column.key)]
        missing = [name for name in self._options.attributes if name not in there]
        if missing:
            titles = ", ".join(str(column.title) for column in columns)
            raise EncodeError(
                f"there is no column {missing[0]!r} to be an attribute; there are: {titles}"
            )


class _Place:
    """Where a column's cells stand: between its tags, or within an attribute's quotes."""

    def __init__(
        self, formatter: ColumnFormatter, name: bytes, null: str, *, attribute: bool
    ) -> None:
        self._formatter = formatter
        if attribute:
            self._open, self._close = b" " + name + b'="', b'"'
            self._null = self._open + self._close if null == "empty" else b""
            return
        self._open, self._close = b"<" + name + b">", b"</" + name + b">"
        nulls = {
            "empty": self._open + self._close,
            "absent": b"",
            "nil": b"<" + name + b' xsi:nil="true"/>',
        }
        self._null = nulls[null]

    def parts(self, cells: Sequence[object], first: int) -> Sequence[Part]:
        """The literals and the texts of the column."""
        formatted = self._formatter.spell(cells, first)
        if not formatted.sparse:
            return (self._open, formatted.tokens, self._close)
        if self._null == self._open + self._close:
            return (self._open, [token or b"" for token in formatted.tokens], self._close)
        if formatted.kind is Kind.EMPTY:
            return (self._null,)
        opening, close, null = self._open, self._close, self._null
        return ([null if t is None else opening + t + close for t in formatted.tokens],)
