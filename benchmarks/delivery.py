"""What does delivery over HTTP cost?

The servers run on the loopback interface, each in a process of its own.  There are four tables:

- speed: downloads against `encode` without a server, by CPU time without that of the row source,
  and by the clock.
- buffer: with `delivery="buffer"` and a client that reads 200 KB/s, how long the rows of a table
  are open, against encoding them without a client.
- load: 32 downloads at once from one worker of uvicorn, against 32 one after another, and how long
  an unrelated view takes to respond meanwhile.
- paths: downloads of a table of SQLite from uvicorn on the compiled kernel, and from another on the
  pure path, in turns, by CPU time of the server.

The columns "ratio" are medians of the rounds, and "ratio of lowest" compares the lowest times of
all rounds, which are those of a quiet machine: noise only adds.  These decide what was reached.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

from benchmarks import paths
from benchmarks.clients import Download, get, read_slowly, request
from benchmarks.process import ROOT, TIMEOUT, ServerProcess
from benchmarks.served import DATABASE, Baseline, State, fill
from benchmarks.table import conditions, megabytes, table

SERVERS = {
    "uvicorn": (
        *("uvicorn", "benchmarks.served:asgi", "--timeout-graceful-shutdown", "1"),
        *("--log-level", "warning", "--port", "{port}"),
    ),
    "gunicorn": (
        *("gunicorn", "benchmarks.served:wsgi", "--worker-class", "gthread", "--threads", "8"),
        *("--graceful-timeout", "1", "--log-level", "warning", "--bind", "127.0.0.1:{port}"),
    ),
}
FORMATS = ("csv", "xlsx")
PARTS = ("speed", "buffer", "load", "paths")
AT_ONCE = 32
RATE = 200_000  # bytes per second that a slow client reads
WINDOW = 2**16  # bytes that its socket receives before it reads
PING = 0.005  # seconds between two requests of the unrelated view

SPEED = 0.85  # the CPU ratio of a download, at least
FREE = 1.3  # the clock ratio of buffering, at most
CPU = 1.15  # the CPU ratio of downloads at once, at most
P99 = 0.025  # seconds that the unrelated view takes, at most
SHARE = 0.6  # the CPU time of the kernel's server, as a part of the pure one's, at most


class Server(ServerProcess):
    """A server of `benchmarks.served`.

    Attributes:
        name: Name of the server.
    """

    def __init__(self, name: str, folder: Path, path: str) -> None:
        self.name = name
        environment = paths.environment(path) | {DATABASE: str(folder / "table")}
        super().__init__(SERVERS[name], folder, environment, ready="/ping")

    def state(self) -> State:
        """Return what its process has used so far."""
        return State(**json.loads(get(self.port, "/state")))


@contextmanager
def serving(name: str, folder: Path, path: str | None = None) -> Iterator[Server]:
    """Start a server on a path, warm it up with a few rows, and stop it in the end."""
    server = Server(name, folder, path or paths.here())
    try:
        for form in FORMATS:
            _downloaded(server.port, f"/orders?rows=20&format={form}")
        yield server
    finally:
        server.stop()


def encoded(form: str, rows: int, path: Path | None = None) -> Baseline:
    """Return what encoding takes in a new process."""
    given = [] if path is None else [str(path)]
    return Baseline(**json.loads(_ran("benchmarks.served", form, str(rows), *given)))


def _downloaded(port: int, path: str, times: int = 1, way: str = "in turn") -> float:
    """Return the seconds that downloads take a client in a process of its own."""
    done = json.loads(_ran("benchmarks.clients", str(port), path, str(times), way))
    seconds: float = done["seconds"]
    return seconds


def _ran(module: str, *arguments: str) -> bytes:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


# Speed


@dataclass(frozen=True, slots=True)
class SpeedRun:
    """A download and its baseline in one round, in seconds.

    Attributes:
        baseline: What encoding took without a server.
        cpu: CPU time of the server, with the row source.
        wall: Time of the client by the clock.
    """

    baseline: Baseline
    cpu: float
    wall: float

    @property
    def net(self) -> float:
        """CPU time of encoding divided by that of the server, both without the row source."""
        return (self.baseline.total - self.baseline.source) / (self.cpu - self.baseline.source)

    @property
    def clock(self) -> float:
        """The same by the clock, with the row source."""
        return self.baseline.wall / self.wall


def measure_speed(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[SpeedRun]]:
    """Return the downloads by server and format."""
    found = {}
    for name in SERVERS:
        with serving(name, folder) as server:
            for form in FORMATS:
                found[name, form] = [_speed_run(server, form, rows) for _ in range(rounds)]
    return found


def _speed_run(server: Server, form: str, rows: int) -> SpeedRun:
    baseline = encoded(form, rows)
    before = server.state().cpu
    wall = _downloaded(server.port, f"/orders?rows={rows}&format={form}")
    return SpeedRun(baseline, server.state().cpu - before, wall)


def report_speed(found: dict[tuple[str, str], list[SpeedRun]], rows: int) -> str:
    """Return the table of speed."""
    titles = (
        *("download", "MB", "encode CPU µs per row, net", "server", "CPU ratio", "ratio of lowest"),
        *("clock ratio", "at least", "reached"),
    )
    return table(titles, (_speed_line(*pair, each, rows) for pair, each in found.items()))


def _speed_line(name: str, form: str, each: Sequence[SpeedRun], rows: int) -> list[str]:
    encoding = median(one.baseline.total - one.baseline.source for one in each) / rows
    server = median(one.cpu - one.baseline.source for one in each) / rows
    source = min(one.baseline.source for one in each)
    lowest = min(one.baseline.total for one in each) - source
    lowest /= min(one.cpu for one in each) - source
    return [
        f"{form}, {name}",
        megabytes(each[0].baseline.size),
        f"{encoding * 1e6:.2f}",
        f"{server * 1e6:.2f}",
        f"{median(one.net for one in each):.2f}",
        f"{lowest:.2f}",
        f"{median(one.clock for one in each):.2f}",
        f"{SPEED:g}",
        _reached(lowest >= SPEED),
    ]


# Buffer


@dataclass(frozen=True, slots=True)
class BufferRun:
    """How long the rows of a table were open in one round.

    Attributes:
        baseline: What encoding took without a server.
        state: What the server had used when the rows were closed.
        received: Bytes that the client had received by then.
    """

    baseline: Baseline
    state: State
    received: int


def measure_buffer(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[BufferRun]]:
    """Return how long rows are open with a slow client, by server and format."""
    path = folder / "table"
    if not path.exists():
        fill(str(path), rows)
    found = {}
    for name in SERVERS:
        with serving(name, folder) as server:
            for form in FORMATS:
                found[name, form] = [_buffer_run(server, form, path) for _ in range(rounds)]
    return found


def _buffer_run(server: Server, form: str, path: Path) -> BufferRun:
    baseline = encoded(form, 0, path)
    download = Download(server.port, f"/table?delivery=buffer&format={form}", window=WINDOW)
    try:
        download.read(1)
        while not (state := server.state()).closed:
            read_slowly(download, 0.2, RATE)
    finally:
        download.close()
    return BufferRun(baseline, state, download.size)


def report_buffer(found: dict[tuple[str, str], list[BufferRun]]) -> str:
    """Return the table of buffering."""
    titles = (
        *("rows closed", "MB", "received MB", "encode s", "buffer s", "clock ratio"),
        *("ratio of lowest", "CPU ratio", "at most", "reached"),
    )
    return table(titles, (_buffer_line(*pair, each) for pair, each in found.items()))


def _buffer_line(name: str, form: str, each: Sequence[BufferRun]) -> list[str]:
    lowest = min(one.state.seconds for one in each) / min(one.baseline.wall for one in each)
    return [
        f"{form}, {name}",
        megabytes(each[0].baseline.size),
        megabytes(median(one.received for one in each)),
        f"{median(one.baseline.wall for one in each):.2f}",
        f"{median(one.state.seconds for one in each):.2f}",
        f"{median(one.state.seconds / one.baseline.wall for one in each):.2f}",
        f"{lowest:.2f}",
        f"{median(one.state.used / one.baseline.total for one in each):.2f}",
        f"{FREE:g}",
        _reached(lowest <= FREE),
    ]


# Load


@dataclass(frozen=True, slots=True)
class LoadRun:
    """Several downloads in one round, in seconds.

    Attributes:
        cpu: CPU time of the server.
        wall: Time of the client by the clock.
        pings: Time of each request of the unrelated view.
    """

    cpu: float
    wall: float
    pings: tuple[float, ...]

    @property
    def p99(self) -> float:
        """99th percentile of the seconds of the unrelated view."""
        return quantiles([0.0, *self.pings], n=100, method="inclusive")[98]


def measure_load(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[LoadRun]]:
    """Return downloads, by format and way; also the figures of an idle server."""
    found: dict[tuple[str, str], list[LoadRun]] = {("", "idle"): []}
    with serving("uvicorn", folder) as server:
        for _ in range(rounds):
            found["", "idle"].append(_load_run(server, ["-c", "import time; time.sleep(1)"]))
            for form in FORMATS:
                for way in ("in turn", "together"):
                    path = f"/orders?rows={rows}&format={form}"
                    client = ["-m", "benchmarks.clients", str(server.port), path, str(AT_ONCE), way]
                    found.setdefault((form, way), []).append(_load_run(server, client))
    return found


def _load_run(server: Server, client: Sequence[str]) -> LoadRun:
    """Request the unrelated view until a client in a process of its own has ended."""
    pings = []
    before, started = server.state().cpu, perf_counter()
    with (
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as connection,
        subprocess.Popen([sys.executable, *client], cwd=ROOT, stdout=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            requested = perf_counter()
            request(connection, "/ping")
            while not connection.recv(4096).endswith(b"pong"):
                pass
            pings.append(perf_counter() - requested)
            sleep(PING)
    if process.returncode:
        raise RuntimeError("the downloads failed")
    return LoadRun(server.state().cpu - before, perf_counter() - started, tuple(pings))


def report_load(found: dict[tuple[str, str], list[LoadRun]]) -> str:
    """Return the table of load, whose other figures are medians of the rounds."""
    titles = (
        *(f"{AT_ONCE} downloads", "CPU s", "clock s", "view p50 ms", "view p99 ms"),
        *("CPU ratio", "ratio of lowest", "at most", "reached"),
    )
    return table(titles, (_load_line(*key, found) for key in found))


def _load_line(form: str, way: str, found: dict[tuple[str, str], list[LoadRun]]) -> list[str]:
    each = found[form, way]
    p99 = median(one.p99 for one in each)
    figures = [
        f"{form}, {way}" if form else way,
        f"{median(one.cpu for one in each):.2f}",
        f"{median(one.wall for one in each):.2f}",
        f"{median(median(one.pings) for one in each) * 1e3:.1f}",
        f"{p99 * 1e3:.1f}",
    ]
    if way != "together":
        return [*figures, *[""] * 4]
    turns = found[form, "in turn"]
    ratio = median(one.cpu / other.cpu for one, other in zip(each, turns, strict=True))
    lowest = min(one.cpu for one in each) / min(one.cpu for one in turns)
    most = f"{CPU:g}, {P99 * 1e3:.0f} ms"
    reached = _reached(lowest <= CPU and p99 < P99)
    return [*figures, f"{ratio:.2f}", f"{lowest:.2f}", most, reached]


# Paths


@dataclass(frozen=True, slots=True)
class PathRun:
    """A download in one round.

    Attributes:
        cpu: CPU time of the server.
        wall: Time of the client by the clock.
    """

    cpu: float
    wall: float


Downloads = dict[tuple[str, str], list[PathRun]]
"""The rounds, by format and path."""


def measure_paths(folder: Path, rows: int, rounds: int) -> Downloads:
    """Return the downloads of a table, from a server for each path, which take turns."""
    fill(str(folder / "table"), rows)
    found: Downloads = {}
    with ExitStack() as stack:
        servers = {}
        for path in paths.available():
            (folder / path).mkdir()
            (folder / path / "table").symlink_to(folder / "table")
            servers[path] = stack.enter_context(serving("uvicorn", folder / path, path))
        for _ in range(rounds):
            for form in FORMATS:
                for path, server in servers.items():
                    found.setdefault((form, path), []).append(_path_run(server, form))
    return found


def _path_run(server: Server, form: str) -> PathRun:
    before = server.state().cpu
    wall = _downloaded(server.port, f"/table?format={form}")
    return PathRun(server.state().cpu - before, wall)


def report_paths(found: Downloads, rows: int) -> str:
    """Return the table of paths."""
    titles = (
        *("a table of SQLite, uvicorn", "path", "server CPU µs a row", "lowest", "clock s"),
        *("CPU ratio", "ratio of lowest", "at most", "reached"),
    )
    return table(titles, (_path_line(*key, found, rows) for key in found), ("path",))


def _path_line(form: str, path: str, found: Downloads, rows: int) -> list[str]:
    each = found[form, path]
    lowest = min(one.cpu for one in each)
    figures = [
        form,
        path,
        f"{median(one.cpu for one in each) / rows * 1e6:.2f}",
        f"{lowest / rows * 1e6:.2f}",
        f"{median(one.wall for one in each):.2f}",
    ]
    if path != paths.KERNEL:
        return [*figures, *[""] * 4]
    pure = found[form, paths.PURE]
    ratio = median(one.cpu / other.cpu for one, other in zip(each, pure, strict=True))
    quiet = lowest / min(one.cpu for one in pure)
    return [*figures, f"{ratio:.2f}", f"{quiet:.2f}", f"{SHARE:g}", _reached(quiet <= SHARE)]


def _reached(reached: bool) -> str:
    return "yes" if reached else "no"


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--each", type=int, default=20_000, help="rows of each of 32 downloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    wanted = options.only or PARTS
    print(conditions("benchmarks.delivery", ("streamware", "uvicorn", "uvloop", "gunicorn")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in wanted:
            print(f"{options.rows:,} orders, {options.rounds} rounds\n")
            found = measure_speed(folder, options.rows, options.rounds)
            print(report_speed(found, options.rows), "\n", flush=True)
        if "buffer" in wanted:
            print(f"{options.rows:,} orders from SQLite, {options.rounds} rounds\n")
            print(
                report_buffer(measure_buffer(folder, options.rows, options.rounds)),
                "\n",
                flush=True,
            )
        if "load" in wanted:
            print(f"{options.each:,} orders each, {options.rounds} rounds\n")
            print(report_load(measure_load(folder, options.each, options.rounds)), "\n", flush=True)
        if "paths" in wanted:
            print(f"{options.rows:,} orders from SQLite, {options.rounds} rounds\n")
            with tempfile.TemporaryDirectory() as own:
                downloads = measure_paths(Path(own), options.rows, options.rounds)
                print(report_paths(downloads, options.rows))


if __name__ == "__main__":
    main()
