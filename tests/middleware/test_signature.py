"""What is said of an application that is none, when the middleware is mounted around it."""

import functools
from typing import Any, Literal

import pytest

import streamware as sw
from streamware.middleware.signature import check

Kind = Literal["WSGI", "ASGI"]
both = pytest.mark.parametrize("kind", ["WSGI", "ASGI"])


def one(request: Any) -> None: ...


def two(environ: Any, start_response: Any) -> None: ...


async def three(scope: Any, receive: Any, send: Any) -> None: ...


def two_or_three(environ: Any, start_response: Any, more: Any = None) -> None: ...


def named(*, environ: Any) -> None: ...


@functools.wraps(one)
def wrapped(*args: Any) -> None:
    """As werkzeug's `Request.application` makes a WSGI application of a view."""


class Site:
    """An application by its `__call__`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Request:
    """An application whose requests are its instances."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...


class Odd:
    """Whose signature is none."""

    __signature__ = "none"

    def __call__(self) -> None: ...


@pytest.mark.parametrize("app", ["shop:app", None])
@both
def test_what_cannot_be_called_is_no_application(kind: Kind, app: object) -> None:
    with pytest.raises(
        TypeError, match=rf"^sw.{kind}Middleware expects an? {kind} application, which is"
    ):
        check(app, kind)


@pytest.mark.parametrize(
    ("kind", "app", "other"), [("WSGI", three, "ASGI"), ("ASGI", two, "WSGI")], ids=["WSGI", "ASGI"]
)
def test_an_application_of_the_other_kind_is_refused(kind: Kind, app: object, other: str) -> None:
    message = f"^sw.{kind}Middleware expects .*, not an? {other} .*: mount sw.{other}Middleware"
    with pytest.raises(TypeError, match=message):
        check(app, kind)


def test_objects_and_classes_are_distinguished_too() -> None:
    check(Site(), "ASGI")
    check(Request, "WSGI")
    with pytest.raises(TypeError, match="WSGIMiddleware"):
        check(Request, "ASGI")
    with pytest.raises(TypeError, match="ASGIMiddleware"):
        check(Site(), "WSGI")


@both
def test_in_django_s_setting_the_error_says_where_to_mount_it(kind: Kind) -> None:
    place = rf"{kind.lower()}\.py mount it around what get_{kind.lower()}_application\(\) returns"
    with pytest.raises(TypeError, match=rf"leave it out of Django's MIDDLEWARE, and in {place}"):
        check(one, kind)


@pytest.mark.parametrize(
    "app",
    [two_or_three, named, wrapped, Odd(), type, functools.partial, sw.Export([])],
    ids=lambda app: getattr(app, "__name__", type(app).__name__),
)
@both
def test_an_application_with_an_unclear_signature_is_accepted(kind: Kind, app: object) -> None:
    check(app, kind)


def test_the_middlewares_check_their_application(settings: sw.Settings) -> None:
    app: Any = one
    for middleware in (sw.WSGIMiddleware, sw.ASGIMiddleware):
        with pytest.raises(TypeError, match="MIDDLEWARE"):
            middleware(app, settings)


def test_what_django_passes_to_its_middlewares_is_refused(settings: sw.Settings) -> None:
    """What Django hands over there is a function of a request."""
    pytest.importorskip("django")
    from django.core.handlers.exception import convert_exception_to_response

    with pytest.raises(TypeError, match="MIDDLEWARE"):
        sw.WSGIMiddleware(convert_exception_to_response(one), settings)


def test_applications_of_frameworks_are_recognised(settings: sw.Settings) -> None:
    flask, fastapi = pytest.importorskip("flask"), pytest.importorskip("fastapi")
    sw.WSGIMiddleware(flask.Flask("shop"), settings)
    sw.ASGIMiddleware(fastapi.FastAPI(), settings)
    with pytest.raises(TypeError, match="not a WSGI application"):
        sw.ASGIMiddleware(flask.Flask("shop"), settings)
    with pytest.raises(TypeError, match="not an ASGI application"):
        sw.WSGIMiddleware(fastapi.FastAPI(), settings)
