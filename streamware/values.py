"""Values: one policy for every format; which kind a cell is, and its text, a column at a time.

A column of a batch is spelled in one of two ways with the same result.  Cells of one exact type
(and None) are joined, looked at and split by a handful of C calls; anything else goes cell by
cell.  Texts travel as one blob of UTF-8 whose cells are parted by U+001F, which no text may
contain (it is not an XML character), so that one `bytes.translate` over the blob tells whether
any cell at all needs care.

Whatever is written otherwise than it came is counted in `Receipt.converted`.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import re
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from itertools import repeat
from numbers import Integral, Real
from operator import attrgetter, itemgetter, truediv
from pathlib import PurePath
from typing import Any, Literal, Protocol, get_args, get_type_hints

from streamware.columns import Column
from streamware.errors import CellError, LimitError

orjson: Any
try:
    import orjson
except ImportError:  # no wheel for this platform: slower, with the same result
    orjson = None

SEPARATOR = b"\x1f"

# XML 1.0 §2.2 Char: of the controls only TAB, LF and CR; U+FFFE and U+FFFF neither.
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))
_LEAD_OF_FFFE = b"\xef"
_FFFE, _FFFF = b"\xef\xbf\xbe", b"\xef\xbf\xbf"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA_STARTS = frozenset("=@\t\r+-")
# What starts with a sign and still is no formula: a number, a phone number.
_NUMBER_OR_PHONE = re.compile(
    r"[+-][.,]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?%?\Z|\+[0-9(][0-9 ().-]*\Z"
)

# ECMA-376 Part 1 §18.17.4.1: serials count days; before 1900-03-01 Excel's differ from every
# other program's, because it believes that 1900 was a leap year.
_EPOCH = datetime(1899, 12, 30)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_FIRST_SERIAL = 61
_DAY = timedelta(days=1)
_LONGEST = timedelta(days=2_958_466)  # 9999-12-31 is the last serial
_DIGITS = (
    15  # significant decimal digits that a spreadsheet shows and keeps (Microsoft's limits page)
)
_DATE_CACHE = 4096
_LARGEST_DOUBLE = int(sys.float_info.max)

_FORMULA_CELL = 8192  # characters of a spreadsheet's formula (Microsoft's limits page)
UTF16_CELL = 32_767  # UTF-16 units in a spreadsheet's cell (Microsoft's limits page)


class Kind(Enum):
    """What a cell is to a format, once its value has been settled."""

    EMPTY = "empty"
    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    ZONED = "zoned"
    TIME = "time"
    DURATION = "duration"
    FORMULA = "formula"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Formula:
    """A spreadsheet formula.

    Only XLSX writes it as a formula; the other formats write its text.  Nothing else ever
    becomes one.

    Attributes:
        text: The formula, such as `"=A1+B1"`.
        cached: The value to show until it is calculated.

    Source: ECMA-376 Part 1 §18.3.1.40 (f).
    """

    text: str
    cached: str | float | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    r"""What becomes of values that not every format can hold.

    Attributes:
        timezone: Zone that aware date-times are converted to.
        aware: Aware date-times: "convert" to `timezone`, or "text", ISO 8601 as they come.
        formula_text: Text that a spreadsheet would take for a formula when it opens a CSV:
            "guard" with a leading apostrophe, "off", or "error".  Looked at only by formats
            in which text can become a formula, and by no CSV that says `guard=False`,
            unless it is "error".
        big_int: Integers beyond ±10^15 in a spreadsheet: "text", so that no digit is lost, or
            "number".
        decimal: Decimals: "number" (rounded, and counted, where a spreadsheet's double cannot
            hold them) or "text".
        non_finite: NaN and infinities: "empty", "text" or "error".
        nested: Lists, tuples and dicts: compact "json", or "error".
        forbidden: Characters that XML forbids, and lone surrogates: "replace" by U+FFFD,
            "drop", "error", or "escape" (as `_xHHHH_` in XLSX, `\uHHHH` in JSON; elsewhere
            replaced).
        long_text: Text over 32,767 UTF-16 units in a spreadsheet: "cut", ending in …, or "error".
        other: A value of any type not known here: "error", or "str".
        extra: A key that the first row did not have, where no columns are given: "error" or
            "ignore".
    """

    timezone: tzinfo = UTC
    aware: Literal["convert", "text"] = "convert"
    formula_text: Literal["guard", "off", "error"] = "guard"
    big_int: Literal["text", "number"] = "text"
    decimal: Literal["number", "text"] = "number"
    non_finite: Literal["empty", "text", "error"] = "empty"
    nested: Literal["json", "error"] = "json"
    forbidden: Literal["replace", "drop", "error", "escape"] = "replace"
    long_text: Literal["cut", "error"] = "cut"
    other: Literal["error", "str"] = "error"
    extra: Literal["error", "ignore"] = "error"

    def __post_init__(self) -> None:
        if not isinstance(self.timezone, tzinfo):
            raise TypeError(
                f"Values(timezone=…) is a tzinfo, such as zoneinfo.ZoneInfo('Europe/Berlin'),"
                f" not {type(self.timezone).__name__}"
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"Values({name}={getattr(self, name)!r}): choose one of {', '.join(choices)}"
                )


_CHOICES: Mapping[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Values).items() if get_args(hint)
}


class Escape(Protocol):
    """How a format writes text among its own markup."""

    care: bytes
    """ASCII bytes that `__call__` must see; a blob without any is split as it is."""

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Split `blob` at U+001F and escape its cells; `kept` is what `care` left of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """What a format asks of values.

    Attributes:
        escape: Its way with text.
        true: Its true.
        false: Its false.
        spreadsheet: Dates as serials, numbers as doubles, text within a cell's limits.
        formulas: Whether text can become a formula in what opens the file.
        json: Nested values stay what they are.
        escaped: Writes a forbidden character when asked to; None where the format has no way.
    """

    escape: Escape
    true: bytes = b"true"
    false: bytes = b"false"
    spreadsheet: bool = False
    formulas: bool = False
    json: bool = False
    escaped: Callable[[str], bytes] | None = None


@dataclass(slots=True)
class Spelled:
    """A column's cells as text.

    Attributes:
        kind: The one kind of all its cells that are not empty; None where `kinds` tells.
        tokens: The text of each cell; None where it is empty.
        sparse: Whether any token is None.
        kinds: The kind of each cell, where they differ.
    """

    kind: Kind | None
    tokens: list[Any]  # of bytes, and of None where sparse: a union would cost a check a cell
    sparse: bool = False
    kinds: list[Kind] | None = None


class Speller:
    """Writes the cells of one column, batch after batch, always by the same rules.

    Args:
        column: The column.
        name: Its title, or number, for messages.
        values: The caller's choices.
        spelling: The format's needs.
        converted: Counted into.
        cell_characters: Bound of a text cell, or None.
    """

    def __init__(
        self,
        column: Column,
        name: str,
        *,
        values: Values,
        spelling: Spelling,
        converted: Counter[str],
        cell_characters: int | None = None,
    ) -> None:
        self._column = column
        self._name = name
        self._values = values
        self._spelling = spelling
        self._converted = converted
        self._cell_characters = cell_characters
        self._row = 0
        kept = _CONTROLS + _LEAD_OF_FFFE + spelling.escape.care
        if spelling.spreadsheet:
            kept += b"\r"
        self._plain = bytes(set(range(256)) - set(kept))
        self._controls_only = bytes(set(range(256)) - set(_CONTROLS))
        self._serials = _Serials()
        self._guards = values.formula_text != "off" and spelling.formulas
        self._columns = self._column_spellers()
        self._cells: dict[type, Callable[[Any], tuple[Kind, bytes]]] = self._cell_spellers()

    def spell(self, cells: Sequence[object], first: int) -> Spelled:
        """The text of `cells`, whose first is in row `first`."""
        self._row = first
        if self._column.kind is not None:
            cells = self._as_kind(cells, self._column.kind)
        tokens = plain_floats(cells)
        if tokens is not None:
            return Spelled(Kind.NUMBER, tokens)
        types = set(map(type, cells))
        sparse = None.__class__ in types
        if sparse:
            types.discard(None.__class__)
            if not types:
                return Spelled(Kind.EMPTY, [None] * len(cells), sparse=True)
        if len(types) == 1:
            spelled = self._one_type(cells, types.pop(), sparse=sparse)
            if spelled is not None:
                return spelled
        return self._one_by_one(cells)

    # A column of one type -------------------------------------------------------------------

    def _one_type(self, cells: Sequence[Any], type_: type, *, sparse: bool) -> Spelled | None:
        speller = self._columns.get(type_)
        if speller is None:
            return None
        if not sparse:
            return speller(cells)
        spelled = speller([cell for cell in cells if cell is not None])
        if spelled is not None:
            following = iter(spelled.tokens).__next__
            spelled.tokens = [None if cell is None else following() for cell in cells]
            spelled.sparse = True
        return spelled

    def _column_spellers(self) -> dict[type, Callable[[Any], Spelled | None]]:
        spreadsheet = self._spelling.spreadsheet
        return {
            str: self._texts,
            int: self._ints,
            float: self._floats,
            Decimal: self._decimals,
            bool: self._bools,
            date: self._serial_dates if spreadsheet else self._iso_dates,
            datetime: self._datetimes,
            uuid.UUID: self._uuids,
        }

    def _texts(self, cells: Sequence[str]) -> Spelled | None:
        try:
            blob = "\x1f".join(cells).encode()
        except UnicodeEncodeError:
            return None
        if self._guards and not _FORMULA_STARTS.isdisjoint(set(map(_FIRST_CHARACTER, cells))):
            return None
        if self._too_long(cells, len(blob)):
            return None
        kept = blob.translate(None, self._plain)
        if len(kept) == len(cells) - 1 and kept.count(SEPARATOR) == len(kept):
            return Spelled(Kind.TEXT, blob.split(SEPARATOR))
        if kept.translate(None, self._controls_only) != SEPARATOR * (len(cells) - 1) or (
            _LEAD_OF_FFFE in kept and (_FFFE in blob or _FFFF in blob)
        ):
            return None
        if self._spelling.spreadsheet and b"\r" in kept:
            self._converted["newline"] += sum(b"\r" in cell for cell in kept.split(SEPARATOR))
            blob = _unix_lines(blob)
        return Spelled(Kind.TEXT, self._spelling.escape(blob, kept, self._converted))

    def _too_long(self, cells: Sequence[str], size: int) -> bool:
        # UTF-8 takes at least as many bytes as UTF-16 takes units or a text has characters.
        bound = self._cell_characters
        if bound is not None and size > bound and max(map(len, cells)) > bound:
            return True
        return (
            self._spelling.spreadsheet
            and size > UTF16_CELL
            and max(map(len, cells)) > UTF16_CELL // 2
        )

    def _ints(self, cells: Sequence[int]) -> Spelled | None:
        try:
            tokens = _int_tokens(cells)
        except OverflowError:
            return None
        if (
            self._spelling.spreadsheet
            and not -(10**_DIGITS) <= min(cells) <= max(cells) <= 10**_DIGITS
        ):
            return None
        return Spelled(Kind.NUMBER, tokens)

    def _floats(self, cells: Sequence[float]) -> Spelled | None:
        tokens = float_tokens(cells)
        return None if tokens is None else Spelled(Kind.NUMBER, tokens)

    def _decimals(self, cells: Sequence[Decimal]) -> Spelled | None:
        if self._values.decimal == "text":
            return None
        text = "\x1f".join(map(str, cells)).encode()
        if text.translate(None, b"0123456789.-\x1f"):
            return None
        tokens = text.split(SEPARATOR)
        if self._spelling.spreadsheet and max(map(len, tokens)) > _DIGITS:
            return None
        return Spelled(Kind.NUMBER, tokens)

    def _bools(self, cells: Sequence[bool]) -> Spelled:
        words = (self._spelling.false, self._spelling.true)
        return Spelled(Kind.BOOL, list(map(words.__getitem__, cells)))

    def _iso_dates(self, cells: Sequence[date]) -> Spelled:
        return Spelled(Kind.DATE, _iso_tokens(cells))

    def _serial_dates(self, cells: Sequence[date]) -> Spelled | None:
        if min(cells) < _FIRST_DATE:
            return None
        return Spelled(Kind.DATE, list(map(self._serials.__getitem__, cells)))

    def _datetimes(self, cells: Sequence[datetime]) -> Spelled | None:
        zones = list(map(_ZONE, cells))  # dateutil's cannot be in a set
        naive = zones.count(None)
        if naive == len(zones):
            return self._naive(cells, Kind.DATETIME)
        if naive or self._values.aware == "text":
            return None
        zone = self._values.timezone
        elsewhere = len(zones) - zones.count(zone)
        if elsewhere:
            try:
                cells = [cell.astimezone(zone) for cell in cells]
            except OverflowError:
                return None
        if not self._spelling.spreadsheet:
            tokens = _iso_tokens(cells) if zone is UTC else [c.isoformat().encode() for c in cells]
            spelled: Spelled | None = Spelled(Kind.ZONED, tokens)
        else:
            spelled = self._naive([cell.replace(tzinfo=None) for cell in cells], Kind.ZONED)
        if spelled is not None and elsewhere:
            self._converted["timezone"] += elsewhere
        return spelled

    def _naive(self, cells: Sequence[datetime], kind: Kind) -> Spelled | None:
        if not self._spelling.spreadsheet:
            return Spelled(kind, _iso_tokens(cells))
        serials = datetime_serials(cells)
        tokens = float_tokens(serials) if min(serials) >= _FIRST_SERIAL else None
        return None if tokens is None else Spelled(kind, tokens)

    def _uuids(self, cells: Sequence[uuid.UUID]) -> Spelled | None:
        spelled = self._texts(list(map(str, cells)))
        if spelled is not None:
            self._converted["text_of_object"] += len(cells)
        return spelled

    # Cell by cell ---------------------------------------------------------------------------

    def _one_by_one(self, cells: Sequence[object]) -> Spelled:
        tokens: list[bytes | None] = []
        kinds = []
        start = self._row
        for self._row, cell in enumerate(cells, start):
            kind, token = self._cell(cell)
            kinds.append(kind)
            tokens.append(None if kind is Kind.EMPTY else token)
        only = set(kinds) - {Kind.EMPTY}
        sparse = Kind.EMPTY in kinds
        if len(only) == 1:
            return Spelled(only.pop(), tokens, sparse=sparse)
        if not only:
            return Spelled(Kind.EMPTY, tokens, sparse=True)
        return Spelled(None, tokens, sparse=sparse, kinds=kinds)

    def _cell(self, value: object) -> tuple[Kind, bytes]:
        speller = self._cells.get(type(value))
        if speller is None:
            speller = self._cells[type(value)] = self._speller_of(value)
        return speller(value)

    def _cell_spellers(self) -> dict[type, Callable[[Any], tuple[Kind, bytes]]]:
        return {
            None.__class__: self._none,
            str: self._text,
            bool: self._bool,
            int: self._int,
            float: self._float,
            Decimal: self._decimal,
            datetime: self._datetime,
            date: self._date,
            time: self._time,
            timedelta: self._duration,
            Formula: self._formula,
        }

    def _speller_of(self, value: object) -> Callable[[Any], tuple[Kind, bytes]]:
        """The way of a type seen for the first time: a subclass, or one of the rarer ones."""
        # NumPy first: its time spans are registered as integers.
        if hasattr(value, "dtype") and hasattr(value, "item"):
            return self._scalar
        for type_, speller in self._by_inheritance():
            if isinstance(value, type_):
                return speller
        return self._other

    def _by_inheritance(self) -> Iterable[tuple[Any, Callable[[Any], tuple[Kind, bytes]]]]:
        # Enum first: a member of an IntEnum is an int, too.  NaT is a datetime to isinstance.
        return (
            (Enum, self._enum),
            (str, lambda value: self._text(str.__str__(value))),
            (Integral, lambda value: self._int(int(value))),
            (Decimal, self._decimal),
            (Real, self._real),
            (datetime, self._datetime),
            (date, self._date),
            (time, self._time),
            (timedelta, self._duration),
            ((uuid.UUID, PurePath, *_ADDRESSES), self._object),
            ((bytes, bytearray, memoryview), self._bytes),
            ((list, tuple, Mapping), self._nested),
        )

    def _none(self, value: None) -> tuple[Kind, bytes]:
        return Kind.EMPTY, b""

    def _text(self, text: str) -> tuple[Kind, bytes]:
        self._check_length(text)
        if _FORBIDDEN.search(text):
            if self._values.forbidden == "escape" and self._spelling.escaped is not None:
                return self._escaped(text, self._spelling.escaped)
            text = self._without_forbidden(text)
        return Kind.TEXT, self._settled_text(text)

    def _check_length(self, text: str) -> None:
        bound = self._cell_characters
        if bound is not None and len(text) > bound:
            raise LimitError(
                f"row {self._row}, column {self._name}: characters in the cell",
                limit=bound,
                actual=len(text),
            )

    def _settled_text(self, text: str) -> bytes:
        if self._spelling.spreadsheet:
            text = self._for_spreadsheet(text)
        if (
            self._guards
            and text[:1] in _FORMULA_STARTS
            and text
            and not _NUMBER_OR_PHONE.match(text)
        ):
            text = self._guarded(text)
        blob = text.encode()
        return self._spelling.escape(blob, blob.translate(None, self._plain), self._converted)[0]

    def _escaped(self, text: str, notation: Callable[[str], bytes]) -> tuple[Kind, bytes]:
        """Each run between forbidden characters by the usual way, these in their own notation."""
        self._converted["forbidden"] += 1
        if self._spelling.spreadsheet:
            text = self._for_spreadsheet(text)
        *runs, last = _FORBIDDEN.split(text)
        # The underscore that XLSX's notation begins with must not complete a look-alike before it.
        tokens = [self._settled_text(run + "_")[:-1] if run else b"" for run in runs]
        marks = [notation(found[0]) for found in _FORBIDDEN.finditer(text)]
        pairs = zip(tokens, marks, strict=True)
        return Kind.TEXT, b"".join(map(b"".join, pairs)) + self._settled_text(last)

    def _without_forbidden(self, text: str) -> str:
        choice = self._values.forbidden
        if choice == "error":
            raise self._error(text, "has a character that XML forbids, or a lone surrogate")
        self._converted["forbidden"] += 1
        if choice == "drop":
            return _FORBIDDEN.sub("", text)
        return _FORBIDDEN.sub("\ufffd", text)

    def _for_spreadsheet(self, text: str) -> str:
        if "\r" in text:
            self._converted["newline"] += 1
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > UTF16_CELL // 2 and _utf16_units(text) > UTF16_CELL:
            if self._values.long_text == "error":
                raise LimitError(
                    f"row {self._row}, column {self._name}: UTF-16 units in the cell",
                    limit=UTF16_CELL,
                    actual=_utf16_units(text),
                )
            self._converted["long_text"] += 1
            text = _cut(text)
        return text

    def _guarded(self, text: str) -> str:
        if self._values.formula_text == "error":
            raise self._error(text, "starts like a formula")
        self._converted["formula_text"] += 1
        return "'" + text

    def _bool(self, value: bool) -> tuple[Kind, bytes]:
        return Kind.BOOL, self._spelling.true if value else self._spelling.false

    def _int(self, value: int) -> tuple[Kind, bytes]:
        token = _digits(value)
        if self._spelling.spreadsheet and abs(value) > 10**_DIGITS:
            self._converted["big_int"] += 1
            fits = self._values.big_int == "number" and abs(value) <= _LARGEST_DOUBLE
            return (Kind.NUMBER, token) if fits else self._text(token.decode())
        return Kind.NUMBER, token

    def _float(self, value: float) -> tuple[Kind, bytes]:
        if not math.isfinite(value):
            return self._non_finite(value)
        return Kind.NUMBER, repr(value).encode()

    def _real(self, value: Real) -> tuple[Kind, bytes]:
        number = None
        with suppress(OverflowError):
            number = float(value)
        if number is None:
            raise self._error(value, "is beyond what a double can hold")
        if math.isfinite(number) and number != value:
            self._converted["decimal"] += 1
        return self._float(number)

    def _non_finite(self, value: float | Decimal) -> tuple[Kind, bytes]:
        choice = self._values.non_finite
        if choice == "error":
            raise self._error(value, "is not finite")
        self._converted["non_finite"] += 1
        if choice == "empty":
            return Kind.EMPTY, b""
        if value != value:
            return Kind.TEXT, b"NaN"
        return Kind.TEXT, b"Infinity" if value > 0 else b"-Infinity"

    def _decimal(self, value: Decimal) -> tuple[Kind, bytes]:
        if not value.is_finite():
            return self._non_finite(Decimal("NaN") if value.is_snan() else value)
        # A subclass may say anything of itself, and what it says would not be escaped.
        token = Decimal.__str__(value).encode()
        if self._values.decimal == "text":
            self._converted["decimal"] += 1
            return self._text(token.decode())
        if not self._spelling.spreadsheet or _fits_double(token):
            return Kind.NUMBER, token
        return self._double(value, token)

    def _double(self, value: Decimal, token: bytes) -> tuple[Kind, bytes]:
        infinite = math.isinf(float(value))
        beyond = value.copy_abs() > 10**_DIGITS and value == value.to_integral_value()
        if infinite or beyond:
            self._converted["big_int"] += 1
            if self._values.big_int == "text" or infinite:
                return self._text(token.decode())
            return Kind.NUMBER, repr(float(value)).encode()
        rounded = repr(float(value))
        if Decimal(rounded) != value:
            self._converted["decimal"] += 1
        return Kind.NUMBER, rounded.encode()

    def _date(self, value: date) -> tuple[Kind, bytes]:
        if not self._spelling.spreadsheet:
            return Kind.DATE, date.isoformat(value).encode()
        if value < _FIRST_DATE:
            return self._early(date.isoformat(value))
        return Kind.DATE, b"%d" % (value.toordinal() - _EPOCH_ORDINAL)

    def _early(self, text: str) -> tuple[Kind, bytes]:
        self._converted["early_date"] += 1
        return Kind.TEXT, text.encode()

    def _datetime(self, value: datetime) -> tuple[Kind, bytes]:
        if value != value:  # pandas' NaT
            return self._none(None)
        if value.tzinfo is None:
            return self._settled_datetime(value, Kind.DATETIME)
        zone = self._values.timezone
        moved = None if self._values.aware == "text" else _in_zone(value, zone)
        if moved is None:
            self._converted["aware"] += 1
            return Kind.TEXT, datetime.isoformat(value).encode()
        if value.tzinfo != zone:
            self._converted["timezone"] += 1
        return self._settled_datetime(moved, Kind.ZONED)

    def _settled_datetime(self, value: datetime, kind: Kind) -> tuple[Kind, bytes]:
        if not self._spelling.spreadsheet:
            return kind, datetime.isoformat(value).encode()
        serial = datetime_serials([value.replace(tzinfo=None)])[0]
        if serial < _FIRST_SERIAL:
            return self._early(datetime.isoformat(value))
        return kind, repr(serial).encode()

    def _time(self, value: time) -> tuple[Kind, bytes]:
        if not self._spelling.spreadsheet:
            return Kind.TIME, time.isoformat(value).encode()
        if value.tzinfo is not None:
            self._converted["aware"] += 1
            return Kind.TEXT, time.isoformat(value).encode()
        moment = timedelta(
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
            microseconds=value.microsecond,
        )
        return Kind.TIME, repr(moment / _DAY).encode()

    def _duration(self, value: timedelta) -> tuple[Kind, bytes]:
        if value != value:  # pandas' NaT
            return self._none(None)
        if not self._spelling.spreadsheet:
            return Kind.DURATION, iso_duration(value).encode()
        if not timedelta(0) <= value < _LONGEST:  # the 1900 system shows #### for it
            self._converted["negative_duration" if value < timedelta(0) else "long_duration"] += 1
            return Kind.TEXT, iso_duration(value).encode()
        return Kind.DURATION, repr(value / _DAY).encode()

    def _formula(self, value: Formula) -> tuple[Kind, bytes]:
        if self._spelling.spreadsheet:
            return Kind.FORMULA, self._spelled_formula(value)
        self._converted["formula"] += 1
        return self._text(value.text)

    def _spelled_formula(self, value: Formula) -> bytes:
        """Its text as it is, the kind of its value and its value, parted by U+001F."""
        kind, token = self._cell(value.cached)
        if kind is Kind.FORMULA:
            raise self._error(value, "has another formula for its value")
        text = value.text.removeprefix("=")
        self._check_length(text)
        if not text:
            raise self._error(value, "is empty")
        if len(text) > _FORMULA_CELL:
            raise LimitError(
                f"row {self._row}, column {self._name}: characters of the formula",
                limit=_FORMULA_CELL,
                actual=len(text),
            )
        if _FORBIDDEN.search(text):
            text = self._without_forbidden(text)
        return SEPARATOR.join([_unix_lines(text.encode()), kind.value.encode(), token])

    def _enum(self, value: Enum) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self._cell(value.value)

    def _object(self, value: object) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self._text(str(value))

    def _bytes(self, value: bytes | bytearray | memoryview) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self._text(base64.b64encode(value).decode())

    def _scalar(self, value: Any) -> tuple[Kind, bytes]:
        """A NumPy scalar; moments finer than microseconds come as plain integers."""
        if getattr(value, "shape", ()):
            return self._other(value)
        plain = value.item()
        kind = getattr(value.dtype, "kind", None)
        if kind in ("M", "m") and isinstance(plain, int):
            plain = value.astype(f"{kind}8[us]").item()
        if type(plain) is not type(value):
            return self._cell(plain)
        return self._real(value) if isinstance(value, Real) else self._other(value)

    def _nested(self, value: object) -> tuple[Kind, bytes]:
        if self._values.nested == "error":
            raise self._error(value, "is nested")
        self._converted["nested"] += 1
        text = _compact_json(value)
        if text is None:
            raise self._error(value, "has something inside that JSON cannot hold")
        if "NaN" in text or "Infinity" in text:
            text = _compact_json(json.loads(text, parse_constant=self._nested_constant)) or ""
        if not self._spelling.json:
            return self._text(text)
        if _FORBIDDEN.search(text):
            text = self._nested_forbidden(text)
        return Kind.JSON, text.encode()

    def _nested_constant(self, name: str) -> str | None:
        return self._non_finite(float(name))[1].decode() or None

    def _nested_forbidden(self, text: str) -> str:
        notation = self._spelling.escaped
        if self._values.forbidden != "escape" or notation is None:
            return self._without_forbidden(text)
        self._converted["forbidden"] += 1
        return _FORBIDDEN.sub(lambda found: notation(found[0]).decode(), text)

    def _other(self, value: object) -> tuple[Kind, bytes]:
        if self._values.other == "str":
            self._converted["other"] += 1
            return self._text(str(value))
        raise self._error(
            value, 'has no place here; give its column convert=, or Values(other="str")'
        )

    def _error(self, value: object, problem: str) -> CellError:
        return CellError(self._row, self._name, type(value).__name__, problem)

    # Columns whose kind the caller tells ----------------------------------------------------

    def _as_kind(self, cells: Sequence[object], kind: str) -> Sequence[object]:
        reader, native = _READERS[kind]
        if set(map(type, cells)) <= native:
            return cells
        with suppress(Exception):  # which cell it was is found below
            return [cell if type(cell) in native else reader(cell) for cell in cells]
        row = self._row
        read = []
        for self._row, cell in enumerate(cells, row):
            read.append(cell if type(cell) in native else self._read(reader, cell, kind))
        self._row = row
        return read

    def _read(self, reader: Callable[[Any], object], cell: object, kind: str) -> object:
        if isinstance(cell, str) and not cell.strip() and kind != "text":
            return None
        with suppress(AttributeError, TypeError, ValueError, ArithmeticError):
            return reader(cell)
        # Not within a handler: what was caught names the value, and must not be the context.
        raise self._error(cell, f"cannot be read as {kind}")


class _Serials(dict[date, bytes]):
    """Serials of dates, kept while they are few: dates repeat."""

    def __missing__(self, day: date) -> bytes:
        if len(self) >= _DATE_CACHE:
            self.clear()
        serial = self[day] = b"%d" % (day.toordinal() - _EPOCH_ORDINAL)
        return serial


_FIRST_DATE = date(1900, 3, 1)
_ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
_FIRST_CHARACTER = itemgetter(slice(1))
_ZONE = attrgetter("tzinfo")
_DAYS = attrgetter("days")
_SECONDS = attrgetter("seconds")
_MICROSECONDS = attrgetter("microseconds")


def _fits_double(token: bytes) -> bool:
    return len(token) <= _DIGITS and not token.translate(None, b"0123456789.-")


def datetime_serials(cells: Sequence[datetime]) -> list[float]:
    """Serials of naive date-times: days since 1899-12-30, with their fraction."""
    spans = [cell - _EPOCH for cell in cells]
    if any(map(_MICROSECONDS, spans)):
        return [s.days + (s.seconds + s.microseconds / 1e6) / 86400 for s in spans]
    fractions = map(truediv, map(_SECONDS, spans), repeat(86400))
    return list(map(float.__add__, fractions, map(float, map(_DAYS, spans))))


def iso_duration(value: timedelta) -> str:
    """ISO 8601-1 §5.5.2 duration in days, hours, minutes and seconds, with its sign."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or fraction or not (clock or value.days):
        clock += f"{seconds}{fraction}S"
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}" + (f"T{clock}" if clock else "")


def _digits(value: int) -> bytes:
    try:
        return b"%d" % value
    except ValueError:  # CPython's guard against quadratic time; the digits were asked for
        return str(Decimal(value)).encode()


def _unix_lines(blob: bytes) -> bytes:
    return blob.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _utf16_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _cut(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * (UTF16_CELL - 1)]
    kept = units.decode("utf-16-le", "surrogatepass")
    return (kept[:-1] if "\ud800" <= kept[-1] <= "\udbff" else kept) + "…"


def _in_zone(value: datetime, zone: tzinfo) -> datetime | None:
    """The same moment in `zone`; None beyond the years 1 to 9999, where "infinity" likes to be."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        return None


def _compact_json(value: object) -> str | None:
    """JSON text without blanks; None where something inside has no place in JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_default)
    except (TypeError, ValueError, RecursionError):
        return None


def _json_default(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return iso_duration(value)
    if isinstance(value, (Decimal, uuid.UUID, PurePath, *_ADDRESSES)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError


def _int_tokens(cells: Sequence[int]) -> list[bytes]:
    """Digits of integers.  Raises OverflowError where one has more than 64 bits."""
    if orjson is None:
        if max(cells) >= 2**64 or min(cells) < -(2**63):
            raise OverflowError
        return " ".join(map(str, cells)).encode().split()
    try:
        tokens: list[bytes] = orjson.dumps(cells)[1:-1].split(b",")
    except TypeError:
        raise OverflowError from None
    return tokens


def plain_floats(cells: Sequence[Any]) -> list[bytes] | None:
    """The tokens of a column of nothing but ordinary floats; None where there is anything else.

    Their types need not be looked at, which takes as long as writing them: only a float is
    written with a point and without any letter, bracket or quote.
    """
    if orjson is None or not cells or type(cells[0]) is not float:
        return None
    try:
        text: bytes = orjson.dumps(cells)[1:-1]
    except TypeError:
        return None
    if text.count(b".") != len(cells) or text.translate(None, b"0123456789.,-"):
        return None
    return None if b"0.0000" in text else text.split(b",")


def float_tokens(cells: Sequence[float]) -> list[bytes] | None:
    """The shortest texts of the same doubles, as `repr`; None where one is not finite."""
    text: bytes
    if orjson is None:
        text = " ".join(map(repr, cells)).encode()
        return None if b"n" in text else text.split()
    text = orjson.dumps(cells)
    if b"n" in text:
        return None
    tokens = text[1:-1].split(b",")
    if b"e" in text or b"0.0000" in text:  # releases of orjson differ from repr there
        return [
            repr(cell).encode() if b"e" in token or b"0.0000" in token else token
            for token, cell in zip(tokens, cells, strict=True)
        ]
    return tokens


def _iso_tokens(cells: Sequence[date]) -> list[bytes]:
    if orjson is None:
        return [cell.isoformat().encode() for cell in cells]
    tokens: list[bytes] = orjson.dumps(cells)[2:-2].split(b'","')
    return tokens


def _read_number(cell: object) -> object:
    if isinstance(cell, str):
        text = cell.strip()
        try:
            return int(text)
        except ValueError:
            return Decimal(text)
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, (Integral, Real, Decimal)):
        return cell
    raise TypeError


def _read_bool(cell: object) -> bool:
    word = cell.strip().lower() if isinstance(cell, str) else cell
    if word in (1, "1", "true", "t", "yes", "y"):
        return True
    if word in (0, "0", "false", "f", "no", "n"):
        return False
    raise ValueError


def _read_date(cell: Any) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    return cell if isinstance(cell, date) else datetime.fromisoformat(cell.strip()).date()


def _read_datetime(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    return datetime.fromisoformat(cell.strip())


def _read_time(cell: Any) -> time:
    return cell if isinstance(cell, time) else time.fromisoformat(cell.strip())


def _read_duration(cell: Any) -> timedelta:
    return cell if isinstance(cell, timedelta) else timedelta(seconds=float(cell))


def _read_text(cell: object) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (Integral, Real, Decimal)):
        return str(cell)
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return iso_duration(cell)
    return cell


_READERS: Mapping[str, tuple[Callable[[Any], object], frozenset[type]]] = {
    "text": (_read_text, frozenset({str, None.__class__})),
    "number": (_read_number, frozenset({int, float, Decimal, None.__class__})),
    "bool": (_read_bool, frozenset({bool, None.__class__})),
    "date": (_read_date, frozenset({date, None.__class__})),
    "datetime": (_read_datetime, frozenset({datetime, None.__class__})),
    "time": (_read_time, frozenset({time, None.__class__})),
    "duration": (_read_duration, frozenset({timedelta, None.__class__})),
}
