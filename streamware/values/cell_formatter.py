"""CellFormatter: writes a single value as text, for rare types and values that need care."""

from __future__ import annotations

import base64
import json
import math
import re
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, ClassVar, Protocol, TypeAlias

from streamware.errors import CellError, LimitError, place_of
from streamware.model.cell import MAX_NOTE, Cell
from streamware.model.formula import MAX_FORMULA, problem_of
from streamware.model.style import Style
from streamware.model.utf16 import units
from streamware.values import Formula, Values
from streamware.values.dates import (
    EPOCH,
    EPOCH_1904,
    FIRST_DATE,
    FIRST_DATE_1904,
    FIRST_GREGORIAN,
    Moment,
    clock_duration,
    datetime_serials,
    in_zone,
    iso_duration,
    naive,
    on_its_day,
)
from streamware.values.formula_text import guard_of
from streamware.values.kinds import Kind
from streamware.values.lazy_text import is_lazy_text
from streamware.values.nested import ADDRESSES, compact_json
from streamware.values.numbers import MOST_DIGITS, digits, has_too_many_digits
from streamware.values.objects import cure_of, held_by, stands_for_another, text_of
from streamware.values.scalars import (
    is_null,
    listed,
    plain_datetime,
    plain_scalar,
    plain_timedelta,
)

SEPARATOR = b"\x1f"
"""Separates the cells of a blob, and the parts of a formula; no text may contain it."""

# XML 1.0 §2.2 Char: TAB, LF and CR are the only controls; U+FFFE and U+FFFF are forbidden, too.
CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))
LEAD_OF_FFFE = b"\xef"  # the first byte of U+FFFE and U+FFFF in UTF-8
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MANY_DIGITS = re.compile("[0-9]{16}")
SURROGATES = re.compile("[\ud800-\udfff]")

DOUBLE = 2**53 - 1
"""The largest integer up to which doubles have all others (RFC 8259 §6)."""
DIGITS = 15
"""Decimal digits of a number that a spreadsheet stores and shows (Microsoft's limits page)."""
UTF16_CELL = 32_767
"""UTF-16 units in a spreadsheet's cell (Microsoft's limits page)."""
_LARGEST_DOUBLE = int(sys.float_info.max)
_DAY = timedelta(days=1)
# Days of a duration that is beyond the last serial, that of 9999-12-31.
_TOO_LONG = {epoch: (date.max - epoch.date()).days + 1 for epoch in (EPOCH, EPOCH_1904)}


class Escape(Protocol):
    """How a format escapes text among its own markup."""

    care: bytes
    """The ASCII bytes that are escaped; a blob without any of them needs no escaping."""
    replacements: Sequence[tuple[bytes, bytes]] = ()
    """Those that are always replaced in the same way, each with what replaces it."""
    quoted: bytes = b""
    """Those that put their cell in quotes."""
    looked_at: bytes = b""
    """Those after which the text decides."""

    def __call__(self, blob: bytes, kept: bytes, converted: Counter[str]) -> list[bytes]:
        """Split `blob` at U+001F and escape its cells; `kept` has only the bytes that need care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """How a format wants values written.

    Attributes:
        escape: Escapes text.
        true: The text of True.
        false: The text of False.
        spreadsheet: Whether dates are serials, numbers are doubles, and text has the limits of a
            spreadsheet's cell.
        iso: Whether a spreadsheet has the dates, times and durations of XML Schema instead.
        epoch: The day whose serial is 0.
        formulas: Whether the program that opens the file may take text for a formula.
        delimiter: What separates cells, if it is a single character.
        json: Whether nested values are written as JSON, and not as a text.
        escaped: Writes a forbidden character in the format's notation; None if it has none.
    """

    escape: Escape
    true: bytes = b"true"
    false: bytes = b"false"
    spreadsheet: bool = False
    iso: bool = False
    epoch: datetime = EPOCH
    formulas: bool = False
    delimiter: str = ""
    json: bool = False
    escaped: Callable[[str], bytes] | None = None

    @property
    def serials(self) -> bool:
        """Whether dates are serial numbers."""
        return self.spreadsheet and not self.iso

    @property
    def first_date(self) -> date:
        """The first date that every spreadsheet shows correctly."""
        if self.iso:
            return FIRST_GREGORIAN
        return FIRST_DATE if self.epoch == EPOCH else FIRST_DATE_1904

    def largest(self, values: Values) -> int | None:
        """Return the largest integer that is a number whatever the caller chose; None: all are."""
        if self.spreadsheet:
            return int(10**DIGITS)
        return DOUBLE if self.json and values.big_int == "text" else None

    @property
    def first_serial(self) -> int:
        """The serial of that date."""
        return (self.first_date - self.epoch.date()).days


_OneFormatter: TypeAlias = Callable[["CellFormatter", Any], tuple[Kind, bytes]]


class CellFormatter:
    """Writes single cells of one column: their kind, and their text.

    Args:
        name: Name of the column, for messages.
        values: The caller's choices.
        text_rules: How the format wants values written.
        converted: Counts the values that are not written as they came.
        cell_characters: The most characters a text may have; None without a limit.
        sheet: Name of the sheet, for messages; None if it has none.
        summed: Whether the column has a sum or an average.
    """

    def __init__(
        self,
        name: str,
        *,
        values: Values,
        text_rules: TextRules,
        converted: Counter[str],
        cell_characters: int | None,
        sheet: str | None,
        summed: bool = False,
    ) -> None:
        self.row = 0  # number of the row of the next cell, for messages
        guards = values.formula_text != "off" and text_rules.formulas
        # Finds text that looks like a formula; None if it may.
        self.guard = guard_of(text_rules.delimiter) if guards else None
        # The bytes that need no care in a blob of texts.
        self.plain = _plain(text_rules.escape.care, text_rules.spreadsheet)
        # The largest integer that is a number whatever the caller chose; None: all are.
        self.largest = text_rules.largest(values)
        self.name = name  # of the column, for messages
        self._sheet = sheet  # name of the sheet, for messages
        self._values = values  # the caller's choices
        self._text_rules = text_rules  # how the format wants values written
        self._converted = converted  # counts values that are not written as they came
        self._cell_characters = cell_characters  # the most in a text
        negative = values.negative_duration
        # How a negative duration is written; a text would have no sum.
        self._negative = "number" if summed and negative == "text" else negative
        self._others: dict[type, _OneFormatter] = {}  # methods for the types that _KNOWN lacks

    def cell(self, value: object) -> tuple[Kind, bytes]:
        """Return the kind and the text of a value.  Raises `CellError`, `LimitError`."""
        formatter = self._KNOWN.get(type(value)) or self._others.get(type(value))
        if formatter is None:
            formatter = self._others[type(value)] = self._formatter_of(value)
        return formatter(self, value)

    def error(self, value: object, problem: str) -> CellError:
        """Return the error to raise for a value in `row`."""
        return CellError(self.row, self.name, type(value).__name__, problem, sheet=self._sheet)

    def check(self, cell: Cell) -> None:
        """Raise `CellError` or `LimitError` if a `Cell` in `row` has a wrong style, url or note."""
        for name, type_ in (("style", Style), ("url", str), ("note", str)):
            given = getattr(cell, name)
            if given is not None and not isinstance(given, type_):
                raise self.error(
                    given, f"cannot be the {name} of a Cell; it must be a {type_.__name__}"
                )
        if isinstance(cell.value, Cell):
            raise self.error(cell.value, "cannot be the value of another Cell")
        note = cell.note or ""
        if len(note) > MAX_NOTE // 2 and units(note) > MAX_NOTE:
            raise LimitError(
                f"{self._place}: UTF-16 units in the note",
                limit=MAX_NOTE,
                actual=units(note),
            )

    @property
    def _place(self) -> str:
        return place_of(self.row, self.name, self._sheet)

    def _none(self, value: object) -> tuple[Kind, bytes]:
        return Kind.EMPTY, b""

    def _text(self, text: str) -> tuple[Kind, bytes]:
        self._check_length(text)
        if FORBIDDEN.search(text):
            if self._values.forbidden == "escape" and self._text_rules.escaped is not None:
                return self._escaped(text, self._text_rules.escaped)
            text = self._without_forbidden(text)
        if not text and self._text_rules.spreadsheet:
            return Kind.EMPTY, b""  # blank, so that no program counts it
        return Kind.TEXT, self._encoded_text(text)

    def _check_length(self, text: str) -> None:
        bound = self._cell_characters
        if bound is not None and len(text) > bound:
            raise LimitError(
                f"{self._place}: characters in the cell",
                name="cell_characters",
                limit=bound,
                actual=len(text),
            )

    def _encoded_text(self, text: str) -> bytes:
        if self._text_rules.spreadsheet:
            text = self._for_spreadsheet(text)
        if self.guard is not None:
            text = self._harmless(text, self.guard.guarded(text))
        blob = text.encode()
        return self._text_rules.escape(blob, blob.translate(None, self.plain), self._converted)[0]

    def _escaped(self, text: str, notation: Callable[[str], bytes]) -> tuple[Kind, bytes]:
        """Escape the text between forbidden characters as usual; write these in the notation.

        Readers refuse the notation of a lone surrogate, so U+FFFD stands for it.
        """
        self._converted["forbidden"] += 1
        text = SURROGATES.sub("\ufffd", text)
        if self._text_rules.spreadsheet:
            text = self._for_spreadsheet(text)
        *runs, last = FORBIDDEN.split(text)
        # The notation of XLSX starts with an underscore.  With the text before it, that could look
        # like an escape, so each text is escaped as if the underscore belonged to it.
        tokens = [self._encoded_text(run + "_")[:-1] if run else b"" for run in runs]
        marks = [notation(found[0]) for found in FORBIDDEN.finditer(text)]
        pairs = zip(tokens, marks, strict=True)
        return Kind.TEXT, b"".join(map(b"".join, pairs)) + self._encoded_text(last)

    def _without_forbidden(self, text: str) -> str:
        choice = self._values.forbidden
        if choice == "error":
            raise self.error(text, "has a character that XML forbids, or a lone surrogate")
        self._converted["forbidden"] += 1
        if choice == "drop":
            return FORBIDDEN.sub("", text)
        return FORBIDDEN.sub("\ufffd", text)

    def _for_spreadsheet(self, text: str) -> str:
        if "\r" in text:
            self._converted["newline"] += 1
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > UTF16_CELL // 2 and units(text) > UTF16_CELL:
            if self._values.long_text == "error":
                raise LimitError(
                    f"{self._place}: UTF-16 units in the cell",
                    limit=UTF16_CELL,
                    actual=units(text),
                )
            self._converted["long_text"] += 1
            kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (UTF16_CELL - 1)]
            text = kept.decode("utf-16-le", "surrogatepass")
            if "\ud800" <= text[-1] <= "\udbff":  # half of a surrogate pair
                text = text[:-1]
            text += "…"
        return text

    def _bool(self, value: bool) -> tuple[Kind, bytes]:
        return Kind.BOOL, self._text_rules.true if value else self._text_rules.false

    def _int(self, value: int) -> tuple[Kind, bytes]:
        if has_too_many_digits(value):
            raise self.error(value, f"has more than {MOST_DIGITS:,} digits; pass it as text")
        token = digits(value)
        if self.largest is not None and abs(value) > self.largest:
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
            raise self.error(value, "is beyond what a double can hold")
        if math.isfinite(number) and number != value:
            self._converted["decimal"] += 1
        return self._float(number)

    def _non_finite(self, value: float | Decimal) -> tuple[Kind, bytes]:
        choice = self._values.non_finite
        if choice == "error":
            raise self.error(value, "is not finite")
        self._converted["non_finite"] += 1
        if choice == "empty":
            return Kind.EMPTY, b""
        if value != value:
            return Kind.TEXT, b"NaN"
        return Kind.TEXT, b"Infinity" if value > 0 else self._signed("-Infinity")

    def _signed(self, text: str) -> bytes:
        """Write a text that was made here; it may start with a sign, and is not refused for it."""
        if text[0] == "-" and self.guard is not None and self._values.formula_text == "guard":
            self._converted["formula_text"] += 1
            text = "'" + text
        return text.encode()

    def _decimal(self, value: Decimal) -> tuple[Kind, bytes]:
        if not value.is_finite():
            return self._non_finite(Decimal("NaN") if value.is_snan() else value)
        # The __str__ of a subclass may return anything, and it would not be escaped.
        token = Decimal.__str__(value).encode()
        if self._values.decimal == "text":
            self._converted["decimal"] += 1
            return self._text(token.decode())
        # A plain decimal that is short enough for a double to keep all its digits.
        short = len(token) <= DIGITS and not token.translate(None, b"0123456789.-")
        if short or self.largest is None:
            return Kind.NUMBER, token
        return self._double(value, token, self.largest)

    def _double(self, value: Decimal, token: bytes, largest: int) -> tuple[Kind, bytes]:
        infinite = math.isinf(float(value))
        beyond = value.copy_abs() > largest and value == value.to_integral_value()
        if infinite or beyond:
            self._converted["big_int"] += 1
            if self._values.big_int != "number" or infinite:
                return self._text(token.decode())
            return Kind.NUMBER, repr(float(value)).encode()
        rounded = repr(float(value))
        exact = Decimal(rounded) == value
        if not exact:
            self._converted["decimal"] += 1
        if self._text_rules.json:  # where nothing is rounded
            return (Kind.NUMBER, token) if exact else self._text(token.decode())
        return Kind.NUMBER, rounded.encode()

    def _date(self, value: date) -> tuple[Kind, bytes]:
        if self._text_rules.spreadsheet and value < self._text_rules.first_date:
            return self._early(date.isoformat(value))
        if not self._text_rules.serials:
            return Kind.DATE, date.isoformat(value).encode()
        return Kind.DATE, b"%d" % (value.toordinal() - self._text_rules.epoch.toordinal())

    def _early(self, text: str) -> tuple[Kind, bytes]:
        self._converted["early_date"] += 1
        return Kind.TEXT, text.encode()

    def _datetime_like(self, value: datetime) -> tuple[Kind, bytes]:
        """Write an instance of a subclass of `datetime`, such as pandas' Timestamp."""
        if is_null(value):
            return self._none(value)
        plain = plain_datetime(value, self._converted)
        if isinstance(plain, str):
            return Kind.TEXT, self._signed(plain)
        return self._datetime(plain)

    def _datetime(self, value: datetime) -> tuple[Kind, bytes]:
        if value.utcoffset() is None:
            return self._encoded_datetime(naive(value), Kind.DATETIME)
        zone = self._values.timezone
        moved = None if self._values.aware == "text" else in_zone(value, zone)
        if moved is None:
            self._converted["aware"] += 1
            return Kind.TEXT, datetime.isoformat(value).encode()
        if value.tzinfo != zone:
            self._converted["timezone"] += 1
        return self._encoded_datetime(moved, Kind.ZONED)

    def _encoded_datetime(self, value: datetime, kind: Kind) -> tuple[Kind, bytes]:
        if not self._text_rules.spreadsheet:
            return kind, datetime.isoformat(value).encode()
        moment = value.replace(tzinfo=None)
        if value.date() < self._text_rules.first_date:
            return self._early(datetime.isoformat(moment if self._text_rules.iso else value))
        shown = self._on_its_day(moment)
        if self._text_rules.iso:
            return kind, datetime.isoformat(shown).encode()
        (serial,), _ = datetime_serials([shown], self._text_rules.epoch)
        return kind, repr(serial).encode()

    def _on_its_day(self, value: Moment) -> Moment:
        """Return what a spreadsheet can show of a date-time or a time."""
        shown = on_its_day(value)
        if shown is not value:
            self._converted["end_of_day"] += 1
        return shown

    def _time(self, value: time) -> tuple[Kind, bytes]:
        if not self._text_rules.spreadsheet:
            return Kind.TIME, time.isoformat(value).encode()
        if value.utcoffset() is not None:
            self._converted["aware"] += 1
            return Kind.TEXT, time.isoformat(value).encode()
        shown = value if self._text_rules.iso else self._on_its_day(value)
        moment = timedelta(
            hours=shown.hour,
            minutes=shown.minute,
            seconds=shown.second,
            microseconds=shown.microsecond,
        )
        if self._text_rules.iso:
            return Kind.TIME, clock_duration(moment).encode()
        return Kind.TIME, repr(moment / _DAY).encode()

    def _time_like(self, value: time) -> tuple[Kind, bytes]:
        """Write an instance of a subclass of `time`, such as one that has lost nanoseconds."""
        if getattr(value, "nanosecond", 0):
            self._converted["nanosecond"] += 1
        return self._time(value)

    def _duration_like(self, value: timedelta) -> tuple[Kind, bytes]:
        """Write an instance of a subclass of `timedelta`, such as pandas' Timedelta."""
        if is_null(value):
            return self._none(value)
        return self._duration(plain_timedelta(value, self._converted))

    def _duration(self, value: timedelta) -> tuple[Kind, bytes]:
        if not self._text_rules.spreadsheet:
            return Kind.DURATION, self._signed(iso_duration(value))
        negative = value < timedelta(0)
        native = not negative or self._text_rules.iso or self._negative == "1904"
        if not native:  # in XLSX, where Excel would show ####
            self._converted["negative_duration"] += 1
            if self._negative == "number":
                return Kind.NEGATIVE, repr(value / _DAY).encode()
            return Kind.TEXT, iso_duration(value).encode()
        days = value / _DAY  # of the last moment of a day it is rounded to the next one
        too_long = _TOO_LONG[self._text_rules.epoch]
        if not -too_long <= days < too_long:
            self._converted["negative_duration" if negative else "long_duration"] += 1
            return Kind.TEXT, iso_duration(value).encode()
        if self._text_rules.iso:
            return Kind.DURATION, clock_duration(value).encode()
        return Kind.DURATION, repr(days).encode()

    def _formula(self, value: Formula) -> tuple[Kind, bytes]:
        """Write the unescaped text, and the kind and text of the value, separated by U+001F.

        A fourth part, `array`, says that it is an array formula.

        Formats without formulas get the text.
        """
        if not self._text_rules.spreadsheet:
            self._converted["formula"] += 1
            return self._text(value.text)
        # An empty text is what a formula may show; as a cell of its own it would be blank.
        kind, token = (Kind.TEXT, b"") if value.cached == "" else self.cell(value.cached)
        if kind is Kind.FORMULA:
            raise self.error(value, "must not have another Formula as its cached value")
        if value.text[:1].isspace():
            raise self.error(value, "must not start with a blank")
        text = value.text.removeprefix("=").lstrip()
        self._check_length(text)
        if not text:
            raise self.error(value, "must not be empty")
        if len(text) > MAX_FORMULA // 2 and units(text) > MAX_FORMULA:
            raise LimitError(
                f"{self._place}: characters of the formula",
                limit=MAX_FORMULA,
                actual=units(text),
            )
        if FORBIDDEN.search(text):
            text = self._without_forbidden(text)
        if self._text_rules.serials and (problem := problem_of(text)):
            raise self.error(value, f"{problem}; Excel would remove it")
        parts = [unix_lines(text.encode()), kind.value.encode(), token]
        if value.array:
            parts.append(b"array")
        return Kind.FORMULA, SEPARATOR.join(parts)

    def _enum(self, value: Enum) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self.cell(value.value)

    def _object(self, value: object) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self._text(str(value))

    def _bytes(self, value: bytes | bytearray | memoryview) -> tuple[Kind, bytes]:
        self._converted["text_of_object"] += 1
        return self._text(base64.b64encode(value).decode())

    def _scalar(self, value: Any) -> tuple[Kind, bytes]:
        """Write a scalar of NumPy, or a one-dimensional array of it as a list."""
        if getattr(value, "shape", ()):
            one = getattr(value, "ndim", 1) == 1 and hasattr(value, "__len__")
            return self._nested(listed(value)) if one else self._other(value)
        plain = plain_scalar(value, self._converted)
        if isinstance(plain, str) and value.dtype.kind in ("M", "m"):
            return Kind.TEXT, self._signed(plain)
        if type(plain) is not type(value):
            return self.cell(plain)
        kind = getattr(getattr(value, "dtype", None), "kind", None)
        span = kind == "m"  # without a unit; registered as Integral
        return self._other(value) if span or not isinstance(value, Real) else self._real(value)

    def _nested(self, value: object) -> tuple[Kind, bytes]:
        if self._values.nested == "error":
            raise self.error(value, 'is nested, which Values(nested="error") refuses')
        self._converted["nested"] += 1
        text = compact_json(value)
        if text is None:
            raise self.error(
                value,
                "has something inside that JSON cannot hold; convert= of the column may make a"
                " value of it, such as convert=len",
            )
        big = self._values.big_int == "text" and _MANY_DIGITS.search(text)
        if big or "NaN" in text or "Infinity" in text:
            # JSON has no such numbers: each becomes what `Values.non_finite` says, or null.
            safe = json.loads(
                text,
                parse_constant=lambda name: self._non_finite(float(name))[1].decode() or None,
                parse_int=self._nested_int,
            )
            text = compact_json(safe) or ""
        if not self._text_rules.json:
            if self.guard is not None:
                text = self._harmless(text, self.guard.guarded_json(text))
            return self._text(text)
        if FORBIDDEN.search(text):
            notation = self._text_rules.escaped
            if self._values.forbidden == "escape" and notation is not None:
                self._converted["forbidden"] += 1
                text = SURROGATES.sub("\ufffd", text)
                text = FORBIDDEN.sub(lambda found: notation(found[0]).decode(), text)
            else:
                text = self._without_forbidden(text)
        return Kind.JSON, text.encode()

    def _harmless(self, text: str, guarded: str) -> str:
        """Return the guarded text; count it, or refuse it, if the guard had to change it."""
        if guarded is not text:
            if self._values.formula_text == "error":
                raise self.error(text, "starts like a formula")
            self._converted["formula_text"] += 1
        return guarded

    def _nested_int(self, token: str) -> int | str:
        value = int(token)
        if self._values.big_int != "text" or abs(value) <= DOUBLE:
            return value
        self._converted["big_int"] += 1
        return token

    def _other(self, value: object) -> tuple[Kind, bytes]:
        if self._values.other == "str":
            self._converted["other"] += 1
            return self._text(str(value))
        raise self.error(value, f"cannot be written; {cure_of(value)}")

    def _text_of(self, value: object) -> tuple[Kind, bytes]:
        """Write a value of another library whose text is its meaning."""
        self._converted["text_of_object"] += 1
        return self._text(text_of(value) or "")

    def _held(self, value: Any) -> tuple[Kind, bytes]:
        """Write what a value of another library holds: a number, a duration, a list, its fields."""
        if getattr(value, "months", 0):
            self._converted["month"] += 1
        if getattr(value, "nanoseconds", 0) % 1000:
            self._converted["nanosecond"] += 1
        return self.cell(held_by(value))

    def _lazy_text(self, value: object) -> tuple[Kind, bytes]:
        return self._text(str(value))

    def _subclass(self, value: str) -> tuple[Kind, bytes]:
        return self._text(str.__str__(value))

    def _integral(self, value: Integral) -> tuple[Kind, bytes]:
        return self._int(int(value))

    # Functions, not bound methods: those would be stored once for every column.
    _KNOWN: ClassVar[dict[type, _OneFormatter]] = {
        None.__class__: _none,
        str: _text,
        bool: _bool,
        int: _int,
        float: _float,
        Decimal: _decimal,
        datetime: _datetime,
        date: _date,
        time: _time,
        timedelta: _duration,
        Formula: _formula,
    }
    # Enum is first because a member of an IntEnum is an int, too.
    _BY_INHERITANCE: ClassVar[tuple[tuple[Any, _OneFormatter], ...]] = (
        (Enum, _enum),
        (str, _subclass),
        (Integral, _integral),
        (Decimal, _decimal),
        (Real, _real),
        (datetime, _datetime_like),
        (date, _date),
        (time, _time_like),
        (timedelta, _duration_like),
        ((uuid.UUID, PurePath, *ADDRESSES), _object),
        ((bytes, bytearray, memoryview), _bytes),
        ((list, tuple, Mapping), _nested),
    )

    def _formatter_of(self, value: object) -> _OneFormatter:
        """Return the method for a type seen for the first time: a subclass, or a rarer type."""
        if is_null(value):  # NaT is an instance of datetime
            return CellFormatter._none
        if text_of(value) is not None:
            return CellFormatter._text_of
        if stands_for_another(value):  # an interval is a tuple, too
            return CellFormatter._held
        # NumPy is first because its time spans are registered as Integral.
        if hasattr(value, "dtype") and hasattr(value, "item"):
            return CellFormatter._scalar
        for type_, formatter in self._BY_INHERITANCE:
            if isinstance(value, type_):
                return formatter
        if is_lazy_text(value):
            return CellFormatter._lazy_text
        return CellFormatter._other if held_by(value) is value else CellFormatter._held


def plain_formulas(texts: Sequence[str], bound: int | None) -> bytes | None:
    """Return formulas, separated by U+001F and without their `=`; None if any needs care.

    Args:
        texts: The formulas.
        bound: The most characters that one may have, or None.
    """
    texts = [text.removeprefix("=") for text in texts]
    longest = max(map(len, texts))
    if longest > MAX_FORMULA // 2 or (bound is not None and longest > bound):
        return None  # half as many characters may have too many UTF-16 units
    if "" in texts or any(map(str.isspace, {text[0] for text in texts})):
        return None
    try:
        blob = "\x1f".join(texts).encode()
    except UnicodeEncodeError:
        return None
    odd = blob.translate(None, _plain(b"", spreadsheet=True))
    return blob if odd == SEPARATOR * (len(texts) - 1) else None


@cache
def _plain(care: bytes, spreadsheet: bool) -> bytes:
    """Return the bytes that may be dropped from a blob before it is searched."""
    return bytes(set(range(256)) - set(CONTROLS + LEAD_OF_FFFE + care + b"\r" * spreadsheet))


def unix_lines(blob: bytes) -> bytes:
    """Return the text with LF in place of CR LF and CR."""
    return blob.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
