"""What do rows of a database cost, and which line of a view keeps its promise?

- cpu: CPU time a row of each source, against its driver alone (the same query and batch, the rows
  dropped), and of an export as CSV against the driver with `csv.writer`.
- lines: each line of docs/databases.md, wrong and right, really served: the peak memory of the
  server over that of one whose tables have 20 orders, and the time to the first byte.  `--docs`
  writes the tables into the page.

The databases are made once (`benchmarks.databases`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from benchmarks.clients import Download, get
from benchmarks.databases import CACHE, NAMES, Databases, running
from benchmarks.lines import LINES, ORDERS, Line
from benchmarks.process import ROOT, ServerProcess
from benchmarks.readings import READINGS
from benchmarks.table import conditions, placed, table

FEW = 20
GUNICORN = (
    *("gunicorn", "--worker-class", "gthread", "--threads", "8", "--timeout", "600"),
    *("--graceful-timeout", "1", "--log-level", "error", "--bind", "127.0.0.1:{port}"),
)
UVICORN = (
    *("uvicorn", "--timeout-graceful-shutdown", "1", "--log-level", "error"),
    *("--lifespan", "off", "--port", "{port}"),
)
SERVERS = {
    "flask": (*GUNICORN, "benchmarks.served_flask:app"),
    "fastapi": (*UVICORN, "benchmarks.served_fastapi:app"),
    "django": (*GUNICORN, "benchmarks.served_django:wsgi"),
    "django asgi": (*UVICORN, "benchmarks.served_django:asgi"),
}
SERVED = {
    "flask": "Flask, gunicorn",
    "fastapi": "FastAPI, uvicorn",
    "django": "gunicorn",
    "django asgi": "uvicorn",
}
PAGE = ROOT / "docs" / "databases.md"
MEMORY, FIRST = 24e6, 0.1
"""What a right line must reach: bytes over the base, seconds to the first byte."""


# Lines --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """The figures of a line.

    Attributes:
        memory: Peak bytes of the server, minus those of one with few orders.
        first: Seconds to the first byte; of a right line the median of several requests.
        size: Bytes of the response.
    """

    memory: int
    first: float
    size: int


def measure_lines(lines: Iterable[Line], where: Databases, times: int) -> dict[Line, Served]:
    """Return the figures of lines, and say on the terminal how far it is."""
    found = {}
    for line in lines:
        found[line] = measure_line(line, where, times)
        print(_line(line, found[line]), file=sys.stderr, flush=True)
    return found


def measure_line(line: Line, where: Databases, times: int) -> Served:
    """Return the figures of a line, from a server for it alone."""
    few = Databases(where.folder, FEW)
    base, _, _ = _served(line, few, 0)
    peak, firsts, size = _served(line, where, times if line.right else 0)
    return Served(peak - base, median(firsts), size)


def _served(line: Line, where: Databases, times: int) -> tuple[int, list[float], int]:
    """Download a line once, and then only its first byte several times.

    Returns the peak of the server, the seconds to the first bytes, and the size.
    """
    environment = {CACHE: str(where.folder), ORDERS: str(where.orders)}
    path = f"/line/{LINES.index(line)}"
    with tempfile.TemporaryDirectory() as folder:
        command = SERVERS[line.application]
        server = ServerProcess(command, Path(folder), environment, ready="/peak")
        try:
            download, cold = _started(server.port, path)
            while not download.ended:
                download.read()
            peak = int(get(server.port, "/peak"))
            firsts = []
            for _ in range(times):
                abandoned, seconds = _started(server.port, path)
                abandoned.close()
                firsts.append(seconds)
                sleep(0.2)  # until the server has noticed
        finally:
            server.stop()
    return peak, firsts or [cold], download.size


def _started(port: int, path: str) -> tuple[Download, float]:
    """Request a path; return the download and the seconds to its first byte."""
    started = perf_counter()
    download = Download(port, path)
    download.read(1)
    return download, perf_counter() - started


def report_lines(found: dict[Line, Served]) -> str:
    """Return the table of lines."""
    titles = ("line", "on", "peak MB over base", "first byte ms")
    return table(titles, (_line(*pair) for pair in found.items()))


def _line(line: Line, served: Served) -> list[str]:
    right = "right" if line.right else "wrong"
    return [
        f"{right}: `{line.code}`",
        SERVED[line.application],
        f"{max(served.memory, 0) / 1e6:.0f}",
        f"{served.first * 1e3:.0f}",
    ]


def missed(found: dict[Line, Served]) -> list[str]:
    """Return the right lines that do not reach what they must."""
    return [
        _line(line, served)[0]
        for line, served in found.items()
        if line.right and (served.memory >= MEMORY or served.first >= FIRST)
    ]


def documented(page: str, found: dict[Line, Served]) -> str:
    """Return a page with the tables of those drivers that were measured."""
    for driver in dict.fromkeys(line.driver for line in found):
        lines = {line: served for line, served in found.items() if line.driver == driver}
        page = placed(page, driver, report_lines(lines))
    return page


# CPU ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of one round.

    Attributes:
        driver: The driver alone; its rows are dropped.
        source: Our source; its rows are dropped.
        written: The driver, with `csv.writer`.
        exported: An export of the source as CSV.
    """

    driver: float
    source: float
    written: float
    exported: float


def measure_cpu(names: Iterable[str], where: Databases, rounds: int) -> dict[str, list[Cpu]]:
    """Return the rounds of each reading, all of which take turns."""
    found: dict[str, list[Cpu]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, each in found.items():
            each.append(Cpu(*(_ran(name, way, where) for way in Cpu.__dataclass_fields__)))
    return found


def _ran(name: str, way: str, where: Databases) -> float:
    command = [sys.executable, "-m", "benchmarks.readings", name, way, str(where.folder)]
    done = subprocess.run(
        [*command, str(where.orders)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    seconds: float = json.loads(done.stdout)
    return seconds


def report_cpu(found: dict[str, list[Cpu]], orders: int) -> str:
    """Return the table of CPU time, from the lowest of all rounds."""
    titles = (
        *("µs CPU a row", "driver", "source", "driver, csv.writer", "export as CSV"),
        *("source / driver", "export / csv.writer"),
    )
    return table(titles, (_cpu_line(name, each, orders) for name, each in found.items()))


def _cpu_line(name: str, each: Sequence[Cpu], orders: int) -> list[str]:
    lowest = Cpu(*(min(getattr(one, way) for one in each) for way in Cpu.__dataclass_fields__))
    times = (lowest.driver, lowest.source, lowest.written, lowest.exported)
    return [
        name,
        *(f"{seconds / orders * 1e6:.2f}" for seconds in times),
        f"{lowest.source / lowest.driver:.2f}",
        f"{lowest.exported / lowest.written:.2f}",
    ]


def _needed(readings: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """Return the databases that are read."""
    wanted = {READINGS[name].database for name in readings}
    by_driver = {"SQLite": "sqlite", "DuckDB": "duckdb", "MySQL and MariaDB": "mariadb"}
    wanted |= {by_driver.get(line.driver, "postgresql") for line in lines}
    return [name for name in NAMES if name in wanted]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("cpu", "lines"))
    parser.add_argument("--driver", action="append", help="of the lines, or a reading of cpu")
    parser.add_argument("--docs", action="store_true", help="write the lines into the page")
    options = parser.parse_args()
    part = "lines" if options.docs else options.only
    wanted = options.driver
    readings = [name for name in READINGS if not wanted or name in wanted]
    lines = [line for line in LINES if not wanted or line.driver in wanted]
    readings, lines = (readings if part != "lines" else []), (lines if part != "cpu" else [])
    packages = ("streamware", "sqlalchemy", "django", "psycopg", "asyncpg", "duckdb", "pymysql")
    print(conditions("benchmarks.sources", packages))
    names = _needed(readings, lines)
    with running(options.rows, names) as where:
        for name in names:
            Databases(where.folder, FEW).make(name)
        print(f"{options.rows:,} orders, {options.rounds} rounds\n", flush=True)
        if readings:
            print(report_cpu(measure_cpu(readings, where, options.rounds), options.rows), "\n")
        found = measure_lines(lines, where, options.rounds)
    if found:
        print(report_lines(found), "\nnot reached:", *missed(found) or ["nothing"], sep="\n")
    if options.docs:
        PAGE.write_text(documented(PAGE.read_text("utf-8"), found), "utf-8")


if __name__ == "__main__":
    main()
