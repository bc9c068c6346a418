"""CSV and TSV.

Source: RFC 4180; IANA text/tab-separated-values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from streamware.columns import Batch, Column
from streamware.encoder import Context, Part, interleave
from streamware.formats.text import spellers
from streamware.values.cell import SEPARATOR, Spelling
from streamware.values.kinds import Kind
from streamware.values.speller import Spelled

_BOM = b"\xef\xbb\xbf"
# What a token of ours may contain unquoted, and so cannot be the delimiter.
_NO_DELIMITER = frozenset("\"\r\n\x1f+-.:_'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Csv:
    """Comma-separated values, RFC 4180 unless told otherwise.

    Attributes:
        delimiter: Between the cells: one ASCII character.
        quoting: "minimal" (what needs it), "text" (all that is no number), or "all".
        line_end: After each row.
        bom: A byte order mark first, without which Excel takes UTF-8 for something else.
        header: A first row of titles, where the columns have any.
        null: Text of an empty cell.
        decimal: Decimal sign of numbers, "." or ",".
        guard: Whether `Values.formula_text` holds: off for files that only programs read.
    """

    delimiter: str = ","
    quoting: Literal["minimal", "text", "all"] = "minimal"
    line_end: Literal["\r\n", "\n"] = "\r\n"
    bom: bool = False
    header: bool = True
    null: str = ""
    decimal: Literal[".", ","] = "."
    guard: bool = True

    name: ClassVar[str] = "csv"
    media_type: ClassVar[str] = "text/csv; charset=utf-8"
    extension: ClassVar[str] = ".csv"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = False
    compressible: ClassVar[bool] = True

    def __post_init__(self) -> None:
        given = self.delimiter
        if len(given) != 1 or not given.isascii() or given.isalnum() or given in _NO_DELIMITER:
            raise ValueError(
                f"a delimiter is one ASCII character such as ',', ';', '|' or TAB, not {given!r}"
            )
        if self.decimal not in (".", ",") or self.decimal == self.delimiter:
            raise ValueError("the decimal sign is '.' or ',', and not the delimiter")
        if self.quoting not in ("minimal", "text", "all"):
            raise ValueError("quoting is 'minimal', 'text' or 'all'")
        if self.line_end not in ("\r\n", "\n"):
            raise ValueError("line_end is CRLF or LF")
        if not {'"', "\r", "\n", "\x1f", self.delimiter}.isdisjoint(self.null):
            raise ValueError("null text must not need quotes")

    @classmethod
    def profile(cls, name: str) -> Self:
        """Options by the name of what will read the file.

        Args:
            name: "excel-us", "excel-de" (semicolon, decimal comma), both with a byte order
                mark; "rfc4180" or "machine" (LF), neither of which guards against formulas.
        """
        try:
            return cls(**_PROFILES[name])  # type: ignore[arg-type]  # our own table
        except KeyError:
            raise ValueError(
                f"unknown profile {name!r}; there are: {', '.join(_PROFILES)}"
            ) from None

    def encoder(self, columns: Sequence[Column], context: Context) -> CsvEncoder:
        """A fresh encoder."""
        return CsvEncoder(self, columns, context)


_PROFILES: dict[str, dict[str, object]] = {
    "excel-us": {"bom": True},
    "excel-de": {"bom": True, "delimiter": ";", "decimal": ","},
    "rfc4180": {"guard": False},
    "machine": {"guard": False, "line_end": "\n"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tsv(Csv):
    """Tab-separated values: `Csv` with a TAB between the cells."""

    delimiter: str = "\t"

    name: ClassVar[str] = "tsv"
    media_type: ClassVar[str] = "text/tab-separated-values; charset=utf-8"
    extension: ClassVar[str] = ".tsv"


class Quotes:
    """RFC 4180 §2.5 to 2.7: quotes around a cell that needs them, doubled inside."""

    def __init__(self, delimiter: str, *, always: bool) -> None:
        self.care = b'"\r\n' + delimiter.encode()
        self._always = always

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Cells ready to stand between delimiters."""
        needs = kept.translate(None, b"\xef").split(SEPARATOR)
        if b'"' in kept:
            blob = blob.replace(b'"', b'""')
        if self._always:
            return blob.split(SEPARATOR)
        if all(needs):
            return (b'"' + blob.replace(SEPARATOR, b'"\x1f"') + b'"').split(SEPARATOR)
        return [
            b'"' + cell + b'"' if need else cell
            for cell, need in zip(blob.split(SEPARATOR), needs, strict=True)
        ]


class CsvEncoder:
    """Rows to CSV."""

    def __init__(self, options: Csv, columns: Sequence[Column], context: Context) -> None:
        self._options = options
        self._delimiter = options.delimiter.encode()
        self._line_end = options.line_end.encode()
        self._titles = [column.title for column in columns if column.title is not None]
        quotes = Quotes(options.delimiter, always=options.quoting != "minimal")
        guards = options.guard or context.values.formula_text == "error"
        spelling = Spelling(escape=quotes, formulas=guards)
        self._spellers = spellers(columns, context, spelling)
        self._title_speller = spellers([Column(0, "title")], context, spelling)[0]
        self._null = self._spelled_null()

    def start(self) -> bytes:
        """The byte order mark and the titles."""
        bom = _BOM if self._options.bom else b""
        if not self._titles or not self._options.header:
            return bom
        titles = self._part(self._title_speller.spell(self._titles, 0))
        return bom + (self._delimiter.join(titles) or b'""') + self._line_end

    def feed(self, batch: Batch) -> bytes:
        """One line a row."""
        parts: list[Part] = []
        for speller, cells in zip(self._spellers, batch.columns, strict=True):
            parts += (self._part(speller.spell(cells, batch.first)), self._delimiter)
        if len(parts) == 2:  # a blank line would be no row at all
            parts[0] = [cell or b'""' for cell in parts[0]]  # type: ignore[misc]  # the column
        return interleave([*parts[:-1], self._line_end], batch.count)

    def flush(self) -> bytes:
        """Nothing is ever held back."""
        return b""

    def finish(self) -> bytes:
        """Nothing stands after the last row."""
        return b""

    def abort(self) -> None:
        """Nothing to give up."""

    def _part(self, spelled: Spelled) -> Sequence[bytes]:
        tokens = spelled.tokens
        if spelled.kinds is not None:
            tokens = [
                t if t is None else self._cell(k, t)
                for k, t in zip(spelled.kinds, tokens, strict=True)
            ]
        elif self._rewrites(spelled.kind):
            kind = spelled.kind or Kind.EMPTY
            tokens = [t if t is None else self._cell(kind, t) for t in tokens]
        if spelled.sparse:
            tokens = [self._null if t is None else t for t in tokens]
        return tokens

    def _rewrites(self, kind: Kind | None) -> bool:
        return self._options.quoting != "minimal" or (
            kind is Kind.NUMBER and self._options.decimal == ","
        )

    def _cell(self, kind: Kind, token: bytes) -> bytes:
        if kind is Kind.NUMBER and self._options.decimal == ",":
            token = token.replace(b".", b",")
        quoting = self._options.quoting
        if quoting == "all" or (quoting == "text" and kind is not Kind.NUMBER):
            return b'"' + token + b'"'
        return token

    def _spelled_null(self) -> bytes:
        null = self._options.null.encode("utf-8", "replace")
        return b'"' + null + b'"' if self._options.quoting == "all" else null
