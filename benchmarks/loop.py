"""How long do exports delay the other tasks of an event loop?

Eight exports run at once.  Beside them a task sleeps for a millisecond, again and again, and
notes how late it wakes.  For comparison it also runs without exports, and with eight threads that
encode without taking turns, as the thread pool of a framework would.  Each round has a process for
each path, the compiled kernel and the pure one, in turns; the figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import cache
from statistics import median, quantiles
from time import perf_counter

import streamware as sw
from benchmarks import paths
from benchmarks.table import conditions, table
from benchmarks.workloads import Row, orders

EXPORTS = 8
TICK = 0.001
MUST = 0.004  # seconds of the 99th percentile, at most, beside exports that take turns
PAGE = 100  # rows that an async source yields between two turns of the loop


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds by which the ticking task woke late.

    Attributes:
        p50: Median.
        p99: 99th percentile.
        worst: Maximum.
        seconds: Seconds until all exports had ended.
    """

    p50: float
    p99: float
    worst: float
    seconds: float


async def arows(n: int) -> AsyncIterator[Row]:
    """Yield rows, and wait between pages, as a database driver does."""
    for at, row in enumerate(orders(n)):
        if at % PAGE == 0:
            await asyncio.sleep(0)
        yield row


async def no_exports(n: int, form: sw.Format) -> None:
    """Sleep for about as long as an export takes."""
    await asyncio.sleep(n * 5e-6)


async def from_rows(n: int, form: sw.Format) -> None:
    """Export a generator, which takes CPU time itself."""
    async for _ in sw.aencode(orders(n), form):
        pass


async def from_ready_rows(n: int, form: sw.Format) -> None:
    """Export rows in memory, so that only the encoding delays the loop."""
    async for _ in sw.aencode(_ready(n), form):
        pass


async def from_async_rows(n: int, form: sw.Format) -> None:
    """Export async rows."""
    async for _ in sw.aencode(arows(n), form):
        pass


async def free_threads(n: int, form: sw.Format) -> None:
    """Export on a thread that does not take turns with the others."""
    await asyncio.to_thread(lambda: [len(chunk) for chunk in sw.encode(orders(n), form)])


@cache
def _ready(n: int) -> list[Row]:
    return list(orders(n))


WAYS: dict[str, Callable[[int, sw.Format], Awaitable[None]]] = {
    "no exports": no_exports,
    "aencode, rows": from_rows,
    "aencode, rows ready": from_ready_rows,
    "aencode, async rows": from_async_rows,
    "free threads": free_threads,
}
FORMATS: dict[str, sw.Format] = {"xlsx": sw.Xlsx(), "csv": sw.Csv(), "xml": sw.Xml()}


def once(n: int, format_name: str) -> dict[str, Delays]:
    """Return the delays by way of exporting, with eight exports of n rows each, in this process."""
    form = FORMATS[format_name]
    _ready(n)
    return {name: asyncio.run(_delays(way, n, form)) for name, way in WAYS.items()}


Rounds = dict[str, list[dict[str, Delays]]]
"""The delays by way of exporting, of each round of each path."""


def measure(n: int, format_name: str, rounds: int) -> Rounds:
    """Return the rounds of each path, which take turns, each in a process of its own."""
    found: Rounds = {path: [] for path in paths.available()}
    for _ in range(rounds):
        for path, each in found.items():
            child = ("--child", "--rows", str(n), "--format", format_name)
            delays = json.loads(paths.ran(path, "benchmarks.loop", *child))
            each.append({name: Delays(**one) for name, one in delays.items()})
    return found


async def _delays(
    way: Callable[[int, sw.Format], Awaitable[None]], n: int, form: sw.Format
) -> Delays:
    await way(20, form)
    delays: list[float] = []
    ticker = asyncio.create_task(_tick(delays))
    started = perf_counter()
    await asyncio.gather(*(way(n, form) for _ in range(EXPORTS)))
    seconds = perf_counter() - started
    await asyncio.sleep(2 * TICK)
    ticker.cancel()
    cuts = quantiles([0.0, *delays], n=100, method="inclusive")
    return Delays(cuts[49], cuts[98], max(delays), seconds)


async def _tick(delays: list[float]) -> None:
    while True:
        started = perf_counter()
        await asyncio.sleep(TICK)
        delays.append(perf_counter() - started - TICK)


def report(found: Rounds) -> str:
    """Return the table of one format."""
    titles = ("8 exports", "path", "p50 ms", "p99 ms", "worst ms", "seconds", "p99 at most, ms")
    lines = [_line(name, path, rounds) for name in WAYS for path, rounds in found.items()]
    return table(titles, lines, ("path",))


def _line(name: str, path: str, rounds: list[dict[str, Delays]]) -> list[str]:
    each = [one[name] for one in rounds]
    figures = (
        [one.p50 for one in each],
        [one.p99 for one in each],
        [one.worst for one in each],
    )
    return [
        name,
        path,
        *(f"{median(figure) * 1e3:.2f}" for figure in figures),
        f"{median(one.seconds for one in each):.1f}",
        f"{MUST * 1e3:g}" if name.startswith("aencode") and path == paths.KERNEL else "",
    ]


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        delays = once(options.rows, options.format[0])
        json.dump({name: asdict(one) for name, one in delays.items()}, sys.stdout)
        return
    print(conditions("benchmarks.loop", ("streamware", "isal", "orjson")))
    print(paths.said(), end="\n\n")
    for name in options.format or FORMATS:
        print(f"{name}, {options.rows:,} rows each, {options.rounds} rounds\n")
        print(report(measure(options.rows, name, options.rounds)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
