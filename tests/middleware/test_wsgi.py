"""Every way out of a WSGI request, and what a server must still see through the middleware."""

import contextvars
import gc
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from errno import EACCES, EFBIG, ENOSPC
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper

import pytest

import streamware as sw
from fakes import PATIENCE, Broken, Connection, Gate, Rows, environ, failing, orders, wsgi_get
from readers import csv_rows

Application = Callable[[dict[str, Any], Any], Any]


class Body:
    """The body of a response, as an application returns it.

    Attributes:
        closed: How many times it was closed.
        held: Whether the scratch was open when it was closed.
    """

    def __init__(self, chunks: Iterable[bytes], closing: BaseException | None = None) -> None:
        self.closed = 0
        self.held = list[bool]()
        self.scratch = sw.current_scratch()
        self.path = self.scratch.path()
        self._chunks = iter(chunks)
        self._closing = closing

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        assert sw.current_scratch() is self.scratch
        return next(self._chunks)

    def close(self) -> None:
        self.closed += 1
        self.held.append(self.path.exists())
        assert sw.current_scratch() is self.scratch
        if self._closing is not None:
            raise self._closing


class Site:
    """An application that keeps the bodies it returned."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.bodies: list[Any] = []
        self._make = make

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        self.bodies.append(self._make())
        return self.bodies[-1]


def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
    if error is not None:
        raise error[1].with_traceback(error[2])
    return bytes


def broken(chunks: int, error: BaseException | None = None) -> Iterator[bytes]:
    yield from [b"x"] * chunks
    raise error or Broken


# The ways out


def test_scratch_is_gone_with_the_last_chunk_and_the_body_closed_by_the_server(
    settings: sw.Settings,
) -> None:
    site = Site(lambda: Body([b"1", b"2"]))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    assert list(made) == [b"1", b"2"]
    body = site.bodies[0]
    assert (body.closed, body.path.exists()) == (0, False)
    made.close()
    made.close()
    assert body.closed == 1


@pytest.mark.parametrize("chunks", [0, 1])
def test_scratch_is_gone_when_the_server_closes_before_the_end(
    settings: sw.Settings, chunks: int
) -> None:
    site = Site(lambda: Body([b"1", b"2"]))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    for _ in zip(range(chunks), made, strict=False):
        pass
    body = site.bodies[0]
    assert body.path.exists()
    made.close()
    made.close()
    assert (body.closed, body.held, body.path.exists()) == (1, [True], False)
    assert list(made) == []


@pytest.mark.parametrize("chunks", [0, 1])
@pytest.mark.parametrize("error", [Broken(), SystemExit()], ids=["error", "exit"])
def test_scratch_is_gone_when_the_body_fails(
    settings: sw.Settings, chunks: int, error: BaseException
) -> None:
    site = Site(lambda: Body(broken(chunks, error)))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    with pytest.raises(type(error)):
        list(made)
    body = site.bodies[0]
    assert (body.closed, body.held, body.path.exists()) == (1, [True], False)
    made.close()
    assert body.closed == 1


@pytest.mark.parametrize("chunks", [0, 1])
def test_scratch_is_gone_when_the_response_is_dropped(settings: sw.Settings, chunks: int) -> None:
    site = Site(lambda: Body([b"1", b"2"]))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    assert len([next(made) for _ in range(chunks)]) == chunks
    gc.disable()
    try:
        del made
    finally:
        gc.enable()
    body = site.bodies[0]
    assert (body.closed, body.path.exists()) == (1, False)


def test_scratch_is_gone_when_the_application_raises_after_it_began(settings: sw.Settings) -> None:
    paths = list[Path]()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        paths.append(sw.current_scratch().path())
        raise Broken

    with pytest.raises(Broken):
        sw.WSGIMiddleware(app, settings)(environ(), start_response)
    assert not paths[0].exists()


def test_an_exit_passes(settings: sw.Settings) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        sw.current_scratch().path()
        raise SystemExit

    with pytest.raises(SystemExit):
        sw.WSGIMiddleware(app, settings)(environ(), start_response)


def test_a_body_that_cannot_be_iterated_is_the_application_s_error(settings: sw.Settings) -> None:
    class Odd:
        closed = 0

        def close(self) -> None:
            Odd.closed += 1

    for odd in (None, Odd()):
        with pytest.raises(TypeError, match="not iterable"):
            sw.WSGIMiddleware(Site(lambda odd=odd: odd), settings)(environ(), start_response)  # type: ignore[misc]
    assert Odd.closed == 1


def test_a_body_whose_closing_fails_does_not_cut_the_response(
    settings: sw.Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (Broken(), RuntimeError("again")):
        site = Site(lambda error=error: Body([b"1"], closing=error))  # type: ignore[misc]
        reply = wsgi_get(sw.WSGIMiddleware(site, settings))
        assert (reply.body, reply.error) == (b"1", None)
        assert (site.bodies[0].closed, site.bodies[0].path.exists()) == (1, False)
    assert caplog.messages == ["closing the body of a response failed"] * 2


def test_an_exit_while_closing_passes_and_the_scratch_is_gone(settings: sw.Settings) -> None:
    site = Site(lambda: Body([b"1"], closing=SystemExit()))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    with pytest.raises(SystemExit):
        made.close()
    assert not site.bodies[0].path.exists()
    made.close()


def test_a_body_may_be_closed_while_another_thread_takes_a_chunk(settings: sw.Settings) -> None:
    gate = Gate()

    def chunks() -> Iterator[bytes]:
        yield b"1"
        gate.wait()
        sw.current_scratch().path()  # it is still open
        yield b"2"
        yield b"3"

    site = Site(lambda: Body(chunks()))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    got = list[bytes]()
    reading = threading.Thread(target=lambda: got.extend(made))
    reading.start()
    assert gate.entered.wait(PATIENCE)
    made.close()
    body = site.bodies[0]
    assert (body.closed, body.path.exists()) == (0, True)
    gate.open()
    reading.join()
    assert (got, body.closed, body.held) == ([b"1", b"2"], 1, [True])
    assert not body.path.exists()


def test_a_body_may_be_closed_by_many_threads_at_once(settings: sw.Settings) -> None:
    for _ in range(50):
        site = Site(lambda: Body([b"1"] * 100))
        made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
        threads = [threading.Thread(target=made.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        with suppress(RuntimeError):  # a step at the very moment
            list(made)
        for thread in threads:
            thread.join()
        assert (site.bodies[0].closed, site.bodies[0].path.exists()) == (1, False)


# What the server sees


@pytest.mark.parametrize(
    "make", [lambda: [b"1", b"2"], lambda: (b"1", b"2"), list], ids=["list", "tuple", "empty"]
)
def test_a_list_is_given_to_the_server_as_it_is(
    settings: sw.Settings, make: Callable[[], Any]
) -> None:
    scratches = list[sw.Scratch]()

    def body() -> Any:
        scratches.append(sw.current_scratch())
        return make()

    site = Site(body)
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    assert made is site.bodies[0]
    assert scratches[0].closed


@pytest.mark.parametrize(
    "make",
    [
        lambda: [b"1", b"2"],
        lambda: iter([b"1", b"2"]),
        lambda: (chunk for chunk in (b"1", b"2")),
        lambda: Body([b"1", b"2"]),
        lambda: map(bytes, [b"1", b"2"]),
        lambda: io.BytesIO(b"1\n2"),
    ],
    ids=["list", "iterator", "generator", "object", "map", "file"],
)
def test_a_body_of_any_kind_arrives(settings: sw.Settings, make: Callable[[], Any]) -> None:
    reply = wsgi_get(sw.WSGIMiddleware(Site(make), settings))
    assert (reply.error, reply.complete) == (None, True)
    assert reply.body.replace(b"\n", b"") == b"12"


def test_an_application_that_is_a_generator_has_scratch(settings: sw.Settings) -> None:
    paths = list[Path]()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        paths.append(sw.current_scratch().path())
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"1"
        assert paths[0].exists()
        yield b"2"

    reply = wsgi_get(sw.WSGIMiddleware(app, settings))
    assert (reply.body, reply.error) == (b"12", None)
    assert not paths[0].exists()


def test_empty_chunks_pass(settings: sw.Settings) -> None:
    site = Site(lambda: iter([b"", b"1", b"", b"2", b""]))
    made: Any = sw.WSGIMiddleware(site, settings)(environ(), start_response)
    assert list(made) == [b"", b"1", b"", b"2", b""]
    made.close()


def test_an_application_may_write(settings: sw.Settings) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"1")
        return iter([b"2"])

    assert wsgi_get(sw.WSGIMiddleware(app, settings)).body == b"12"


class Served:
    """What wsgiref's own handler sends of an application, headers and all."""

    def __init__(self, app: Any, **more: Any) -> None:
        out, errors = io.BytesIO(), io.StringIO()
        made = environ()
        handler = SimpleHandler(io.BytesIO(), out, errors, made | more, multithread=False)
        handler.wsgi_file_wrapper = Wrapper
        handler.run(app)
        self.head, _, self.body = out.getvalue().partition(b"\r\n\r\n")
        self.errors = errors.getvalue()


class Wrapper(FileWrapper):
    """A server's own."""

    returned = 0


def test_a_server_makes_a_length_of_a_list_of_one(settings: sw.Settings) -> None:
    assert b"Content-Length: 3" in Served(sw.WSGIMiddleware(Site(lambda: [b"123"]), settings)).head


def test_an_application_may_start_again_with_an_error(settings: sw.Settings) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        import sys

        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise Broken
        except Broken:
            start_response("500 Sorry", [("Content-Type", "text/plain")], sys.exc_info())
            return iter([b"sorry"])

    served = Served(sw.WSGIMiddleware(app, settings))
    assert served.head.startswith(b"HTTP/1.0 500 Sorry")
    assert served.body == b"sorry"


@pytest.mark.parametrize("begun", [False, True])
def test_no_room_after_start_response_is_still_a_503(settings: sw.Settings, begun: bool) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        if begun:
            raise sw.Refused("no room", retry_after=1)
        return late()

    def late() -> Iterator[bytes]:
        raise sw.Refused("no room", retry_after=1)
        yield

    served = Served(sw.WSGIMiddleware(app, settings))
    assert served.head.startswith(b"HTTP/1.0 503 Service Unavailable")
    assert b"Retry-After: 1" in served.head
    assert served.body.startswith(b"Service Unavailable")


def test_no_refusal_is_sent_under_a_status_that_cannot_be_changed(settings: sw.Settings) -> None:
    """As granian's: it has taken the status with the body, and forgets a second one."""
    error = sw.Refused("no room", retry_after=1)
    statuses = list[str]()

    def granian(status: str, headers: Any, exc_info: Any = None) -> None:
        statuses.append(status)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return broken(0, error)

    made: Any = sw.WSGIMiddleware(app, settings)(environ(), granian)  # type: ignore[arg-type]
    with pytest.raises(sw.Refused):
        list(made)
    assert statuses[0] == "200 OK"


@pytest.mark.parametrize("written", [False, True])
def test_no_room_after_bytes_were_sent_passes(settings: sw.Settings, written: bool) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        if written:
            write(b"1")
            raise sw.Refused("no room", retry_after=1)
        return broken(1, sw.Refused("no room", retry_after=1))

    served = Served(sw.WSGIMiddleware(app, settings))
    assert served.head.startswith(b"HTTP/1.0 200")
    assert b"503" not in served.head
    assert "Refused" in served.errors


class Gunicorn:
    """What gunicorn makes of an application, as far as it differs: it has no answer for OSErrors.

    Attributes:
        status: None if the connection was closed and nothing sent.
    """

    def __init__(self, app: Any, method: str = "GET") -> None:
        self.status: str | None = None
        self.body = b""
        self.started = 0
        with suppress(OSError):
            made: Any = app(environ(method), self.start_response)
            self.body = b"".join(made)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        assert exc_info is not None or self.status is None
        self.status = status
        return bytes


@pytest.mark.parametrize("errno", [EACCES, EFBIG])
@pytest.mark.parametrize("when", ["called", "started", "iterated"])
def test_a_scratch_error_is_answered_and_closes_no_connection(
    settings: sw.Settings, caplog: pytest.LogCaptureFixture, errno: int, when: str
) -> None:
    error = sw.ScratchError(errno, "told to the log only")

    def app(environ: Any, start_response: Any) -> Any:
        if when == "called":
            raise error
        start_response("200 OK", [])
        if when == "started":
            raise error
        return broken(0, error)

    for method in ("GET", "HEAD"):
        caplog.clear()
        told = Gunicorn(sw.WSGIMiddleware(app, settings), method)
        assert told.status == "500 Internal Server Error"
        assert told.body == (b"Internal Server Error\n" if method == "GET" else b"")
        assert caplog.messages == ["a request failed because of its scratch files"]
        assert "told to the log only" in caplog.text
        assert "Traceback" in caplog.text


def test_a_scratch_error_after_bytes_were_sent_passes(settings: sw.Settings) -> None:
    error = sw.ScratchError(EACCES, "not ours")
    made = sw.WSGIMiddleware(Site(lambda: broken(1, error)), settings)(environ(), start_response)
    with pytest.raises(sw.ScratchError):
        list(made)


def test_a_disk_that_is_full_for_a_library_in_a_body_is_a_503(settings: sw.Settings) -> None:
    def late() -> Iterator[bytes]:
        sw.current_scratch().path()
        raise OSError(ENOSPC, "No space left on device")
        yield

    reply = Served(sw.WSGIMiddleware(Site(late), settings))
    assert reply.head.startswith(b"HTTP/1.0 503 Service Unavailable")


# Files


class File(io.BytesIO):
    """A file of a request's."""

    closings = 0

    def close(self) -> None:
        if not self.closed:
            sw.current_scratch()  # in the request's context
            self.closings += 1
        super().close()


class Sending:
    """An application that sends a scratch file the way servers offer it."""

    def __init__(self, *, wrapped: Callable[[Any], Any] = lambda made: made) -> None:
        self.file = File(b"12")
        self._wrapped = wrapped

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        self.path = sw.current_scratch().path()
        made = environ["wsgi.file_wrapper"](self.file, 1)
        return self._wrapped(made)


def call(app: Any) -> tuple[Any, dict[str, Any]]:
    """What the server gets, and its environ."""
    made = environ() | {"wsgi.file_wrapper": Wrapper}
    return app(made, start_response), made


def test_a_file_is_given_to_the_server_in_the_server_s_own_wrapper(settings: sw.Settings) -> None:
    site = Sending()
    body, made = call(sw.WSGIMiddleware(site, settings))
    assert type(body) is Wrapper
    assert made["wsgi.file_wrapper"] is Wrapper  # gunicorn looks there for what it is
    assert site.path.exists()
    assert list(body) == [b"1", b"2"]
    assert site.path.exists()
    body.close()
    body.close()
    assert (site.file.closings, site.path.exists()) == (1, False)


def test_the_server_s_wrapper_finds_a_file_in_it(settings: sw.Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    body, _ = call(sw.WSGIMiddleware(app, settings))
    assert body.filelike.fileno() > 0
    assert body.filelike.seek(1) == 1
    assert body.filelike.tell() == 1
    assert list(body.filelike) == [b"2"]
    assert body.filelike.name.endswith("file")
    body.close()
    with pytest.raises(ValueError, match="closed"):
        body.filelike.read()


def test_scratch_is_gone_when_the_server_drops_its_wrapper(settings: sw.Settings) -> None:
    site = Sending()
    body, _ = call(sw.WSGIMiddleware(site, settings))
    del body
    assert (site.file.closings, site.path.exists()) == (1, False)


def test_a_wrapper_within_something_else_is_a_body_like_any_other(settings: sw.Settings) -> None:
    class Other:
        def __init__(self, made: Any) -> None:
            self.made = made

        def __iter__(self) -> Any:
            return iter(self.made)

        def close(self) -> None:
            self.made.close()

    site = Sending(wrapped=Other)
    body, _ = call(sw.WSGIMiddleware(site, settings))
    assert type(body) is not Other
    assert list(body) == [b"1", b"2"]
    assert not site.path.exists()
    body.close()
    assert site.file.closings == 1


def test_a_file_that_was_wrapped_and_not_sent_ends_nothing(settings: sw.Settings) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        wrapper = environ["wsgi.file_wrapper"]
        wanted, other = wrapper(io.BytesIO(b"1")), wrapper(io.BytesIO(b"2"))
        other.close()
        sw.current_scratch().path()
        return wanted

    body, _ = call(sw.WSGIMiddleware(app, settings))
    assert list(body) == [b"1"]
    body.close()


def test_a_file_need_not_have_a_close(settings: sw.Settings) -> None:
    class Bare:
        def __init__(self) -> None:
            self._parts = [b"1", b""]

        def read(self, size: int) -> bytes:
            return self._parts.pop(0)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        wrapper = environ["wsgi.file_wrapper"]
        wrapper(Bare()).close()
        return wrapper(Bare())

    body, _ = call(sw.WSGIMiddleware(app, settings))
    assert list(body) == [b"1"]
    body.close()


def test_a_server_that_returns_the_file_itself_gets_it_back(settings: sw.Settings) -> None:
    """As uWSGI does: its wrapper keeps the file, and knows it again."""
    kept = list[Any]()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"1"))

    def keep(file: Any, size: int = 0) -> Any:
        kept.append(file)
        return file

    made = environ() | {"wsgi.file_wrapper": keep}
    body: Any = sw.WSGIMiddleware(app, settings)(made, start_response)
    assert body is kept[0]
    assert list(body) == [b"1"]
    body.close()


def test_the_application_may_have_a_wrapper_of_its_own(settings: sw.Settings) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["wsgi.file_wrapper"] = "mine"
        start_response("200 OK", [])
        return []

    _, made = call(sw.WSGIMiddleware(app, settings))
    assert made["wsgi.file_wrapper"] == "mine"


def test_wsgiref_sends_a_file(settings: sw.Settings) -> None:
    site = Sending()
    assert Served(sw.WSGIMiddleware(site, settings)).body == b"12"
    assert (site.file.closings, site.path.exists()) == (1, False)


# Contexts


def test_a_request_has_one_context_from_call_to_close(settings: sw.Settings) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen = list[str]()

    class Other(Body):
        def __next__(self) -> bytes:
            seen.append(variable.get())
            variable.set("changed by the body")
            return super().__next__()

        def close(self) -> None:
            seen.append(variable.get())
            super().close()

    def make() -> Body:
        seen.append(variable.get())
        variable.set("changed by the view")
        return Other([b"1"])

    variable.set("server")
    made: Any = sw.WSGIMiddleware(Site(make), settings)(environ(), start_response)
    variable.set("server, later")
    body: Any = iter(made)
    next(body)
    threading.Thread(target=made.close).run()
    assert seen == ["server", "changed by the view", "changed by the body"]
    assert variable.get() == "server, later"


def test_requests_at_once_do_not_mix(settings: sw.Settings) -> None:
    app = sw.WSGIMiddleware(Site(lambda: Body([b"1"] * 50)), settings)
    replies = list[bytes]()
    threads = [
        threading.Thread(target=lambda: replies.append(wsgi_get(app).body)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [b"1" * 50] * 8


# Exports below, and bridges


def test_an_export_is_closed_before_the_scratch(settings: sw.Settings) -> None:
    held = list[bool]()
    paths = list[Path]()

    def rows() -> Iterator[Any]:
        paths.append(sw.current_scratch().path())
        try:
            yield from orders(10**6)
        finally:
            held.append(paths[0].exists())

    wsgi_get(sw.WSGIMiddleware(sw.Export(rows), settings), leave_after=2)
    assert held == [True]
    assert not paths[0].exists()


def test_below_a_bridge_an_export_has_the_asgi_request_s_scratch(settings: sw.Settings) -> None:
    """As a2wsgi bridges: the context of the request is there, the environ's keys are not."""
    import asyncio

    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield from orders(3)

    flask = sw.Export(rows)

    async def bridge(scope: Any, receive: Any, send: Any) -> None:
        seen.append(sw.current_scratch())
        reply = await asyncio.to_thread(wsgi_get, flask)
        await send({"type": "http.response.start", "status": reply.status, "headers": []})
        await send({"type": "http.response.body", "body": reply.body})

    async def run() -> Any:
        return await Connection().run(sw.ASGIMiddleware(bridge, settings))

    assert len(csv_rows(asyncio.run(run()).body)) == 3
    assert seen[0] is seen[1]


def test_a_bridge_that_never_closes_leaves_nothing(settings: sw.Settings) -> None:
    rows = Rows(orders(10))
    made: Any = sw.WSGIMiddleware(sw.Export(rows), settings)(environ(), start_response)
    for _ in made:
        pass
    assert rows.closed == 1


# An export that fails late


def ending(app: Application) -> Application:
    """A middleware that swallows an error, and ends the body as if it were complete."""

    def ended(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = app(environ, start_response)
        chunks = iter(body)
        with suppress(Broken):
            yield from chunks
        body.close()

    return ended


@pytest.mark.parametrize("delivery", ["stream", "buffer"])
def test_no_middleware_inside_ends_the_body_of_an_export_that_failed(
    settings: sw.Settings, delivery: Any
) -> None:
    export = sw.Export(lambda: failing(20_000), format="csv", compress="off", delivery=delivery)
    reply = wsgi_get(sw.WSGIMiddleware(ending(export.wsgi), settings))
    assert (reply.status, reply.complete) == (200, False)
    assert len(reply.body) > 100_000
    assert isinstance(reply.error, sw.StateError)
    assert "an export failed (Broken)" in str(reply.error)


def test_an_export_that_was_not_the_response_may_fail(settings: sw.Settings) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with pytest.raises(Broken):
            list(sw.Export(failing(20_000), format="csv").wsgi(environ, lambda *_: bytes))
        return sw.Export(orders(10), format="csv").wsgi(environ, start_response)

    reply = wsgi_get(sw.WSGIMiddleware(app, settings))
    assert (reply.complete, reply.error) == (True, None)
