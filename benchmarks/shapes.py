"""What do tables of unusual shapes cost: wide, mixed, sparse, with equal names, with long cells?

The CPU time of each shape is compared with that of `csv.writer` or XlsxWriter on the same rows, in
turns.  For long cells it is the peak that tracemalloc sees.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from statistics import median
from typing import Any

import streamware as sw
from benchmarks.table import conditions, table

ROWS, ROUNDS = 3000, 3
COLUMNS, WIDE = 10, 16_000
LENGTH = 200_000  # characters of a long cell
LONG_ROWS = 300


class Text(str):
    """A text of a subclass, as template engines make them."""

    __slots__ = ()


class Named(list[Any]):
    """A row whose cells have names, as those of a cursor have."""

    def __init__(self, columns: int) -> None:
        super().__init__([(1,) * columns])
        self.description = [(str(at),) for at in range(columns)]


CELLS: dict[str, Callable[[int], object]] = {
    "str": lambda _: "abc",
    "int and str": lambda at: at if at % 2 else "abc",
    "int and str, in any order": lambda at: at if at * at % 7 % 2 else "abc",
    "str, rarely int": lambda at: "abc" if at % 50 else at,
    "int, float and str": lambda at: (at, "abc", 1.5)[at % 3],
    "date and str": lambda at: date(2024, 5, 6) if at % 2 else "abc",
    "bool and int": lambda at: at if at % 2 else True,
    "int and float": lambda at: at if at % 2 else at / 7,
    "int and Decimal": lambda at: at if at % 2 else Decimal(at) / 4,
    "a subclass of str": lambda _: Text("abc"),
    "a subclass of str, and int": lambda at: Text("abc") if at % 2 else at,
    "50 % None": lambda at: None if at % 2 else "abc",
    "80 % None": lambda at: None if at % 5 else "abc",
    "six types": lambda at: (at, "abc", 1.5, None, True, Decimal("1.5"))[at % 6],
}


@dataclass(frozen=True, slots=True)
class Case:
    """A shape.

    Attributes:
        rows: Returns that many rows.
        format: The format.
        rival: Writes the rows with the other library.
        cells: The number of cells in a row.
        share: The number of rows, as a part of the number asked for.
    """

    rows: Callable[[int], list[Any]]
    format: str
    rival: Callable[[list[Any]], object]
    cells: int
    share: float = 1.0


def write_csv(rows: list[Any]) -> None:
    """Write rows with csv.writer, as UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    text.getvalue().encode()


def write_xlsx(rows: list[Any]) -> None:
    """Write rows with XlsxWriter."""
    import xlsxwriter

    book = xlsxwriter.Workbook(io.BytesIO(), {"constant_memory": True})
    sheet = book.add_worksheet()
    for at, row in enumerate(rows):
        sheet.write_row(at, 0, row)
    book.close()


RIVALS = {"csv": write_csv, "xlsx": write_xlsx}


def _made(cell: Callable[[int], object], columns: int) -> Callable[[int], list[Any]]:
    return lambda n: [tuple(cell(11 * at + k) for k in range(columns)) for at in range(n)]


CASES: dict[str, Case] = {
    f"{name}, {form}": Case(_made(cell, COLUMNS), form, rival, COLUMNS)
    for form, rival in RIVALS.items()
    for name, cell in CELLS.items()
} | {
    f"{WIDE:,} columns, {rows} rows, {form}": Case(
        _made(lambda at: at if at % 3 else f"text {at}", WIDE), form, rival, WIDE, rows / ROWS
    )
    for form, rival, rows in (
        ("csv", write_csv, 12),
        ("csv", write_csv, 200),
        ("xlsx", write_xlsx, 12),
    )
}
GROWING: dict[str, Callable[[int], object]] = {
    "equal sheet names": lambda n: _drain([sw.Sheet("a", [(1,)])] * n, "xlsx"),
    "equal titles": lambda n: _drain([(1,) * n], "json", columns=[sw.Column(0, "a")] * n),
    "chosen columns": lambda n: _drain(Named(10 * n), "csv", columns=list(map(str, range(10 * n)))),
    "integers of 5,000 digits": lambda n: _drain([(10**4999,)] * n, "csv"),
}
LONG: dict[str, Callable[[int], object]] = {
    "str": lambda at: f"{at:07}" + "x" * (LENGTH - 7),
    "a subclass of str": lambda at: Text(f"{at:07}" + "x" * (LENGTH - 7)),
    "Decimal": lambda _: Decimal("1" * LENGTH),
    "nested": lambda at: [[[[[f"{at:07}" + "x" * (LENGTH - 7)]]]]],
    "cached value": lambda at: sw.Formula("A1", cached=f"{at:07}" + "x" * (LENGTH - 7)),
}


def _drain(rows: Any, form: str, **options: Any) -> None:
    for _ in sw.encode(rows, form, **options):
        pass


def micros(call: Callable[..., object], *arguments: object) -> float:
    """Return the CPU microseconds of a call."""
    start = time.process_time()
    call(*arguments)
    return (time.process_time() - start) * 1e6


def measure(n: int, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return the lowest µs a cell, those of the rival, and the median of the ratios, by case."""
    found = {}
    for name, case in CASES.items():
        if case.format == "xlsx" and find_spec("xlsxwriter") is None:
            continue
        rows = case.rows(max(1, int(n * case.share)))
        pairs = [
            (micros(_drain, rows, case.format), micros(case.rival, rows)) for _ in range(rounds)
        ]
        cells = len(rows) * case.cells
        ours, others = (min(times) / cells for times in zip(*pairs, strict=True))
        found[name] = ours, others, median(our / other for our, other in pairs)
    return found


def growth(n: int) -> dict[str, tuple[float, float]]:
    """Return the µs a piece of n and of 4 n pieces, by case."""
    return {
        name: (micros(write, n) / n, micros(write, 4 * n) / (4 * n))
        for name, write in GROWING.items()
    }


def peaks(n: int) -> dict[str, tuple[int, int]]:
    """Return the peak bytes of n rows with a long cell: in each, and from the middle on."""
    return {name: (_peak(cell, n, 0), _peak(cell, n, n // 2)) for name, cell in LONG.items()}


def _peak(cell: Callable[[int], object], n: int, first: int) -> int:
    def rows() -> Iterator[tuple[object, ...]]:
        for at in range(n):
            yield at, cell(at) if at >= first else 1

    _drain([(1, 2)], "csv")
    tracemalloc.start()
    try:
        _drain(rows(), "csv")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def report(
    speeds: dict[str, tuple[float, float, float]],
    grown: dict[str, tuple[float, float]],
    found: dict[str, tuple[int, int]],
) -> str:
    """Return the three tables."""
    return "\n\n".join(
        [
            table(
                ["µs a cell", "streamware", "csv.writer or XlsxWriter", "ratio"],
                ([name, f"{a:.2f}", f"{b:.2f}", f"{r:.2f}"] for name, (a, b, r) in speeds.items()),
            ),
            table(
                ["µs a piece", "n", "4 n", "ratio"],
                ([name, f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}"] for name, (a, b) in grown.items()),
            ),
            table(
                [f"peak MiB, cells of {LENGTH:,}", "in each row", "from the middle on"],
                ([name, *(f"{size / 2**20:.1f}" for size in pair)] for name, pair in found.items()),
            ),
        ]
    )


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--long", type=int, default=LONG_ROWS, help="rows with a long cell")
    options = parser.parse_args()
    print(conditions("benchmarks.shapes", ("streamware", "isal", "orjson", "xlsxwriter")))
    found = measure(options.rows, options.rounds), growth(max(options.rows // 10, 1))
    print(report(*found, peaks(options.long)))


if __name__ == "__main__":
    main()
