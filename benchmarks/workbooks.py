"""What do the features of workbooks cost, beyond plain rows?

It measures styles and the like, several sheets from one source, large workbooks, and ODS.

The cases take turns, and every run has a process of its own.  CPU time and memory are without those
of the row source.  A ratio is the median of the ratios of each round, and "ratio of lowest"
compares the lowest times of all rounds, which are those of a quiet machine: noise only adds.
Scratch is the most that the spools of the export had on disk, with space reserved ahead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import streamware as sw
from benchmarks.child import peak_memory
from benchmarks.table import conditions, megabytes, table
from benchmarks.workloads import WORKLOADS, Row, orders

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("streamware", "isal", "orjson", "stream-write-ods")
TITLES = WORKLOADS["orders"].titles
SHEETS = 8
FEW = 1000
ROWS = 400_000
LARGE = 3_000_000
ROUNDS = 5
ODS_SHARE = 10  # one tenth of the rows: the rival is slow

FEATURES_MOST = 1.05  # CPU time of features, as a multiple of plain rows
INTERLEAVED_MOST = 1.25  # CPU time of interleaved sheets, as a multiple of sheets in turn
SCRATCH_MOST = 1.0  # bytes of scratch, as a multiple of the document
MEMORY_MOST = 1.2  # memory of many rows, as a multiple of that of few
ODS_LEAST = 20.0  # CPU time of stream-write-ods, as a multiple of ours

Chunks = Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run.

    Attributes:
        source: CPU seconds of the row source alone.
        total: CPU seconds with the document.
        memory: Peak bytes of the process, minus those of the row source alone.
        size: Bytes of the document.
        scratch: Peak bytes of its spools on disk.
        rows: Number of rows.
    """

    source: float
    total: float
    memory: int
    size: int
    scratch: int
    rows: int

    @property
    def micros(self) -> float:
        """CPU microseconds per row, without the row source."""
        return (self.total - self.source) * 1e6 / self.rows


@dataclass(frozen=True, slots=True)
class Case:
    """A document to measure.

    Attributes:
        rows: Returns the source of a number of rows.
        write: Returns the chunks of the document of a number of rows.
    """

    rows: Callable[[int], Iterable[Any]]
    write: Callable[[int], Iterable[bytes]]


PLAIN = tuple(sw.Column(at, title) for at, title in enumerate(TITLES))
FEATURED = (
    sw.Column(0, "id", width=10, total="count"),
    sw.Column(1, "number", width=36),
    sw.Column(2, "customer", width=24),
    sw.Column(3, "amount", format="money:EUR", width=14, align="right", total="sum"),
    sw.Column(4, "price", format="0.00", width=12, total="average"),
    sw.Column(5, "paid", align="center"),
    sw.Column(6, "day", format="date", width=12),
    sw.Column(7, "created", format="datetime", width=20),
    sw.Column(8, "qty", format="integer", width=8, total="sum"),
    sw.Column(9, "note", width=40),
)


def plain(n: int) -> sw.Encoding:
    """Encode rows and titles, and nothing else."""
    bare = sw.Xlsx(freeze=False, autofilter=False, header=sw.Style())
    return sw.encode(orders(n), bare, columns=PLAIN)


def featured(n: int) -> sw.Encoding:
    """Encode with styles, widths, a native table with a filter, totals, a frozen header, zebra."""
    header = sw.Style(bold=True, color="#FFFFFF", background="#4472C4")
    styled = sw.Xlsx(header=header, table=True, zebra=True, title_rows=["Orders"])
    return sw.encode(orders(n), styled, columns=FEATURED)


def in_turn(n: int) -> sw.Encoding:
    """Encode eight sheets, one after another."""
    sheets = (sw.Sheet(f"Sheet {at}", orders(n // SHEETS)) for at in range(SHEETS))
    return sw.encode(sheets, "xlsx", columns=PLAIN)


def tagged(n: int, sheets: int = SHEETS) -> Iterator[sw.Tagged]:
    """Yield the rows of the sheets by turns, tagged with the sheet."""
    names = cycle([f"Sheet {at}" for at in range(sheets)])
    return map(sw.Tagged, names, orders(n))


def named(n: int) -> Iterator[Row]:
    """Yield the same rows, with the name of the sheet as the last cell."""
    names = cycle([f"Sheet {at}" for at in range(SHEETS)])
    return ((*row, name) for row, name in zip(orders(n), names, strict=False))


def in_turn_source(n: int) -> Iterator[Row]:
    """Yield the rows of eight sources."""
    return (row for _ in range(SHEETS) for row in orders(n // SHEETS))


def sheets(n: int) -> Iterator[tuple[str, tuple[str, ...], Iterator[Row]]]:
    """Yield the sheet as stream-write-ods takes it."""
    yield "Orders", TITLES, orders(n)


def stream_write_ods(n: int) -> Iterable[bytes]:
    """Encode with stream-write-ods, which has to be told how to write a Decimal."""
    import stream_write_ods as rival

    chunks: Iterable[bytes] = rival.stream_write_ods(
        sheets(n), encoders=(*_encoders(rival), (Decimal, ("float", "office:value", None, str)))
    )
    return chunks


def _encoders(rival: Any) -> tuple[Any, ...]:
    """Return its default encoders."""
    defaults: tuple[Any, ...] = rival.stream_write_ods.__defaults__[0]
    return defaults


def ods(n: int) -> sw.Encoding:
    """Encode as ODS."""
    return sw.encode(orders(n), "ods", columns=PLAIN)


CASES = {
    "plain": Case(orders, plain),
    "featured": Case(orders, featured),
    "8 sheets in turn": Case(in_turn_source, in_turn),
    "8 sheets by tags": Case(tagged, lambda n: sw.encode(tagged(n), "xlsx", columns=PLAIN)),
    "8 sheets by a column": Case(
        named, lambda n: sw.encode(named(n), "xlsx", sheet_by=len(TITLES), columns=PLAIN)
    ),
    "one source": Case(orders, lambda n: sw.encode(orders(n), "xlsx", columns=PLAIN)),
    "3 sheets by tags": Case(
        lambda n: tagged(n, 3), lambda n: sw.encode(tagged(n, 3), "xlsx", columns=PLAIN)
    ),
    "ods": Case(orders, ods),
    "stream-write-ods": Case(orders, stream_write_ods),
}


def run(name: str, rows: int) -> Run:
    """Run a case in a new process, and return its figures."""
    command = [sys.executable, "-m", "benchmarks.workbooks", "--child", name, str(rows)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: the run failed")
    return Run(**json.loads(done.stdout))


def child(case: Case, rows: int) -> Run:
    """Return the figures of a run in this process, which should be new."""
    _source_alone(case, FEW)
    source = _source_alone(case, rows)
    before = peak_memory()
    deque(case.write(FEW), maxlen=0)
    started = process_time()
    size, scratch = 0, 0
    document = case.write(rows)
    for chunk in document:
        size += len(chunk)
    total = process_time() - started
    if isinstance(document, sw.Encoding):
        scratch = document.receipt.scratch_peak_bytes
    return Run(source, total, peak_memory() - before, size, scratch, rows)


def _source_alone(case: Case, rows: int) -> float:
    started = process_time()
    deque(case.rows(rows), maxlen=0)
    return process_time() - started


def measure(names: Iterable[str], rows: int, rounds: int) -> dict[str, list[Run]]:
    """Run the cases, which take turns."""
    found: dict[str, list[Run]] = {name: [] for name in names}
    order = list(found)
    for turn in range(rounds):
        start = turn % len(order)
        for name in order[start:] + order[:start]:
            found[name].append(run(name, rows))
    return found


def ratio(found: dict[str, list[Run]], name: str, base: str) -> tuple[float, float]:
    """Return CPU time as a multiple of `base`: the median ratio, and the ratio of the lowest."""
    pairs = zip(found[name], found[base], strict=True)
    lowest = min(one.micros for one in found[name]) / min(one.micros for one in found[base])
    return median(one.micros / other.micros for one, other in pairs), lowest


def report(found: dict[str, list[Run]], base: str, most: float) -> str:
    """Return the table of cases against `base`, and whether each is within the bound."""
    titles = (
        *(
            "workbook",
            "CPU µs per row, net",
            "lowest",
            f"times {base}",
            "ratio of lowest",
            "at most",
        ),
        *("reached", "document MB", "scratch MB", "scratch / document", "memory MB"),
    )
    return table(titles, (_line(found, name, base, most) for name in found))


def _line(found: dict[str, list[Run]], name: str, base: str, most: float) -> list[str]:
    runs = found[name]
    micros = [one.micros for one in runs]
    size, scratch = runs[0].size, max(one.scratch for one in runs)
    times, lowest = ratio(found, name, base)
    judged = name != base
    reached = lowest <= most and scratch <= SCRATCH_MOST * size
    return [
        name,
        f"{median(micros):.2f}",
        f"{min(micros):.2f}",
        f"{times:.3f}",
        f"{lowest:.3f}",
        f"{most:g}" if judged else "",
        ("yes" if reached else "no") if judged else "",
        megabytes(size),
        megabytes(scratch),
        f"{scratch / size:.2f}",
        megabytes(max(one.memory for one in runs)),
    ]


def report_ods(found: dict[str, list[Run]]) -> str:
    """Return the table of ODS, and how many times slower the rival is."""
    titles = (
        "ODS",
        "CPU µs per row, net",
        "lowest",
        "times streamware",
        "ratio of lowest",
        "at least",
        "reached",
    )
    lines = []
    for name, runs in found.items():
        micros = [one.micros for one in runs]
        times, lowest = ratio(found, name, "ods")
        judged = name != "ods"
        lines.append(
            [
                name,
                f"{median(micros):.2f}",
                f"{min(micros):.2f}",
                f"{times:.1f}",
                f"{lowest:.1f}",
                f"{ODS_LEAST:g}" if judged else "",
                ("yes" if max(times, lowest) >= ODS_LEAST else "no") if judged else "",
            ]
        )
    return table(titles, lines)


def report_large(small: dict[str, Run], large: dict[str, Run]) -> str:
    """Return the table of the memory that few rows and many rows take."""
    rows = [next(iter(found.values())).rows for found in (small, large)]
    titles = (
        "workbook",
        *(f"memory MB, {count:,} rows" for count in rows),
        *("times", "at most", "reached", "seconds of CPU", "document MB", "scratch MB"),
    )
    lines = []
    for name, run_ in large.items():
        # A process grows by arenas: a few megabytes more do not mean growth with the rows.
        times = run_.memory / max(small[name].memory, 2**22)
        lines.append(
            [
                name,
                megabytes(small[name].memory),
                megabytes(run_.memory),
                f"{times:.2f}",
                f"{MEMORY_MOST:g}",
                "yes" if times <= MEMORY_MOST else "no",
                f"{run_.total - run_.source:.1f}",
                megabytes(run_.size),
                megabytes(run_.scratch),
            ]
        )
    return table(titles, lines)


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--large", type=int, default=LARGE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=["features", "sheets", "ods", "large"])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, rows = options.child
        json.dump(asdict(child(CASES[name], int(rows))), sys.stdout)
        return
    print(conditions("benchmarks.workbooks", PACKAGES))
    print("\n\n".join(_parts(options)))


def _parts(options: argparse.Namespace) -> Iterator[str]:
    n, rounds = options.rows, options.rounds
    if options.only in (None, "features"):
        yield report(measure(["plain", "featured"], n, rounds), "plain", FEATURES_MOST)
    if options.only in (None, "sheets"):
        names = [name for name in CASES if name.startswith("8 sheets")]
        yield report(measure(names, n, rounds), names[0], INTERLEAVED_MOST)
    if options.only in (None, "large"):
        names = ["one source", "3 sheets by tags"]
        few = max(options.large // 30, FEW)
        yield report_large(
            {name: run(name, few) for name in names},
            {name: run(name, options.large) for name in names},
        )
    if options.only in (None, "ods") and find_spec("stream_write_ods") is not None:
        yield report_ods(measure(["ods", "stream-write-ods"], max(n // ODS_SHARE, 20), rounds))


if __name__ == "__main__":
    main()
