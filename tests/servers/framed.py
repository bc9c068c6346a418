"""What `servers.test_outcomes` serves: the exports of `servers.app`, as responses of frameworks.

Below `/plain` as they are, below `/one` and `/two` within so many middlewares.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from servers.app import Asked, begin_to_tell, export, lifespan

Application = Callable[..., Any]


def served(one_by_path: dict[str, Application]) -> Application:
    """An ASGI application of several, with all that servers want."""

    async def choose(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        begin_to_tell()
        chosen = one_by_path.get(scope["path"], one_by_path["/plain"])
        await chosen(scope, receive, send)

    return choose


def wsgi_served(one_by_path: dict[str, Application]) -> Application:
    """The twin."""

    def choose(environ: Any, start_response: Any) -> Any:
        begin_to_tell()
        chosen = one_by_path.get(environ["PATH_INFO"], one_by_path["/plain"])
        return chosen(environ, start_response)

    return choose


def layered(application: Application) -> dict[str, Application]:
    """The application, within none to two middlewares of ASGI."""
    one = passing(application)
    return {"/plain": application, "/one": one, "/two": passing(one)}


def passing(application: Application) -> Application:
    """A middleware of ASGI that hands every message on by itself."""

    async def pass_on(scope: Any, receive: Any, send: Any) -> None:
        async def own_receive() -> Any:
            return await receive()

        async def own_send(message: Any) -> None:
            await send(message)

        await application(dict(scope), own_receive, own_send)

    return pass_on


# Django


def django_asgi() -> Application:
    from django.core.handlers.asgi import ASGIHandler

    return served(handlers(ASGIHandler))


def django_wsgi() -> Application:
    from django.core.handlers.wsgi import WSGIHandler

    return wsgi_served(handlers(WSGIHandler))


def handlers(make: Callable[[], Application]) -> dict[str, Application]:
    """Those of Django, which reads its middlewares from the settings when it makes one."""
    import django
    from django.conf import settings
    from django.test import override_settings

    settings.configure(SECRET_KEY="k", ALLOWED_HOSTS=["*"], ROOT_URLCONF=Urls)
    django.setup()
    Urls.urlpatterns = routes()
    found = {}
    synchronous, asynchronous = "servers.framed.synchronous", "servers.framed.either"
    for path, middlewares in {
        "/plain": [],
        "/one": [synchronous],
        "/two": [asynchronous, synchronous],
    }.items():
        with override_settings(MIDDLEWARE=middlewares):
            found[path] = make()
    return found


def synchronous(get_response: Any) -> Any:
    """A middleware of Django that knows no other kind."""

    def middleware(request: Any) -> Any:
        return get_response(request)

    return middleware


def either(get_response: Any) -> Any:
    """A middleware of Django that is asynchronous where it may be."""
    if not iscoroutinefunction(get_response):
        return synchronous(get_response)

    async def middleware(request: Any) -> Any:
        return await get_response(request)

    return middleware


either.sync_capable = either.async_capable = True  # type: ignore[attr-defined]


class Urls:
    """What Django takes for a module."""

    urlpatterns: list[Any]


def routes() -> list[Any]:
    from django.http import HttpResponse
    from django.urls import path

    from streamware.frameworks.django import ExportResponse

    def view(request: Any, name: str) -> Any:
        if name == "ping":
            return HttpResponse("pong")
        return ExportResponse(request, export(Asked(request.META["QUERY_STRING"]))[1])

    return [path("<str:name>", view)]


# Quart and Falcon


def quart() -> Application:
    from quart import Quart, request

    from streamware.frameworks.quart import ExportResponse

    app = Quart(__name__, static_folder=None)

    @app.route("/<name>")
    async def view(name: str) -> Any:
        if name == "ping":
            return "pong"
        return ExportResponse(export(Asked(request.query_string.decode()))[1])

    return served(layered(app))


def falcon_asgi() -> Application:
    from falcon.asgi import App

    from streamware.frameworks.falcon import ExportResponse

    class View:
        async def on_get(self, request: Any, response: Any, name: str) -> None:
            if name == "ping":
                response.text = "pong"
            else:
                exported = export(Asked(request.query_string))[1]
                await ExportResponse(exported).afill(request, response)

    app = App()
    app.add_route("/{name}", View())
    return served(layered(app))


def falcon_wsgi() -> Application:
    from falcon import App

    from streamware.frameworks.falcon import ExportResponse

    class View:
        def on_get(self, request: Any, response: Any, name: str) -> None:
            if name == "ping":
                response.text = "pong"
            else:
                ExportResponse(export(Asked(request.query_string))[1]).fill(request, response)

    class Middleware:
        def process_response(self, *_: Any) -> None:
            """Called when the responder has returned, before the body is asked for."""

    found: dict[str, Application] = {}
    for count, path in enumerate(("/plain", "/one", "/two")):
        app = App(middleware=[Middleware() for _ in range(count)])
        app.add_route("/{name}", View())
        found[path] = app
    return wsgi_served(found)


def __getattr__(name: str) -> Any:
    """`made_x` is what `x` makes, for servers that call no factory."""
    if name.startswith("made_"):
        return globals()[name.removeprefix("made_")]()
    raise AttributeError(name)
