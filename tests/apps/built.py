"""The same downloads from an application of Litestar, of Falcon (WSGI and ASGI) and of Quart.

`BUILDERS` make one of the arguments of `ExportResponse` for each path, which may depend on the
query; `litestar_app` and the others are what real servers serve, with the routes of `apps.source`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import falcon
import falcon.asgi
import litestar
import quart

from apps.source import OPTIONS, PLAIN, ROWS, told
from streamware.frameworks.falcon import ExportResponse as FalconExport
from streamware.frameworks.litestar import ExportResponse as LitestarExport
from streamware.frameworks.quart import ExportResponse as QuartExport

Make = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Exports = Mapping[str, Make]
Plain = Mapping[str, Callable[[], Any]]


def of_litestar(exports: Exports, plain: Plain) -> Any:
    def export(path: str, make: Make) -> Any:
        @litestar.route(path, http_method=["GET", "HEAD"])
        async def handle(request: litestar.Request[Any, Any, Any]) -> LitestarExport:
            options = dict(make(dict(request.query_params)))
            if "status" in options:  # Litestar has another name for it
                options["status_code"] = options.pop("status")
            return LitestarExport(**options)

        return handle

    def other(path: str, make: Callable[[], Any]) -> Any:
        @litestar.get(path)
        async def handle() -> dict[str, Any]:
            return make()  # type: ignore[no-any-return]

        return handle

    handlers = [export(*each) for each in exports.items()]
    # No logging of its own, which has a thread.
    return litestar.Litestar(
        [*handlers, *(other(*each) for each in plain.items())], logging_config=None
    )


def of_falcon(exports: Exports, plain: Plain) -> Any:
    class Export:
        def __init__(self, make: Make) -> None:
            self.make = make

        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            FalconExport(**self.make(req.params)).fill(req, resp)

        on_head = on_get

    class Other:
        def __init__(self, make: Callable[[], Any]) -> None:
            self.make = make

        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.media = self.make()

    app: Any = falcon.App()
    for path, make in exports.items():
        app.add_route(path, Export(make))
    for path, tell in plain.items():
        app.add_route(path, Other(tell))
    return app


def of_falcon_asgi(exports: Exports, plain: Plain) -> Any:
    class Export:
        def __init__(self, make: Make) -> None:
            self.make = make

        async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            await FalconExport(**self.make(req.params)).afill(req, resp)

        on_head = on_get

    class Other:
        def __init__(self, make: Callable[[], Any]) -> None:
            self.make = make

        async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            resp.media = self.make()

    app: Any = falcon.asgi.App()
    for path, make in exports.items():
        app.add_route(path, Export(make))
    for path, tell in plain.items():
        app.add_route(path, Other(tell))
    return app


def of_quart(exports: Exports, plain: Plain) -> Any:
    app = quart.Quart(__name__)

    def export(path: str, make: Make) -> None:
        async def view() -> QuartExport:
            return QuartExport(**make(quart.request.args))

        app.add_url_rule(path, path, view)

    def other(path: str, make: Callable[[], Any]) -> None:
        async def view() -> Any:
            return make()

        app.add_url_rule(path, path, view)

    for path, make in exports.items():
        export(path, make)
    for path, tell in plain.items():
        other(path, tell)
    return app


BUILDERS = {
    "litestar": of_litestar,
    "falcon": of_falcon,
    "falcon, asgi": of_falcon_asgi,
    "quart": of_quart,
}


def with_defaults(app: Any) -> Any:
    """The application, for a scope that has only what the specification demands."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        more = {"scheme": "http", "raw_path": b"/", "root_path": "", "client": ("127.0.0.1", 1)}

        async def send_with_body(message: Any) -> None:  # Falcon leaves an empty one out
            filled = {"body": b"", **message} if message["type"].endswith("body") else message
            await send(filled)

        await app({**more, "server": ("127.0.0.1", 80), **scope}, receive, send_with_body)

    return called


def over_http_1_1(app: Any) -> Any:
    """The WSGI application, for an environment that says HTTP/1.0, where truncation is hidden."""
    return lambda environ, start: app({**environ, "SERVER_PROTOCOL": "HTTP/1.1"}, start)


# For real servers


def _orders(rows: Callable[[Mapping[str, str]], Any]) -> Make:
    def make(asked: Mapping[str, str]) -> dict[str, Any]:
        asked = dict(asked)
        return {"content": lambda: rows(asked), **OPTIONS}

    return make


_ASYNC = {f"/{name}": _orders(rows) for name, rows in ROWS.items()}
_EXPORTS = {"/orders": _ASYNC["/orders"]}
_PLAIN = {f"/{name}": partial(told, name) for name in PLAIN}

litestar_app = of_litestar(_ASYNC, _PLAIN)
falcon_app = of_falcon(_EXPORTS, _PLAIN)
falcon_asgi_app = of_falcon_asgi(_ASYNC, _PLAIN)
quart_app = of_quart(_ASYNC, _PLAIN)
