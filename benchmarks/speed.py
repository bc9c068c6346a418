"""How fast, against the others: CPU time a row net of the row source, first bytes, memory, disk.

Everybody runs in turns, several rounds, each run in a fresh process (`benchmarks.child`), since
the speed of a machine changes from minute to minute.  Ratios are medians of the pairs of a round;
what a quiet machine would show is told by the lowest of all runs, since noise only adds.
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
from benchmarks.contenders import CONTENDERS, ours
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
    "µs CPU a row, net",
    "lowest",
    "times ours",
    "first bytes s",
    "first 64 KiB s",
    "RSS over base MB",
    "files MB",
    "document MB",
)
POLL = 0.01  # seconds between two looks at the disk


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians over the rounds; memory and disk are the highest seen.

    Attributes:
        micros: CPU microseconds a row, net of the row source.
        lowest: The same from the lowest figures of all rounds.
        slower: CPU time as a multiple of ours; NaN where ours did not run.
        first_chunk: Seconds to the first bytes.
        first_64k: Seconds to the first 64 KiB.
        rss: Peak bytes of memory, less those of the row source alone.
        disk: Peak bytes of files, temporary and finished ones.
        size: Bytes of the document.
    """

    micros: float
    lowest: float
    slower: float
    first_chunk: float
    first_64k: float
    rss: int
    disk: int
    size: int


@dataclass(frozen=True, slots=True)
class Target:
    """What DESIGN section 10 asks for: our speed against the fastest of some rivals."""

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
    """Run everybody who writes a format, in turns.

    Args:
        n: Rows of a run.
        rounds: How often everybody runs.
        workload: Name of the rows.
        format_name: Name of the format.
        only: Leaves out rivals whose name does not contain it.

    Returns:
        The figures by name; contenders that are not installed are left out.
    """
    names = [
        name
        for name, contender in CONTENDERS.items()
        if contender.format == format_name and contender.missing is None
        if only in name or name == ours(format_name)
    ]
    runs: dict[str, list[tuple[Run, int]]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            runs[name].append(run(name, workload, n))
    reference = [run.net for run, _ in runs.get(ours(format_name), [])]
    return {name: _summary(taken, reference, n) for name, taken in runs.items()}


def run(name: str, workload: str, rows: int) -> tuple[Run, int]:
    """The figures of one fresh process, and the peak of its files in bytes."""
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
    """Bytes on disk of the files in a folder and of the unlinked files a process has open."""
    files = {}
    for path in [*folder.rglob("*"), *_descriptors(pid)]:
        try:
            found = path.stat()
        except OSError:  # gone meanwhile
            continue
        inside = path.parent.name != "fd" or found.st_nlink == 0
        if inside and stat.S_ISREG(found.st_mode):
            files[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(files.values())


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # no such process any more, or no such system
        return []


def _summary(taken: Sequence[tuple[Run, int]], reference: Sequence[float], n: int) -> Speed:
    runs = [run for run, _ in taken]
    pairs = [run.net / other for run, other in zip(runs, reference, strict=False)]
    return Speed(
        micros=median(run.net for run in runs) / n * 1e6,
        lowest=(min(run.total for run in runs) - min(run.source for run in runs)) / n * 1e6,
        slower=median(pairs) if pairs else float("nan"),
        first_chunk=median(run.first_chunk for run in runs),
        first_64k=median(run.first_64k for run in runs),
        rss=max(run.rss for run in runs),
        disk=max(disk for _, disk in taken),
        size=runs[0].size,
    )


def report(speeds: dict[str, Speed]) -> str:
    """A table of one workload in one format."""
    fastest_first = sorted(speeds.items(), key=lambda item: item[1].micros)
    return table(TITLES, (_line(name, speed) for name, speed in fastest_first))


def _line(name: str, speed: Speed) -> list[str]:
    return [
        name,
        CONTENDERS[name].takes,
        f"{speed.micros:.2f}",
        f"{speed.lowest:.2f}",
        f"{speed.slower:.2f}",
        f"{speed.first_chunk:.3f}",
        f"{speed.first_64k:.3f}",
        megabytes(speed.rss),
        megabytes(speed.disk),
        megabytes(speed.size),
    ]


def summary(results: dict[tuple[str, str], dict[str, Speed]]) -> str:
    """What was measured of what must be reached."""
    titles = ("what", "measured", "of the lowest", "must", "stretch", "reached")
    return table(titles, filter(None, (_verdict(target, results) for target in TARGETS)))


def _verdict(target: Target, results: dict[tuple[str, str], dict[str, Speed]]) -> list[str] | None:
    speeds = results.get((target.workload, target.format), {})
    ratios = [speeds[name].slower for name in target.rivals if name in speeds]
    if not ratios or ours(target.format) not in speeds:
        return None
    lowest = min(speeds[name].lowest for name in target.rivals if name in speeds)
    quiet = lowest / speeds[ours(target.format)].lowest
    measured, must = min(ratios), target.must
    if measured >= target.stretch:
        reached = "stretch"
    else:
        reached = "no" if must is None or measured < must else "must"
    asked = "" if must is None else f"{must:g}"
    return [target.text, f"{measured:.2f}", f"{quiet:.2f}", asked, f"{target.stretch:g}", reached]


def absent(formats: Iterable[str]) -> list[str]:
    """A line for each contender that cannot run."""
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
