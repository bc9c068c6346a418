"""CSV and TSV.

Source: RFC 4180; IANA text/tab-separated-values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, Self

from streamware.formats.language import LANGUAGES, MAX_TAG, language_of, shortened
from streamware.formats.localized import Localized, Rewrite, languages, with_comma
from streamware.formats.protocol import Context
from streamware.formats.text import formatters
from streamware.model.columns import Batch, Column
from streamware.values.cell import SEPARATOR, TextRules
from streamware.values.formatter import FormattedColumn
from streamware.values.kinds import Kind

_BOM = b"\xef\xbb\xbf"
_GROUPS = re.compile("[#0?],[#0?]")  # in a number format: 1,234
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
        language: Whose programs open it: a tag such as "de" or "de-CH", or "auto", the reader's,
            which over HTTP is the one that `Accept-Language` asks for.  Delimiter (unless it is
            TAB) and decimal sign are then as spreadsheets expect them there, after a byte order
            mark; what is said here holds where the reader's language is not known.
        localized: Dates as the language writes them, and date-times that its programs read: a
            blank for the `T`, and no offset (counted; they are in `Values.timezone`).  Digits
            are in groups where the column's `format` has groups, such as "decimal".  Needs a
            language, and babel (the extra `babel`).
    """

    delimiter: str = ","
    quoting: Literal["minimal", "text", "all"] = "minimal"
    line_end: Literal["\r\n", "\n"] = "\r\n"
    bom: bool = False
    header: bool = True
    null: str = ""
    decimal: Literal[".", ","] = "."
    guard: bool = True
    language: str | None = None
    localized: bool = False

    name: ClassVar[str] = "csv"
    media_type: ClassVar[str] = "text/csv; charset=utf-8"
    extension: ClassVar[str] = ".csv"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = False
    compressible: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.localized and self.language is None:
            raise ValueError("localized=True needs a language, or language='auto'")
        known = self._known()
        if self.language not in (None, "auto"):
            self._settle(self.language, known)
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
        delimiters = {self.delimiter, *(",;" if self.language else "")}
        if not {'"', "\r", "\n", "\x1f", *delimiters}.isdisjoint(self.null):
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

    @property
    def languages(self) -> Container[str] | None:
        """The languages that the reader's is looked up in; None where it makes no difference."""
        return self._known() if self.language == "auto" else None

    def encoder(self, columns: Sequence[Column], context: Context) -> CsvEncoder:
        """A fresh encoder."""
        return CsvEncoder(self._for_reader(context.locale), columns, context)

    def _known(self) -> Container[str]:
        return languages() if self.localized else LANGUAGES

    def _settle(self, tag: str, known: Container[str]) -> None:
        """Take what a language says of the delimiter and the decimal sign."""
        if len(tag) > MAX_TAG:
            raise ValueError(f"the tag of a language has at most {MAX_TAG} characters")
        nearest = next((each for each in shortened(tag) if each in known), None)
        language = None if nearest is None else language_of(nearest)
        if language is None:
            raise ValueError(f"unknown language {tag!r}; one is given by a tag such as 'de-CH'")
        object.__setattr__(self, "language", nearest)
        object.__setattr__(self, "decimal", language.decimal)
        object.__setattr__(self, "bom", True)
        if self.delimiter != "\t":
            object.__setattr__(self, "delimiter", language.delimiter)

    def _for_reader(self, locale: str | None) -> Csv:
        """The same for a reader of that language, where the reader decides."""
        if self.language != "auto":
            return self
        known = self._known()
        if locale is None or len(locale) > MAX_TAG:
            return replace(self, language=None, localized=False)
        if not any(each in known for each in shortened(locale)):
            return replace(self, language=None, localized=False)
        return replace(self, language=locale)


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
        text_rules = TextRules(escape=quotes, formulas=guards)
        self._formatters = formatters(columns, context, text_rules)
        self._title_formatter = formatters([Column(0, "title")], context, text_rules)[0]
        localized = None
        if options.localized and options.language is not None:
            localized = Localized(options.language, context.receipt.converted)
        self._rewrites = [_rewrites(options, localized, column) for column in columns]
        self._title_rewrites = _rewrites(options, None, Column(0))
        self._null = self._formatted_null()

    def start(self) -> bytes:
        """The byte order mark and the titles."""
        bom = _BOM if self._options.bom else b""
        if not self._titles or not self._options.header:
            return bom
        titles = self._part(self._title_formatter.spell(self._titles, 0), self._title_rewrites)
        return bom + (self._delimiter.join(titles) or b'""') + self._line_end

    def feed(self, batch: Batch) -> bytes:
        """One line a row."""
        columns = [
            self._part(formatter.spell(cells, batch.first), rewrites)
            for formatter, rewrites, cells in zip(
                self._formatters, self._rewrites, batch.columns, strict=True
            )
        ]
        if not columns:
            return self._line_end * batch.count
        if len(columns) == 1:  # a blank line would be no row at all
            columns = [[cell or b'""' for cell in columns[0]]]
        lines = map(self._delimiter.join, zip(*columns, strict=True))
        return self._line_end.join([*lines, b""])

    def flush(self) -> bytes:
        """Nothing is ever held back."""
        return b""

    def finish(self) -> bytes:
        """Nothing stands after the last row."""
        return b""

    def abort(self) -> None:
        """Nothing to give up."""

    def _part(
        self, formatted: FormattedColumn, rewrites: Mapping[Kind, Rewrite]
    ) -> Sequence[bytes]:
        tokens = formatted.tokens
        if formatted.kinds is not None:
            tokens = [
                rewrites[k]([t])[0] if k in rewrites else t
                for k, t in zip(formatted.kinds, tokens, strict=True)
            ]
        elif formatted.kind is not None and formatted.kind in rewrites:
            rewrite = rewrites[formatted.kind]
            tokens = _among_empty(tokens, rewrite) if formatted.sparse else rewrite(tokens)
        if formatted.sparse:
            tokens = [self._null if t is None else t for t in tokens]
        return tokens

    def _formatted_null(self) -> bytes:
        null = self._options.null.encode("utf-8", "replace")
        return b'"' + null + b'"' if self._options.quoting == "all" else null


def _among_empty(tokens: list[bytes | None], rewrite: Rewrite) -> list[bytes | None]:
    following = iter(rewrite([t for t in tokens if t is not None])).__next__
    return [None if t is None else following() for t in tokens]


# What becomes of the text of a kind of cells -----------------------------------------------


def _rewrites(options: Csv, localized: Localized | None, column: Column) -> Mapping[Kind, Rewrite]:
    rewrites: dict[Kind, Rewrite] = {}
    quoted = _quoted_kinds(options.quoting)
    if localized is not None:
        grouped = column.format is not None and _GROUPS.search(column.format) is not None
        rewrites |= localized.rewrites(grouped=grouped)
        if grouped and Kind.NUMBER not in quoted:
            protect = partial(_quoted_where, options.delimiter.encode())
            rewrites[Kind.NUMBER] = _after(rewrites[Kind.NUMBER], protect)
    elif options.decimal == ",":
        rewrites[Kind.NUMBER] = with_comma
    for kind in quoted:
        rewrites[kind] = _after(rewrites[kind], _quoted) if kind in rewrites else _quoted
    return rewrites


def _quoted_kinds(quoting: str) -> set[Kind]:
    if quoting == "minimal":
        return set()
    return set(Kind) - {Kind.EMPTY} - ({Kind.NUMBER} if quoting == "text" else set())


def _after(first: Rewrite, second: Rewrite) -> Rewrite:
    return lambda tokens: second(first(tokens))


def _quoted(tokens: list[bytes]) -> list[bytes]:
    return (b'"' + SEPARATOR.join(tokens).replace(SEPARATOR, b'"\x1f"') + b'"').split(SEPARATOR)


def _quoted_where(delimiter: bytes, tokens: list[bytes]) -> list[bytes]:
    return [b'"' + token + b'"' if delimiter in token else token for token in tokens]
