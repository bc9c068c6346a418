"""An application with jobs, for WSGI and ASGI servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import streamware as sw

IMPATIENT = sw.Settings(limits=sw.Limits(stall_seconds=2))
jobs = sw.Jobs(Path(os.environ["TMPDIR"], "exports"))


def rows(count: int) -> Iterator[tuple[int, str]]:
    for number in range(count):
        yield number, f"Müller & Söhne {number}"


@jobs.define("orders")
def orders(*, count: int) -> sw.Export:
    return sw.Export(
        lambda: rows(count), columns=["id", "name"], filename="orders", formats=("csv",)
    )


def start(query: str) -> Any:
    return jobs.start("orders", count=int(parse_qs(query)["count"][0]))


def answer(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    if path == "/orders":
        return start(environ["QUERY_STRING"]).wsgi(environ, start_response)
    if path.startswith("/exports/"):
        inner = {"SCRIPT_NAME": "/exports", "PATH_INFO": path.removeprefix("/exports")}
        return jobs.wsgi({**environ, **inner}, start_response)
    start_response("204 No Content", [])
    return []


async def aanswer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/orders":
        await start(scope["query_string"].decode()).asgi(scope, receive, send)
    elif scope["path"].startswith("/exports/"):
        await jobs.asgi({**scope, "root_path": "/exports"}, receive, send)
    else:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


wsgi = sw.WSGIMiddleware(answer, IMPATIENT)
asgi = sw.ASGIMiddleware(aanswer, IMPATIENT)
