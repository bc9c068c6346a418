"""What do scratch files cost?

The first table is what the ledger and the middlewares add to every request that needs no scratch.

The second is the speed of writing 64 KiB blocks to a spool on disk.  It alternates with `os.write`
to an unnamed file in the same directory, without and with space reserved ahead.  Then each file is
read back, as a download does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.table import conditions, table
from streamware.middleware.asgi import ASGIMiddleware
from streamware.middleware.wsgi import WSGIMiddleware
from streamware.scratch import mount
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool, scratch_pool
from streamware.scratch.spool import MAX_STEP, STEP
from streamware.settings import Settings

BLOCK = bytes(65_536)
TIMES = 20_000
ROUNDS = 7
MIB = 2**20

LEDGER_MICROS = 5.0  # CPU µs that a ledger adds, at most
REQUEST_MICROS = 30.0  # CPU µs that a middleware adds, at most
SPOOL_SPEED = 0.7  # speed of a spool as a multiple of the others, at least

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds of a request, in the fastest round.

    Attributes:
        without: Without scratch.
        with_scratch: With scratch.
        limit: The difference, at most.
    """

    without: float
    with_scratch: float
    limit: float

    @property
    def added(self) -> float:
        """What scratch adds."""
        return self.with_scratch - self.without


@dataclass(frozen=True, slots=True)
class WriteRun:
    """Seconds that one file took.

    Attributes:
        cpu: CPU time of the writes.
        wall: Time of the writes by the clock.
        read: Time of reading it back.
    """

    cpu: float
    wall: float
    read: float


def costs(times: int, rounds: int = ROUNDS) -> dict[str, Cost]:
    """Return what scratch adds to a request that does not need it."""
    wsgi, asgi = wsgi_requests, asgi_requests
    cases: dict[str, tuple[Callable[[int], float], Callable[[int], float], float]] = {
        "a ledger, opened and closed": (nothing, ledgers, LEDGER_MICROS),
        "WSGI, empty response": (wsgi(wsgi_app), wsgi(WSGIMiddleware(wsgi_app)), REQUEST_MICROS),
        "ASGI, empty response": (asgi(asgi_app), asgi(ASGIMiddleware(asgi_app)), REQUEST_MICROS),
    }
    return {
        name: _cost(without, with_scratch, limit, times, rounds)
        for name, (without, with_scratch, limit) in cases.items()
    }


def _cost(
    without: Callable[[int], float],
    with_scratch: Callable[[int], float],
    limit: float,
    times: int,
    rounds: int,
) -> Cost:
    taken = [(without(times), with_scratch(times)) for _ in range(rounds)]
    fastest = [min(seconds) / times * 1e6 for seconds in zip(*taken, strict=True)]
    return Cost(fastest[0], fastest[1], limit)


def nothing(times: int) -> float:
    """Return the seconds of an empty loop."""
    started = process_time()
    for _ in range(times):
        pass
    return process_time() - started


def ledgers(times: int) -> float:
    """Return the seconds to open and close ledgers."""
    shared = scratch_pool(Settings())
    started = process_time()
    for _ in range(times):
        Scratch(shared).close()
    return process_time() - started


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


def wsgi_requests(app: Callable[..., Iterable[bytes]]) -> Callable[[int], float]:
    """Return a function that calls, iterates and closes, as a server does, and returns seconds."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1"}

    def start_response(status: str, headers: object, exc_info: object = None) -> None:
        """Ignore it."""

    def request() -> None:
        body = app(dict(environ), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    def requests(times: int) -> float:
        started = process_time()
        for _ in range(times):
            request()
        return process_time() - started

    return requests


async def asgi_app(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asgi_requests(app: Callable[..., Awaitable[None]]) -> Callable[[int], float]:
    """Return a function that makes requests in an event loop, and returns seconds."""
    asgi = {"version": "3.0", "spec_version": "2.3"}
    scope = {"type": "http", "asgi": asgi, "method": "GET", "path": "/", "headers": []}

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        """Ignore it."""

    async def requests(times: int) -> float:
        started = process_time()
        for _ in range(times):
            await app(dict(scope), receive, send)
        return process_time() - started

    return lambda times: asyncio.run(requests(times))


def write_spool(shared: ScratchPool, blocks: int) -> WriteRun:
    """Write to a spool, which moves to disk when it is too large for memory."""
    with closing(Scratch(shared)) as scratch:
        spool = scratch.spool()
        return _timed(blocks, spool.write, lambda: spool.seek(0), spool.read)


def write_plain(shared: ScratchPool, blocks: int) -> WriteRun:
    """Write to a file without reserving space."""
    return _write(shared, blocks, _nothing_ahead)


def write_reserved(shared: ScratchPool, blocks: int) -> WriteRun:
    """Write to a file whose space is reserved ahead in the steps of a spool."""
    reserved = 0

    def reserve(descriptor: int, end: int) -> None:
        nonlocal reserved
        if end > reserved and hasattr(os, "posix_fallocate"):
            step = min(max(reserved, STEP), MAX_STEP)
            os.posix_fallocate(descriptor, reserved, step)
            reserved += step

    return _write(shared, blocks, reserve)


def _nothing_ahead(descriptor: int, end: int) -> None:
    """Reserve nothing: the file system finds the space for each write."""


def _write(shared: ScratchPool, blocks: int, reserve: Callable[[int, int], None]) -> WriteRun:
    descriptor = shared.directory.open_unnamed()
    written = 0

    def write(block: bytes) -> None:
        nonlocal written
        written += len(block)
        reserve(descriptor, written)
        os.write(descriptor, block)

    def rewind() -> None:
        os.truncate(descriptor, written)  # drop the space that was reserved and not written
        os.lseek(descriptor, 0, os.SEEK_SET)

    try:
        return _timed(blocks, write, rewind, lambda size: os.read(descriptor, size))
    finally:
        os.close(descriptor)


WRITERS: dict[str, Callable[[ScratchPool, int], WriteRun]] = {
    "spool": write_spool,
    "os.write": write_plain,
    "os.write, reserved": write_reserved,
}


def _timed(
    blocks: int,
    write: Callable[[bytes], object],
    rewind: Callable[[], object],
    read: Callable[[int], bytes],
) -> WriteRun:
    started, cpu = perf_counter(), process_time()
    for _ in range(blocks):
        write(BLOCK)
    cpu, wall = process_time() - cpu, perf_counter() - started
    rewind()
    started = perf_counter()
    while read(len(BLOCK)):
        pass
    return WriteRun(cpu, wall, perf_counter() - started)


def writes(shared: ScratchPool, size: int, rounds: int = ROUNDS) -> dict[str, list[WriteRun]]:
    """Write a file of `size` bytes with each writer, and again in every round."""
    blocks = -(-size // len(BLOCK))
    found: dict[str, list[WriteRun]] = {name: [] for name in WRITERS}
    for _ in range(rounds):
        for name, write in WRITERS.items():
            found[name].append(write(shared, blocks))
    return found


def unbounded(directory: str | None) -> ScratchPool:
    """Return a pool for files of any size; the caller closes its directory."""
    if directory is None:
        return ScratchPool(Settings(request_bytes=None))
    return ScratchPool(Settings(scratch_dir=directory, request_bytes=None))


def report_costs(found: dict[str, Cost]) -> str:
    """Return the table of what scratch adds to a request."""
    titles = ("CPU µs per request", "without", "with", "added", "at most", "share", "reached")
    return table(titles, (_cost_line(name, cost) for name, cost in found.items()))


def _cost_line(name: str, cost: Cost) -> list[str]:
    figures = (cost.without, cost.with_scratch, cost.added, cost.limit)
    share = cost.added / cost.limit
    return [name, *(f"{one:.2f}" for one in figures), f"{share:.2f}", _reached(share <= 1)]


def report_writes(found: dict[str, list[WriteRun]], size: int) -> str:
    """Return the table of writers: their speeds, and the speed of the spool as a multiple."""
    speeds = ("write MB/s, CPU", "wall", "read MB/s")
    ratios = ("spool against it: write, CPU", "wall", "read", "at least", "reached")
    lines = (_write_line(name, runs, found["spool"], size) for name, runs in found.items())
    return table(("64 KiB at once", *speeds, *ratios), lines)


def _write_line(
    name: str, runs: list[WriteRun], spool_runs: list[WriteRun], size: int
) -> list[str]:
    seconds = [median(column) for column in zip(*map(_figures, runs), strict=True)]
    line = [name, *(f"{size / one / 1e6:.0f}" for one in seconds)]
    if runs is spool_runs:
        return [*line, "", "", "", "", ""]
    pairs = [_ratios(*pair) for pair in zip(runs, spool_runs, strict=True)]
    cpu, wall, read = (median(column) for column in zip(*pairs, strict=True))
    reached = _reached(min(cpu, wall) >= SPOOL_SPEED)
    return [*line, f"{cpu:.2f}", f"{wall:.2f}", f"{read:.2f}", f"{SPOOL_SPEED:g}", reached]


def _figures(run: WriteRun) -> tuple[float, float, float]:
    return run.cpu, run.wall, run.read


def _ratios(other: WriteRun, spool: WriteRun) -> tuple[float, float, float]:
    return other.cpu / spool.cpu, other.wall / spool.wall, other.read / spool.read


def _reached(is_reached: bool) -> str:
    return "yes" if is_reached else "no"


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="requests per round")
    parser.add_argument("--megabytes", type=int, default=128, help="MiB per file")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--directory", help="directory of the files (default: that of Settings)")
    options = parser.parse_args()
    size = options.megabytes * MIB
    print(conditions("benchmarks.scratch"))
    print(report_costs(costs(options.times, options.rounds)), flush=True)
    shared = unbounded(options.directory)
    with closing(shared.directory) as directory:
        where = f"{directory.path} ({mount.kind(mount.file_system(directory.descriptor()))})"
        print(f"\n{options.megabytes} MiB a file, {options.rounds} rounds, in {where}\n")
        print(report_writes(writes(shared, size, options.rounds), size))


if __name__ == "__main__":
    main()
