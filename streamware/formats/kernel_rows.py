"""KernelRows: has the compiled kernel write the rows of a format.

The kernel writes cells of ordinary types by plain rules, and counts what it changed.  Python is
asked for every other cell: what is refused or of another type is decided in one place.  A column in
which many cells had to be asked for is from then on written by Python as a whole, and the kernel
puts it between the others.

If a cell cannot be written, or changes more than its own place, the batch is written without the
kernel, after the counters were put back.  So errors are the same, and come in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

from streamware.errors import StreamwareError
from streamware.formats.protocol import Context
from streamware.kernel import native
from streamware.model.columns import Batch, ColumnKind, RowColumns, StoredColumns
from streamware.values import Values
from streamware.values.cell_formatter import CONTROLS, DIGITS, UTF16_CELL, TextRules
from streamware.values.formula_text import guard_of
from streamware.values.kinds import Kind

Around = tuple[bytes, bytes] | tuple[bytes, bytes, bytes]
"""What stands before and after the text of a cell.

The third, if any, is between the text and its repetition, in which a date-time has a blank for `T`.
"""
Markup = tuple[Around | None, ...]
"""What stands around the text of cells, by their kind; None where Python writes them."""
Pieces = Callable[[int, Sequence[object], int, int], Sequence[bytes]]
"""Returns all that rows have for some cells of a column.

Its arguments are the position of the column, the cells, and the number of the row of the first: in
its sheet, for messages, and in the document.  It raises `EntangledError` for a cell that changes
more than its own place.
"""

KINDS = (
    Kind.TEXT,
    Kind.NUMBER,
    Kind.BOOL,
    Kind.DATE,
    Kind.DATETIME,
    Kind.ZONED,
    Kind.TIME,
    Kind.DURATION,
)
"""The kinds of cells that the kernel writes, besides empty ones."""

_LONGEST = 16_000  # characters of a text that the kernel writes; it reserves six bytes for each
_MOST_SKIPPED = 64  # batches
_MOST_RULES = 64  # that are kept for further documents
_FEWEST_ASKED = 8  # cells of a column in a batch, of which a fourth were asked for, or more
_UNIX_EPOCH = date(1970, 1, 1)

# What the kernel calls the types of values, and what becomes of a character of text (kernel/*.hpp).
_STR, _INT, _FLOAT, _BOOL, _DATE, _NAIVE, _UTC, _DECIMAL, _TIME, _DELTA = (
    1 << n for n in range(10)
)
_ALL_TYPES = (1 << 10) - 1
_FORBIDDEN, _RETURN, _BLANK, _QUOTED, _UNDERSCORE, _ASKED = range(249, 255)
_LOOKED_AT = {ord(" "): _BLANK, ord("_"): _UNDERSCORE}
# What it counts itself, in its order.
_COUNTED = ("formula_text", "forbidden", "newline", "non_finite", "big_int", "early_date")

# The types that a column has whose kind the caller gave; others are read as that kind.
_TYPES_OF_KIND = {
    None: _ALL_TYPES,
    "text": _STR,
    "number": _INT | _FLOAT | _DECIMAL,
    "bool": _BOOL,
    "date": _DATE,
    "datetime": _NAIVE | _UTC,
    "time": _TIME,
    "duration": _DELTA,
}

# The types of cells, by their kind in the order of `KINDS`.
_TYPES = (_STR, _INT | _FLOAT | _DECIMAL, _BOOL, _DATE, _NAIVE, _UTC, _TIME, _DELTA)


class EntangledError(StreamwareError):
    """A cell changes more than its own place, so that its batch is written without the kernel."""


class KernelColumn(NamedTuple):
    """What the kernel knows of a column; made by `kernel_column`.

    Attributes:
        reference: What stands before the number of the row, which is before `markup`; None if cells
            have no number.
        types: The types of the cells that it writes.
        markup: What stands around the text of cells, by their kind; see `markup_of`.
    """

    reference: bytes | None
    types: int
    markup: Markup


class KernelRow(NamedTuple):
    """The markup of a row.

    Attributes:
        start: What a row starts with.
        end: What ends a row.
        number: What follows the number of the row, which follows `start`; None if rows have none.
        decimal: The decimal sign.
        asks_empty: Whether Python writes an empty text.
        words: What False and True are, if they are not as in `TextRules`.
    """

    start: bytes
    end: bytes
    number: bytes | None = None
    decimal: str = "."
    asks_empty: bool = False
    words: tuple[bytes, bytes] | None = None


def markup_of(empty: bytes, around: Mapping[Kind, Around], spaced: Around | None = None) -> Markup:
    """Return the markup of a column.

    Args:
        empty: An empty cell.
        around: What stands around the text of the other cells, by their kind; Python writes the
            cells of kinds that it lacks.
        spaced: The same for a text with blanks at its edges, if that differs.
    """
    text, *others = map(around.get, KINDS)
    return (empty, b""), text, spaced or text, *others


def kernel_column(
    kind: ColumnKind | None, markup: Markup, reference: bytes | None = None
) -> KernelColumn:
    """Return what the kernel is told of a column.

    Args:
        kind: The kind that the caller gave it.
        markup: What stands around the text of cells, by their kind; see `markup_of`.
        reference: As in `KernelColumn`.
    """
    types = _TYPES_OF_KIND[kind]
    if None in markup:
        _, text, _, *others = markup  # without the empty and the spaced ones
        for around, known in zip((text, *others), _TYPES, strict=True):
            if around is None:
                types &= ~known
    return KernelColumn(reference, types, markup)


def kernel_rows(
    row: KernelRow,
    columns: Iterable[KernelColumn],
    *,
    text_rules: TextRules,
    context: Context,
    spliced: Iterable[int] = (),
) -> KernelRows | None:
    """Return what writes the rows of a table by the kernel; None without one.

    Args:
        row: The markup of rows.
        columns: That of the columns; not iterated without a kernel.
        text_rules: How the format wants values written.
        context: The context of the encoder.
        spliced: The positions of the columns that Python writes as a whole.
    """
    if native is None:
        return None
    return KernelRows(row, tuple(columns), text_rules=text_rules, context=context, spliced=spliced)


class KernelRows:
    """Writes the rows of one table; see `kernel_rows`."""

    def __init__(
        self,
        row: KernelRow,
        columns: Sequence[KernelColumn],
        *,
        text_rules: TextRules,
        context: Context,
        spliced: Iterable[int],
    ) -> None:
        values = context.values
        longest = min(_LONGEST, context.limits.cell_characters or _LONGEST)
        types = _types(values)
        if types != _ALL_TYPES:
            columns = [each._replace(types=types & each.types) for each in columns]
        try:
            rules = _known_rules(text_rules, values, longest, row)
        except TypeError:  # the zones of dateutil cannot be hashed
            rules = _rules(text_rules, values, longest, row)
        self._plan: Any = native.Plan(  # type: ignore[union-attr]  # `kernel_rows` has looked
            row=(row.start, row.number, row.end),
            columns=columns,
            rules=rules,
        )
        self._width = len(columns)  # the number of columns
        # Counts the values that are not written as they came.
        self._converted = context.receipt.converted
        self._asked: dict[int, int] = {}  # number of cells in this batch, by column
        self._spliced = set(spliced)  # the columns that Python writes as a whole
        self._skipped = 0  # batches that were not tried after the last one that failed
        self._rest = 0  # batches that are still not to be tried

    def write(self, batch: Batch, first: int, pieces: Pieces) -> bytes | None:
        """Return the rows of a batch; None if they have to be written without the kernel.

        Args:
            batch: The batch.
            first: The number of its first row in the document, where rows are numbered.
            pieces: Writes cells in Python.
        """
        if self._rest:
            self._rest -= 1
            return None
        before = dict(self._converted)
        self._asked.clear()
        try:
            written = self._written(batch, first, pieces)
        # Of a cell; or a row has changed while it was read.
        except (StreamwareError, IndexError, ValueError, BufferError, OverflowError):
            self._converted.clear()
            self._converted.update(before)
            self._skipped = self._rest = min(4 * self._skipped + 1, _MOST_SKIPPED)
            return None
        self._skipped = 0
        for at, count in self._asked.items():
            if count >= _FEWEST_ASKED and 4 * count >= batch.count:
                self._spliced.add(at)
        return written

    def _written(self, batch: Batch, first: int, pieces: Pieces) -> bytes:
        columns, plan = batch.columns, self._plan
        spliced: list[Sequence[bytes] | None] | None = None
        if self._spliced:
            spliced = [None] * self._width
            for at in self._spliced:
                spliced[at] = pieces(at, _column(columns, at), batch.first, first)
        ask = partial(self._ask, pieces, (batch.first, first))
        rest = spliced, first, batch.count, ask
        written: bytes
        counts: tuple[int, ...] | None
        if isinstance(columns, StoredColumns):
            written, counts = plan.write_arrow(columns.stored, *rest)
        elif isinstance(columns, RowColumns):
            written, counts = plan.write(columns.rows, True, *rest)
        else:
            written, counts = plan.write(_in_lists(columns), False, *rest)
        if counts is not None:
            self._converted.update({name: n for name, n in zip(_COUNTED, counts, strict=True) if n})
        return written

    def _ask(
        self, pieces: Pieces, numbers: tuple[int, int], at: int, row: int, value: object
    ) -> bytes:
        self._asked[at] = self._asked.get(at, 0) + 1
        first, number = numbers  # of the first row of the batch, as in `Pieces`
        (piece,) = pieces(at, [value], first + row, number + row)
        return piece


def _column(columns: Sequence[Sequence[object]], at: int) -> Sequence[object]:
    """Return a column; of rows without making the others."""
    if isinstance(columns, RowColumns):
        return list(map(itemgetter(at), columns.rows))
    return columns[at]


def _in_lists(columns: Iterable[Sequence[object]]) -> list[Any]:
    return [cells if type(cells) in (list, tuple) else list(cells) for cells in columns]


# What the kernel is told ----------------------------------------------------------------------


def _rules(
    text_rules: TextRules,
    values: Values,
    longest: int,
    row: KernelRow,
) -> Any:
    """Return what the kernel knows of text and values, which many documents share."""
    return native.Rules(  # type: ignore[union-attr]  # `kernel_rows` has looked
        text=_text(text_rules, values, longest, asks_empty=row.asks_empty),
        values=_values(text_rules, values, row),
    )


_known_rules = lru_cache(_MOST_RULES)(_rules)


def _types(values: Values) -> int:
    """Return the types that are written as they are, unless the column has a kind."""
    types = _ALL_TYPES
    if values.decimal == "text":
        types &= ~_DECIMAL
    if values.aware == "text" or values.timezone != UTC:
        types &= ~_UTC
    return types


def _values(
    text_rules: TextRules, values: Values, row: KernelRow
) -> tuple[bytes, bytes, tuple[int, int, int, bool] | None, int, int, str, bool, bool]:
    no, yes = row.words or (text_rules.false, text_rules.true)
    days = None
    if text_rules.spreadsheet:
        epoch = text_rules.epoch.date()
        beyond = (date.max - epoch).days + 1
        days = ((epoch - _UNIX_EPOCH).days, text_rules.first_serial, beyond, text_rules.serials)
    largest = text_rules.largest(values)
    digits = 0 if largest is None else DIGITS
    big_as_text, empty = values.big_int != "number", values.non_finite == "empty"
    return yes, no, days, largest or 0, digits, row.decimal, big_as_text, empty


def _text(
    text_rules: TextRules, values: Values, longest: int, *, asks_empty: bool
) -> tuple[bytes, tuple[bytes, ...], tuple[str, bytes, bool] | None, int, bool, bool]:
    escape, spreadsheet = text_rules.escape, text_rules.spreadsheet
    actions = bytearray(128)
    for byte in CONTROLS:
        actions[byte] = _FORBIDDEN if values.forbidden == "replace" else _ASKED
    if spreadsheet:
        actions[ord("\r")] = _RETURN
    replacements = [b""]  # no action has the number 0
    for old, new in escape.replacements:
        actions[old[0]] = len(replacements)
        replacements.append(new)
    for byte in escape.quoted:
        actions[byte] = _QUOTED
    for byte in escape.looked_at:
        actions[byte] = _LOOKED_AT.get(byte, _ASKED)
    guards = text_rules.formulas and values.formula_text != "off"
    guarded = None
    if guards:
        meanings = guard_of(text_rules.delimiter).meanings
        marks = values.formula_text == "guard"
        guarded = "".join(meanings), bytes(meanings.values()), marks
    most = min(longest, UTF16_CELL // 2) if spreadsheet else longest
    return bytes(actions), tuple(replacements), guarded, most, spreadsheet, asks_empty
