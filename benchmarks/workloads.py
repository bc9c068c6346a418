"""The workloads: generators of tuples that are the same in every run.

`WORKLOADS` are the tables that contenders are compared with; `SHAPES` are tables that a way for
plain columns does not fit, or barely.

Values that are expensive to make are taken from pools, so that a row takes only 1 to 2.5 µs.  The
sizes of the pools are primes, so that rows do not repeat within the window of deflate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import TypeAlias
from uuid import UUID

Row: TypeAlias = tuple[object, ...]

_WORDS = (
    *("amber", "birch", "copper", "delta", "ember", "fjord"),
    *("garnet", "harbour", "indigo", "juniper", "kelp", "linden"),
)
_NAMES = (
    "Müller & Söhne",
    "Žižek <import>",
    "O'Brien & Co.",
    "小林商店 <東京>",
    "Åse & Bjørn AS",
    "Ødegård",
    "Łukasz & Żaneta",
    "Dvořák <CZ>",
)
_NOTES = (
    'Leave at the "{}" door, ring twice\nthanks',
    "Call {} first, then deliver;\nno hurry, ok",
    'Gift: "{}", wrapped, without a bill inside',
    "Fragile, this side up: {}, {}, and more",
)
_FACTORS = tuple(1000.0 / (3 * at + 7) for at in range(20))
_HASH = 0x9E3779B97F4A7C15F39CC0605CEDC835
_MASK = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class Workload:
    """Rows to measure with.

    Attributes:
        titles: The titles of the columns, which are also XML names.
        rows: Returns a generator of a number of rows.
    """

    titles: tuple[str, ...]
    rows: Callable[[int], Iterator[Row]]


@cache
def _pool(size: int, seed: int, make: Callable[[Random], object]) -> list[object]:
    random = Random(seed)
    return [make(random) for _ in range(size)]


def _name(random: Random) -> str:
    return f"{random.choice(_NAMES)} {random.randrange(100)}"


def _price(random: Random) -> Decimal:
    return Decimal(random.randrange(1, 10**6)).scaleb(-2)


def _note(random: Random) -> str:
    return random.choice(_NOTES).format(random.choice(_WORDS), random.choice(_WORDS))


def _phrase(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=random.randrange(2, 4)))


def orders(n: int) -> Iterator[Row]:
    """Yield rows of ten mixed columns, such as a ledger in a database."""
    names = _pool(997, 1, _name)
    prices = _pool(1009, 2, _price)
    days = [date(2023, 1, 1) + timedelta(at) for at in range(1087)]
    notes = _pool(991, 4, _note)
    start, step = datetime.fromisoformat("2024-01-01T08:00"), timedelta(seconds=37)
    for at in range(n):
        yield (
            at + 1,
            f"o{at * _HASH & _MASK:032x}",
            names[at % 997],
            (at * 7919 % 1000003 + 1) / 7.0,
            prices[at % 1009],
            at % 3 == 0,
            days[at % 1087],
            start + step * at,
            at % 900 if at % 5 else None,
            notes[at % 991],
        )


def numbers(n: int) -> Iterator[Row]:
    """Yield rows of twenty floats with all the digits of a double."""
    factors = _FACTORS
    for at in range(1, n + 1):
        yield tuple([at * factor for factor in factors])


def strings(n: int) -> Iterator[Row]:
    """Yield rows of ten texts, some with characters to escape."""
    words, names = _pool(1013, 5, _phrase), _pool(997, 6, _name)
    phrases, notes = _pool(1019, 7, _phrase), _pool(991, 8, _note)
    for at in range(n):
        word, name = words[at % 1013], names[at % 997]
        phrase, note = phrases[at % 1019], notes[at % 991]
        seven, eleven = words[at * 7 % 1013], phrases[at * 11 % 1019]
        yield f"s{at}", word, name, phrase, seven, note, eleven, f"{at:x}", "pending", "€ 12 & up"


# Shapes -------------------------------------------------------------------------------------

_MOMENT = datetime.fromisoformat("2024-05-06T07:08")
_MIXED = (7, "abc", 1.5, None, True, Decimal("1.50"), date(2024, 5, 6), _MOMENT)
_LONG = ('Leave it at the door, ring twice; "thanks", and call before. ' * 34)[:2000]
_CUSTOMER, _NOTE, _NUMBER = 2, 9, 1


def sparse(n: int) -> Iterator[Row]:
    """Yield rows of ten columns, half of them integers and half texts, that are 80 % None."""
    for at in range(n):
        yield tuple([(at if k % 2 else "abc") if not (at + k) % 5 else None for k in range(10)])


def integers(n: int) -> Iterator[Row]:
    """Yield rows of ten integers of several lengths."""
    for at in range(n):
        yield at, 7 * at, at % 97, -at, 1_000_003 * at, at % 2, at >> 3, at ^ 5555, 5, 10**9 + at


def mixed_numbers(n: int) -> Iterator[Row]:
    """Yield rows of ten columns, each of integers and floats."""
    for at in range(n):
        yield tuple([at if (at + k) % 2 else at / 7 for k in range(10)])


def mixed_types(n: int) -> Iterator[Row]:
    """Yield rows of ten columns, each with values of eight types."""
    for at in range(n):
        yield tuple([_MIXED[(3 * at + k) % 8] for k in range(10)])


def wide(n: int) -> Iterator[Row]:
    """Yield rows of a hundred columns: ten orders side by side."""
    for row in orders(n):
        yield row * 10


def long_text(n: int) -> Iterator[Row]:
    """Yield rows with a text of 2 kB."""
    for at in range(n):
        yield at, f"{at:08}{_LONG}", "x"


def signs(n: int) -> Iterator[Row]:
    """Yield orders with three texts that begin with a sign, as formulas do."""
    for row in orders(n):
        yield _with(row, (_NUMBER, _CUSTOMER, _NOTE), "-")


def control(n: int) -> Iterator[Row]:
    """Yield orders, of which 1 % have a control character."""
    for at, row in enumerate(orders(n)):
        yield row if at % 100 else _with(row, (_NOTE,), "a\x01")


def edges(n: int) -> Iterator[Row]:
    """Yield orders, of which 1 % have a text that begins with a blank."""
    for at, row in enumerate(orders(n)):
        yield row if at % 100 else _with(row, (_NOTE,), " ")


def uuids(n: int) -> Iterator[Row]:
    """Yield orders whose number is a UUID."""
    numbers = [UUID(int=at * _HASH & _MASK) for at in range(997)]
    for at, row in enumerate(orders(n)):
        yield (row[0], numbers[at % 997], *row[2:])


def _with(row: Row, columns: Sequence[int], before: str) -> Row:
    cells = list(row)
    for column in columns:
        cells[column] = f"{before}{cells[column]}"
    return tuple(cells)


_ORDER = ("id", "number", "customer", "amount", "price", "paid", "day", "created", "qty", "note")
_TEN = tuple(f"c{at}" for at in range(1, 11))

WORKLOADS = {
    "orders": Workload(_ORDER, orders),
    "numbers": Workload(tuple(f"n{at}" for at in range(1, 21)), numbers),
    "strings": Workload(tuple(f"s{at}" for at in range(1, 11)), strings),
}
SHAPES = {
    "80 % None": Workload(_TEN, sparse),
    "integers": Workload(_TEN, integers),
    "integers and floats": Workload(_TEN, mixed_numbers),
    "eight types": Workload(_TEN, mixed_types),
    "100 columns": Workload(tuple(f"{t}{at}" for at in range(10) for t in _ORDER), wide),
    "texts of 2 kB": Workload(("id", "text", "x"), long_text),
    "signs": Workload(_ORDER, signs),
    "control characters": Workload(_ORDER, control),
    "blanks at edges": Workload(_ORDER, edges),
    "UUID": Workload(_ORDER, uuids),
}
ALL = WORKLOADS | SHAPES
