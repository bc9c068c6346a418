"""Writes integers and floats as text, a whole column in a few C calls.

Without orjson the standard library does the same work, slower, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

orjson: Any
try:
    import orjson
except ImportError:  # no wheel for this platform: slower, with the same result
    orjson = None


MOST_DIGITS = 10_000
"""Digits that an integer may have: finding them takes quadratic time, here up to 2 ms."""
_TOO_LARGE = int(10**MOST_DIGITS)


def has_too_many_digits(value: int) -> bool:
    """Return whether an integer has more than `MOST_DIGITS`."""
    return abs(value) >= _TOO_LARGE


def digits(value: int) -> bytes:
    """Return all digits of an integer; the time grows with the square of their number."""
    try:
        return b"%d" % value
    except ValueError:  # CPython limits the digits of str(int), which takes quadratic time
        return str(Decimal(value)).encode()


def int_tokens(cells: Sequence[int]) -> list[bytes]:
    """Return the digits of integers.  Raise OverflowError if one has more than 64 bits."""
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
    """Return the tokens of a column that has only ordinary floats; None for any other column.

    The types of the cells are not checked, which would take as long as writing them: only a float
    is written with a point and without any letter, bracket or quote.
    """
    if orjson is None or not cells or type(cells[0]) is not float:
        return None
    try:
        text: bytes = orjson.dumps(cells)[1:-1]
    except TypeError:
        return None
    if text.count(b".") != len(cells) or text.translate(None, b"0123456789.,-"):
        return None
    return None if has_small(text) else text.split(b",")


def has_small(text: bytes) -> bool:
    """Return whether a list of JSON has a number that is so small that orjson may not write `repr`.

    In 909200.0000000001 there are as many zeros.
    """
    return b"0.0000" in text and (
        b",0.0000" in text or b"-0.0000" in text or text.startswith((b"0.0000", b"[0.0000"))
    )


def float_tokens(cells: Sequence[float]) -> list[bytes] | None:
    """Return the shortest text of each double, as `repr` does; None if one is not finite."""
    text: bytes
    if orjson is None:
        text = " ".join(map(repr, cells)).encode()
        return None if b"n" in text else text.split()
    text = orjson.dumps(cells)
    if b"n" in text:
        return None
    tokens = text[1:-1].split(b",")
    if b"e" in text or has_small(text):  # releases of orjson differ from repr there
        return [
            repr(cell).encode() if b"e" in token or b"0.0000" in token else token
            for token, cell in zip(tokens, cells, strict=True)
        ]
    return tokens
