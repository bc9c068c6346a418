"""JSON, an array of objects, and NDJSON, an object per line.

Source: RFC 8259; ndjson specification 1.0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from streamware.errors import CellError
from streamware.formats.kernel_rows import (
    KINDS,
    KernelColumn,
    KernelRow,
    kernel_column,
    kernel_rows,
    markup_of,
)
from streamware.formats.protocol import Context, Part, interleave, joined
from streamware.formats.text import formatters, unique
from streamware.model.columns import Batch, Column
from streamware.values.cell_formatter import SEPARATOR, SURROGATES, Escape, TextRules
from streamware.values.column_formatter import ColumnFormatter
from streamware.values.kinds import Kind

_UNQUOTED = frozenset({Kind.NUMBER, Kind.BOOL, Kind.JSON})
_AROUND = {kind: b"%b" if kind in _UNQUOTED else b'"%b"' for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """JSON: an array with an object for each row, whose keys are the titles of the columns."""

    name: ClassVar[str] = "json"
    media_type: ClassVar[str] = "application/json"
    other_media_types: ClassVar[tuple[str, ...]] = ("text/json",)
    extension: ClassVar[str] = ".json"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = True

    def encoder(self, columns: Sequence[Column], context: Context) -> JsonEncoder:
        """Return a new encoder."""
        return JsonEncoder(columns, context, array=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ndjson:
    """Newline-delimited JSON: a line with an object for each row, whose keys are the titles."""

    name: ClassVar[str] = "ndjson"
    media_type: ClassVar[str] = "application/x-ndjson"
    other_media_types: ClassVar[tuple[str, ...]] = (
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "text/x-ndjson",
    )
    extension: ClassVar[str] = ".ndjson"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = False
    compressible: ClassVar[bool] = True

    def encoder(self, columns: Sequence[Column], context: Context) -> JsonEncoder:
        """Return a new encoder."""
        return JsonEncoder(columns, context, array=False)


class JsonEscape(Escape):
    """Escapes quotation mark, backslash and control characters (RFC 8259 §7)."""

    care = b'"\\\n\r\t'
    replacements = (
        (b"\\", b"\\\\"),
        (b'"', b'\\"'),
        (b"\n", b"\\n"),
        (b"\r", b"\\r"),
        (b"\t", b"\\t"),
    )

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells, ready to go between quotation marks."""
        for old, new in self.replacements:
            if old in kept:
                blob = blob.replace(old, new)
        return blob.split(SEPARATOR)


def unicode_escape(character: str) -> bytes:
    r"""Return a character that XML forbids as a JSON escape: `\u0007` (RFC 8259 §7)."""
    return b"\\u%04x" % ord(character)


_TEXT_RULES = TextRules(escape=JsonEscape(), json=True, escaped=unicode_escape)


class JsonEncoder:
    """Encodes rows as JSON objects."""

    def __init__(self, columns: Sequence[Column], context: Context, *, array: bool) -> None:
        self._array = array
        self._started = False
        titles = (
            c.title if c.title is not None else f"column{at}" for at, c in enumerate(columns, 1)
        )
        keys = unique(_encodable(title, context) for title in titles)
        self._columns = [
            _JsonColumn(formatter, key, first=not at)
            for at, (formatter, key) in enumerate(
                zip(formatters(columns, context, _TEXT_RULES), keys, strict=True)
            )
        ]
        self._end = b"},\n" if array else b"}\n"  # of an object
        stated = [
            written.stated(column) for written, column in zip(self._columns, columns, strict=True)
        ]
        row = KernelRow(start=b"{", end=self._end)
        # Writes rows in which few cells need care; None without the kernel.
        self._rows = kernel_rows(row, stated, text_rules=_TEXT_RULES, context=context)

    def start(self) -> bytes:
        """Return the opening bracket of the array, if there is one."""
        return b"[" if self._array else b""

    def feed(self, batch: Batch) -> bytes:
        """Return an object for each row."""
        if not batch.count:
            return b""
        written = None
        if self._rows is not None:
            written = self._rows.write(batch, batch.first, self._pieces)
        if written is None:
            parts: list[Part] = [b"{"]
            for column, cells in zip(self._columns, batch.columns, strict=True):
                parts += column.parts(cells, batch.first)
            written = interleave([*parts, self._end], batch.count)
        if not self._array:
            return written
        before = b",\n" if self._started else b"\n"
        self._started = True
        return before + written[:-2]

    def _pieces(self, at: int, cells: Sequence[object], first: int, number: int) -> Sequence[bytes]:
        return joined(self._columns[at].parts(cells, first), len(cells))

    def flush(self) -> bytes:
        """Return nothing: no row is held back."""
        return b""

    def finish(self) -> bytes:
        """Return the closing bracket of the array, if there is one."""
        return b"\n]\n" if self._array else b""

    def abort(self) -> None:
        """Do nothing: there is nothing to release."""


def _encodable(title: str, context: Context) -> str:
    """Return a title without lone surrogates, which UTF-8 does not have."""
    choice = context.values.forbidden
    kept = SURROGATES.sub("" if choice == "drop" else "\ufffd", title)
    if kept != title:
        if choice == "error":
            raise CellError(0, "title", "str", "has a lone surrogate")
        context.receipt.converted["forbidden"] += 1
    return kept


class _JsonColumn:
    """One member of every object: its key, and the values of a column."""

    def __init__(self, formatter: ColumnFormatter, key: str, *, first: bool) -> None:
        self._formatter = formatter
        comma = b"" if first else b","
        self._key = comma + json.dumps(key, ensure_ascii=False).encode() + b":"

    def stated(self, column: Column) -> KernelColumn:
        """Return the markup of the member."""
        key = self._key
        around = {kind: (key, b"") if kind in _UNQUOTED else (key + b'"', b'"') for kind in KINDS}
        return kernel_column(column.kind, markup_of(key + b"null", around))

    def parts(self, cells: Sequence[object], first: int) -> Sequence[Part]:
        """Return the parts of the column in every row."""
        formatted = self._formatter.format(cells, first)
        key = self._key
        if formatted.kinds is not None:
            pairs = zip(formatted.kinds, formatted.tokens, strict=True)
            return (key, [b"null" if t is None else _AROUND[k] % t for k, t in pairs])
        if formatted.kind in _UNQUOTED or formatted.kind is Kind.EMPTY:
            tokens = formatted.tokens
            return (
                key,
                [b"null" if t is None else t for t in tokens] if formatted.sparse else tokens,
            )
        if formatted.sparse:
            return (key, [b"null" if t is None else b'"' + t + b'"' for t in formatted.tokens])
        return (key + b'"', formatted.tokens, b'"')
