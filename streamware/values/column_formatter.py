"""ColumnFormatter: writes a column as text, batch after batch.

A column of a batch is formatted in one of two ways with the same result.  Cells of one exact type
(and None) are joined, searched and split by a few C calls; any other column is formatted cell by
cell.  Texts are joined to one blob of UTF-8, separated by U+001F, which no text may contain (it is
not an XML character).  One `bytes.translate` over the blob then shows whether any cell needs care.

Every value that is not written as it came is counted in `Receipt.converted`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import compress, repeat
from operator import attrgetter, is_, itemgetter, not_
from typing import Any, ClassVar

from streamware.errors import StreamwareError
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.model.formula import any_problem
from streamware.values import Formula, Values
from streamware.values.care import OFFSETS, careful, zone_name
from streamware.values.cell_formatter import (
    CONTROLS,
    DIGITS,
    LEAD_OF_FFFE,
    SEPARATOR,
    UTF16_CELL,
    CellFormatter,
    TextRules,
    plain_formulas,
    unix_lines,
)
from streamware.values.dates import (
    Serials,
    datetime_serials,
    iso_tokens,
    shown_iso_tokens,
)
from streamware.values.formula_text import SIGN_BYTES, STARTS, FormulaGuard
from streamware.values.kinds import Kind, KindReader
from streamware.values.numbers import float_tokens, int_tokens, plain_floats

_FFFE, _FFFF = b"\xef\xbf\xbe", b"\xef\xbf\xbf"
_CONTROLS_ONLY = bytes(set(range(256)) - set(CONTROLS))
_NO_SIGNS = bytes(set(range(256)) - set(SIGN_BYTES))
_FIRST_CHARACTER = itemgetter(slice(1))
_ZONE = attrgetter("tzinfo")
_FORMULA, _CACHED, _IS_ARRAY = map(attrgetter, ("text", "cached", "array"))
_CACHEABLE = frozenset({str, int, float, bool, None.__class__})
_FEWEST = 8  # cells from which grouping them by their types pays


@dataclass(slots=True)
class FormattedColumn:
    """The cells of a column as text.

    Attributes:
        kind: The kind of all cells that are not empty; None if they differ, see `kinds`.
        tokens: The text of each cell; None if the cell is empty.
        sparse: Whether any token is None.
        kinds: The kind of each cell, if they differ.
        styled: The cells that came as a `Cell` with more than a value, by position from 0.
        numbers: The values of the cells that are not empty, if all are plain ints or floats.
    """

    kind: Kind | None
    tokens: list[Any]  # of bytes, and of None where sparse: a union would cost a check a cell
    sparse: bool = False
    kinds: list[Kind] | None = None
    styled: dict[int, Cell] | None = None
    numbers: Sequence[float] | None = None


class _Careful:
    """Stands for the type of a cell that needs care."""


_ISO = frozenset({"date", "datetime", "time", "duration"})  # kinds that texts have in ISO 8601


class ColumnFormatter:
    """Writes the cells of one column, batch after batch, always by the same rules.

    Args:
        column: The column.
        name: Its title, or its number, for messages.
        values: The caller's choices.
        text_rules: How the format wants values written.
        converted: Counts the values that are not written as they came.
        cell_characters: The most characters a text may have; None without a limit.
        sheet: Name of the sheet, for messages; None if it has none.
    """

    def __init__(
        self,
        column: Column,
        name: str,
        *,
        values: Values,
        text_rules: TextRules,
        converted: Counter[str],
        cell_characters: int | None,
        sheet: str | None,
    ) -> None:
        # Reads cells as the kind that the caller gave, if there is one.
        self._reader = None if column.kind is None else KindReader(column.kind, values, converted)
        self._names: Sequence[str] = ()  # of the columns, while cells come row by row
        self._values = values  # the caller's choices
        self._text_rules = text_rules  # how the format wants values written
        self._converted = converted  # counts values that are not written as they came
        self._cell_characters = cell_characters  # the most in a text
        # Formats cells one by one; it keeps the number of the current row, too.
        self._single = CellFormatter(
            name,
            values=values,
            text_rules=text_rules,
            converted=converted,
            cell_characters=cell_characters,
            sheet=sheet,
            summed=column.total in ("sum", "average"),
        )
        # The bytes that need no care: those that the guard looks at, and the others.
        self._guarded, self._plain = _guarded(self._single.plain, self._single.guard)
        self._serials = Serials(text_rules.epoch)  # of the dates that have occurred

    def format(self, cells: Sequence[object], first: int) -> FormattedColumn:
        """Return the text of `cells`, the first of which is in row `first`.

        Raises:
            CellError: The format, or the kind of the column, cannot hold a value.
            LimitError: A text is too long.
        """
        self._single.row = first
        if self._reader is not None:
            cells = self._as_kind(cells, self._reader)
        tokens = plain_floats(cells)
        if tokens is not None:
            return FormattedColumn(Kind.NUMBER, tokens, numbers=cells)  # type: ignore[arg-type]  # floats
        listed = list(map(type, cells))
        # Counting the first type is faster than making a set.
        uniform = listed and listed.count(listed[0]) == len(listed)
        types = {listed[0]} if uniform else set(listed)
        if Cell in types:
            return self._unstyled(cells, first)
        sparse = None.__class__ in types
        if sparse:
            types.discard(None.__class__)
            if not types:
                return FormattedColumn(Kind.EMPTY, [None] * len(cells), sparse=True)
        if len(types) == 1:
            formatted = self._one_type(cells, *types, sparse=sparse)
            if formatted is not None:
                return formatted
        if len(cells) >= _FEWEST:
            return self._by_type(cells, listed, sorted(types, key=listed.index))
        return self._one_by_one(cells)

    def format_rows(
        self, cells: Sequence[object], first: int, names: Sequence[str]
    ) -> FormattedColumn:
        """Return the text of the cells of some rows, row by row, whose columns are all like this.

        Rows of thousands of cells are written so: a column of one or two cells costs as much as
        one of a hundred.

        Args:
            cells: The cells.
            first: Number of the first row.
            names: The titles or numbers of the columns, for messages.
        """
        self._names = names
        try:
            return self.format(cells, first)
        finally:
            self._names = ()

    def _go_to(self, at: int, first: int) -> None:
        """Have the messages name the cell at a place from 0, if row `first` has the first one."""
        if self._names:
            row, column = divmod(at, len(self._names))
            self._single.row, self._single.name = first + row, self._names[column]
        else:
            self._single.row = first + at

    # A column of several types, or with cells that need care

    def _by_type(
        self, cells: Sequence[Any], types: list[type], different: Sequence[type]
    ) -> FormattedColumn:
        """Format the cells of each type together, and those that need care one by one.

        Args:
            cells: The cells.
            types: Their types; those of cells that need care are replaced.
            different: The types, each once, except that of None.
        """
        kinds = {None.__class__: Kind.EMPTY, _Careful: Kind.EMPTY}
        followings: dict[type, Iterator[Any]] = {each: repeat(None) for each in kinds}
        rest: list[int] = []  # places of cells that need care
        sparse = None.__class__ in types
        for type_ in different:
            places = list(compress(range(len(cells)), map(is_, types, repeat(type_))))
            own = [cells[at] for at in places]
            # A single type has been tried.
            formatted = self._one_type(own, type_, sparse=False) if len(different) > 1 else None
            if formatted is None or formatted.kind is None:
                formatted, its = self._but_careful(own, type_)
                for at in its:
                    types[places[at]] = _Careful
                    rest.append(places[at])
            if formatted is not None and formatted.kind is not None:
                kinds[type_] = formatted.kind
                sparse |= formatted.sparse  # an empty text
                followings[type_] = iter(formatted.tokens)
        tokens = list(map(next, map(followings.__getitem__, types)))
        if rest:
            listed = list(map(kinds.__getitem__, types))
            self._format_singly(cells, sorted(rest), tokens, listed)
            formatted = _formatted(tokens, listed)
            formatted.sparse |= sparse
            return formatted
        if len(only := {kinds[type_] for type_ in different}) == 1:
            return FormattedColumn(only.pop(), tokens, sparse=sparse)
        listed = list(map(kinds.__getitem__, types))
        return FormattedColumn(None, tokens, sparse=sparse, kinds=listed)

    def _but_careful(
        self, cells: Sequence[Any], type_: type
    ) -> tuple[FormattedColumn | None, Sequence[int]]:
        """Format the cells of a type but those that need care; return the places of these, too."""
        found = careful(type_, cells, self._text_rules, self._values, bound=self._cell_characters)
        if found is not None and not all(found):
            others = list(compress(cells, map(not_, found)))
            formatted = self._one_type(others, type_, sparse=False)
            if formatted is not None and formatted.kind is not None:
                return formatted, list(compress(range(len(cells)), found))
        return None, range(len(cells))

    # A column with a Cell in it

    def _unstyled(self, cells: Sequence[object], first: int) -> FormattedColumn:
        """Format the values as usual, and put the cells with a style, url or note beside them."""
        styled = {}
        values = list(cells)
        for at, cell in enumerate(cells):
            if type(cell) is Cell:
                self._go_to(at, first)
                self._single.check(cell)
                values[at] = cell.value
                if cell.style or cell.url or cell.note:
                    styled[at] = cell
        formatted = self.format(values, first)
        formatted.styled = styled or None
        return formatted

    # A column of one type

    def _one_type(
        self, cells: Sequence[Any], type_: type, *, sparse: bool
    ) -> FormattedColumn | None:
        formatter = self._BY_TYPE.get(type_)
        if formatter is None:
            if not issubclass(type_, str) or issubclass(type_, Enum):
                return None
            formatter = ColumnFormatter._subclass_texts
        if not sparse:
            return formatter(self, cells)
        formatted = formatter(self, [cell for cell in cells if cell is not None])
        if formatted is not None:
            following = iter(formatted.tokens).__next__
            formatted.tokens = [None if cell is None else following() for cell in cells]
            formatted.sparse = True
        return formatted

    def _texts(self, cells: Sequence[str], *, exact: bool = True) -> FormattedColumn | None:
        try:
            blob = "\x1f".join(cells).encode()
        except UnicodeEncodeError:
            return None
        kept = blob.translate(None, self._plain)
        bound = self._cell_characters
        if not exact and (len(kept) >= len(cells) or bound is not None or len(blob) > UTF16_CELL):
            # The methods of a subclass may return anything; joining calls none of them.
            cells = list(map(str.__str__, cells))
        if self._has_long(cells, len(blob)):
            return None
        guard = self._single.guard
        if guard is not None and len(kept) >= len(cells):
            # What is not next to each other in the short `kept` is not so in `blob`.
            if kept.translate(None, _NO_SIGNS) and (
                not STARTS.isdisjoint(set(map(_FIRST_CHARACTER, cells)))
                or ((guard.finds(kept) or LEAD_OF_FFFE in kept) and guard.finds(blob))
            ):
                return None
            if b"\x1f\n" in b"\x1f" + kept and b"\x1f\n" in b"\x1f" + blob:
                return None
            kept = kept.translate(None, self._guarded)
        if len(kept) == len(cells) - 1 and kept.count(SEPARATOR) == len(kept):
            return self._text_column(blob.split(SEPARATOR))
        if kept.translate(None, _CONTROLS_ONLY) != SEPARATOR * (len(cells) - 1) or (
            LEAD_OF_FFFE in kept and (_FFFE in blob or _FFFF in blob)
        ):
            return None
        if self._text_rules.spreadsheet and b"\r" in kept:
            self._converted["newline"] += sum(b"\r" in cell for cell in kept.split(SEPARATOR))
            blob, kept = unix_lines(blob), kept.replace(b"\r", b"\n")
        return self._text_column(self._text_rules.escape(blob, kept, self._converted))

    def _has_long(self, cells: Sequence[str], size: int) -> bool:
        """Return whether a text may be too long; all have that many bytes of UTF-8."""
        # A text has at most as many characters, and UTF-16 units, as bytes of UTF-8.
        bound = self._cell_characters
        if bound is not None and size > bound and max(map(len, cells)) > bound:
            return True
        spreadsheet = self._text_rules.spreadsheet and size > UTF16_CELL
        return spreadsheet and max(map(len, cells)) > UTF16_CELL // 2

    def _text_column(self, tokens: list[Any]) -> FormattedColumn:
        """Return a column of texts; in a spreadsheet an empty text is an empty cell."""
        if self._text_rules.spreadsheet and not all(tokens):
            return FormattedColumn(Kind.TEXT, [token or None for token in tokens], sparse=True)
        return FormattedColumn(Kind.TEXT, tokens)

    def _subclass_texts(self, cells: Sequence[str]) -> FormattedColumn | None:
        return self._texts(cells, exact=False)

    def _ints(self, cells: Sequence[int]) -> FormattedColumn | None:
        try:
            tokens = int_tokens(cells)
        except OverflowError:
            return None
        largest = self._single.largest
        if largest is not None and not -largest <= min(cells) <= max(cells) <= largest:
            return None
        return FormattedColumn(Kind.NUMBER, tokens, numbers=cells)

    def _floats(self, cells: Sequence[float]) -> FormattedColumn | None:
        tokens = float_tokens(cells)
        return None if tokens is None else FormattedColumn(Kind.NUMBER, tokens, numbers=cells)

    def _decimals(self, cells: Sequence[Decimal]) -> FormattedColumn | None:
        if self._values.decimal == "text":
            return None
        text = "\x1f".join(map(str, cells)).encode()
        if text.translate(None, b"0123456789.-\x1f"):
            return None
        tokens = text.split(SEPARATOR)
        if self._single.largest is not None and max(map(len, tokens)) > DIGITS:
            return None
        return FormattedColumn(Kind.NUMBER, tokens)

    def _bools(self, cells: Sequence[bool]) -> FormattedColumn:
        words = (self._text_rules.false, self._text_rules.true)
        return FormattedColumn(Kind.BOOL, list(map(words.__getitem__, cells)))

    def _dates(self, cells: Sequence[date]) -> FormattedColumn | None:
        rules = self._text_rules
        if rules.spreadsheet and min(cells) < rules.first_date:
            return None
        tokens = list(map(self._serials.__getitem__, cells)) if rules.serials else iso_tokens(cells)
        return FormattedColumn(Kind.DATE, tokens)

    def _datetimes(self, cells: Sequence[datetime]) -> FormattedColumn | None:
        zones = list(map(_ZONE, cells))  # not a set: the zones of dateutil cannot be hashed
        naive = zones.count(None)
        if naive == len(zones):
            return self._naive(cells, Kind.DATETIME)
        kinds = set(map(zone_name, set(map(type, zones))))
        if naive or self._values.aware == "text" or not kinds <= OFFSETS:
            return None
        zone = self._values.timezone
        elsewhere = len(zones) - zones.count(zone)
        if elsewhere:
            try:
                cells = [cell.astimezone(zone) for cell in cells]
            except OverflowError:
                return None
        if not self._text_rules.spreadsheet:
            tokens = iso_tokens(cells) if zone is UTC else [c.isoformat().encode() for c in cells]
            formatted: FormattedColumn | None = FormattedColumn(Kind.ZONED, tokens)
        else:
            formatted = self._naive([cell.replace(tzinfo=None) for cell in cells], Kind.ZONED)
        if formatted is not None and elsewhere:
            self._converted["timezone"] += elsewhere
        return formatted

    def _naive(self, cells: Sequence[datetime], kind: Kind) -> FormattedColumn | None:
        rules = self._text_rules
        if not rules.spreadsheet:
            return FormattedColumn(kind, iso_tokens(cells))
        tokens: list[bytes] | None = None
        lost = 0
        if rules.serials:
            serials, lost = datetime_serials(cells, rules.epoch)
            if min(serials) >= rules.first_serial:
                tokens = float_tokens(serials)
        elif min(cells).date() >= rules.first_date:
            tokens, lost = shown_iso_tokens(cells)
        if tokens is None:
            return None
        if lost:
            self._converted["end_of_day"] += lost
        return FormattedColumn(kind, tokens)

    def _uuids(self, cells: Sequence[uuid.UUID]) -> FormattedColumn | None:
        formatted = self._texts(list(map(str, cells)))
        if formatted is not None:
            self._converted["text_of_object"] += len(cells)
        return formatted

    def _formulas(self, cells: Sequence[Formula]) -> FormattedColumn | None:
        texts, values = list(map(_FORMULA, cells)), list(map(_CACHED, cells))
        types = set(map(type, values))
        if (
            not self._text_rules.spreadsheet
            or set(map(type, texts)) != {str}
            or len(types) != 1
            or not types <= _CACHEABLE
            or "" in values  # a formula can have an empty text, but a cell cannot
            or any(map(_IS_ARRAY, cells))
        ):
            return None
        blob = plain_formulas(texts, self._cell_characters)
        if blob is None or (self._text_rules.serials and any_problem(blob)):
            return None
        cached: FormattedColumn | None = FormattedColumn(Kind.EMPTY, [b""] * len(cells))
        if values[0] is not None:
            cached = self._one_type(values, types.pop(), sparse=False)
        if cached is None or cached.kind is None:
            return None
        between = SEPARATOR + cached.kind.value.encode() + SEPARATOR
        pairs = zip(blob.split(SEPARATOR), cached.tokens, strict=True)
        return FormattedColumn(Kind.FORMULA, [text + between + value for text, value in pairs])

    # Cell by cell

    def _one_by_one(self, cells: Sequence[object]) -> FormattedColumn:
        tokens: list[Any] = [None] * len(cells)
        kinds = [Kind.EMPTY] * len(cells)
        self._format_singly(cells, range(len(cells)), tokens, kinds)
        return _formatted(tokens, kinds)

    def _format_singly(
        self, cells: Sequence[object], places: Sequence[int], tokens: list[Any], kinds: list[Kind]
    ) -> None:
        """Format the cells at some places; set their tokens and kinds."""
        at, problem = 0, None
        first, single = self._single.row, self._single
        try:
            for at in places:
                self._go_to(at, first)
                kinds[at], token = single.cell(cells[at])
                if kinds[at] is not Kind.EMPTY:
                    tokens[at] = token
        except (StreamwareError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - of the value's own methods
            problem = type(error).__name__
        if problem is not None:  # not in the handler: the error may contain the value
            raise self._single.error(cells[at], f"cannot be written: it raised {problem}")
        single.row = first

    # A column whose kind the caller gave

    def _as_kind(self, cells: Sequence[object], reader: KindReader) -> Sequence[object]:
        native, read = reader.native, reader.read
        types = set(map(type, cells))
        if types <= native or Cell in types:  # `_unstyled` calls `format` with the values of Cells
            return cells
        with suppress(Exception):  # the loop below finds out which cell failed
            return [cell if type(cell) in native else read(cell) for cell in cells]
        first = self._single.row
        for self._single.row, cell in enumerate(cells, first):
            failed = False
            try:
                read(cell)
            except Exception:  # noqa: BLE001 - of the caller's value
                failed = True
            # Raised outside of the handler, because the caught error, which would be the context,
            # contains the value.
            if failed:
                break
        expected = "; a text must be in ISO 8601" if reader.kind in _ISO else ""
        remedy = f"cannot be read as {reader.kind}{expected}, or pass convert= for its column"
        raise self._single.error(cell, remedy)

    # Functions, not bound methods: those would be stored once for every column.
    _BY_TYPE: ClassVar[dict[type, Callable[[ColumnFormatter, Any], FormattedColumn | None]]] = {
        str: _texts,
        int: _ints,
        float: _floats,
        Decimal: _decimals,
        bool: _bools,
        date: _dates,
        datetime: _datetimes,
        uuid.UUID: _uuids,
        Formula: _formulas,
    }


def _formatted(tokens: list[Any], kinds: list[Kind]) -> FormattedColumn:
    """Return a column whose cells are of these kinds."""
    only = set(kinds) - {Kind.EMPTY}
    sparse = Kind.EMPTY in kinds
    if len(only) == 1:
        return FormattedColumn(only.pop(), tokens, sparse=sparse)
    if not only:
        return FormattedColumn(Kind.EMPTY, tokens, sparse=True)
    return FormattedColumn(None, tokens, sparse=sparse, kinds=kinds)


@cache
def _guarded(plain: bytes, guard: FormulaGuard | None) -> tuple[bytes, bytes]:
    """Split the bytes that need no care into those that the guard looks at, and the others."""
    looked_at = set() if guard is None else {*SIGN_BYTES, *guard.ends} & set(plain)
    return bytes(looked_at), bytes(set(plain) - looked_at)
