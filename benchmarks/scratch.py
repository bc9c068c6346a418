"""What scratch costs: a request that needs none, and writes to a spool on disk.

The first table is what the ledger and the middlewares add to every request, whether it has an
export or not.  The second is the speed of a spool's writes of 64 KiB, in turns with `os.write` to
an unnamed file in the same directory: a plain one, and one with the same space reserved ahead.
Each is then read back, as a download is.
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
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool, scratch_pool
from streamware.scratch.spool import MAX_STEP, STEP
from streamware.settings import Settings

BLOCK = bytes(65_536)
TIMES = 20_000
ROUNDS = 7
MIB = 2**20

LEDGER_MICROS = 5.0
REQUEST_MICROS = 30.0
SPOOL_SPEED = 0.7

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU, in the fastest round.

    Attributes:
        without: Without us.
        with_: With us.
        most: What the difference must not be over.
    """

    without: float
    with_: float
    most: float

    @property
    def more(self) -> float:
        """What we add."""
        return self.with_ - self.without


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that one file took.

    Attributes:
        cpu: Of this process, for the writes.
        wall: For the writes.
        read: To read it back.
    """

    cpu: float
    wall: float
    read: float


def costs(times: int, rounds: int = ROUNDS) -> dict[str, Cost]:
    """What a request costs that needs no scratch."""
    wsgi, asgi = wsgi_requests, asgi_requests
    cases: dict[str, tuple[Callable[[int], float], Callable[[int], float], float]] = {
        "a ledger, opened and closed": (nothing, ledgers, LEDGER_MICROS),
        "WSGI, empty response": (wsgi(wsgi_app), wsgi(WSGIMiddleware(wsgi_app)), REQUEST_MICROS),
        "ASGI, empty response": (asgi(asgi_app), asgi(ASGIMiddleware(asgi_app)), REQUEST_MICROS),
    }
    return {
        name: _cost(without, with_, most, times, rounds)
        for name, (without, with_, most) in cases.items()
    }


def _cost(
    without: Callable[[int], float],
    with_: Callable[[int], float],
    most: float,
    times: int,
    rounds: int,
) -> Cost:
    taken = [(without(times), with_(times)) for _ in range(rounds)]
    fastest = [min(seconds) / times * 1e6 for seconds in zip(*taken, strict=True)]
    return Cost(fastest[0], fastest[1], most)


def nothing(times: int) -> float:
    """The loop that counts."""
    begun = process_time()
    for _ in range(times):
        pass
    return process_time() - begun


def ledgers(times: int) -> float:
    """So many requests that ask their ledger for nothing."""
    shared = scratch_pool(Settings())
    begun = process_time()
    for _ in range(times):
        Scratch(shared).close()
    return process_time() - begun


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


def wsgi_requests(app: Callable[..., Iterable[bytes]]) -> Callable[[int], float]:
    """Requests as a server makes them: called, iterated, closed."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1"}

    def start_response(status: str, headers: object, exc_info: object = None) -> None:
        """Nobody reads it."""

    def request() -> None:
        body = app(dict(environ), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    def requests(times: int) -> float:
        begun = process_time()
        for _ in range(times):
            request()
        return process_time() - begun

    return requests


async def asgi_app(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asgi_requests(app: Callable[..., Awaitable[None]]) -> Callable[[int], float]:
    """Requests one after the other in one event loop."""
    asgi = {"version": "3.0", "spec_version": "2.3"}
    scope = {"type": "http", "asgi": asgi, "method": "GET", "path": "/", "headers": []}

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        """Nobody reads it."""

    async def requests(times: int) -> float:
        begun = process_time()
        for _ in range(times):
            await app(dict(scope), receive, send)
        return process_time() - begun

    return lambda times: asyncio.run(requests(times))


def write_spool(shared: ScratchPool, blocks: int) -> Took:
    """To a spool, which moves to disk on the way."""
    with closing(Scratch(shared)) as scratch:
        spool = scratch.spool()
        return _timed(blocks, spool.write, lambda: spool.seek(0), spool.read)


def write_plain(shared: ScratchPool, blocks: int) -> Took:
    """To a file, as fast as it goes."""
    return _write(shared, blocks, _nothing_ahead)


def write_reserved(shared: ScratchPool, blocks: int) -> Took:
    """To a file whose space is reserved ahead in the steps of a spool."""
    reserved = 0

    def reserve(descriptor: int, end: int) -> None:
        nonlocal reserved
        if end > reserved and hasattr(os, "posix_fallocate"):
            step = min(max(reserved, STEP), MAX_STEP)
            os.posix_fallocate(descriptor, reserved, step)
            reserved += step

    return _write(shared, blocks, reserve)


def _nothing_ahead(descriptor: int, end: int) -> None:
    """The file system finds the space as it is written."""


def _write(shared: ScratchPool, blocks: int, reserve: Callable[[int, int], None]) -> Took:
    descriptor = shared.directory.open_unnamed()
    written = 0

    def write(block: bytes) -> None:
        nonlocal written
        written += len(block)
        reserve(descriptor, written)
        os.write(descriptor, block)

    def rewind() -> None:
        os.truncate(descriptor, written)  # what was reserved is no part of it
        os.lseek(descriptor, 0, os.SEEK_SET)

    try:
        return _timed(blocks, write, rewind, lambda size: os.read(descriptor, size))
    finally:
        os.close(descriptor)


WRITERS: dict[str, Callable[[ScratchPool, int], Took]] = {
    "spool": write_spool,
    "os.write": write_plain,
    "os.write, reserved": write_reserved,
}


def _timed(
    blocks: int,
    write: Callable[[bytes], object],
    rewind: Callable[[], object],
    read: Callable[[int], bytes],
) -> Took:
    begun, cpu = perf_counter(), process_time()
    for _ in range(blocks):
        write(BLOCK)
    cpu, wall = process_time() - cpu, perf_counter() - begun
    rewind()
    begun = perf_counter()
    while read(len(BLOCK)):
        pass
    return Took(cpu, wall, perf_counter() - begun)


def writes(shared: ScratchPool, size: int, rounds: int = ROUNDS) -> dict[str, list[Took]]:
    """A file of `size` bytes by each writer, in turns."""
    blocks = -(-size // len(BLOCK))
    found: dict[str, list[Took]] = {name: [] for name in WRITERS}
    for _ in range(rounds):
        for name, write in WRITERS.items():
            found[name].append(write(shared, blocks))
    return found


def unbounded(directory: str | None) -> ScratchPool:
    """A storage that takes files of any size; its place is to be closed."""
    if directory is None:
        return ScratchPool(Settings(request_bytes=None))
    return ScratchPool(Settings(scratch_dir=directory, request_bytes=None))


def report_costs(found: dict[str, Cost]) -> str:
    """A table of what a request costs."""
    titles = ("µs CPU a request", "without", "with", "more", "at most", "of it", "reached")
    return table(titles, (_cost_line(name, cost) for name, cost in found.items()))


def _cost_line(name: str, cost: Cost) -> list[str]:
    figures = (cost.without, cost.with_, cost.more, cost.most)
    share = cost.more / cost.most
    return [name, *(f"{one:.2f}" for one in figures), f"{share:.2f}", _reached(share <= 1)]


def report_writes(found: dict[str, list[Took]], size: int) -> str:
    """A table of writers: their speed, and the speed of the spool over theirs in the same round."""
    speeds = ("write MB/s, CPU", "wall", "read MB/s")
    ratios = ("spool to it: write, CPU", "wall", "read", "write at least", "reached")
    lines = (_write_line(name, took, found["spool"], size) for name, took in found.items())
    return table(("64 KiB at once", *speeds, *ratios), lines)


def _write_line(name: str, took: list[Took], ours: list[Took], size: int) -> list[str]:
    seconds = [median(column) for column in zip(*map(_figures, took), strict=True)]
    line = [name, *(f"{size / one / 1e6:.0f}" for one in seconds)]
    if took is ours:
        return [*line, "", "", "", "", ""]
    pairs = [_ratios(*pair) for pair in zip(took, ours, strict=True)]
    cpu, wall, read = (median(column) for column in zip(*pairs, strict=True))
    reached = _reached(min(cpu, wall) >= SPOOL_SPEED)
    return [*line, f"{cpu:.2f}", f"{wall:.2f}", f"{read:.2f}", f"{SPOOL_SPEED:g}", reached]


def _figures(took: Took) -> tuple[float, float, float]:
    return took.cpu, took.wall, took.read


def _ratios(other: Took, ours: Took) -> tuple[float, float, float]:
    return other.cpu / ours.cpu, other.wall / ours.wall, other.read / ours.read


def _reached(is_reached: bool) -> str:
    return "yes" if is_reached else "no"


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="requests a round")
    parser.add_argument("--megabytes", type=int, default=128, help="MiB that a file is written to")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--directory", help="for the files (default: as Settings has it)")
    options = parser.parse_args()
    size = options.megabytes * MIB
    print(conditions("benchmarks.scratch"))
    print(report_costs(costs(options.times, options.rounds)), flush=True)
    shared = unbounded(options.directory)
    with closing(shared.directory) as place:
        where = f"{place.path} ({place.kind()})"
        print(f"\n{options.megabytes} MiB a file, {options.rounds} rounds, in {where}\n")
        print(report_writes(writes(shared, size, options.rounds), size))


if __name__ == "__main__":
    main()
