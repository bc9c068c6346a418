"""What must hold for both middlewares."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from errno import EDQUOT, EIO, ENOSPC
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Get, Reply, Rows, asgi_get, orders, wsgi_get
from readers import csv_rows
from streamware.scratch.pool import scratch_pool

Middleware = Callable[..., Any]
View = Callable[[Any], object]


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def get(kind: str) -> Get:
    return {"wsgi": wsgi_get, "asgi": asgi_get}[kind]


@pytest.fixture
def middleware(kind: str) -> Middleware:
    return {"wsgi": sw.WSGIMiddleware, "asgi": sw.ASGIMiddleware}[kind]


@pytest.fixture
def app(kind: str) -> Callable[[View], Any]:
    """An application of a view: it is given the environ or the scope, and what it returns is
    an application, or text."""

    def wsgi(view: View) -> Any:
        def application(environ: Any, start_response: Any) -> Any:
            answer: Any = view(environ)
            if callable(answer):
                return answer(environ, start_response)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(answer).encode()] if answer else []

        return application

    def asgi(view: View) -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            answer: Any = view(scope)
            if callable(answer):
                await answer(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(answer).encode()})

        return application

    return {"wsgi": wsgi, "asgi": asgi}[kind]


def ledger(request: Any) -> Any:
    """The ledger that the environ or the scope names."""
    if "extensions" in request:
        return request["extensions"]["streamware.scratch"]["scratch"]
    return request["streamware.scratch"]


def factory(request: Any) -> Any:
    """The `Export` that the environ or the scope offers."""
    if "extensions" in request:
        return request["extensions"]["streamware.export"]["export"]
    return request["streamware.export"]


def body(reply: Reply) -> bytes:
    assert reply.error is None
    assert reply.complete
    return reply.body


# The ledger


def test_a_view_has_scratch_until_the_request_ends(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()

    def view(request: Any) -> object:
        scratch = sw.current_scratch()
        seen.extend((scratch, scratch.path(".txt"), scratch.spool()))
        assert ledger(request) is scratch
        assert seen[1].exists()
        return "fine"

    assert body(get(middleware(app(view), settings))) == b"fine"
    scratch, path, spool = seen
    assert scratch.closed
    assert spool.closed
    assert not path.exists()


def test_each_request_has_its_own(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()
    wrapped = middleware(app(lambda request: seen.append(sw.current_scratch())), settings)
    get(wrapped)
    get(wrapped)
    assert seen[0] is not seen[1]


def test_no_scratch_is_left_current(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    get(middleware(app(lambda request: ""), settings))
    with pytest.raises(sw.StateError, match="mount"):
        sw.current_scratch()


def test_scratch_is_gone_when_a_view_raises_and_the_error_passes(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()

    def view(request: Any) -> object:
        seen.append(sw.current_scratch().path())
        raise Broken

    reply = get(middleware(app(view), settings))
    assert isinstance(reply.error, Broken)
    assert reply.status is None
    assert not seen[0].exists()


def test_the_directory_is_checked_when_the_middleware_is_mounted(
    app: Any, middleware: Middleware, tmp_path: Path
) -> None:
    with pytest.raises(sw.ScratchError, match="scratch_dir"):
        middleware(app(str), sw.Settings(scratch_dir=tmp_path / "nowhere"))


# Exports


def test_an_export_has_the_request_s_scratch(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield from orders(20_000)
        seen.append(sw.current_scratch())
        assert not seen[0].closed

    def view(request: Any) -> object:
        seen.append(ledger(request))
        return sw.Export(rows, columns=[sw.Column(0, convert=converted), 1])

    def converted(cell: Any) -> Any:
        assert sw.current_scratch() is seen[0]
        return cell

    assert len(csv_rows(body(get(middleware(app(view), settings))))) == 20_000
    assert seen[0] is seen[1] is seen[2]
    assert seen[0].closed


def test_an_export_without_a_middleware_has_scratch_of_its_own(
    get: Get, settings: sw.Settings
) -> None:
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.extend((sw.current_scratch(), sw.current_scratch().path()))
        yield from orders(20_000)
        assert not seen[0].closed
        assert seen[1].exists()

    body(get(sw.Export(rows, settings=settings)))
    assert seen[0].closed
    assert not seen[1].exists()
    assert seen[0].settings is settings


@pytest.mark.parametrize("number", [0, 20_000])
def test_its_own_scratch_is_gone_when_the_rows_fail(
    get: Get, settings: sw.Settings, number: int
) -> None:
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        try:
            seen.append(sw.current_scratch().path())
            yield from orders(number)
            raise Broken
        finally:
            seen.append(seen[0].exists())

    assert isinstance(get(sw.Export(rows, settings=settings)).error, Broken)
    assert seen[1] is True
    assert not seen[0].exists()


def test_its_own_scratch_is_gone_when_the_client_leaves(get: Get, settings: sw.Settings) -> None:
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch().path())
        yield from orders(10**6)

    get(sw.Export(rows, settings=settings), leave_after=2)
    assert not seen[0].exists()


def test_an_export_with_other_settings_has_scratch_of_its_own(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()
    other = replace(settings, request_files=7)

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield (1,)

    def view(request: Any) -> object:
        seen.append(ledger(request))
        return sw.Export(rows, settings=other)

    body(get(middleware(app(view), settings)))
    assert seen[1] is not seen[0]
    assert seen[1].settings is other
    assert seen[1].closed


def test_export_is_offered_to_applications_that_import_nothing(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    made = replace(settings, values=sw.Values(non_finite="text"))
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield (float("nan"),)

    def view(request: Any) -> object:
        seen.append(ledger(request))
        return factory(request)(rows, filename="orders", format="csv")

    reply = get(middleware(app(view), made))
    assert csv_rows(body(reply)) == [["NaN"]]
    assert "orders.csv" in reply.headers["content-disposition"]
    assert seen[0] is seen[1]


def test_values_and_limits_of_the_settings_are_defaults_of_exports(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    made = replace(settings, values=sw.Values(non_finite="text"), limits=sw.Limits(rows=2))
    nan = [(float("nan"),)]
    for export, expected in (
        (sw.Export(nan * 2), [["NaN"], ["NaN"]]),
        (sw.Export(nan * 2, settings=settings), [[], []]),
        (sw.Export(nan * 2, values=sw.Values()), [[], []]),
        (sw.Export(nan * 3, limits=sw.Limits(rows=3)), [["NaN"]] * 3),
    ):
        wrapped = middleware(app(lambda request, export=export: export), made)
        assert [[cell for cell in row if cell] for row in csv_rows(body(get(wrapped)))] == expected
    assert get(middleware(app(lambda _: sw.Export(nan * 3)), made)).status == 413
    assert get(sw.Export(nan * 3, settings=made)).status == 413


def test_a_bundle_has_the_request_s_scratch(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()

    def rows() -> Iterator[Any]:
        seen.append(sw.current_scratch())
        yield (1,)

    def view(request: Any) -> object:
        seen.append(ledger(request))
        return sw.Bundle([("a.csv", sw.Export(rows)), ("b.csv", sw.Export(rows))])

    body(get(middleware(app(view), settings)))
    assert seen == [seen[0]] * 3


# No room


def test_one_export_too_many_is_a_503_with_retry_after(
    get: Get, settings: sw.Settings, caplog: pytest.LogCaptureFixture
) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=0.0)
    refused = list[Reply]()
    closed, outcomes = Rows(orders(3)), list[str]()

    def rows() -> Iterator[Any]:
        late = sw.Export(
            closed, settings=one, on_done=lambda receipt: outcomes.append(receipt.outcome)
        )
        refused.append(get(late))
        yield (1,)

    export = sw.Export(rows, settings=one)
    body(get(export))
    reply = refused[0]
    assert (reply.status, reply.error, reply.complete) == (503, None, True)
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["content-type"].startswith("text/plain")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert b"max_concurrent" not in reply.body
    assert "max_concurrent" in caplog.text
    assert (closed.pulled, closed.closed, outcomes) == (0, 1, ["refused"])
    refused.clear()
    body(get(export))  # the place is free again


def test_head_and_406_need_no_admission(get: Get, settings: sw.Settings) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=0.0)
    statuses = list[int | None]()

    def rows() -> Iterator[Any]:
        statuses.append(get(sw.Export(list, settings=one), method="HEAD").status)
        statuses.append(get(sw.Export(list, settings=one), query="format=pdf").status)
        yield (1,)

    body(get(sw.Export(rows, settings=one)))
    assert statuses == [200, 406]


@pytest.mark.parametrize("leave_after", [0, 1, 3, None])
@pytest.mark.parametrize("rows", [orders, lambda count: iter([(1,), {}])])
def test_admission_is_released_however_an_export_ends(
    get: Get, settings: sw.Settings, leave_after: int | None, rows: Callable[[int], Any]
) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=0.0)
    for _ in range(3):
        get(sw.Export(rows(100_000), settings=one), leave_after=leave_after)
    assert body(get(sw.Export([(1,)], settings=one))) == b"1\r\n"


NO_ROOM = [
    sw.Refused("the budget is spent", retry_after=3.2),
    sw.ScratchError(ENOSPC, "the disk is full"),
]


@pytest.mark.parametrize("error", NO_ROOM, ids=["refused", "disk full"])
def test_a_view_for_which_there_is_no_room_is_a_503(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings, error: Exception
) -> None:
    def view(request: Any) -> object:
        raise error

    for method in ("GET", "HEAD"):
        reply = get(middleware(app(view), settings), method=method)
        assert (reply.status, reply.error, reply.complete) == (503, None, True)
        assert reply.headers["retry-after"] in ("4", "30")
        assert bool(reply.body) == (method == "GET")
        assert str(error).encode() not in reply.body


def test_rows_for_which_there_is_no_room_are_a_503(get: Get, settings: sw.Settings) -> None:
    def rows() -> Iterator[Any]:
        raise sw.Refused("no room", retry_after=1)
        yield

    assert get(sw.Export(rows, settings=settings)).status == 503


@pytest.mark.parametrize(
    "error",
    [
        OSError(ENOSPC, "full"),
        ValueError(),
        ExceptionGroup("two", [NO_ROOM[0], ValueError()]),
    ],
    ids=["disk full without files of ours", "its own", "a group"],
)
def test_any_other_error_passes_unchanged(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings, error: Exception
) -> None:
    def view(request: Any) -> object:
        raise error

    assert get(middleware(app(view), settings)).error is error
    assert get(sw.Export(lambda: view(None), settings=settings)).error is error


def test_a_disk_that_is_full_for_a_library_is_a_503(
    app: Any,
    get: Get,
    middleware: Middleware,
    settings: sw.Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def view(request: Any) -> object:
        scratch = sw.current_scratch()
        path = scratch.path() if full == ENOSPC else scratch.directory() / "secret"
        raise OSError(full, "No space left on device", f"{path}, secret")

    for number in (ENOSPC, EDQUOT):
        full = number
        reply = get(middleware(app(view), settings))
        assert (reply.status, reply.error, reply.complete) == (503, None, True)
        assert reply.headers["retry-after"] == "30"
    assert "there is no room" in caplog.text
    assert "secret" not in caplog.text


def test_any_other_error_of_a_library_passes(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    error = OSError(EIO, "Input/output error")

    def view(request: Any) -> object:
        sw.current_scratch().path()
        raise error

    assert get(middleware(app(view), settings)).error is error


def test_a_group_of_nothing_but_refusals_is_a_503(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    """As a task group raises."""

    def view(request: Any) -> object:
        sw.current_scratch().path()
        full = OSError(ENOSPC, "No space left on device")
        raise ExceptionGroup("all", [NO_ROOM[0], ExceptionGroup("two", [NO_ROOM[1], full])])

    reply = get(middleware(app(view), settings))
    assert (reply.status, reply.error, reply.headers["retry-after"]) == (503, None, "4")


def test_a_limit_that_a_view_passes_has_its_status(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    def view(request: Any) -> object:
        list(sw.encode(orders(3), "csv", limits=sw.Limits(rows=2)))
        return ""

    assert get(middleware(app(view), settings)).status == 413


# What was written to named files

_SIZE = 3 * 2**20


@pytest.fixture
def wrote(kind: str) -> Callable[[int, Callable[[], object]], Any]:
    """An application that writes to a named file, answers with a status, and then looks."""

    def write() -> None:
        sw.current_scratch().path().write_bytes(b"x" * _SIZE)

    def wsgi(status: int, look: Callable[[], object]) -> Any:
        def application(environ: Any, start_response: Any) -> Any:
            write()
            start_response(f"{status} As It Is", [("Content-Type", "text/plain")])
            look()
            return [b"page"]

        return application

    def asgi(status: int, look: Callable[[], object]) -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            write()
            await send({"type": "http.response.start", "status": status, "headers": []})
            look()
            await send({"type": "http.response.body", "body": b"page"})

        return application

    return {"wsgi": wsgi, "asgi": asgi}[kind]


def test_a_named_file_counts_from_when_the_response_begins(
    wrote: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    bounded = replace(settings, process_bytes=2 * _SIZE)
    seen = list[int]()

    def look() -> None:
        seen.append(scratch_pool(bounded).budget.used)

    assert body(get(middleware(wrote(200, look), bounded))) == b"page"
    assert seen[0] >= _SIZE
    assert scratch_pool(bounded).budget.used == 0


def test_a_named_file_over_the_budget_is_a_503(
    wrote: Any,
    get: Get,
    middleware: Middleware,
    settings: sw.Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bounded = replace(settings, process_bytes=_SIZE * 3 // 2, wait_seconds=0.0)
    budget = scratch_pool(bounded).budget
    budget.take(_SIZE)  # as another request does
    for status in (200, 206):
        caplog.clear()
        reply = get(middleware(wrote(status, lambda: None), bounded))
        assert (reply.status, reply.error, reply.complete) == (503, None, True)
        assert "process_bytes" in caplog.text
        assert budget.used == _SIZE
    budget.release(_SIZE)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_error_page_may_be_sent_whatever_was_written(
    wrote: Any, get: Get, middleware: Middleware, settings: sw.Settings, status: int
) -> None:
    bounded = replace(settings, process_bytes=_SIZE // 2, request_bytes=_SIZE // 2)
    seen = list[int]()

    def look() -> None:
        seen.append(scratch_pool(bounded).budget.used)

    reply = get(middleware(wrote(status, look), bounded))
    assert (reply.status, reply.error) == (status, None)
    assert seen == [0]


def test_no_room_after_the_response_has_started_breaks_it(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    error = sw.Refused("no room", retry_after=1)

    def rows() -> Iterator[Any]:
        yield from orders(20_000)
        raise error

    reply = get(middleware(app(lambda request: sw.Export(rows)), settings))
    assert (reply.error, reply.status, reply.complete) == (error, 200, False)


# One within another


def test_an_inner_middleware_leaves_everything_to_the_outer_one(
    app: Any,
    get: Get,
    middleware: Middleware,
    settings: sw.Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(settings.scratch_dir))
    seen = list[Any]()

    def view(request: Any) -> object:
        seen.extend((sw.current_scratch(), ledger(request), factory(request)))
        return ""

    for inner in (None, replace(settings)):
        seen.clear()
        outer = middleware(middleware(app(view), inner), settings)
        body(get(outer))
        assert seen[0] is seen[1]
        assert seen[0].settings is settings
        assert seen[2].keywords["settings"] is settings


def test_an_inner_middleware_with_other_settings_has_its_own_scratch(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings
) -> None:
    seen = list[Any]()
    other = replace(settings, request_files=7)

    def around(wrapped: Any) -> Any:
        def view(request: Any) -> object:
            seen.append(ledger(request))

            def answer(*call: Any) -> Any:
                return wrapped(*call)

            return answer

        return app(view)

    def view(request: Any) -> object:
        seen.append(ledger(request))
        assert sw.current_scratch() is ledger(request)
        return ""

    body(get(middleware(around(middleware(app(view), other)), settings)))
    assert [scratch.settings for scratch in seen] == [settings, other]
    assert all(scratch.closed for scratch in seen)


def test_a_request_that_is_answered_twice_has_scratch_each_time(
    app: Any, get: Get, middleware: Middleware, settings: sw.Settings, kind: str
) -> None:
    seen = list[Any]()

    def view(request: Any) -> object:
        seen.append(sw.current_scratch())
        return sw.current_scratch().path().name and ""

    wrapped = middleware(app(view), settings)

    def twice(*call: Any) -> Any:
        if kind == "wsgi":
            wrapped(call[0], lambda *a: None)
            return wrapped(*call)

        async def run() -> None:
            await wrapped(*call[:2], lambda message: asyncio.sleep(0))
            await wrapped(*call)

        return run()

    body(get(twice))
    assert len({id(scratch) for scratch in seen}) == 2
