"""The cells of the matrix: one export, one client, and what became of both.

`run` starts a server and goes through its cells one after the other, because what a process holds
is counted as a whole; several servers are run side by side, for most of their time is waiting.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any, Literal
from urllib.parse import urlencode

import streamware as sw
from servers.app import CELL, DRIP, SECRET
from servers.clients import Client, Http1, Http2, Seen, curl
from servers.running import OURS, THEIRS, Running
from servers.setups import SETUPS, Setup

Leaving = Literal["fin", "rst", "half", "stall", "shut", "cancel", "held"]
How = Literal["all", "1.0", "head", "curl", "curl 1.0", Leaving]

ROW = len(CELL)
MANY = 200_000
"""Rows of an export that is left: more than any buffer takes, but not without end, for servers
that never tell."""
SPOOLED_ROWS = 60  # of a spool that drips
FILE = 16_000
"""Rows of an export that is finished before it is sent, or while nobody reads."""
FAIL = 1300
"""The row that fails after 1 MiB."""
BLOCKED = 1.2
"""Seconds that a source is blocked."""
STALL = 1.5
"""Seconds that a client stalls."""
PATIENCE = 8.0
"""Seconds for an export to be released."""
AT_ONCE = 6
"""Servers side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """An export and a client.

    Attributes:
        name: What it is called in tests and in the table.
        how: What the client does.
        asked: The query.
        interface: Where there is such a thing only.
        delivery: What it needs: skipped where the library has not got it.
        bare: Without the judge around, which hides `wsgi.file_wrapper`.
        wait: Seconds between the request, or its first bytes, and leaving.
        first: Leave, or stall, when something of the body has come.
        proxied: Behind a proxy only.
    """

    name: str
    how: How
    asked: dict[str, Any] = field(default_factory=dict)
    interface: Literal["", "WSGI", "ASGI"] = ""
    bare: bool = False
    wait: float = 0.0
    first: bool = True
    proxied: bool = False

    @property
    def delivery(self) -> str:
        return str(self.asked.get("delivery", "auto"))

    @property
    def fails(self) -> bool:
        return "fail" in self.asked

    def of(self, setup: Setup) -> bool:
        """Whether there is such a cell for that server."""
        if setup.http2 and self.how in ("1.0", "curl 1.0"):
            return False
        if self.how in ("cancel", "shut") and not setup.http2:
            return False
        if self.how == "half" and setup.http2:
            return False
        if self.proxied and not setup.proxy:
            return False
        return self.interface in ("", setup.interface)


STREAM = {"delivery": "stream"}
SPOOL = {"delivery": "spool"}
BUFFER = {"delivery": "buffer"}
HELD = {"stall": 2}
BLOCK = {"seconds": BLOCKED, "rows": MANY}

CELLS: tuple[Cell, ...] = (
    # A client that stays.
    Cell(name="complete", how="all", asked={"rows": 3000, **STREAM}),
    Cell(name="complete xlsx", how="all", asked={"rows": 3000, "format": "xlsx", **STREAM}),
    Cell(name="complete 1.0", how="1.0", asked={"rows": 3000, **STREAM}),
    Cell(
        name="complete async",
        how="all",
        asked={"rows": 3000, "async": 1, **STREAM},
        interface="ASGI",
    ),
    Cell(name="complete curl", how="curl", asked={"rows": 3000, **STREAM}),
    Cell(name="head", how="head", asked={"rows": 3000, **STREAM}),
    Cell(name="fails first", how="all", asked={"rows": 3000, "fail": 1, **STREAM}),
    Cell(name="fails later", how="all", asked={"rows": 3000, "fail": FAIL, **STREAM}),
    Cell(
        name="fails later xlsx",
        how="all",
        asked={"rows": 3000, "fail": FAIL, "format": "xlsx", **STREAM},
    ),
    Cell(name="fails later curl", how="curl", asked={"rows": 3000, "fail": FAIL, **STREAM}),
    Cell(name="fails later 1.0", how="1.0", asked={"rows": 3000, "fail": FAIL, **STREAM}),
    Cell(name="fails later 1.0 curl", how="curl 1.0", asked={"rows": 3000, "fail": FAIL, **STREAM}),
    Cell(name="drips", how="all", asked={"rows": 24, "drip": 1, **STREAM}),
    Cell(
        name="expires",
        how="all",
        asked={"block": 300, "rows": 3000, "seconds": 5, "limit": 1, "cancel": 1, **STREAM},
    ),
    Cell(
        name="expires first",
        how="all",
        asked={"block": 1, "rows": 3000, "seconds": 5, "limit": 1, "cancel": 1, **STREAM},
    ),
    # A client that leaves.
    Cell(name="many, FIN", how="fin", asked={"rows": MANY, **STREAM}),
    Cell(name="many, RST", how="rst", asked={"rows": MANY, **STREAM}),
    Cell(name="many, stalled", how="stall", asked={"rows": MANY, **STREAM}, wait=STALL),
    Cell(name="many, window shut", how="shut", asked={"rows": MANY, **STREAM}, wait=STALL),
    Cell(
        name="many async, FIN",
        how="fin",
        asked={"rows": MANY, "async": 1, **STREAM},
        interface="ASGI",
    ),
    Cell(name="many, RST_STREAM", how="cancel", asked={"rows": MANY, **STREAM}, wait=0.2),
    Cell(name="drips, FIN", how="fin", asked={"rows": 50, "drip": 1, **STREAM}, wait=0.4),
    Cell(name="drips, half-closed", how="half", asked={"rows": 50, "drip": 1, **STREAM}, wait=0.4),
    Cell(name="drips, RST", how="rst", asked={"rows": 50, "drip": 1, **STREAM}, wait=0.4),
    Cell(
        name="blocked at once, FIN",
        how="fin",
        asked={"block": 1, **BLOCK, **STREAM},
        first=False,
        wait=0.2,
    ),
    Cell(name="blocked, RST", how="rst", asked={"block": 300, **BLOCK, **STREAM}, wait=0.2),
    Cell(
        name="blocked, cancel= of WSGI",
        how="fin",
        asked={"block": 300, "rows": MANY, "seconds": 6, "cancel": 1, **STREAM},
        interface="WSGI",
        wait=0.2,
    ),
    Cell(
        name="blocked, cancel=",
        how="fin",
        asked={"block": 300, "rows": MANY, "seconds": 4, "cancel": 1, **STREAM},
        interface="ASGI",
        wait=0.2,
    ),
    # A document that is finished before the first byte.
    Cell(name="spool", how="all", asked={"rows": 3000, **SPOOL}),
    Cell(name="spool bare", how="all", asked={"rows": 3000, **SPOOL}, bare=True, interface="WSGI"),
    Cell(name="spool 1.0", how="1.0", asked={"rows": 3000, **SPOOL}),
    Cell(name="spool curl", how="curl", asked={"rows": 3000, **SPOOL}),
    Cell(name="spool head", how="head", asked={"rows": 3000, **SPOOL}),
    Cell(name="spool fails", how="all", asked={"rows": 3000, "fail": FAIL, **SPOOL}),
    Cell(name="spool, FIN", how="fin", asked={"rows": FILE, **SPOOL}, bare=True),
    Cell(name="spool, stalled", how="stall", asked={"rows": FILE, **SPOOL}, bare=True, wait=STALL),
    # A document that is made ahead of the client.
    Cell(name="buffer", how="all", asked={"rows": 3000, **BUFFER}),
    Cell(name="buffer fails", how="all", asked={"rows": 3000, "fail": FAIL, **BUFFER}),
    Cell(name="buffer, FIN", how="fin", asked={"rows": MANY, **BUFFER}),
    Cell(name="buffer, RST", how="rst", asked={"rows": MANY, **BUFFER}),
    Cell(name="buffer, stalled", how="stall", asked={"rows": FILE, **BUFFER}, wait=STALL),
    Cell(
        name="spool that drips, FIN",
        how="fin",
        asked={"rows": SPOOLED_ROWS, "drip": 1, **SPOOL},
        interface="WSGI",
        first=False,
        wait=0.4,
    ),
    Cell(
        name="buffer that drips, FIN",
        how="fin",
        asked={"rows": 60, "drip": 1, **BUFFER},
        interface="WSGI",
        wait=0.4,
    ),
    # A client that stays and takes nothing.
    Cell(name="held", how="held", asked={"rows": MANY, **HELD, **STREAM}),
    Cell(
        name="held until the time is over", how="held", asked={"rows": MANY, "limit": 2, **STREAM}
    ),
    Cell(name="held spool", how="held", asked={"rows": FILE, **HELD, **SPOOL}, bare=True),
    Cell(name="held buffer", how="held", asked={"rows": FILE, **HELD, **BUFFER}),
    # What is done without being told.
    Cell(name="auto fails later", how="all", asked={"rows": 3000, "fail": FAIL}),
    Cell(name="auto fails later 1.0", how="1.0", asked={"rows": 3000, "fail": FAIL}),
    Cell(
        name="unbuffered, stalled",
        how="stall",
        asked={"rows": MANY, "accel": "no", **STREAM},
        proxied=True,
        wait=STALL,
    ),
)


def unbuilt(delivery: str) -> bool:
    """Whether the library has not got that delivery; "auto" is one of those that spool."""
    try:
        sw.Export([], delivery="spool" if delivery == "auto" else delivery)  # type: ignore[arg-type]
    except NotImplementedError:
        return True
    return False


@dataclass(slots=True)
class Result:
    """What became of a cell.

    Attributes:
        saw: "complete", "cut", "taken for complete", "hangs", "no answer", or a status.
        seen: All that the client got.
        run: What the application wrote down about the export; empty where it was never made.
        left_at: When the client left, or had everything.
        released: Seconds from then until nothing was held any more; None is never.
        after: Seconds from the later of that the server told it and the pull in flight returned.
        told: Seconds from leaving until the server told it; None is never, or at its own end.
        left: What was still held when patience ended.
        ahead: Bytes of rows taken by the end of a stall.
        memory: By how much the server's process had grown then.
        drained: Whether the rows were closed by the end of a stall.
        stray: What came after the response.
        problem: What else went wrong.
    """

    saw: str = ""
    seen: Seen = field(default_factory=Seen)
    run: dict[str, Any] = field(default_factory=dict)
    left_at: float = 0.0
    released: float | None = None
    after: float | None = None
    told: float | None = None
    left: list[str] = field(default_factory=list)
    ahead: int = 0
    memory: int = 0
    drained: bool = False
    stray: bytes = b""
    problem: str = ""


@dataclass(slots=True)
class Found:
    """What became of the cells of a server, and what it had to say."""

    cells: dict[str, Result]
    log: str


Results = dict[str, Found]


def run_all(setups: Iterable[Setup], note: Callable[[str], object] = lambda _: None) -> Results:
    """Go through all cells of all servers that are there; blocks for a minute or more."""
    there = [setup for setup in setups if not setup.missing]

    def one(setup: Setup) -> Found:
        begun = monotonic()
        found = run(setup)
        note(f"{setup.name}: {len(found.cells)} cells in {monotonic() - begun:.0f} s")
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip((setup.name for setup in there), pool.map(one, there), strict=True))


def run(setup: Setup, cells: Iterable[Cell] = CELLS) -> Found:
    """Go through the cells of one server."""
    with serving(setup) as server:
        wanted = [cell for cell in cells if cell.of(setup) and not unbuilt(cell.delivery)]
        found = {cell.name: visit(server, cell) for cell in wanted}
        return Found(found, server.log)


@contextmanager
def serving(setup: Setup, at_once: int = 1) -> Iterator[Running]:
    """A server that has served a few exports, `at_once` at a time, and is idle."""
    server = Running(setup, Path(mkdtemp(prefix="matrix-")))
    try:
        warm_up(server, at_once)
        yield server
    finally:
        server.stop()
        server.remove()


def abort(server: Running, times: int, at_once: int) -> None:
    """Leave that many exports, by FIN and by RST in turn, `at_once` at a time."""
    asked = {"rows": MANY, **STREAM}

    def one(number: int) -> None:
        how: How = "rst" if number % 2 else "fin"
        client = begin(server, Cell(name="", how=how, asked=asked), f"aborted {number}")
        client.read(1)
        client.leave(reset=bool(number % 2))

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(times)))


def warm_up(server: Running, at_once: int) -> None:
    """Have everything made that is made once: the server's threads, the scratch directory."""
    few: dict[str, Any] = {"rows": 10, "block": 10, "seconds": 0.3}
    many: list[dict[str, Any]] = [
        {"rows": 3000, "delivery": delivery}
        for delivery in ("stream", "spool", "buffer")
        if not unbuilt(delivery)
    ]
    for asked in (few, few, *many):
        cell = Cell(name="", how="all", asked=asked)
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda at: fetch(server, cell, f"warm {at}"), range(at_once)))  # noqa: B023
    sleep(0.3)
    server.take_base()


def fetch(server: Running, cell: Cell, name: str) -> None:
    """All of it."""
    client = begin(server, cell, name)
    client.read()
    client.leave()


def begin(server: Running, cell: Cell, name: str) -> Client:
    """The request of a cell, sent."""
    path = ("/bare?" if cell.bare else "/export?") + urlencode({"id": name, **cell.asked})
    method = "HEAD" if cell.how == "head" else "GET"
    stalling = cell.how in ("stall", "shut", "cancel", "held")
    if server.setup.http2:
        shut = cell.how == "shut"
        return Http2(server.port, path, method=method, stalling=stalling, shut=shut)
    version = "1.0" if cell.how == "1.0" else "1.1"
    return Http1(server.port, path, method=method, version=version, stalling=stalling)


def visit(server: Running, cell: Cell) -> Result:
    """Do what the cell says, and wait until all of it is released."""
    result = Result()
    before = server.snapshot(b"forget")["memory"]
    try:
        if cell.how.startswith("curl"):
            visit_by_curl(server, cell, result)
        else:
            visit_by_socket(server, cell, result, before)
    except (OSError, ValueError) as error:
        result.problem = repr(error)
    result.left_at = result.left_at or monotonic()
    await_release(server, cell, result)
    result.saw = verdict(cell, result)
    return result


def visit_by_curl(server: Running, cell: Cell, result: Result) -> None:
    """As a shell sees it."""
    options = ["--http1.0"] if cell.how == "curl 1.0" else []
    options = ["--http2-prior-knowledge"] if server.setup.http2 else options
    path = "/export?" + urlencode({"id": "export", **cell.asked})
    result.seen = curl(server.port, path, *options)


def visit_by_socket(server: Running, cell: Cell, result: Result, before: int) -> None:
    """As the bytes go."""
    client = begin(server, cell, "export")
    try:
        result.seen = client.seen
        if cell.how in ("all", "1.0", "head"):
            client.read()
            if cell.how == "head":
                result.stray = client.stray()  # type: ignore[attr-defined]  # both have it
            return
        if cell.first:
            client.read(1)
        sleep(cell.wait)
        if cell.how in ("stall", "shut"):
            found = server.snapshot()
            run = found["runs"].get("export", {})
            result.ahead = run.get("pulled", 0) * ROW
            result.drained = bool(run.get("closed"))
            result.memory = max(0, found["memory"] - before)
        if cell.how == "half":
            client.shut_down()  # type: ignore[attr-defined]  # HTTP/1.1 has it
        if cell.how in ("half", "held"):
            result.left_at = monotonic()
            await_release(server, cell, result)
        if cell.how == "cancel":
            client.cancel()  # type: ignore[attr-defined]  # HTTP/2 has it
            result.left_at = monotonic()
            sleep(0.5)
    finally:
        result.left_at = result.left_at or monotonic()
        client.leave(reset=cell.how == "rst")


def await_release(server: Running, cell: Cell, result: Result) -> None:
    """Wait until nothing is held that was not before, and reckon how long that took."""
    end = monotonic() + PATIENCE
    at_once = True
    while monotonic() < end:
        found = server.snapshot()
        result.run = found["runs"].get("export", {})
        ours, theirs = server.left(found, OURS), server.left(found, THEIRS)
        result.left = [*ours, *theirs]
        if ended(result.run) and not ours and result.released is None:
            reckon(result, at_once=at_once)
        if result.released is not None and not theirs:
            return
        at_once = False
        sleep(0.02)


def reckon(result: Result, *, at_once: bool) -> None:
    """All of ours has just been released; `at_once` is when it was looked at first."""
    run, now = result.run, monotonic()
    written = max(run.get("closed_at", 0.0), run.get("done_at", 0.0))
    # What is not written down with its time was looked at just now.
    released = written if at_once or now - written < 0.1 else now
    result.released = max(0.0, released - result.left_at)
    told = run.get("told_at", 0.0) if run.get("outcome") not in ("", "complete") else 0.0
    if told:
        result.told = max(0.0, told - result.left_at)
    result.after = max(0.0, released - max(result.left_at, run.get("returned_at", 0.0), told))


def ended(run: dict[str, int]) -> bool:
    """Whether every export that was opened was closed, and its end told."""
    opened = run.get("opened", 0)
    return not run or min(run["closed"], run["done"]) >= opened


def verdict(cell: Cell, result: Result) -> str:
    """What the client must think."""
    seen = result.seen
    if seen.code is not None:
        return f"curl {seen.code}"
    if seen.status == 0:
        return "hangs, no answer" if seen.ending == "silence" else "no answer"
    if seen.status >= 400:
        return str(seen.status)
    if not stays(cell):
        return ""
    if seen.ending == "silence":
        return "hangs"
    if seen.ending == "cut":
        return "cut"
    if cell.how == "head" or whole(cell, bytes(seen.body)):
        return "complete"
    return "taken for complete"


def whole(cell: Cell, body: bytes) -> bool:
    """Whether the body is all of the document."""
    if cell.asked.get("format") == "xlsx":
        return zipfile.is_zipfile(BytesIO(body))
    cell_ = DRIP if "drip" in cell.asked else CELL
    return body.endswith(f"{cell.asked['rows']},{cell_}\r\n".encode())


def tells_a_secret(result: Result) -> bool:
    """Whether the text of an exception is in a response."""
    body = bytes(result.seen.body)
    return SECRET.encode() in body or b"Traceback" in body or SECRET in str(result.seen.headers)


def stays(cell: Cell) -> bool:
    """Whether the client waits for the end."""
    return cell.how in ("all", "1.0", "head", "curl", "curl 1.0")


def everywhere() -> list[Setup]:
    """The servers that CI runs."""
    return [setup for setup in SETUPS if setup.everywhere]
