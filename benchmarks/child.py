"""One run of one contender: `python -m benchmarks.child NAME WORKLOAD ROWS`.

Each run has a process of its own.  The row source runs alone first, so that its CPU time and
memory can be subtracted; for a contender that is given a table, it is made instead, and takes no
time.  Then the contender writes a few rows, so that imports and caches do not count.  Then comes
the run that counts.  The figures are printed as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks import paths
from benchmarks.contender import Contender
from benchmarks.contenders import CONTENDERS
from benchmarks.workloads import ALL, Workload

FEW = 20


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run.

    Attributes:
        source: CPU seconds of the row source alone; 0 if the table was made before.
        total: CPU seconds of the contender with the row source.
        first_chunk: Seconds to the first bytes; for a file, to the last.
        first_64k: Seconds to the first 64 KiB.
        rss: Peak bytes of memory, minus those of the row source alone.
        size: Bytes of the document.
        path: The path that streamware took.
    """

    source: float
    total: float
    first_chunk: float
    first_64k: float
    rss: int
    size: int
    path: str

    @property
    def net(self) -> float:
        """CPU seconds of the contender without the row source."""
        return self.total - self.source


@dataclass(slots=True)
class _Progress:
    """How much of a document was sent, and when."""

    started: float
    first_chunk: float = 0.0
    first_64k: float = 0.0
    size: int = 0

    def sent(self, size: int) -> None:
        self.size += size
        if not self.first_chunk:
            self.first_chunk = perf_counter() - self.started
        if not self.first_64k and self.size >= 65_536:
            self.first_64k = perf_counter() - self.started


def run(contender: Contender, workload: Workload, rows: int, folder: Path) -> Run:
    """Return the figures of a run in this process, which should be new."""
    titles, source = workload.titles, 0.0
    few, given = workload.rows(FEW), workload.rows(rows)
    if contender.prepare is None:
        _source_alone(workload, FEW)
        source = _source_alone(workload, rows)
    tables = contender.source(few, titles), contender.source(given, titles)
    base = peak_memory()
    _write(contender, tables[0], titles, folder)
    before = process_time()
    progress = _write(contender, tables[1], titles, folder)
    total = process_time() - before
    return Run(
        source,
        total,
        progress.first_chunk,
        progress.first_64k or perf_counter() - progress.started,
        peak_memory() - base,
        progress.size,
        paths.here(),
    )


def _write(contender: Contender, source: Any, titles: Sequence[str], folder: Path) -> _Progress:
    progress = _Progress(perf_counter())
    if contender.stream is not None:
        for chunk in contender.stream(source, titles):
            progress.sent(len(chunk))
    elif contender.write is not None:
        path = folder / f"out.{contender.format}"
        contender.write(source, titles, path)
        progress.sent(path.stat().st_size)
    return progress


def _source_alone(workload: Workload, rows: int) -> float:
    before = process_time()
    deque(workload.rows(rows), maxlen=0)
    return process_time() - before


def peak_memory() -> int:
    """Return the peak memory of this process in bytes.

    On Linux it is VmHWM, because a child process inherits `ru_maxrss` from its parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    name, workload_name, count = sys.argv[1:]
    figures = run(CONTENDERS[name], ALL[workload_name], int(count), Path(tempfile.gettempdir()))
    json.dump(asdict(figures), sys.stdout)
