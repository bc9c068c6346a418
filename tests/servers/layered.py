"""What the layers of `servers.layers` serve: one export, below middlewares of other people."""

import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import streamware as sw
from servers.app import CELL, SECRET

Application = Callable[..., Any]


def rows(count: int, fail: int) -> Iterable[tuple[int, str]]:
    for number in range(1, count + 1):
        if number == fail:
            raise RuntimeError(SECRET)
        yield number, CELL


def export(query: str) -> sw.Export:
    """The export that the query asks for."""
    asked: dict[str, Any] = dict(parse_qsl(query))
    count, fail = int(asked.get("rows", 100)), int(asked.get("fail", 0))
    return sw.Export(
        lambda: rows(count, fail),
        columns=["number", "text"],
        format="csv",
        delivery=asked.get("delivery", "auto"),
        compress=asked.get("compress", "auto"),
    )


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """For every way to run WSGI behind Apache."""
    answer: Iterable[bytes] = export(environ.get("QUERY_STRING", ""))(environ, start_response)
    return answer


def starlette(*layers: Any) -> Application:
    """A Starlette application with these middlewares, the outermost first."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def view(request: Any) -> Any:
        return export(request.url.query)

    return Starlette(routes=[Route("/", view)], middleware=list(layers))


def base() -> Any:
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware

    return Middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))


def one() -> Application:
    return starlette(base())


def three() -> Application:
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.middleware.gzip import GZipMiddleware

    between = Middleware(CORSMiddleware, allow_origins=["*"])
    return starlette(base(), between, base(), Middleware(GZipMiddleware), base())


def limited() -> Application:
    """FastAPI, with middlewares that are made of Starlette's."""
    from fastapi import FastAPI, Request
    from slowapi import Limiter
    from slowapi.middleware import SlowAPIMiddleware
    from starlette_context.middleware import ContextMiddleware

    from streamware.frameworks.fastapi import ExportResponse

    app = FastAPI()
    app.state.limiter = Limiter(key_func=lambda request: "all", default_limits=["1000/minute"])
    app.add_middleware(SlowAPIMiddleware)
    app.add_middleware(ContextMiddleware)

    @app.get("/")
    def view(request: Request) -> ExportResponse:
        return ExportResponse(export(request.url.query))

    return app


def compressing(backend: Any) -> Application:
    """Litestar, which compresses what is compressed already."""
    from litestar import Litestar, Request, get
    from litestar.config.compression import CompressionConfig

    from streamware.frameworks.litestar import ExportResponse

    async def view(request: Request[Any, Any, Any]) -> ExportResponse:
        return ExportResponse(export(request.url.query))

    view.__annotations__ = {"request": Request, "return": ExportResponse}  # they are local names
    return Litestar(
        [get("/")(view)], compression_config=CompressionConfig(backend=backend), logging_config=None
    )


def gzip() -> Application:
    return compressing("gzip")


def brotli() -> Application:
    return compressing("brotli")


def main() -> None:
    """Serve one request by CGI, or all by FastCGI or SCGI: `cgi`, `fcgi PORT` or `scgi PORT`."""
    if sys.argv[1] == "cgi":
        from wsgiref.handlers import CGIHandler

        CGIHandler().run(wsgi)
        return
    from importlib import import_module

    server: Any = import_module(f"flup.server.{sys.argv[1]}").WSGIServer
    server(wsgi, bindAddress=("127.0.0.1", int(sys.argv[2]))).run()
