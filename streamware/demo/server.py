"""The demo's server: a page, the downloads, and the progress of the last one."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from streamware.demo.table import COLUMNS
from streamware.http.export import Export
from streamware.receipt import Receipt

FORMATS = ("csv", "tsv", "xml", "json", "ndjson", "xlsx")
_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>streamware demo</title>
<style>body {{ font: 1.1rem/1.6 system-ui; margin: 3rem auto; max-width: 34rem }}</style>
<h1>Orders</h1>
<p>Each download is made while it is sent, in constant memory, with nothing on disk.</p>
<ul>{"".join(f'<li><a href="/orders?format={name}">orders.{name}</a>' for name in FORMATS)}</ul>
"""


def serve(database: str, port: int) -> None:
    """Serve the table on the loopback interface, print the port, and stop when stdin ends.

    Args:
        database: Path of the SQLite file.
        port: Port to listen on; 0 is a free one.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error.strerror}; choose another with --port")
    config = uvicorn.Config(
        application(Path(database)), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    Thread(target=_stop_with_stdin, args=[server], daemon=True).start()
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - for our parent
    server.run(sockets=[listener])


def _stop_with_stdin(server: uvicorn.Server) -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is written; returns when the parent has gone
    server.should_exit = True


def application(database: Path) -> Starlette:
    """Return the application: a page at `/`, the downloads at `/orders`, progress at `/status`."""
    progress = Progress()

    async def orders(request: Request) -> Any:
        nonlocal progress
        own = progress = Progress()
        return Export(
            lambda: own.read(database),
            columns=COLUMNS,
            formats=FORMATS,
            filename="orders",
            on_done=own.finish,
        )

    async def status(request: Request) -> JSONResponse:
        return JSONResponse(progress.status())

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    return Starlette(
        routes=[Route("/", page), Route("/orders", orders), Route("/status", status)],
    )


class Progress:
    """The progress of one download."""

    def __init__(self) -> None:
        self._rows = 0
        self._receipt: Receipt | None = None

    def read(self, database: Path) -> Iterator[tuple[object, ...]]:
        """Yield the rows of the table, and count them."""
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            cursor = connection.execute("select * from orders")
            while rows := cursor.fetchmany(100):
                self._rows += len(rows)
                yield from rows

    def finish(self, receipt: Receipt) -> None:
        """Keep the receipt."""
        self._receipt = receipt

    def status(self) -> dict[str, Any]:
        """Return the rows read so far; at the end also outcome, rows written and digest."""
        done = self._receipt
        receipt = done and {"outcome": done.outcome, "rows": done.rows, "sha256": done.sha256}
        return {"rows": self._rows, "receipt": receipt}
