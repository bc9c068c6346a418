"""How many instructions of the processor does a row take, and have they become more?

Instructions are counted by callgrind, which noise does not touch.  Each case is written with few
rows and with many; the difference, by row, is free of what a document costs once.  All cases of a
path share one process, because its start takes most of the time: `os.getppid`, which nothing else
calls, ends a piece, and callgrind writes down what it has counted.

`--check` compares with `instructions.json`, `--write` writes it.  Counts are of one processor
family and of one minor version of CPython: with others nothing is compared.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import streamware as sw
from benchmarks import paths
from benchmarks.table import conditions, table
from benchmarks.workloads import ALL, Row
from streamware import kernel

STORED = Path(__file__).with_suffix(".json")
WITHIN = 0.05
"""By how much a count may grow before it counts as a regression."""
VERSIONS = ("isal", "orjson")
"""The packages whose code is counted with ours."""
Counts = dict[str, dict[str, float]]
"""Instructions by path and case."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is counted.

    Attributes:
        format: The format.
        workload: The rows.
        few: The smaller number of pieces: rows, or documents.
        many: The larger number.
        rows: Rows of a document; None if a piece is a row.
    """

    format: str
    workload: str
    few: int = 500
    many: int = 2000
    rows: int | None = None

    def documents(self, count: int) -> list[list[Row]]:
        """Return new rows, by document: objects that were written before are cheaper to write."""
        make = ALL[self.workload].rows
        return (
            [list(make(count))] if self.rows is None else [[*make(self.rows)] for _ in range(count)]
        )

    def write(self, documents: list[list[Row]]) -> None:
        """Write documents, in chunks by size alone: under callgrind a second is short."""
        columns = [sw.Column(*pair) for pair in enumerate(ALL[self.workload].titles)]
        for rows in documents:
            deque(sw.encode(rows, self.format, columns=columns, flush_interval=1e6), maxlen=0)


CASES = {
    "CSV, a row of orders": Case("csv", "orders"),
    "XLSX, a row of orders": Case("xlsx", "orders"),
    "XML, a row of orders": Case("xml", "orders"),
    "JSON, a row of orders": Case("json", "orders"),
    "CSV, a row with 80 % None": Case("csv", "80 % None"),
    "CSV, ten orders in all": Case("csv", "orders", 10, 60, rows=10),
}


def run_pieces() -> None:
    """Write all cases, with a mark after each piece that is counted."""
    for case in CASES.values():
        case.write(case.documents(case.few))
        for count in (case.few, case.many):
            documents = case.documents(count)
            gc.collect()
            os.getppid()  # what was not counted ends
            case.write(documents)
            os.getppid()


def counted(path: str) -> dict[str, float]:
    """Return the instructions by case, of a new process on a path."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = [
            *("valgrind", "--tool=callgrind", "--dump-before=getppid"),
            *(f"--callgrind-out-file={out}", sys.executable, "-m", "benchmarks.instructions"),
            "--child",
        ]
        environment = paths.environment(path) | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"callgrind failed:\n{done.stderr}")
        return by_case(list(_pieces(out)))


def _pieces(out: Path) -> Iterator[int]:
    """Yield what callgrind has counted in each piece."""
    for number in range(1, 4 * len(CASES) + 1):
        dump = Path(f"{out}.{number}").read_text("utf-8", errors="replace")
        found = re.search(r"^summary: (\d+)", dump, re.MULTILINE)
        assert found is not None
        yield int(found[1])


def by_case(pieces: list[int]) -> dict[str, float]:
    """Return the instructions by case, from those of all pieces in the order of `run_pieces`."""
    written = pieces[1::2]  # between two of them is what was not counted
    return {
        name: (many - few) / (case.many - case.few)
        for (name, case), few, many in zip(CASES.items(), written[::2], written[1::2], strict=True)
    }


def compiled_by_hand() -> bool:
    """Return whether the kernel is one that `pip install` did not compile, with other options."""
    return kernel.native is not None and not kernel.native.SOURCES


def measure() -> Counts:
    """Return the instructions by path and case; the paths are counted at the same time."""
    found = (paths.PURE,) if compiled_by_hand() else paths.available()
    with ThreadPoolExecutor(len(found)) as pool:
        return dict(zip(found, pool.map(counted, found), strict=True))


def report(found: Counts, stored: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of counts beside the stored ones."""
    titles = ("instructions", "path", "counted", "stored", "ratio")
    return table(
        titles, (line for path in found for line in _lines(path, found, stored)), ("path",)
    )


def _lines(
    path: str, found: Counts, stored: Mapping[str, Mapping[str, float]]
) -> Iterator[list[str]]:
    for name, count in found[path].items():
        before = stored.get(path, {}).get(name)
        compared = ["", ""] if before is None else [f"{before:,.0f}", f"{count / before:.3f}"]
        yield [name, path, f"{count:,.0f}", *compared]


def grown(found: Counts, stored: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the cases that take more instructions than they may."""
    return [
        f"{name} ({path}): {count:,.0f} instructions where {stored[path][name]:,.0f} are stored"
        for path, cases in found.items()
        for name, count in cases.items()
        if count > stored.get(path, {}).get(name, count) * (1 + WITHIN)
    ]


def shrunk(found: Counts, stored: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the cases whose stored count no longer guards them."""
    return [
        f"{name} ({path})"
        for path, cases in found.items()
        for name, count in cases.items()
        if count < stored.get(path, {}).get(name, count) * (1 - WITHIN)
    ]


def conditions_here() -> dict[str, Any]:
    """Return what counts depend on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in VERSIONS},
    }


def incomparable(stored: Mapping[str, Any]) -> str | None:
    """Return why stored counts are of no use here, or None if they are."""
    here = conditions_here()
    minor, other = (one["python"].rpartition(".")[0] for one in (here, stored))
    if minor != other:
        return f"the stored counts are for CPython {other}, and this is {minor}"
    if here["machine"] != stored["machine"]:
        return f"the stored counts are for {stored['machine']}, and this is {here['machine']}"
    return None


def check() -> int:
    """Compare with the stored counts; return the exit status."""
    stored = json.loads(STORED.read_text("utf-8"))
    reason = incomparable(stored)
    if reason is not None:
        print(f"skipped: {reason}")
        return 0
    found = measure()
    print(report(found, stored["counts"]))
    if conditions_here() != {name: stored[name] for name in conditions_here()}:
        print(
            f"\nstored for {stored['python']} and {stored['versions']}; here: {conditions_here()}"
        )
    fewer, more = shrunk(found, stored["counts"]), grown(found, stored["counts"])
    if fewer:
        print("\nfewer than stored; `--write` takes them over:", *fewer, sep="\n")
    if more:
        print(f"\nmore than {WITHIN:.0%} above what is stored:", *more, sep="\n")
    return 1 if more else 0


def write(found: Counts) -> None:
    """Write the file; a path that was not counted keeps its counts."""
    before = json.loads(STORED.read_text("utf-8"))["counts"] if STORED.exists() else {}
    rounded = {
        path: {name: round(count) for name, count in cases.items()} for path, cases in found.items()
    }
    stored = conditions_here() | {"counts": before | rounded}
    STORED.write_text(json.dumps(stored, indent=2, ensure_ascii=False) + "\n", "utf-8")


def main() -> int:
    """Do what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a count has grown")
    parser.add_argument("--write", action="store_true", help="write the counts into the file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_pieces()
        return 0
    print(conditions("benchmarks.instructions", ("streamware", *VERSIONS)))
    if shutil.which("valgrind") is None:
        print("skipped: needs valgrind")
        return 0
    if compiled_by_hand():
        print("without the kernel, which was compiled by hand: `pip install --no-deps -e .`")
    if options.check:
        return check()
    found = measure()
    print(report(found, {}))
    if options.write:
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
