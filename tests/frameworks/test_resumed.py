"""Conditions and ranges through the responses of the frameworks, whose middlewares may compress."""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Rows, asgi_get, wsgi_get

for framework in ("flask", "flask_compress", "django", "starlette", "litestar", "falcon", "quart"):
    pytest.importorskip(framework)

import flask  # noqa: E402 - where it is installed
from flask_compress import Compress  # noqa: E402
from starlette.middleware.gzip import GZipMiddleware  # noqa: E402

import streamware.frameworks.flask  # noqa: E402
import streamware.frameworks.starlette  # noqa: E402
from apps.built import BUILDERS, over_http_1_1, with_defaults  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def rows() -> Iterator[tuple[int, str]]:
    return ((number, "x" * (number % 9)) for number in range(2000))


OPTIONS: dict[str, Any] = {"columns": ["id", "text"], "compress": "off", "etag": "v1"}
BODY = b"".join(sw.encode(rows(), columns=["id", "text"]))


def flask_app(content: Any = rows) -> Any:
    app = flask.Flask("resumed")

    @app.get("/")
    def view() -> Any:
        return sw.frameworks.flask.ExportResponse(content, format="csv", **OPTIONS)

    return app


def starlette_app(content: Any = rows) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = sw.frameworks.starlette.ExportResponse(content, format="csv", **OPTIONS)
        response.set_cookie("a", "b")
        await response(scope, receive, send)

    return app


def other(name: str) -> Callable[[Any], Any]:
    def app(content: Any = rows) -> Any:
        made = BUILDERS[name]({"/": lambda _: {"content": content, "format": "csv", **OPTIONS}}, {})
        return over_http_1_1(made) if name == "falcon" else with_defaults(made)

    return app


APPS: dict[str, Callable[..., Any]] = {
    "flask": flask_app,
    "starlette": starlette_app,
    **{name: other(name) for name in BUILDERS},
}


@pytest.fixture(params=APPS)
def make(request: pytest.FixtureRequest) -> Callable[..., Callable[..., Any]]:
    def made(content: Any = rows) -> Callable[..., Any]:
        app = APPS[request.param](content)
        get: Any = wsgi_get if request.param in ("flask", "falcon") else asgi_get
        return lambda **asked: get(app, **asked)

    return made


def test_every_response_has_conditions_and_ranges(make: Any) -> None:
    ask = make()
    whole = ask()
    tag = whole.headers["etag"]
    assert (whole.status, whole.body, whole.headers["accept-ranges"]) == (200, BODY, "bytes")
    part = ask(headers={"Range": "bytes=100-", "If-Range": tag})
    assert (part.status, part.body) == (206, BODY[100:])
    assert part.headers["content-range"] == f"bytes 100-{len(BODY) - 1}/{len(BODY)}"
    assert ask(headers={"Range": "bytes=100-", "If-Range": '"x"'}).body == BODY
    past = ask(headers={"Range": f"bytes={len(BODY)}-"})
    assert (past.status, past.body) == (416, b"")
    assert past.headers["content-range"] == f"bytes */{len(BODY)}"


def test_every_response_closes_rows_that_are_not_read(make: Any) -> None:
    tag = make()().headers["etag"]
    for field, status in ({"If-None-Match": tag}, 304), ({"If-Match": '"x"'}, 412):
        given = Rows(rows())
        reply = make(given)(headers=field)
        assert (reply.status, reply.body, given.pulled, given.closed) == (status, b"", 0, 1)


def test_rows_that_fail_while_a_part_is_made_are_a_500(make: Any) -> None:
    def failing() -> Iterator[tuple[int, str]]:
        yield from rows()
        raise Broken

    reply = make(failing)(headers={"Range": "bytes=5-"})
    assert reply.status in (None, 500)
    assert BODY[5:100] not in reply.body


def test_flask_compress_gets_no_part_that_it_would_compress() -> None:
    app = flask_app()
    app.config["COMPRESS_MIMETYPES"] = ["text/csv"]
    Compress(app)
    asked = {"Range": "bytes=5-", "Accept-Encoding": "deflate"}
    reply = wsgi_get(app, headers=asked)
    assert (reply.status, "content-range" in reply.headers) == (200, False)
    assert wsgi_get(app, headers={"Range": "bytes=5-"}).status == 206


def test_what_starlette_may_compress_has_a_weak_tag_and_no_ranges() -> None:
    app = GZipMiddleware(starlette_app())
    plain = asgi_get(app)
    coded = asgi_get(app, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(coded.body) == plain.body == BODY
    assert (coded.headers["accept-ranges"], coded.headers["etag"][:2]) == ("none", "W/")
    part = asgi_get(app, headers={"Accept-Encoding": "gzip", "Range": "bytes=5-"})
    whole = asgi_get(
        app,
        headers={"Accept-Encoding": "gzip", "Range": "bytes=5-", "If-Range": coded.headers["etag"]},
    )
    assert "content-encoding" not in part.headers or part.status == 200
    assert (whole.status, gzip.decompress(whole.body)) == (200, BODY)
