"""The server of the demo: a page, the downloads, and how far the last one is."""

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
    """Serve the table on the loopback interface until standard input ends; prints the port.

    Args:
        database: Path of the SQLite file.
        port: 0 is a free one.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"port {port} cannot be had: {error.strerror}")
    config = uvicorn.Config(
        application(Path(database)), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    Thread(target=_end_with_input, args=[server], daemon=True).start()
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - it is read by our parent
    server.run(sockets=[listener])


def _end_with_input(server: uvicorn.Server) -> None:
    os.read(sys.stdin.fileno(), 1)  # which nobody writes
    server.should_exit = True


def application(database: Path) -> Starlette:
    """The page at `/`, the downloads at `/orders`, and at `/status` how far the last one is."""
    progress = Progress()

    async def orders(request: Request) -> Any:
        nonlocal progress
        mine = progress = Progress()
        return Export(
            lambda: mine.read(database),
            columns=COLUMNS,
            formats=FORMATS,
            filename="orders",
            on_done=mine.finish,
        )

    async def status(request: Request) -> JSONResponse:
        return JSONResponse(progress.told())

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    return Starlette(
        routes=[Route("/", page), Route("/orders", orders), Route("/status", status)],
    )


class Progress:
    """How far a download is."""

    def __init__(self) -> None:
        self._rows = 0
        self._receipt: Receipt | None = None

    def read(self, database: Path) -> Iterator[tuple[object, ...]]:
        """The rows of the table, counted while they are read."""
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            cursor = connection.execute("select * from orders")
            while some := cursor.fetchmany(100):
                self._rows += len(some)
                yield from some

    def finish(self, receipt: Receipt) -> None:
        """Keep the receipt."""
        self._receipt = receipt

    def told(self) -> dict[str, Any]:
        """Rows read so far; outcome, rows written and digest once it has ended."""
        end = self._receipt
        receipt = end and {"outcome": end.outcome, "rows": end.rows, "sha256": end.sha256}
        return {"rows": self._rows, "receipt": receipt}
