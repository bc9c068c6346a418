"""The workloads: generators of tuples that are the same in every run.

Values that are expensive to make are taken from pools, so that a row takes only 1 to 2.5 µs.  The
sizes of the pools are primes, so that rows do not repeat within the window of deflate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import TypeAlias

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


WORKLOADS = {
    "orders": Workload(
        ("id", "number", "customer", "amount", "price", "paid", "day", "created", "qty", "note"),
        orders,
    ),
    "numbers": Workload(tuple(f"n{at}" for at in range(1, 21)), numbers),
    "strings": Workload(tuple(f"s{at}" for at in range(1, 11)), strings),
}
