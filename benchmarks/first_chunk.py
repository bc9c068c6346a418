"""How soon does an export have something to send?

It measures the time and the rows until the first chunk, from rows that are in memory.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import streamware as sw
from benchmarks.table import conditions, table
from benchmarks.workloads import Row, orders

FORMATS: dict[str, sw.Format] = {
    form.name: form for form in (sw.Xlsx(), sw.Csv(), sw.Tsv(), sw.Xml(), sw.Json(), sw.Ndjson())
}
TIMES = 25


@dataclass(frozen=True, slots=True)
class First:
    """The first chunks of several exports.

    Attributes:
        seconds: Seconds until each; the first export has empty caches.
        rows: Rows pulled by then, at most.
        size: Bytes of the chunk, at least.
    """

    seconds: tuple[float, ...]
    rows: int
    size: int


class _Counted:
    """An iterator of rows that counts them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = iter(rows)
        self.taken = 0

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        row = next(self._rows)
        self.taken += 1
        return row


def encoded(rows: Iterator[Row], form: sw.Format) -> bytes:
    """Return the first chunk of `encode`."""
    with sw.encode(rows, form) as chunks:
        return next(chunks)


def aencoded(rows: Iterator[Row], form: sw.Format) -> bytes:
    """Return the first chunk of `aencode`; starting and ending an event loop counts."""

    async def first() -> bytes:
        async with sw.aencode(rows, form) as chunks:
            return await anext(chunks)

    return asyncio.run(first())


def measure(n: int, times: int = TIMES) -> dict[tuple[str, str], First]:
    """Return the first chunks of n rows, by format and function."""
    rows = list(orders(n))
    ways = {"encode": encoded, "aencode": aencoded}
    return {
        (name, way): _first(rows, form, take, times)
        for name, form in FORMATS.items()
        for way, take in ways.items()
    }


def _first(
    rows: Sequence[Row],
    form: sw.Format,
    take: Callable[[Iterator[Row], sw.Format], bytes],
    times: int,
) -> First:
    seconds, taken, sizes = [], [], []
    for _ in range(times):
        counted = _Counted(rows)
        started = perf_counter()
        sizes.append(len(take(counted, form)))
        seconds.append(perf_counter() - started)
        taken.append(counted.taken)
    return First(tuple(seconds), max(taken), min(sizes))


def report(found: dict[tuple[str, str], First]) -> str:
    """Return the table."""
    titles = ("first chunk", "rows pulled", "bytes", "first time ms", "median ms", "worst ms")
    return table(titles, (_line(f"{name}, {way}", first) for (name, way), first in found.items()))


def _line(name: str, first: First) -> list[str]:
    times = (first.seconds[0], median(first.seconds), max(first.seconds))
    return [name, str(first.rows), str(first.size), *(f"{time * 1e3:.2f}" for time in times)]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    print(conditions("benchmarks.first_chunk", ("streamware", "isal", "orjson")))
    print(report(measure(options.rows)))


if __name__ == "__main__":
    main()
