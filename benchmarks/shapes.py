"""What do tables of unusual shapes cost: wide, mixed, sparse, with equal names, with long cells?

The CPU time of each shape is compared with that of `csv.writer` or XlsxWriter on the same rows, and
that of each kind of rows (`benchmarks.kinds`) with that of tuples with the same values.  Each round
has a process for each path, the compiled kernel and the pure one, in turns; the figures are the
lowest, and the ratios medians of the rounds.  For long cells it is the peak that tracemalloc sees.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from statistics import median
from typing import Any
from uuid import UUID

import streamware as sw
from benchmarks import kinds, paths
from benchmarks.table import conditions, table
from benchmarks.workloads import ALL, Workload

ROWS, ROUNDS = 10_000, 3
SHARES = {"csv": 1.0, "xlsx": 0.3}
"""Of the rows: XlsxWriter takes fifty times as long as csv.writer."""
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
    "str, rarely with a blank before it": lambda at: "abc" if at % 50 else " abc",
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

    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    book = xlsxwriter.Workbook(io.BytesIO(), options)
    sheet = book.add_worksheet()
    sheet.add_write_handler(
        UUID, lambda sheet, row, column, cell, *_: sheet.write_string(row, column, str(cell))
    )
    for at, row in enumerate(rows):
        sheet.write_row(at, 0, row)
    book.close()


RIVALS = {"csv": write_csv, "xlsx": write_xlsx}


def _made(cell: Callable[[int], object], columns: int) -> Callable[[int], list[Any]]:
    return lambda n: [tuple(cell(11 * at + k) for k in range(columns)) for at in range(n)]


def _listed(workload: Workload) -> Callable[[int], list[Any]]:
    return lambda n: list(workload.rows(n))


CASES: dict[str, Case] = {
    f"{name}, {form}": Case(_made(cell, COLUMNS), form, rival, COLUMNS, SHARES[form])
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
TABLES: dict[str, Case] = {
    f"{name}, {form}": Case(
        _listed(workload), form, rival, 1, SHARES[form] * min(1, 10 / len(workload.titles))
    )
    for form, rival in RIVALS.items()
    for name, workload in ALL.items()
}
"""Whole tables, by the row: `benchmarks.workloads`."""
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


Pair = tuple[float, float]
"""µs of ours and of what it is compared with: a cell, a row of a table, or a row of a kind."""
Round = dict[str, dict[str, Pair]]
"""The pairs of one process, by part ("cells", "tables", "kinds") and case."""


def once(n: int) -> Round:
    """Return the times of all cases, once, on the path of this process."""
    return {
        "cells": {name: _pair(case, n) for name, case in CASES.items() if _is_here(case)},
        "tables": {name: _pair(case, n) for name, case in TABLES.items() if _is_here(case)},
        "kinds": dict(_kinds(n)),
    }


def _is_here(case: Case) -> bool:
    return case.format != "xlsx" or find_spec("xlsxwriter") is not None


def _pair(case: Case, n: int) -> Pair:
    rows = case.rows(max(1, int(n * case.share)))
    _drain(rows[:20], case.format)
    ours, theirs = micros(_drain, rows, case.format), micros(case.rival, rows)
    cells = len(rows) * case.cells
    return ours / cells, theirs / cells


def _kinds(n: int) -> Iterator[tuple[str, Pair]]:
    for name, kind in kinds.installed():
        rows, tuples = kind.make(n)
        few = rows[:20]
        for form in RIVALS:
            _drain(few, form)
            _drain(tuples[:20], form)
            pair = micros(_drain, rows, form) / n, micros(_drain, tuples, form) / n
            yield f"{name}, {form}", pair


Rounds = dict[str, list[Round]]
"""The rounds of each path."""


def measure(n: int, rounds: int) -> Rounds:
    """Return the rounds of each path, which take turns, each in a process of its own."""
    found: Rounds = {path: [] for path in paths.available()}
    for _ in range(rounds):
        for path, each in found.items():
            each.append(json.loads(paths.ran(path, "benchmarks.shapes", "--child", str(n))))
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


def report(found: Rounds, part: str, unit: str, rival: str) -> str:
    """Return the table of one part: both paths, and what they are compared with."""
    first = next(iter(found.values()))[0][part]
    titles = (unit, *found, rival, *(f"{path}, ratio" for path in found))
    return table(titles, (_line(name, found, part) for name in first))


def _line(name: str, found: Rounds, part: str) -> list[str]:
    pairs = {path: [each[part][name] for each in rounds] for path, rounds in found.items()}
    ratios = [median(ours / theirs for ours, theirs in each) for each in pairs.values()]
    return [
        name,
        *(f"{min(ours for ours, _ in each):.2f}" for each in pairs.values()),
        f"{min(theirs for each in pairs.values() for _, theirs in each):.2f}",
        *(f"{ratio:.2f}" for ratio in ratios),
    ]


def report_growth(grown: dict[str, tuple[float, float]]) -> str:
    """Return the table of what grows with the number of pieces."""
    return table(
        ["µs a piece", "n", "4 n", "ratio"],
        ([name, f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}"] for name, (a, b) in grown.items()),
    )


def report_peaks(found: dict[str, tuple[int, int]]) -> str:
    """Return the table of memory with long cells."""
    return table(
        [f"peak MiB, cells of {LENGTH:,}", "in each row", "from the middle on"],
        ([name, *(f"{size / 2**20:.1f}" for size in pair)] for name, pair in found.items()),
    )


def reports(found: Rounds) -> str:
    """Return the tables of the rounds."""
    return "\n\n".join(
        [
            report(found, "tables", "µs a row", "csv.writer or XlsxWriter"),
            report(found, "kinds", "µs a row of orders", "tuples"),
            report(found, "cells", "µs a cell", "csv.writer or XlsxWriter"),
        ]
    )


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--long", type=int, default=LONG_ROWS, help="rows with a long cell")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        json.dump(once(options.child), sys.stdout)
        return
    print(conditions("benchmarks.shapes", ("streamware", "isal", "orjson", "xlsxwriter")))
    print(paths.said(), reports(measure(options.rows, options.rounds)), sep="\n\n", end="\n\n")
    print(report_growth(growth(max(options.rows // 10, 1))), end="\n\n")
    print(report_peaks(peaks(options.long)))


if __name__ == "__main__":
    main()
