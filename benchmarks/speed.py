"""How fast is streamware, compared with other libraries?

For each contender it measures CPU time per row, without the time of the row source; the time to
the first bytes; memory; and files on disk; and `benchmarks.losses` finds out what it loses.
Streamware is there twice: on the path of the compiled kernel, and on the pure one.

All contenders take turns, for several rounds, each run in a new process (`benchmarks.child`),
because the speed of a machine changes from minute to minute.  A ratio is the median of the ratios
of each round.  The lowest times of all rounds are those of a quiet machine: noise only adds.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import losses, paths
from benchmarks.child import Run
from benchmarks.contenders import CONTENDERS, reference
from benchmarks.table import conditions, megabytes, table
from benchmarks.workloads import ALL, WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("xlsx", "csv", "xml", "json")
PACKAGES = (
    *("streamware", "isal", "orjson", "xlsxwriter", "openpyxl", "rustpy-xlsxwriter", "rustypyxl"),
    *("jetxl", "pyarrow", "lxml", "polars", "duckdb", "rapidxlsx", "xlsxturbo", "fastxlsxio"),
    *("openexcel-c", "wolfxl", "oxlsx", "turbo-xlsx-rs", "duke-sheets"),
)
TITLES = (
    "contender",
    "takes",
    "CPU µs per row, net",
    "lowest",
    "times streamware",
    "first bytes s",
    "first 64 KiB s",
    "RSS over source MB",
    "files MB",
    "document MB",
    "loses",
)
POLL = 0.01  # seconds between two looks at the files


@dataclass(frozen=True, slots=True)
class Speed:
    """The figures of a contender: medians of the rounds; for memory and disk the maximum.

    Attributes:
        micros: CPU microseconds per row, without those of the row source.
        lowest: The same, from the lowest times of all rounds.
        rounds: The same, of each round.
        first_chunk: Seconds to the first bytes.
        first_64k: Seconds to the first 64 KiB.
        rss: Peak bytes of memory, minus those of the row source alone.
        disk: Peak bytes of files, temporary ones and the document.
        size: Bytes of the document.
    """

    micros: float
    lowest: float
    rounds: tuple[float, ...]
    first_chunk: float
    first_64k: float
    rss: int
    disk: int
    size: int

    def times(self, other: Speed) -> float:
        """Return CPU time as a multiple of another's: the median of the rounds."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return median(mine / their for mine, their in pairs)


Speeds = dict[str, Speed]
"""The figures by name of the contender."""


@dataclass(frozen=True, slots=True)
class Target:
    """How many times faster than the fastest of some rivals streamware is to be.

    Attributes:
        text: What the table says.
        workload: The rows.
        format: The format.
        rivals: Names of contenders; those that are not installed do not count.
        must: What it must reach; None if that is not decided.
        stretch: What would be better.
        ours: The name of ours; empty for that of the format.
    """

    text: str
    workload: str
    format: str
    rivals: tuple[str, ...]
    must: float | None
    stretch: float
    ours: str = ""


def iterating(format_name: str) -> tuple[str, ...]:
    """Return the names of the rivals that take an iterator."""
    return tuple(
        name
        for name, one in CONTENDERS.items()
        if one.format == format_name and one.takes == "iter" and not one.ours
    )


_XMLFILE = ("lxml xmlfile events", "lxml xmlfile elements")
_GIVEN_XLSX = ("jetxl, given Arrow", "rapidxlsx, given Polars")
_FRAMES = ("rapidxlsx, columns", "rapidxlsx, Polars")
_CSV_WRITER = ("csv.writer batched",)
TARGETS = (
    Target("XLSX: times the pure path", "orders", "xlsx", ("streamware xlsx, pure",), 2.2, 2.8),
    Target("XLSX: the best that takes an iterator", "orders", "xlsx", iterating("xlsx"), 5, 7),
    Target("XLSX: XlsxWriter", "orders", "xlsx", ("XlsxWriter constant_memory",), 13, 16),
    Target("CSV: rustpy write_csv", "orders", "csv", ("rustpy write_csv",), 1.2, 1.6),
    Target("CSV: csv.writer", "orders", "csv", _CSV_WRITER, 2, 2.6),
    *(
        Target(f"CSV, {name}: csv.writer", name, "csv", _CSV_WRITER, 1.5, 3)
        for name in ("80 % None", "integers", "integers and floats", "eight types")
    ),
    Target("XML: times the pure path", "orders", "xml", ("streamware xml, pure",), 2.5, 3.5),
    Target("JSON: times the pure path", "orders", "json", ("streamware json, pure",), 2.5, 3.5),
    Target("XML: the faster xmlfile", "orders", "xml", _XMLFILE, 5, 6),
    Target("numbers, XLSX: rapidxlsx, which makes its table", "numbers", "xlsx", _FRAMES, 1, 1),
    Target(
        "numbers, XLSX: rapidxlsx, given its frame",
        "numbers",
        "xlsx",
        ("rapidxlsx, given Polars",),
        None,
        1,
    ),
    Target(
        "CSV from Arrow: Polars, given its frame",
        "orders",
        "csv",
        ("Polars write_csv, given Polars",),
        1.2,
        1.5,
        ours="streamware csv, given Arrow",
    ),
    Target(
        "XLSX from Arrow: jetxl and rapidxlsx, given theirs",
        "orders",
        "xlsx",
        _GIVEN_XLSX,
        1.5,
        2,
        ours="streamware xlsx, given Arrow",
    ),
)


def measure(
    n: int, *, rounds: int = 3, workload: str = "orders", format_name: str = "xlsx", only: str = ""
) -> Speeds:
    """Run all contenders that write a format, which take turns.

    Args:
        n: Number of rows of a run.
        rounds: How often each contender runs.
        workload: Name of the workload.
        format_name: Name of the format.
        only: Part of the names of the rivals to run.

    Returns:
        The figures by name of the contender, without those that are not installed, and those that
        cannot write these rows.
    """
    names = [
        name
        for name, contender in CONTENDERS.items()
        if contender.format == format_name and contender.missing is None
        if only in name or name == f"streamware {format_name}"
    ]
    able = [name for name in names if _is_able(name, workload)]
    runs: dict[str, list[tuple[Run, int]]] = {name: [] for name in able}
    for turn in range(rounds):
        start = turn % len(able)
        for name in able[start:] + able[:start]:
            runs[name].append(run(name, workload, n))
    return {name: _summary(taken, n) for name, taken in runs.items()}


def _is_able(name: str, workload: str) -> bool:
    """Return whether a contender can write rows; one of ours has to, unless no table has them."""
    if CONTENDERS[name].ours and CONTENDERS[name].prepare is None:
        return True
    try:
        run(name, workload, 20)
    except RuntimeError as error:
        print(f"left out of {workload}: {error}", file=sys.stderr)
        return False
    return True


def run(name: str, workload: str, rows: int) -> tuple[Run, int]:
    """Run a contender in a new process; return its figures and the peak bytes of its files."""
    command = [sys.executable, "-m", "benchmarks.child", name, workload, str(rows)]
    path = CONTENDERS[name].path if name in CONTENDERS else None
    environment = dict(os.environ) if path is None else paths.environment(path)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | {"TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, disk_bytes(Path(folder), process.pid))
            time.sleep(POLL)
        output, _ = process.communicate()
        errors.seek(0)
        last = errors.read().rstrip().rpartition("\n")[2]
    if process.returncode:
        raise RuntimeError(f"{name}: the run failed: {last}")
    return Run(**json.loads(output)), peak


def disk_bytes(folder: Path, pid: int) -> int:
    """Return the bytes on disk of the files in a folder and of unlinked files of a process."""
    files = {}
    for path in [*folder.rglob("*"), *_descriptors(pid)]:
        try:
            found = path.stat()
        except OSError:  # removed meanwhile
            continue
        inside = path.parent.name != "fd" or found.st_nlink == 0
        if inside and stat.S_ISREG(found.st_mode):
            files[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(files.values())


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # the process has ended, or the system has no /proc
        return []


def _summary(taken: Sequence[tuple[Run, int]], n: int) -> Speed:
    runs = [run for run, _ in taken]
    return Speed(
        micros=median(run.net for run in runs) / n * 1e6,
        lowest=(min(run.total for run in runs) - min(run.source for run in runs)) / n * 1e6,
        rounds=tuple(run.net / n * 1e6 for run in runs),
        first_chunk=median(run.first_chunk for run in runs),
        first_64k=median(run.first_64k for run in runs),
        rss=max(run.rss for run in runs),
        disk=max(disk for _, disk in taken),
        size=runs[0].size,
    )


Lost = Mapping[str, "losses.Losses | None"]
"""What each contender loses."""


def fastest_first(speeds: Speeds) -> list[str]:
    """Return the names; those that are given a table come last."""
    return sorted(speeds, key=lambda name: (CONTENDERS[name].takes == "given", speeds[name].micros))


def report(speeds: Speeds, lost: Lost) -> str:
    """Return the table of a workload in a format."""
    lines = (_line(name, speeds, lost) for name in fastest_first(speeds))
    return table(TITLES, lines, ("takes", "loses"))


def _line(name: str, speeds: Speeds, lost: Lost) -> list[str]:
    speed, base = speeds[name], speeds.get(reference(CONTENDERS[name]))
    return [
        name,
        CONTENDERS[name].takes,
        f"{speed.micros:.2f}",
        f"{speed.lowest:.2f}",
        "" if base is None else f"{speed.times(base):.2f}",
        f"{speed.first_chunk:.3f}",
        f"{speed.first_64k:.3f}",
        megabytes(speed.rss),
        megabytes(speed.disk),
        megabytes(speed.size),
        losses.briefly(lost[name]) if name in lost else "",
    ]


def summary(results: Mapping[tuple[str, str], Speeds]) -> str:
    """Return the table of the targets."""
    titles = ("how many times faster", "ratio", "ratio of lowest", "must", "stretch", "reached")
    return table(titles, filter(None, (_verdict(target, results) for target in TARGETS)))


def _verdict(target: Target, results: Mapping[tuple[str, str], Speeds]) -> list[str] | None:
    speeds = results.get((target.workload, target.format), {})
    ours = speeds.get(target.ours or f"streamware {target.format}")
    rivals = [speeds[name] for name in target.rivals if name in speeds]
    if not rivals or ours is None:
        return None
    measured = min(rival.times(ours) for rival in rivals)
    quiet = min(rival.lowest for rival in rivals) / ours.lowest
    must = target.must
    if measured >= target.stretch:
        reached = "stretch"
    else:
        reached = "no" if must is None or measured < must else "must"
    required = "" if must is None else f"{must:g}"
    return [
        target.text,
        f"{measured:.2f}",
        f"{quiet:.2f}",
        required,
        f"{target.stretch:g}",
        reached,
    ]


def lost(formats: Iterable[str], only: str = "") -> dict[str, losses.Losses | None]:
    """Return what each contender loses, by trying."""
    if (missing := losses.missing()) is not None:
        print(f"losses are not shown: {missing} is not installed")
        return {}
    return {
        name: losses.found(name)
        for name, one in CONTENDERS.items()
        if one.format in formats and one.missing is None and (only in name or one.ours)
    }


def absent(formats: Iterable[str]) -> list[str]:
    """Return a line for each contender that is not installed."""
    chosen = (one for one in CONTENDERS.values() if one.format in formats)
    return [f"skipped: {one.name} needs {one.missing}" for one in chosen if one.missing]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workload", choices=ALL, action="append")
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--only", default="", help="part of the names of the rivals to run")
    parser.add_argument("--no-losses", action="store_true", help="do not try what is lost")
    options = parser.parse_args()
    formats = options.format or FORMATS
    print(conditions("benchmarks.speed", PACKAGES))
    print(paths.said(), *absent(formats), sep="\n")
    found = {} if options.no_losses else lost(formats, options.only)
    results = {}
    for workload in options.workload or WORKLOADS:
        for name in formats:
            results[workload, name] = speeds = measure(
                options.rows,
                rounds=options.rounds,
                workload=workload,
                format_name=name,
                only=options.only,
            )
            print(f"\n{name}, {workload}, {options.rows:,} rows, {options.rounds} rounds\n")
            print(report(speeds, found), flush=True)
    print(f"\n{summary(results)}\n\n{losses.report(found)}")


if __name__ == "__main__":
    main()
