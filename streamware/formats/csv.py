"""CSV and TSV.

Source: RFC 4180; IANA text/tab-separated-values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import chain
from typing import ClassVar, Literal, Self

from streamware.formats.kernel_rows import (
    KINDS,
    KernelColumn,
    KernelRow,
    KernelRows,
    Markup,
    kernel_column,
    kernel_rows,
    markup_of,
)
from streamware.formats.language import LANGUAGES, MAX_TAG, fallbacks, language_of
from streamware.formats.localized import LocaleFormatter, Rewrite, languages, with_comma
from streamware.formats.plain_lines import PlainLines
from streamware.formats.protocol import Context
from streamware.formats.text import formatters, label
from streamware.model.columns import WIDE, Batch, Column, ColumnKind, Head, RowColumns
from streamware.model.style import expect
from streamware.values.cell_formatter import SEPARATOR, Escape, TextRules
from streamware.values.column_formatter import ColumnFormatter
from streamware.values.formula_text import guard_of
from streamware.values.kinds import Kind

_BOM = b"\xef\xbb\xbf"
_MOST_KEPT = 64  # statements to the kernel that are kept for further documents
_FEW = 64  # columns of a table whose statement is kept
_TITLE = Column(0, "title")  # of the titles
_GROUPS = re.compile("[#0?],[#0?]")  # in a number format: 1,234
# What a cell may contain without being quoted, so that it cannot be the delimiter.
_NO_DELIMITER = frozenset("\"\r\n\x1f+-.:_'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Csv:
    """Comma-separated values, by default as RFC 4180 has them.

    Attributes:
        delimiter: One ASCII character between the cells.
        quoting: Which cells are quoted: those that need it ("minimal"), all but numbers
            ("text"), or "all".
        line_end: What ends each row.
        bom: Whether a byte order mark comes first; without one Excel does not expect UTF-8.
        header: Whether the titles of the columns, if they have any, are the first row.
        null: Text of an empty cell.
        decimal: Decimal sign of numbers, "." or ",".
        guard: Whether to guard against text that starts like a formula, as `Values.formula_text`
            says, in the cell or in what becomes a cell if the file is split at `,`, `;`, `|` or TAB
            instead of `delimiter`.  Turn it off for files that only programs read.
        language: Language of the programs that open the file: a tag such as "de" or "de-CH", or
            "auto" for the reader's language, which over HTTP `Accept-Language` names.  The
            delimiter (unless it is TAB) and the decimal sign are then those that spreadsheet
            programs expect in that language, and a byte order mark comes first.  If the reader's
            language is not known, the other options apply.
        localized: Whether dates are written as is usual in the language, and date-times as its
            programs parse them: with a blank instead of the `T`, and without an offset, which is
            counted (they are in `Values.timezone`).  Digits are grouped in columns whose `format`
            has groups, such as "decimal".  Needs `language`, and babel (the extra `babel`).
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
    other_media_types: ClassVar[tuple[str, ...]] = (
        "application/csv",
        "text/comma-separated-values",
        "text/x-csv",
        "application/x-csv",
    )
    extension: ClassVar[str] = ".csv"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = False
    compressible: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.localized and self.language is None:
            raise ValueError("localized=True needs a language such as 'de-CH', or 'auto'")
        known = self._known()
        if self.language not in (None, "auto"):
            self._apply_language(self.language, known)
        expect(self, "a str", str, "delimiter")
        given = self.delimiter
        if len(given) != 1 or not given.isascii() or given.isalnum() or given in _NO_DELIMITER:
            raise ValueError(
                f"delimiter must be one character such as ',', ';', '|' or TAB, not {given!r}"
            )
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal must be '.' or ',', not {self.decimal!r}")
        if self.decimal == self.delimiter:
            raise ValueError(f"decimal and delimiter must differ; both are {self.decimal!r}")
        if self.quoting not in ("minimal", "text", "all"):
            raise ValueError(f"quoting must be 'minimal', 'text' or 'all', not {self.quoting!r}")
        if self.line_end not in ("\r\n", "\n"):
            raise ValueError(f"line_end must be '\\r\\n' or '\\n', not {self.line_end!r}")
        delimiters = {self.delimiter, *(",;" if self.language else "")}
        if not {'"', "\r", "\n", "\x1f", *delimiters}.isdisjoint(self.null):
            raise ValueError(
                f"null must contain no quote, line break or delimiter, but is {self.null!r}"
            )

    @classmethod
    def profile(cls, name: str) -> Self:
        """Return the options for a program that reads the file.

        Args:
            name: "excel-us" or "excel-de" (semicolon, decimal comma), both with a byte order
                mark; "rfc4180" or "machine" (LF), neither of which guards against formulas.
        """
        try:
            return cls(**_PROFILES[name])  # type: ignore[arg-type]  # our own table
        except KeyError:
            known = ", ".join(map(repr, _PROFILES))
            raise ValueError(f"profile must be one of {known}, not {name!r}") from None

    @property
    def languages(self) -> Container[str] | None:
        """The languages to look up the reader's in; None unless `language` is "auto"."""
        return self._known() if self.language == "auto" else None

    def encoder(self, columns: Sequence[Column], context: Context) -> CsvEncoder:
        """Return a new encoder."""
        if self.language != "auto":
            return CsvEncoder(self, columns, context)
        known, locale = self._known(), context.locale
        if (
            locale is None
            or len(locale) > MAX_TAG
            or not any(each in known for each in fallbacks(locale))
        ):
            options = replace(self, language=None, localized=False)
        else:
            options = replace(self, language=locale)
        return CsvEncoder(options, columns, context)

    def _known(self) -> Container[str]:
        return languages() if self.localized else LANGUAGES

    def _apply_language(self, tag: str, known: Container[str]) -> None:
        """Set delimiter, decimal sign and byte order mark as readers of a language expect them."""
        if len(tag) > MAX_TAG:
            raise ValueError(f"language must have at most {MAX_TAG} characters, not {len(tag)}")
        nearest = next((each for each in fallbacks(tag) if each in known), None)
        language = None if nearest is None else language_of(nearest)
        if language is None:
            raise ValueError(f"language must be a known tag such as 'de-CH', not {tag!r}")
        object.__setattr__(self, "language", nearest)
        object.__setattr__(self, "decimal", language.decimal)
        object.__setattr__(self, "bom", True)
        if self.delimiter != "\t":
            object.__setattr__(self, "delimiter", language.delimiter)


_PROFILES: dict[str, dict[str, object]] = {
    "excel-us": {"bom": True},
    "excel-de": {"bom": True, "delimiter": ";", "decimal": ","},
    "rfc4180": {"guard": False},
    "machine": {"guard": False, "line_end": "\n"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tsv(Csv):
    """Tab-separated values: `Csv` with a TAB between the cells.

    Cells with a TAB, a line break or a quote are quoted as in CSV.  Strict readers of TSV, such as
    `mlr --itsv` and ClickHouse's TSV, know no quotes.
    """

    delimiter: str = "\t"

    name: ClassVar[str] = "tsv"
    media_type: ClassVar[str] = "text/tab-separated-values; charset=utf-8"
    other_media_types: ClassVar[tuple[str, ...]] = ("text/tsv", "application/tsv")
    extension: ClassVar[str] = ".tsv"


class CsvEscape(Escape):
    """Quotes the cells that need it, and doubles the quotes in them (RFC 4180 §2.5 to 2.7).

    Args:
        delimiter: A cell that contains it is quoted, as one with a quote or a line break is.
        always: Whether a `Rewrite` quotes every text later, so that only quotes are doubled here.
    """

    def __init__(self, delimiter: str, *, always: bool) -> None:
        self.care = b'"\r\n' + delimiter.encode()
        if always:
            self.replacements = ((b'"', b'""'),)
        else:
            self.quoted = self.care
        self._always = always

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Return the cells, ready to go between delimiters."""
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


@cache
def _text_rules(delimiter: str, *, always: bool, formulas: bool) -> TextRules:
    escape = CsvEscape(delimiter, always=always)
    return TextRules(escape=escape, formulas=formulas, delimiter=delimiter)


class CsvEncoder:
    """Encodes rows as lines of CSV."""

    def __init__(self, options: Csv, columns: Sequence[Column], context: Context) -> None:
        self._options = options  # of the format, with the reader's language applied
        self._columns = columns  # of the sheet
        self._context = context  # of the export
        guards = options.guard or context.values.formula_text == "error"
        # How values are written.
        self._text_rules = _text_rules(
            options.delimiter, always=options.quoting != "minimal", formulas=guards
        )
        self._line_end = options.line_end.encode()  # after each line
        self._lines: _Lines | None = None  # writes rows in Python, once it is needed
        # Writes rows in which few cells need care; None without the kernel.
        self._rows = None if options.localized else self._kernel_rows()

    def start(self) -> bytes:
        """Return the byte order mark and the titles."""
        options = self._options
        bom = _BOM if options.bom else b""
        titles = [column.title for column in self._columns if column.title is not None]
        if not titles or not options.header:
            return bom
        if self._rows is not None and {column.kind for column in self._columns} == {None}:
            line = Batch(Head(None, tuple(self._columns)), 0, 1, RowColumns([titles]))
            written = self._rows.write(line, 0, self._pieces)
            if written is not None:
                return bom + written
        (formatter,) = formatters([_TITLE], self._context, self._text_rules)
        column = _CsvColumn(formatter, _rewrites(options, None, _TITLE), _null(options))
        cells = column.cells(titles, 0)
        return bom + (options.delimiter.encode().join(cells) or b'""') + self._line_end

    def feed(self, batch: Batch) -> bytes:
        """Return a line for each row."""
        if not self._columns:
            return self._line_end * batch.count
        if self._rows is not None and batch.count:
            written = self._rows.write(batch, batch.first, self._pieces)
            if written is not None:
                return written
        return self._in_python().lines(batch)

    def flush(self) -> bytes:
        """Return nothing: no row is held back."""
        return b""

    def finish(self) -> bytes:
        """Return nothing: the document ends with its last row."""
        return b""

    def abort(self) -> None:
        """Do nothing: there is nothing to release."""

    def _kernel_rows(self) -> KernelRows | None:
        kinds = tuple([column.kind for column in self._columns])
        stated = _kept_statement if len(kinds) <= _FEW else _stated
        row, columns = stated(self._options, kinds)
        return kernel_rows(row, columns, text_rules=self._text_rules, context=self._context)

    def _pieces(self, at: int, cells: Sequence[object], first: int, number: int) -> Sequence[bytes]:
        return self._in_python().pieces(at, cells, first)

    def _in_python(self) -> _Lines:
        if self._lines is None:
            self._lines = _Lines(self._options, self._columns, self._context, self._text_rules)
        return self._lines


class _Lines:
    """Writes rows as lines without the kernel."""

    def __init__(
        self, options: Csv, columns: Sequence[Column], context: Context, text_rules: TextRules
    ) -> None:
        self._delimiter = options.delimiter.encode()  # between the cells of a line
        self._line_end = options.line_end.encode()  # after each line
        self._alone = len(columns) == 1  # readers skip a blank line, so an empty cell is quoted
        locale = None
        if options.localized and options.language is not None:
            locale = LocaleFormatter(options.language, context.receipt.converted)
        null = _null(options)
        by_rows = len(columns) > WIDE and all(map(_is_plain, columns))
        # What messages call the columns, if rows are so wide that they are written row by row.
        self._names = [label(column, at) for at, column in enumerate(columns) if by_rows]
        own = columns[:1] if by_rows else columns
        self._columns = [  # write the cells of the rows
            _CsvColumn(formatter, _rewrites(options, locale, column), null)
            for formatter, column in zip(formatters(own, context, text_rules), own, strict=True)
        ]
        # Writes rows in which nothing needs care.
        self._plain = _plain_lines(options, columns, context, null, guards=text_rules.formulas)
        self._is_uneven = by_rows  # whether that is faster than writing column by column

    def lines(self, batch: Batch) -> bytes:
        """Return a line for each row."""
        # A row with a very long text comes alone, and orjson reserves eight times its length.
        if self._is_uneven and self._plain is not None and batch.count > 1:
            written = self._plain.lines(batch)
            if written is not None:
                return written
        if self._names:
            return self._wide_lines(batch)
        columns = [
            column.cells(values, batch.first)
            for column, values in zip(self._columns, batch.columns, strict=True)
        ]
        self._is_uneven = 4 * sum(column.uneven for column in self._columns) >= len(columns)
        if self._alone:
            columns = [[cell or b'""' for cell in columns[0]]]
        lines = map(self._delimiter.join, zip(*columns, strict=True))
        return self._line_end.join([*lines, b""])

    def pieces(self, at: int, cells: Sequence[object], first: int) -> Sequence[bytes]:
        """Return some cells of a column with what is before each in its row."""
        if self._names:
            tokens = self._columns[0].cells(cells, first, self._names[at : at + 1])
        else:
            tokens = self._columns[at].cells(cells, first)
        if at:
            return [self._delimiter + token for token in tokens]
        return [token or b'""' for token in tokens] if self._alone else tokens

    def _wide_lines(self, batch: Batch) -> bytes:
        columns = batch.columns
        rows = columns.rows if isinstance(columns, RowColumns) else zip(*columns, strict=True)
        cells = list(chain.from_iterable(rows))
        tokens = self._columns[0].cells(cells, batch.first, self._names)
        width = len(self._names)
        lines = [tokens[at : at + width] for at in range(0, len(tokens), width)]
        return self._line_end.join([*map(self._delimiter.join, lines), b""])


class _CsvColumn:
    """Writes a column: formats it, rewrites it by the kind of its cells, and fills empty cells.

    Attributes:
        uneven: How much was lost because the last cells were of several types, or empty; less than
            0 if they were floats, with which nothing is faster.
    """

    def __init__(
        self, formatter: ColumnFormatter, rewrites: Mapping[Kind, Rewrite], null: bytes
    ) -> None:
        self._formatter = formatter
        self._rewrites = rewrites
        self._null = null
        self.uneven = 0

    def cells(
        self, values: Sequence[object], first: int, names: Sequence[str] = ()
    ) -> Sequence[bytes]:
        """Return the cells, ready to go between delimiters.

        Args:
            values: The cells of some rows.
            first: Number of the first row, for messages.
            names: What messages call the columns, if the cells are those of whole rows.
        """
        if names:
            formatted = self._formatter.format_rows(values, first, names)
        else:
            formatted = self._formatter.format(values, first)
        if formatted.kinds is not None:
            self.uneven = 2
        elif formatted.sparse:
            self.uneven = 1
        else:
            self.uneven = -bool(formatted.numbers and type(formatted.numbers[0]) is float)
        tokens, rewrites = formatted.tokens, self._rewrites
        if formatted.kinds is not None and rewrites:
            tokens = [
                rewrites[k]([t])[0] if k in rewrites else t
                for k, t in zip(formatted.kinds, tokens, strict=True)
            ]
        elif formatted.kind is not None and formatted.kind in rewrites:
            rewrite = rewrites[formatted.kind]
            if formatted.sparse:  # only what is not None is rewritten
                following = iter(rewrite([t for t in tokens if t is not None])).__next__
                tokens = [None if t is None else following() for t in tokens]
            else:
                tokens = rewrite(tokens)
        if formatted.sparse:
            tokens = [self._null if t is None else t for t in tokens]
        return tokens


def _plain_lines(
    options: Csv, columns: Sequence[Column], context: Context, null: bytes, *, guards: bool
) -> PlainLines | None:
    """Return what writes rows in which nothing needs care; None if all cells may need it."""
    delimiter = options.delimiter.encode()
    if (
        len(columns) < 2  # where an empty cell is quoted
        or options.quoting != "minimal"
        or options.decimal != "."
        or options.localized
        or context.limits.cell_characters is not None
        or any(column.kind is not None for column in columns)
        or not PlainLines.can_write(delimiter, null)
    ):
        return None
    guard = guard_of(options.delimiter) if guards else None
    if context.values.formula_text == "off":
        guard = None
    return PlainLines(delimiter, options.line_end.encode(), null, guard)


def _stated(
    options: Csv, kinds: tuple[ColumnKind | None, ...]
) -> tuple[KernelRow, tuple[KernelColumn, ...]]:
    """Return what the kernel is told of a row, and of columns of these kinds."""
    quoted, null, alone = _quoted_kinds(options), _null(options), len(kinds) == 1
    if alone:  # readers skip a blank line
        null = null or b'""'

    def markup(before: bytes) -> Markup:
        plain, in_quotes = (before, b""), (before + b'"', b'"')
        around = {kind: in_quotes if kind in quoted else plain for kind in KINDS}
        return markup_of(before + null, around)

    row = KernelRow(b"", options.line_end.encode(), decimal=options.decimal, asks_empty=alone)
    first, later = markup(b""), markup(options.delimiter.encode())
    return row, tuple(kernel_column(kind, later if at else first) for at, kind in enumerate(kinds))


# A small document is written in less time than this takes.
_kept_statement = lru_cache(_MOST_KEPT)(_stated)


def _null(options: Csv) -> bytes:
    """Return the text of an empty cell."""
    null = options.null.encode("utf-8", "replace")
    return b'"' + null + b'"' if options.quoting == "all" else null


def _is_plain(column: Column) -> bool:
    """Return whether a column is written like any other."""
    return column.kind is None and column.format is None and column.total is None


# How each kind of cells is rewritten --------------------------------------------------------


def _rewrites(
    options: Csv, locale: LocaleFormatter | None, column: Column
) -> Mapping[Kind, Rewrite]:
    """Return how to rewrite each kind of cells of a column; others stay as they are."""
    rewrites: dict[Kind, Rewrite] = {}
    quoted = _quoted_kinds(options)
    if locale is not None:
        grouped = column.format is not None and _GROUPS.search(column.format) is not None
        rewrites |= locale.rewrites(grouped=grouped)
        if grouped and Kind.NUMBER not in quoted:  # the group separator may be the delimiter
            quote = partial(_quote_where, options.delimiter.encode())
            rewrites[Kind.NUMBER] = _chain(rewrites[Kind.NUMBER], quote)
    elif options.decimal == ",":
        rewrites[Kind.NUMBER] = with_comma
    for kind in quoted:
        rewrites[kind] = _chain(rewrites[kind], _quote) if kind in rewrites else _quote
    return rewrites


def _quoted_kinds(options: Csv) -> set[Kind]:
    """Return the kinds of cells that are always in quotes."""
    quoted = set() if options.quoting == "minimal" else set(Kind) - {Kind.EMPTY}
    if options.quoting == "text":
        quoted.discard(Kind.NUMBER)
    return quoted


def _chain(first: Rewrite, second: Rewrite) -> Rewrite:
    return lambda tokens: second(first(tokens))


def _quote(tokens: list[bytes]) -> list[bytes]:
    return (b'"' + SEPARATOR.join(tokens).replace(SEPARATOR, b'"\x1f"') + b'"').split(SEPARATOR)


def _quote_where(delimiter: bytes, tokens: list[bytes]) -> list[bytes]:
    """Quote the tokens that contain the delimiter."""
    return [b'"' + token + b'"' if delimiter in token else token for token in tokens]
