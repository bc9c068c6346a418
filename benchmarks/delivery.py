"""What delivery over HTTP costs, over loopback, with a server in a process of its own.

The first table is the speed of downloads against `encode` alone, in turns: CPU time net of the row
source, and the clock.  The second is how soon `delivery="buffer"` has closed the rows of a table
while its client takes 200 KB a second, against encoding them without a client.  The third is 32
downloads at once from one worker of uvicorn against 32 in turn, and how long an unrelated view
takes to answer meanwhile.

Ratios are medians of the rounds, and then of the lowest figures of all rounds, which tell what a
quiet machine would show, since noise only adds; by these it is told what was reached.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

from benchmarks.clients import Download, get, request, slowly
from benchmarks.served import DATABASE, Alone, State, fill
from benchmarks.table import conditions, megabytes, table

ROOT = Path(__file__).resolve().parent.parent
SERVERS = {
    "uvicorn": (
        *("uvicorn", "benchmarks.served:asgi", "--timeout-graceful-shutdown", "1"),
        *("--log-level", "warning", "--port"),
    ),
    "gunicorn": (
        *("gunicorn", "benchmarks.served:wsgi", "--worker-class", "gthread", "--threads", "8"),
        *("--graceful-timeout", "1", "--log-level", "warning", "--bind"),
    ),
}
FORMATS = ("csv", "xlsx")
AT_ONCE = 32
RATE = 200_000  # bytes a second of a slow client
WINDOW = 2**16  # what its socket takes before it is read
PING = 0.005  # seconds between two requests of the unrelated view
PATIENCE = 30.0

SPEED = 0.85
FREE = 1.3
CPU = 1.15
P99 = 0.025


class Server:
    """A server in a process of its own, which answers.

    Attributes:
        name: Which.
        port: Of the loopback interface.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = _free_port()
        address = f"127.0.0.1:{self.port}" if name == "gunicorn" else str(self.port)
        scratch = folder / name
        scratch.mkdir(mode=0o700, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", *SERVERS[name], address],
            cwd=ROOT,
            env=os.environ
            | {
                DATABASE: str(folder / "table"),
                "STREAMWARE_SCRATCH_DIR": str(scratch),
                "STREAMWARE_KEEP_FREE_BYTES": "0",
            },
        )
        self._wait()

    def state(self) -> State:
        """What it has used so far."""
        return State(**json.loads(get(self.port, "/state")))

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _wait(self) -> None:
        end = perf_counter() + PATIENCE
        while perf_counter() < end and self._process.poll() is None:
            try:
                get(self.port, "/ping")
            except OSError:
                sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError(f"{self.name} does not answer")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Server]:
    """A server that has served a few rows."""
    server = Server(name, folder)
    try:
        for form in FORMATS:
            _downloaded(server.port, f"/orders?rows=20&format={form}")
        yield server
    finally:
        server.stop()


def encoded(form: str, rows: int, path: Path | None = None) -> Alone:
    """What encoding takes in a fresh process."""
    given = [] if path is None else [str(path)]
    return Alone(**json.loads(_ran("benchmarks.served", form, str(rows), *given)))


def _downloaded(port: int, path: str, times: int = 1, way: str = "in turn") -> float:
    """Seconds that it took a client in a process of its own."""
    done = json.loads(_ran("benchmarks.clients", str(port), path, str(times), way))
    seconds: float = done["seconds"]
    return seconds


def _ran(module: str, *arguments: str) -> bytes:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


# Speed


@dataclass(frozen=True, slots=True)
class Speed:
    """A download beside encoding alone, in one round; seconds.

    Attributes:
        alone: What encoding took.
        cpu: CPU time of the server, the rows included.
        wall: Of the client, by the clock.
    """

    alone: Alone
    cpu: float
    wall: float

    @property
    def net(self) -> float:
        """CPU time of encoding by that of the server, both net of the row source."""
        return (self.alone.total - self.alone.source) / (self.cpu - self.alone.source)

    @property
    def clock(self) -> float:
        """The same by the clock, the row source included."""
        return self.alone.wall / self.wall


def speeds(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[Speed]]:
    """The downloads of every server, by server and format."""
    return {
        (name, form): [_speed(server, form, rows) for _ in range(rounds)]
        for name in SERVERS
        for server in _each(name, folder)
        for form in FORMATS
    }


def _each(name: str, folder: Path) -> Iterator[Server]:
    with serving(name, folder) as server:
        yield server


def _speed(server: Server, form: str, rows: int) -> Speed:
    alone = encoded(form, rows)
    before = server.state().cpu
    wall = _downloaded(server.port, f"/orders?rows={rows}&format={form}")
    return Speed(alone, server.state().cpu - before, wall)


def report_speeds(found: dict[tuple[str, str], list[Speed]], rows: int) -> str:
    """A table of the downloads."""
    titles = (
        *("download", "MB", "encode µs CPU a row, net", "server", "CPU ratio", "of the lowest"),
        *("clock ratio", "must", "reached"),
    )
    return table(titles, (_speed_line(*pair, each, rows) for pair, each in found.items()))


def _speed_line(name: str, form: str, each: Sequence[Speed], rows: int) -> list[str]:
    ours = median(one.alone.total - one.alone.source for one in each) / rows
    theirs = median(one.cpu - one.alone.source for one in each) / rows
    source = min(one.alone.source for one in each)
    lowest = min(one.alone.total for one in each) - source
    lowest /= min(one.cpu for one in each) - source
    return [
        f"{form}, {name}",
        megabytes(each[0].alone.size),
        f"{ours * 1e6:.2f}",
        f"{theirs * 1e6:.2f}",
        f"{median(one.net for one in each):.2f}",
        f"{lowest:.2f}",
        f"{median(one.clock for one in each):.2f}",
        f"{SPEED:g}",
        _reached(lowest >= SPEED),
    ]


# Buffer


@dataclass(frozen=True, slots=True)
class Freed:
    """How long the rows of a table were open in one round; seconds.

    Attributes:
        alone: What encoding them without a client took.
        state: Of the server, when they were closed.
        taken: Bytes that its client had taken by then.
    """

    alone: Alone
    state: State
    taken: int


def frees(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[Freed]]:
    """What `buffer` does with a slow client, by server and format."""
    path = folder / "table"
    if not path.exists():
        fill(str(path), rows)
    return {
        (name, form): [_freed(server, form, path) for _ in range(rounds)]
        for name in SERVERS
        for server in _each(name, folder)
        for form in FORMATS
    }


def _freed(server: Server, form: str, path: Path) -> Freed:
    alone = encoded(form, 0, path)
    download = Download(server.port, f"/table?delivery=buffer&format={form}", window=WINDOW)
    try:
        download.read(1)
        while not (state := server.state()).closed:
            slowly(download, 0.2, RATE)
    finally:
        download.close()
    return Freed(alone, state, download.size)


def report_frees(found: dict[tuple[str, str], list[Freed]]) -> str:
    """A table of them."""
    titles = (
        *("rows closed", "MB", "taken MB", "alone s", "buffer s", "clock ratio", "of the lowest"),
        *("CPU ratio", "most", "reached"),
    )
    return table(titles, (_freed_line(*pair, each) for pair, each in found.items()))


def _freed_line(name: str, form: str, each: Sequence[Freed]) -> list[str]:
    lowest = min(one.state.seconds for one in each) / min(one.alone.wall for one in each)
    return [
        f"{form}, {name}",
        megabytes(each[0].alone.size),
        megabytes(median(one.taken for one in each)),
        f"{median(one.alone.wall for one in each):.2f}",
        f"{median(one.state.seconds for one in each):.2f}",
        f"{median(one.state.seconds / one.alone.wall for one in each):.2f}",
        f"{lowest:.2f}",
        f"{median(one.state.used / one.alone.total for one in each):.2f}",
        f"{FREE:g}",
        _reached(lowest <= FREE),
    ]


# At once


@dataclass(frozen=True, slots=True)
class Busy:
    """Downloads in one round; seconds.

    Attributes:
        cpu: CPU time of the server.
        wall: Of the client, by the clock.
        pings: How long the unrelated view took to answer, each time.
    """

    cpu: float
    wall: float
    pings: tuple[float, ...]

    @property
    def p99(self) -> float:
        """Of the unrelated view."""
        return quantiles([0.0, *self.pings], n=100, method="inclusive")[98]


def crowds(folder: Path, rows: int, rounds: int) -> dict[tuple[str, str], list[Busy]]:
    """Downloads in turn and together, by format and way; and, without a format, none."""
    found: dict[tuple[str, str], list[Busy]] = {("", "idle"): []}
    with serving("uvicorn", folder) as server:
        for _ in range(rounds):
            found["", "idle"].append(_busy(server, ["-c", "import time; time.sleep(1)"]))
            for form in FORMATS:
                for way in ("in turn", "together"):
                    path = f"/orders?rows={rows}&format={form}"
                    client = ["-m", "benchmarks.clients", str(server.port), path, str(AT_ONCE), way]
                    found.setdefault((form, way), []).append(_busy(server, client))
    return found


def _busy(server: Server, client: Sequence[str]) -> Busy:
    """Ask the unrelated view until a client in a process of its own is done."""
    pings = []
    before, begun = server.state().cpu, perf_counter()
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection,
        subprocess.Popen([sys.executable, *client], cwd=ROOT, stdout=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            asked = perf_counter()
            request(connection, "/ping")
            while not connection.recv(4096).endswith(b"pong"):
                pass
            pings.append(perf_counter() - asked)
            sleep(PING)
    if process.returncode:
        raise RuntimeError("the downloads failed")
    return Busy(server.state().cpu - before, perf_counter() - begun, tuple(pings))


def report_crowds(found: dict[tuple[str, str], list[Busy]]) -> str:
    """A table of them; other figures are medians of the rounds, too."""
    titles = (
        *(f"{AT_ONCE} downloads", "CPU s", "clock s", "view p50 ms", "view p99 ms"),
        *("CPU ratio", "of the lowest", "most", "reached"),
    )
    return table(titles, (_crowd_line(*key, found) for key in found))


def _crowd_line(form: str, way: str, found: dict[tuple[str, str], list[Busy]]) -> list[str]:
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


def _reached(there: bool) -> str:
    return "yes" if there else "no"


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--each", type=int, default=20_000, help="rows of each of 32 downloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("speed", "buffer", "crowd"), action="append")
    options = parser.parse_args()
    wanted = options.only or ("speed", "buffer", "crowd")
    print(conditions("benchmarks.delivery", ("streamware", "uvicorn", "uvloop", "gunicorn")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in wanted:
            print(f"{options.rows:,} orders, {options.rounds} rounds\n")
            found = speeds(folder, options.rows, options.rounds)
            print(report_speeds(found, options.rows), "\n", flush=True)
        if "buffer" in wanted:
            print(f"{options.rows:,} orders from SQLite, {options.rounds} rounds\n")
            print(report_frees(frees(folder, options.rows, options.rounds)), "\n", flush=True)
        if "crowd" in wanted:
            print(f"{options.each:,} orders each, {options.rounds} rounds\n")
            print(report_crowds(crowds(folder, options.each, options.rounds)))


if __name__ == "__main__":
    main()
