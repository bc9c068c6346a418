"""Flask, FastAPI, Django and werkzeug within the middlewares: as before, and with scratch."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import AsyncRows, Connection, Rows, asgi_get, orders, wsgi_get
from readers import csv_rows

# Flask


def flask_app() -> Any:
    return pytest.importorskip("flask").Flask("shop")


def test_flask_sends_a_scratch_file_that_is_gone_afterwards(settings: sw.Settings) -> None:
    flask, app, paths = pytest.importorskip("flask"), flask_app(), list[Path]()

    @app.get("/")  # type: ignore[untyped-decorator]  # it is any
    def view() -> Any:
        paths.append(sw.current_scratch().path(".txt"))
        paths[-1].write_bytes(b"12" * 50_000)
        return flask.send_file(paths[-1])

    app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, settings)
    for wrapper in (None, lambda file, size=8192: iter(lambda: file.read(size), b"")):
        reply = wsgi_get(
            lambda e, s, w=wrapper: app(e | ({"wsgi.file_wrapper": w} if w else {}), s)
        )
        assert reply.body == b"12" * 50_000
        assert reply.headers["content-length"] == "100000"
    assert not any(path.exists() for path in paths)
    assert app.test_client().get("/").data == b"12" * 50_000


def test_flask_s_contexts_and_ours_are_one(settings: sw.Settings) -> None:
    flask, app, events = pytest.importorskip("flask"), flask_app(), list[Any]()

    @app.teardown_appcontext  # type: ignore[untyped-decorator]  # it is any
    def teardown(error: BaseException | None) -> None:
        events.append(("teardown", sw.current_scratch().closed))

    @app.get("/stream")  # type: ignore[untyped-decorator]  # it is any
    def stream() -> Any:
        def body() -> Iterator[str]:
            yield flask.request.path
            events.append(sw.current_scratch().closed)
            yield "!"

        return flask.Response(flask.stream_with_context(body()))

    @app.get("/orders")  # type: ignore[untyped-decorator]  # it is any
    def export() -> Any:
        return flask.request.environ["streamware.export"](
            lambda: (flask.request.path and order for order in orders(3)), format="csv"
        )

    app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, settings)
    client = app.test_client()
    assert client.get("/stream").text == "/stream!"
    assert len(csv_rows(client.get("/orders").data)) == 3
    assert False in events
    assert {event for event in events if event is not False} == {("teardown", False)}
    assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("read", [True, False])
def test_flask_s_test_client_keeps_the_contexts_of_a_request(
    settings: sw.Settings, read: bool
) -> None:
    flask, app, seen = pytest.importorskip("flask"), flask_app(), list[Any]()

    @app.get("/stream")  # type: ignore[untyped-decorator]  # it is any
    def stream() -> Any:
        def body() -> Iterator[str]:
            seen.append(sw.current_scratch().path())
            yield flask.request.path
            seen.append(sw.current_scratch())

        return flask.Response(flask.stream_with_context(body()))

    app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, settings)
    with app.test_client() as client:
        response = client.get("/stream")
        assert flask.request.path == "/stream"
        if read:
            assert response.text == "/stream"
        response.close()
    assert len(seen) == 1 + read
    assert not seen[0].exists()
    assert not flask.has_request_context()
    with pytest.raises(sw.StateError):
        sw.current_scratch()


def test_a_flask_view_may_handle_a_lack_of_room_itself(settings: sw.Settings) -> None:
    for handled in (False, True):
        app = flask_app()
        app.config["PROPAGATE_EXCEPTIONS"] = True

        @app.get("/")  # type: ignore[untyped-decorator]  # it is any
        def view() -> Any:
            raise sw.Refused("no room", retry_after=7)

        if handled:
            app.errorhandler(sw.Refused)(lambda error: ("later", 429))
        app.wsgi_app = sw.WSGIMiddleware(app.wsgi_app, settings)
        response = app.test_client().get("/")
        assert response.status_code == (429 if handled else 503)
        assert response.headers.get("Retry-After") == (None if handled else "7")


# FastAPI


@pytest.mark.parametrize("make", [Rows, AsyncRows])
def test_fastapi_s_response_has_the_request_s_scratch(
    settings: sw.Settings, make: Callable[..., Any]
) -> None:
    fastapi = pytest.importorskip("fastapi")
    from streamware.frameworks.fastapi import ExportResponse

    app, seen = fastapi.FastAPI(), list[Any]()
    app.add_middleware(sw.ASGIMiddleware, settings=settings)

    @app.get("/")  # type: ignore[untyped-decorator]  # it is any
    def view() -> Any:
        seen.append(sw.current_scratch())
        return ExportResponse(make(orders(3)), columns=[sw.Column(0, convert=noted)])

    def noted(cell: Any) -> Any:
        seen.append(sw.current_scratch())
        return cell

    assert csv_rows(asgi_get(app).body) == [["0"], ["1"], ["2"]]
    assert len(seen) == 4
    assert len(set(map(id, seen))) == 1
    assert seen[0].closed


def test_fastapi_s_response_has_settings(settings: sw.Settings) -> None:
    pytest.importorskip("fastapi")
    from streamware.frameworks.fastapi import ExportResponse

    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch().settings)
        yield (1,)

    assert asgi_get(ExportResponse(rows, settings=settings)).complete
    assert seen == [settings]


# Django


@pytest.fixture(scope="module")
def django() -> Any:
    module = pytest.importorskip("django")
    from django.conf import settings as own

    if not own.configured:
        own.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=(), DATABASES={})
        module.setup()
    return module


def urls() -> Any:
    from django.http import FileResponse, HttpResponse, StreamingHttpResponse
    from django.urls import path

    def text(request: Any) -> Any:
        return HttpResponse(sw.current_scratch().path().read_bytes() or b"12")

    def file(request: Any) -> Any:
        made = sw.current_scratch().path()
        made.write_bytes(b"12")
        return FileResponse(made.open("rb"))

    def body() -> Iterator[bytes]:
        yield sw.current_scratch().path().read_bytes() or b"1"
        yield b"2"

    def stream(request: Any) -> Any:
        return StreamingHttpResponse(body())

    return (path("text", text), path("file", file), path("stream", stream))


@pytest.mark.parametrize("page", ["text", "file", "stream"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_django_has_scratch_in_views_and_bodies(
    django: Any, settings: sw.Settings, page: str
) -> None:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings

    with override_settings(ROOT_URLCONF=urls()):
        wrapped = sw.WSGIMiddleware(get_wsgi_application(), settings)
        made: Any = {"PATH_INFO": f"/{page}"}
        reply = wsgi_get(lambda e, s: wrapped(e | made, s))
        assert (reply.body, reply.error) == (b"12", None)

        async def scoped(scope: Any, receive: Any, send: Any) -> None:
            async def with_body(message: Any) -> None:  # which Django leaves out at the end
                await send({"body": b"", **message} if "body" in message["type"] else message)

            scope = scope | {"path": f"/{page}", "raw_path": f"/{page}".encode()}
            await sw.ASGIMiddleware(get_asgi_application(), settings)(scope, receive, with_body)

        reply = asgi_get(scoped)
        assert (reply.body, reply.error) == (b"12", None)


# werkzeug


def test_werkzeug_s_own_wrapper_sends_a_scratch_file(settings: sw.Settings) -> None:
    werkzeug = pytest.importorskip("werkzeug")
    from werkzeug.test import Client
    from werkzeug.wsgi import wrap_file

    @werkzeug.Request.application  # type: ignore[untyped-decorator]  # it is any
    def app(request: Any) -> Any:
        spool = sw.current_scratch().spool()
        spool.write(b"12")
        spool.seek(0)
        return werkzeug.Response(wrap_file(request.environ, spool), direct_passthrough=True)

    assert Client(sw.WSGIMiddleware(app, settings)).get("/").data == b"12"


def test_a_body_closed_by_werkzeug_is_closed_once(settings: sw.Settings) -> None:
    werkzeug = pytest.importorskip("werkzeug")
    from werkzeug.test import Client

    rows, closed = Rows([b"1", b"2"]), list[str]()

    @werkzeug.Request.application  # type: ignore[untyped-decorator]  # it is any
    def app(request: Any) -> Any:
        response = werkzeug.Response(rows)
        response.call_on_close(lambda: closed.append(str(sw.current_scratch().closed)))
        return response

    assert Client(sw.WSGIMiddleware(app, settings)).get("/", buffered=True).data == b"12"
    assert (rows.closed, closed) == (1, ["True"])


async def test_a_starlette_upload_is_read_through_the_watcher(settings: sw.Settings) -> None:
    applications = pytest.importorskip("starlette.applications")
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def view(request: Any) -> Any:
        return PlainTextResponse(str(len(await request.body())))

    app = applications.Starlette(routes=[Route("/", view, methods=["POST"])])
    app.add_middleware(sw.ASGIMiddleware, settings=settings)
    connection = Connection(method="POST")
    part = io.BytesIO(b"x" * 1000).read()
    connection._requests = [
        {"type": "http.request", "body": part, "more_body": at > 0} for at in range(50)
    ]
    assert (await connection.run(app)).body == b"50000"
