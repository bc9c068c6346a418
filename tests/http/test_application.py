"""What an Export and a Bundle are before they answer anything."""

import inspect
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

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


def test_it_tells_the_two_kinds_by_the_number_of_arguments(app: Application) -> None:
    body = app(environ(), lambda status, headers: None)
    assert next(body)
    body.close()
    connection = Connection()
    answering = app(connection.scope, connection.receive, connection.send)
    answering.close()
    for arguments in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match=r"called with \(environ, start_response\) or \(scope,"):
            app(*arguments)


def test_it_is_no_body(app: Application) -> None:
    assert not hasattr(app, "__iter__")
    assert not hasattr(app, "__next__")
    with pytest.raises(TypeError):
        iter(app)


def test_it_has_no_attributes_to_make_json_of(app: Application) -> None:
    assert not hasattr(app, "__dict__")
    with pytest.raises(TypeError):
        vars(app)


def test_whoever_takes_it_for_a_mapping_is_told_the_remedy(app: Any) -> None:
    for attempt in (app.keys, lambda: dict(app), lambda: {**app}):
        with pytest.raises(TypeError, match=r"streamware\.frameworks\.fastapi\.ExportResponse"):
            attempt()


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


@pytest.mark.parametrize("framework", ["falcon", "litestar", "quart"])
def test_one_that_a_framework_has_refused_without_a_word_says_what_to_return(
    framework: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("falcon", "litestar", "quart"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sw.Export([(1,)])
    assert not caplog.records
    monkeypatch.setitem(sys.modules, framework, sys)
    sw.Export([(1,)])
    assert f"streamware.frameworks.{framework}.ExportResponse" in caplog.text


def test_one_that_was_asked_has_nothing_to_say(
    get: Get, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "quart", sys)
    get(sw.Export([(1,)]))
    get(sw.Export([(1,)]), method="HEAD")
    get(sw.Bundle([("a.csv", sw.Export([(1,)]))]))
    with pytest.raises(ValueError, match="none"):
        sw.Export([(1,)], status="none")  # type: ignore[arg-type]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_servers_that_look_at_it_find_an_asgi_application(app: Application) -> None:
    assert inspect.iscoroutinefunction(app.asgi)
    half = app({"type": "http", "method": "GET", "headers": [], "query_string": b""})
    assert inspect.isfunction(half.func)
    assert inspect.iscoroutinefunction(half)
