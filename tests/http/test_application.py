"""What an Export and a Bundle are before they answer anything."""

import inspect
from collections.abc import Callable
from http import HTTPStatus

import pytest

import streamware as sw
from fakes import Connection, Get, environ
from streamware.http.application import Application, prepare_answer
from streamware.http.delivery import Answer
from streamware.http.request import Request

APPLICATIONS: dict[str, Callable[[], Application]] = {
    "export": lambda: sw.Export([(1,)]),
    "bundle": lambda: sw.Bundle([("a.txt", b"1")]),
}


@pytest.fixture(params=APPLICATIONS)
def app(request: pytest.FixtureRequest) -> Application:
    return APPLICATIONS[request.param]()


def test_it_answers_by_itself_and_by_either_attribute(
    app: Application, kind: str, get: Get
) -> None:
    whole = get(app)
    assert whole.complete
    assert get(getattr(app, kind)).headers == whole.headers


def test_the_number_of_arguments_decides_between_wsgi_and_asgi(app: Application) -> None:
    body = app(environ(), lambda status, headers: None)
    assert next(body)
    body.close()
    connection = Connection()
    answering = app(connection.scope, connection.receive, connection.send)
    answering.close()
    for arguments in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match=r"called with \(environ, start_response\) or \(scope,"):
            app(*arguments)


def test_it_is_not_a_body(app: Application) -> None:
    assert not hasattr(app, "__iter__")
    assert not hasattr(app, "__next__")
    with pytest.raises(TypeError):
        iter(app)  # type: ignore[call-overload]  # type checkers know it, too


def test_it_has_no_attributes_to_make_json_of(app: Application) -> None:
    assert not hasattr(app, "__dict__")
    with pytest.raises(TypeError):
        vars(app)


class Teapot(Application):
    """An application that has nothing to discard."""

    def _prepare_answer(self, request: Request) -> Answer:
        return Answer(HTTPStatus.IM_A_TEAPOT, [("Content-Type", "text/plain")], b"short")


def test_an_answer_may_be_there_as_it_is(get: Get) -> None:
    reply = get(Teapot())
    assert (reply.status, reply.body, reply.complete) == (418, b"short", True)


def test_a_subclass_says_what_is_answered() -> None:
    with pytest.raises(NotImplementedError):
        prepare_answer(Application(), Request())


def test_servers_that_look_at_it_find_an_asgi_application(app: Application) -> None:
    assert inspect.iscoroutinefunction(app.asgi)
    half = app({"type": "http", "method": "GET", "headers": [], "query_string": b""})
    assert inspect.isfunction(half.func)
    assert inspect.iscoroutinefunction(half)
