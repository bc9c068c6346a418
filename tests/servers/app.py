"""What every server of the matrix serves, over WSGI and over ASGI, and what it tells on the side.

A request names its export with `id`; the rest of its query is read by `Asked`.  What becomes of
the export is written down here, and read beside the server, over a Unix socket named by
`MATRIX_SIDE`: a server of one thread answers no second request while its first is blocked.
"""

import asyncio
import gc
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from json import dumps
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.validate import validator

import streamware as sw
from streamware.http.admission import admission
from streamware.scratch.pool import scratch_pool

CELL = "x" * 1000
"""With its number, a row is a little more than this."""
DRIP = "x" * 56
DRIP_SECONDS = 0.1
SECRET = "the secret source is gone"

Scope = Any
Receive = Callable[[], Any]
Send = Callable[[Any], Any]


class Asked:
    """What the query of a request asks for.

    Attributes:
        id: The name of the export.
        rows: How many.
        fail: The row that raises; 0 is none.
        block: The row that comes after `seconds` only; 0 is none.
        seconds: How long that is, unless it is cancelled.
        drip: Small rows, each after a tenth of a second.
        asynchronous: Rows of an async generator that never awaits.
    """

    def __init__(self, query: str) -> None:
        self.query = asked = dict(parse_qsl(query))
        self.id = asked.get("id", "")
        self.rows = int(asked.get("rows", 100))
        self.fail = int(asked.get("fail", 0))
        self.block = int(asked.get("block", 0))
        self.seconds = float(asked.get("seconds", 1))
        self.drip = "drip" in asked
        self.asynchronous = "async" in asked


@dataclass(slots=True)
class Run:
    """What became of one export; times are the system's clock, in seconds, 0 is never.

    Attributes:
        opened: How often its rows were opened.
        pulled: How many of them were taken.
        blocked_at: When it began to block.
        returned_at: When a pull that had blocked returned.
        told_at: When the server said that nobody wants more, or that all was sent.
        closed: How often its rows were closed.
        closed_at: When that was.
        done: How often `on_done` was called.
        done_at: When that was.
        outcome: What its receipt said then.
        delivery: The same.
    """

    opened: int = 0
    pulled: int = 0
    blocked_at: float = 0.0
    returned_at: float = 0.0
    told_at: float = 0.0
    closed: int = 0
    closed_at: float = 0.0
    done: int = 0
    done_at: float = 0.0
    outcome: str = ""
    delivery: str | None = None

    def told(self) -> None:
        """The server said so; the first time counts."""
        self.told_at = self.told_at or monotonic()

    def ended(self, receipt: sw.Receipt) -> None:
        """As `on_done`."""
        self.done += 1
        self.done_at = monotonic()
        self.outcome = receipt.outcome
        self.delivery = getattr(receipt, "delivery", None)

    def rows(self, asked: Asked, cancelled: threading.Event) -> Generator[Any, None, None]:
        """The rows of the export."""
        self.opened += 1
        try:
            for number in range(1, asked.rows + 1):
                if number == asked.fail:
                    raise RuntimeError(SECRET)
                if number == asked.block:
                    self._block(asked.seconds, cancelled)
                if asked.drip:
                    sleep(DRIP_SECONDS)
                self.pulled += 1
                yield (number, DRIP if asked.drip else CELL)
        finally:
            self.closed += 1
            self.closed_at = monotonic()

    def _block(self, seconds: float, cancelled: threading.Event) -> None:
        self.blocked_at = monotonic()
        try:
            if cancelled.wait(seconds):
                raise RuntimeError("interrupted")
        finally:
            self.returned_at = monotonic()

    async def arows(self, asked: Asked, cancelled: threading.Event) -> AsyncIterator[Any]:
        """The same, asynchronously, though it never lets another task run."""
        with closing(self.rows(asked, cancelled)) as rows:
            for row in rows:
                yield row


runs: dict[str, Run] = {}
loops: set[asyncio.AbstractEventLoop] = set()


def export(asked: Asked) -> tuple[Run, sw.Export]:
    """What is asked for, not yet opened."""
    query = asked.query
    run = runs[asked.id] = Run()
    cancelled = threading.Event()
    options: dict[str, Any] = {name: query[name] for name in ("delivery",) if name in query}
    bounds = {"limit": "seconds", "stall": "stall_seconds"}
    limits: Any = {name: float(query[key]) for key, name in bounds.items() if key in query}
    if limits:
        options["limits"] = sw.Limits(**limits)
    if "accel" in query:
        options["headers"] = [("X-Accel-Buffering", query["accel"])]
    return run, sw.Export(
        lambda: (run.arows if asked.asynchronous else run.rows)(asked, cancelled),
        columns=["number", "text"],
        format=query.get("format", "csv"),
        cancel=cancelled.set if "cancel" in query else None,
        on_done=run.ended,
        **options,
    )


# What is told on the side


def snapshot() -> dict[str, Any]:
    """What this process holds, and its exports."""
    scratch = str(Path(os.environ["STREAMWARE_SCRATCH_DIR"]).resolve())
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            held.append(str(descriptor.readlink()))
    threads = [thread.name for thread in threading.enumerate()]
    tasks = [task for loop in loops if loop.is_running() for task in asyncio.all_tasks(loop)]
    return {
        "runs": {name: asdict(run) for name, run in list(runs.items())},
        "descriptors": len(held),
        "spools": sum(link.startswith(scratch) and link.endswith("(deleted)") for link in held),
        "files": sum(len(names) for _, _, names in os.walk(scratch)),
        "all threads": len(threads),
        "threads": sum(name.startswith("streamware") for name in threads),
        "tasks": sum(map(is_ours, tasks)),
        "all tasks": len(tasks),
        "memory": int(re.findall(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())[0])
        * 1024,
        "places": admission(sw.Settings()).active,
        "scratch bytes": scratch_pool().budget.used,
    }


def is_ours(task: "asyncio.Task[Any]") -> bool:
    """Whether the library made it."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and str(Path(sw.__file__).parent) in code.co_filename


def tell(listening: socket.socket) -> None:
    """Answer whoever asks; what to forget, or to collect, is asked for in a word."""
    while True:
        asking, _ = listening.accept()
        with asking, suppress(OSError):
            word = asking.recv(16)
            if word == b"collect":
                gc.collect()
            asking.sendall(dumps(snapshot()).encode())
            if word == b"forget":
                runs.clear()


_telling: set[int] = set()


def begin_to_tell() -> None:
    """Once a process, so that it is in the one that serves."""
    if os.getpid() in _telling:
        return
    _telling.add(os.getpid())
    path = os.environ["MATRIX_SIDE"]
    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    threading.Thread(target=tell, args=(listening,), name="side", daemon=True).start()


# WSGI


class Told:
    """A body that writes down when the server closes it."""

    def __init__(self, body: Iterable[bytes], run: Run) -> None:
        self._body = body
        self._chunks = iter(body)
        self._run = run

    def __iter__(self) -> "Told":
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        self._run.told()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def bare(environ: Any, start_response: Any) -> Iterable[bytes]:
    """The application, with nothing around it."""
    begin_to_tell()
    if environ["PATH_INFO"] == "/ping":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"pong"]
    run, answer = export(Asked(environ["QUERY_STRING"]))
    body: Iterable[bytes] = answer(environ, start_response)
    if environ["PATH_INFO"] == "/bare":
        return body  # only as it is does a server know its `wsgi.file_wrapper`
    return Told(body, run)


_validated = validator(bare)


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """The application within the standard library's judge; below `/bare` without it."""
    if environ["PATH_INFO"] == "/bare":
        return bare(environ, start_response)
    # Werkzeug, hypercorn and others give ports as numbers, which is not ours to be judged for.
    told = {k: str(v) if type(v) is int and "." not in k else v for k, v in environ.items()}
    return _validated(told, start_response)


# ASGI


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """The twin."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    loops.add(asyncio.get_running_loop())
    begin_to_tell()
    if scope["path"] == "/ping":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"pong"})
        return
    run, answer = export(Asked(scope["query_string"].decode()))

    async def telling() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            run.told()
        return message

    await answer(scope, telling, send)


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing is started, nothing is stopped."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def __getattr__(name: str) -> Any:
    """`bridged`: the WSGI application over ASGI."""
    if name != "bridged":
        raise AttributeError(name)
    return import_module("a2wsgi").WSGIMiddleware(wsgi)


def main() -> None:
    """Serve with a server that has no command of its own: `wsgiref`, `werkzeug` or `gevent`."""
    name, port = sys.argv[1], int(sys.argv[2])
    if name == "wsgiref":
        from wsgiref.simple_server import make_server

        make_server("127.0.0.1", port, wsgi).serve_forever()
    elif name == "werkzeug":
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, wsgi, threaded=True)
    else:
        import_module("gevent.pywsgi").WSGIServer(("127.0.0.1", port), wsgi).serve_forever()
