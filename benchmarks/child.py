"""One run of one contender, in a process of its own: `python -m benchmarks.child …`.

The row source runs alone first, so that its CPU time and memory can be taken off; then the
contender on a few rows, so that imports and templates are done; then the run that counts.  The
figures go to standard output as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.workloads import WORKLOADS, Workload

FEW = 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        source: CPU seconds of the row source alone.
        total: CPU seconds of the contender, the row source included.
        first_chunk: Seconds to the first bytes; of a file, to the whole of it.
        first_64k: Seconds to the first 64 KiB.
        rss: Peak memory in bytes, less the peak of the row source alone.
        size: Bytes of the document.
    """

    source: float
    total: float
    first_chunk: float
    first_64k: float
    rss: int
    size: int

    @property
    def net(self) -> float:
        """CPU seconds of the contender, the row source left out."""
        return self.total - self.source


@dataclass(slots=True)
class _Progress:
    begun: float
    first_chunk: float = 0.0
    first_64k: float = 0.0
    size: int = 0

    def sent(self, size: int) -> None:
        self.size += size
        if not self.first_chunk:
            self.first_chunk = perf_counter() - self.begun
        if not self.first_64k and self.size >= 65_536:
            self.first_64k = perf_counter() - self.begun


def run(contender: Contender, workload: Workload, rows: int, folder: Path) -> Run:
    """Measure in this process, which should be fresh."""
    _source_alone(workload, FEW)
    source = _source_alone(workload, rows)
    base = peak_memory()
    _write(contender, workload, FEW, folder)
    before = process_time()
    progress = _write(contender, workload, rows, folder)
    total = process_time() - before
    return Run(
        source,
        total,
        progress.first_chunk,
        progress.first_64k or perf_counter() - progress.begun,
        peak_memory() - base,
        progress.size,
    )


def _write(contender: Contender, workload: Workload, rows: int, folder: Path) -> _Progress:
    progress = _Progress(perf_counter())
    source, titles = workload.rows(rows), workload.titles
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
    """In bytes.  Linux hands a parent's peak down as `ru_maxrss`, hence VmHWM, where there is."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    name, workload_name, count = sys.argv[1:]
    figures = run(
        CONTENDERS[name], WORKLOADS[workload_name], int(count), Path(tempfile.gettempdir())
    )
    json.dump(asdict(figures), sys.stdout)
