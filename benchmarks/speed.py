"""How fast is streamware, compared with other libraries?

For each contender it measures CPU time per row, without the time of the row source; the time to
the first bytes; memory; and files on disk.

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.child import Run
from benchmarks.contenders import CONTENDERS, reference
from benchmarks.table import conditions, megabytes, table
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("xlsx", "csv", "xml")
PACKAGES = (
    *("streamware", "isal", "orjson", "xlsxwriter", "openpyxl", "rustpy-xlsxwriter", "rustypyxl"),
    *("jetxl", "pyarrow", "lxml"),
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
)
POLL = 0.01  # seconds between two looks at the files


@dataclass(frozen=True, slots=True)
class Speed:
    """The figures of a contender: medians of the rounds; for memory and disk the maximum.

    Attributes:
        micros: CPU microseconds per row, without those of the row source.
        lowest: The same, from the lowest times of all rounds.
        ratio: CPU time as a multiple of that of streamware; NaN if streamware did not run.
        first_chunk: Seconds to the first bytes.
        first_64k: Seconds to the first 64 KiB.
        rss: Peak bytes of memory, minus those of the row source alone.
        disk: Peak bytes of files, temporary ones and the document.
        size: Bytes of the document.
    """

    micros: float
    lowest: float
    ratio: float
    first_chunk: float
    first_64k: float
    rss: int
    disk: int
    size: int


@dataclass(frozen=True, slots=True)
class Target:
    """A target of DESIGN section 10: the speed of streamware against the fastest of some rivals."""

    text: str
    workload: str
    format: str
    rivals: tuple[str, ...]
    must: float | None
    stretch: float


TARGETS = (
    Target("XLSX against XlsxWriter", "orders", "xlsx", ("XlsxWriter constant_memory",), 13, 16),
    Target(
        "XLSX against the faster of rustpy-xlsxwriter and rustypyxl",
        "orders",
        "xlsx",
        ("rustpy-xlsxwriter", "rustypyxl write-only"),
        2,
        2.5,
    ),
    Target("CSV against csv.writer", "orders", "csv", ("csv.writer batched",), 2, 2.6),
    Target("CSV against pyarrow.csv", "orders", "csv", ("pyarrow.csv",), None, 1),
    Target(
        "XML against the faster xmlfile",
        "orders",
        "xml",
        ("lxml xmlfile events", "lxml xmlfile elements"),
        5,
        6,
    ),
    Target("numbers, XLSX against rustypyxl", "numbers", "xlsx", ("rustypyxl write-only",), 2, 3),
)


def measure(
    n: int, *, rounds: int = 3, workload: str = "orders", format_name: str = "xlsx", only: str = ""
) -> dict[str, Speed]:
    """Run all contenders that write a format, which take turns.

    Args:
        n: Number of rows of a run.
        rounds: How often each contender runs.
        workload: Name of the workload.
        format_name: Name of the format.
        only: Part of the names of the rivals to run.

    Returns:
        The figures by name of the contender, without those that are not installed.
    """
    names = [
        name
        for name, contender in CONTENDERS.items()
        if contender.format == format_name and contender.missing is None
        if only in name or name == reference(format_name)
    ]
    runs: dict[str, list[tuple[Run, int]]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            runs[name].append(run(name, workload, n))
    base = [run.net for run, _ in runs.get(reference(format_name), [])]
    return {name: _summary(taken, base, n) for name, taken in runs.items()}


def run(name: str, workload: str, rows: int) -> tuple[Run, int]:
    """Run a contender in a new process; return its figures and the peak bytes of its files."""
    command = [sys.executable, "-m", "benchmarks.child", name, workload, str(rows)]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "TMPDIR": folder}, stdout=subprocess.PIPE
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, disk_bytes(Path(folder), process.pid))
            time.sleep(POLL)
        output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{name}: the run failed")
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


def _summary(taken: Sequence[tuple[Run, int]], base: Sequence[float], n: int) -> Speed:
    runs = [run for run, _ in taken]
    pairs = [run.net / other for run, other in zip(runs, base, strict=False)]
    return Speed(
        micros=median(run.net for run in runs) / n * 1e6,
        lowest=(min(run.total for run in runs) - min(run.source for run in runs)) / n * 1e6,
        ratio=median(pairs) if pairs else float("nan"),
        first_chunk=median(run.first_chunk for run in runs),
        first_64k=median(run.first_64k for run in runs),
        rss=max(run.rss for run in runs),
        disk=max(disk for _, disk in taken),
        size=runs[0].size,
    )


def report(speeds: dict[str, Speed]) -> str:
    """Return the table of a workload in a format."""
    fastest_first = sorted(speeds.items(), key=lambda item: item[1].micros)
    return table(TITLES, (_line(name, speed) for name, speed in fastest_first))


def _line(name: str, speed: Speed) -> list[str]:
    return [
        name,
        CONTENDERS[name].takes,
        f"{speed.micros:.2f}",
        f"{speed.lowest:.2f}",
        f"{speed.ratio:.2f}",
        f"{speed.first_chunk:.3f}",
        f"{speed.first_64k:.3f}",
        megabytes(speed.rss),
        megabytes(speed.disk),
        megabytes(speed.size),
    ]


def summary(results: dict[tuple[str, str], dict[str, Speed]]) -> str:
    """Return the table of the targets."""
    titles = ("target", "ratio", "ratio of lowest", "must", "stretch", "reached")
    return table(titles, filter(None, (_verdict(target, results) for target in TARGETS)))


def _verdict(target: Target, results: dict[tuple[str, str], dict[str, Speed]]) -> list[str] | None:
    speeds = results.get((target.workload, target.format), {})
    ratios = [speeds[name].ratio for name in target.rivals if name in speeds]
    if not ratios or reference(target.format) not in speeds:
        return None
    lowest = min(speeds[name].lowest for name in target.rivals if name in speeds)
    quiet = lowest / speeds[reference(target.format)].lowest
    measured, must = min(ratios), target.must
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


def absent(formats: Iterable[str]) -> list[str]:
    """Return a line for each contender that is not installed."""
    chosen = (one for one in CONTENDERS.values() if one.format in formats)
    return [f"skipped: {one.name} needs {one.missing}" for one in chosen if one.missing]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--only", default="", help="part of the names of the rivals to run")
    options = parser.parse_args()
    formats = options.format or FORMATS
    print(conditions("benchmarks.speed", PACKAGES))
    print(*absent(formats), sep="\n")
    results = {}
    for workload in options.workload or WORKLOADS:
        for name in formats:
            speeds = measure(
                options.rows,
                rounds=options.rounds,
                workload=workload,
                format_name=name,
                only=options.only,
            )
            results[workload, name] = speeds
            print(f"\n{name}, {workload}, {options.rows:,} rows, {options.rounds} rounds\n")
            print(report(speeds), flush=True)
    print(f"\n{summary(results)}")


if __name__ == "__main__":
    main()
