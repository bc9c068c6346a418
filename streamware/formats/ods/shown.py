"""Writes the text that a cell shows, next to its value.

A spreadsheet program makes this text of value and style.  Programs that read it in place of the
value would lose digits that the style hides, so it has more than the style shows:

- Numbers have all their digits, unless the style makes them a percentage or an amount of money.
- Times and durations have hours, minutes and seconds, and a fraction if there is one.
- Dates are shown as their style says, and in the ISO order if its code has anything unusual.

Source: OpenDocument 1.3 Part 3 §9.1.4 (a cell's paragraphs are its text as it is shown); ECMA-376
Part 1 §18.8.31 (codes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from itertools import groupby
from xml.sax.saxutils import escape

from streamware.formats.ods.number_code import Section, parse
from streamware.formats.ods.number_style import date_fields
from streamware.values.cell_formatter import SEPARATOR
from streamware.values.kinds import MOMENTS, SPANS, Kind

Texts = Callable[[Sequence[bytes]], Sequence[bytes]]
"""A function from the values of some cells, as they are in the XML, to their texts."""

_WORDS = {b"true": b"TRUE", b"false": b"FALSE"}
_SEPARATOR = SEPARATOR.decode()
_COLONS = bytes.maketrans(b"HM", b"::")
_LEADING_ZERO = re.compile(rb"(?<![0-9:])0(?=[0-9]:)")
_AMOUNT = re.compile(r"(?:0|#,##0)(?:\.(0+))?")
_DATE, _DATETIME = len("2024-05-06"), len("2024-05-06T07:08:09")
_ISO_DATE, _ISO_DATETIME = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"
_MIDNIGHT = b"T00:00:00"
# Where the fields of a moment are in its ISO 8601 text.
_PLACES = {
    "month": slice(5, 7),
    "day": slice(8, 10),
    "hours": slice(11, 13),
    "minutes": slice(14, 16),
    "seconds": slice(17, 19),
}
_Field = Callable[[bytes], bytes]
_MONTHS = (
    b"January February March April May June July August September October November December"
).split()
_DAYS = b"Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def _month(token: bytes) -> bytes:
    return _MONTHS[int(token[_PLACES["month"]]) - 1]


def _weekday(token: bytes) -> bytes:
    return _DAYS[date.fromisoformat(token[:_DATE].decode()).weekday()]


# Names by the length of their code.  They are English: codes of other languages do not get here.
_NAMES: dict[tuple[str, int], _Field] = {
    ("month", 3): lambda token: _month(token)[:3],
    ("month", 4): _month,
    ("day", 3): lambda token: _weekday(token)[:3],
    ("day", 4): _weekday,
}


def shown_texts(kind: Kind, tokens: Sequence[bytes], code: str | None) -> Sequence[bytes]:
    """Return the texts of cells of one kind, none of them text or a formula.

    Args:
        kind: The kind.
        tokens: The values of the cells.
        code: The number format of their style, if it has one.
    """
    if kind is Kind.NUMBER:
        amounts = _amounts(code) if code else None
        if amounts is not None:
            return amounts(tokens)
        return list(map(_pointed, tokens)) if b"e" in b"".join(tokens) else tokens
    if kind is Kind.DATE and code == _ISO_DATE:
        return tokens
    if kind in MOMENTS:
        iso = code == _ISO_DATETIME and kind is not Kind.DATE
        return _iso_texts(tokens) if iso else _moments(code or "")(tokens)
    if kind in SPANS:
        blob = SEPARATOR.join(tokens).translate(_COLONS, b"PTS")
        # An hour has two digits on a clock, and one in [h].
        return (blob if kind is Kind.TIME else _LEADING_ZERO.sub(b"", blob)).split(SEPARATOR)
    return list(map(_WORDS.__getitem__, tokens))


def shown_text(kind: Kind, token: bytes, code: str | None) -> bytes:
    """Return the text of a single cell; the same as `shown_texts` returns for several."""
    if kind is Kind.NUMBER and code is None:
        return _pointed(token) if b"e" in token else token
    if kind is Kind.BOOL:
        return _WORDS[token]
    return shown_texts(kind, [token], code)[0]


def shows_value(kind: Kind, code: str | None) -> bool:
    """Return whether the text of a cell is its value, but for an exponent, or a blank for `T`."""
    if kind is Kind.NUMBER:
        return code is None or _amounts(code) is None
    return (kind, code) in ((Kind.DATE, _ISO_DATE), (Kind.DATETIME, _ISO_DATETIME))


def _pointed(token: bytes) -> bytes:
    """Return a number with a point if it has an exponent: without, roo takes 1E-07 for 1."""
    digits, exponent, power = token.upper().partition(b"E")
    return digits + b".0" * (b"." not in digits) + exponent + power if exponent else token


# Percentages and money


@lru_cache(maxsize=64)
def _amounts(code: str) -> Texts | None:
    """Return what writes numbers by a code; None if they have all their digits."""
    section, *others = parse(code)
    kinds = [token.kind for token in section.tokens]
    digits = "".join(token.text for token in section.tokens if token.kind == "digits")
    amount = _AMOUNT.fullmatch(digits)
    parts = [kind for kind, _ in groupby(kinds)]
    usual = (
        set(parts) <= {"digits", "currency", "percent", "literal"} and parts.count("digits") == 1
    )
    if others or not amount or not usual or not section.has("currency", "percent"):
        return None
    return _amount_texts(section, len(amount[1] or ""), grouped="," in digits)


def _amount_texts(section: Section, places: int, *, grouped: bool) -> Texts:
    at = [token.kind for token in section.tokens].index("digits")
    before = "".join(token.text for token in section.tokens[:at])
    after = "".join(token.text for token in section.tokens[at:] if token.kind != "digits")
    factor = 100 if section.has("percent") else 1
    number = f"{{:z{',' * grouped}.{places}f}}"
    write = (_braced(before) + number + _braced(after)).format
    # Whether a number has more digits than are shown, or too many to be multiplied as a double.
    hidden = places + (3 if factor == 100 else 1)
    rounded = re.compile(rb"\.[0-9]{%d}|e|[0-9.]{15}" % hidden).search

    def texts(tokens: Sequence[bytes]) -> Sequence[bytes]:
        blob = SEPARATOR.join(tokens)
        if rounded(blob):
            with localcontext() as context:
                context.rounding = ROUND_HALF_UP  # as the programs do
                numbers = map(Decimal, blob.decode().split(_SEPARATOR))
                written = [write(number * factor) for number in numbers]
        elif factor == 1:
            written = list(map(write, map(float, tokens)))
        else:
            written = [write(float(token) * factor) for token in tokens]
        text = _SEPARATOR.join(written)
        if before and b"-" in blob:
            text = text.replace(f"{before}-", f"-{before}")
        return escape(text).encode().split(SEPARATOR)

    return texts


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# Dates and date-times


@lru_cache(maxsize=64)
def _moments(code: str) -> Texts:
    """Return what writes dates and date-times by a code; in ISO order if it is unusual."""
    section, *others = parse(code)
    fields = date_fields(section)
    halves = section.has("half")
    pieces: list[bytes | slice | _Field | None] = []
    for kind, text in section.tokens:
        if kind in ("part", "half"):
            pieces.append(_field(*next(fields), halves=halves))
        else:
            pieces.append(escape(text).encode() if kind in ("literal", "digits") else None)
    usual = [piece for piece in pieces if piece is not None]
    other = others or section.language not in ("", "en") or len(usual) < len(pieces)
    if other or not section.has("part"):
        return _iso_texts
    timed = any(
        name in ("hours", "minutes", "seconds", "am-pm") for name, _ in date_fields(section)
    )
    width = _DATETIME if timed else _DATE
    plain = [piece for piece in usual if isinstance(piece, (bytes, slice))]
    texts = _fixed(plain, width) if len(plain) == len(usual) else _one_by_one(usual)

    def moments(tokens: Sequence[bytes]) -> Sequence[bytes]:
        length = len(tokens[0])
        if timed and length == _DATE:
            tokens = [token + _MIDNIGHT for token in tokens]
        elif max(map(len, tokens)) > width:
            tokens = [token[:width] for token in tokens]
        return texts(tokens)

    return moments


def _iso_texts(tokens: Sequence[bytes]) -> Sequence[bytes]:
    return SEPARATOR.join(tokens).replace(b"T", b" ").split(SEPARATOR)


def _field(name: str, code: str, *, halves: bool) -> slice | _Field | None:
    """Return where a field of a moment is in its ISO 8601 text, or what makes it; None if unknown.

    Args:
        name: Name of the field.
        code: Its code.
        halves: Whether the hours are those of half a day.
    """
    size = len(code)
    if name == "am-pm":
        return _half if code.upper() == "AM/PM" else None
    if name == "year":
        return slice(2, 4) if size < 3 else slice(0, 4)
    if (name, size) in _NAMES:
        return _NAMES[name, size]
    place = _PLACES.get(name)
    if place is None or size > 2:
        return None
    if name == "hours" and halves:
        return lambda token: b"%0*d" % (size, (int(token[place]) - 1) % 12 + 1)
    return place if size == 2 else lambda token: b"%d" % int(token[place])


def _half(token: bytes) -> bytes:
    return b"AM" if int(token[_PLACES["hours"]]) < 12 else b"PM"


def _fixed(pieces: Sequence[bytes | slice], width: int) -> Texts:
    """Return what writes moments all of whose fields are copied from their ISO 8601 texts.

    The texts of all cells are made at once: each character of the first one is every n-th of the
    joined texts.

    Args:
        pieces: Literals, and the places of fields.
        width: Length of the ISO 8601 texts.
    """
    template = b""
    moves = []  # from which place of a token to which of its text
    for piece in pieces:
        if isinstance(piece, slice):
            moves += list(enumerate(range(piece.start, piece.stop), len(template)))
            template += bytes(piece.stop - piece.start)
        else:
            template += piece
    template += SEPARATOR
    size = len(template)

    def texts(tokens: Sequence[bytes]) -> Sequence[bytes]:
        blob = b"".join(tokens)
        made = bytearray(template * len(tokens))
        for to, place in moves:
            made[to::size] = blob[place::width]
        return bytes(made[:-1]).split(SEPARATOR)

    return texts


def _one_by_one(pieces: Sequence[bytes | slice | _Field]) -> Texts:
    """Return what writes moments cell by cell, because the length of a field differs."""

    @lru_cache(maxsize=1024)  # dates of a document repeat
    def text(token: bytes) -> bytes:
        return b"".join(
            piece
            if isinstance(piece, bytes)
            else token[piece]
            if isinstance(piece, slice)
            else piece(token)
            for piece in pieces
        )

    return lambda tokens: list(map(text, tokens))
