"""How much memory does an export take, by number of rows?

It is the peak that tracemalloc sees, after imports, the pools of the row source and a first small
export.  It includes the encoder, the chunk that was yielded last, and the current row with the
values that the source made for it: a cell of 1 MB counts itself.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import streamware as sw
from benchmarks.table import conditions, table
from benchmarks.workloads import WORKLOADS, Row, orders

COUNTS = (10_000, 100_000, 1_000_000)
MEGABYTE = 1 << 20
LARGEST = 32_767  # characters of an XLSX cell
MOST_WIDE = 100_000  # rows of a case with large cells, which have 1 GB of text


@dataclass(frozen=True, slots=True)
class Case:
    """Rows in a format.

    Attributes:
        name: Its name in the table.
        format: The format.
        rows: Returns an iterator of a number of rows.
        most: Largest number of rows to measure; more would only take long.
    """

    name: str
    format: sw.Format
    rows: Callable[[int], Iterator[Row]] = orders
    most: int | None = None


def rising(n: int, characters: int) -> Iterator[Row]:
    """Yield n small rows, then n / 200 rows with a large cell."""
    yield from orders(n)
    for row in orders(max(n // 200, 1)):
        yield _widened(row, characters)


def scattered(n: int, characters: int) -> Iterator[Row]:
    """Yield n rows; one row of a hundred has a large cell."""
    for at, row in enumerate(orders(n)):
        yield _widened(row, characters) if at % 100 == 50 else row


def _widened(row: Row, characters: int) -> Row:
    return (*row[:-1], f"{row[0]}, " + "x" * (characters - 20))


CASES = (
    Case("XLSX", sw.Xlsx()),
    Case("CSV", sw.Csv()),
    Case("XML", sw.Xml()),
    Case("JSON", sw.Json()),
    Case("NDJSON", sw.Ndjson()),
    Case("CSV, then cells of 1 MB", sw.Csv(), lambda n: rising(n, MEGABYTE), MOST_WIDE),
    Case("CSV, 1 % cells of 1 MB", sw.Csv(), lambda n: scattered(n, MEGABYTE), MOST_WIDE),
    Case("XML, 1 % cells of 1 MB", sw.Xml(), lambda n: scattered(n, MEGABYTE), MOST_WIDE),
    Case("XLSX, then cells of 32 kB", sw.Xlsx(), lambda n: rising(n, LARGEST), MOST_WIDE),
    Case("XLSX, 1 % cells of 32 kB", sw.Xlsx(), lambda n: scattered(n, LARGEST), MOST_WIDE),
)


def measure(n: int) -> dict[str, int]:
    """Return the peak bytes of each case that is measured at n rows."""
    return {case.name: peak(case, n) for case in CASES if case.most is None or n <= case.most}


def peak(case: Case, n: int) -> int:
    """Return the peak bytes while a document is encoded and its chunks are dropped."""
    _drain(orders(20), case.format)
    tracemalloc.start()
    try:
        _drain(case.rows(n), case.format)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _drain(rows: Iterable[Row], form: sw.Format) -> None:
    titles = WORKLOADS["orders"].titles
    for _ in sw.encode(rows, form, columns=[sw.Column(*pair) for pair in enumerate(titles)]):
        pass


def report(peaks: dict[int, dict[str, int]]) -> str:
    """Return the table of the cases by number of rows."""
    counts = list(peaks)
    titles = ["peak MiB", *(f"{n:,} rows" for n in counts), "last / first"]
    return table(
        titles, (_line(case.name, [peaks[n].get(case.name) for n in counts]) for case in CASES)
    )


def _line(name: str, found: list[int | None]) -> list[str]:
    taken = [size for size in found if size is not None]
    growth = f"{taken[-1] / taken[0]:.2f}" if taken else ""
    return [name, *("" if size is None else f"{size / 2**20:.2f}" for size in found), growth]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=COUNTS)
    options = parser.parse_args()
    print(conditions("benchmarks.memory", ("streamware", "isal", "orjson")))
    print(report({n: measure(n) for n in options.rows}))


if __name__ == "__main__":
    main()
