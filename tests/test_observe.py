"""Observers: what is told of an export, and that every beginning has one end."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
import streamware as sw
from drive import Clock
from fakes import (
    Broken,
    Connection,
    Gate,
    Get,
    Rows,
    aorders,
    asgi_get,
    environ,
    failing,
    gated,
    orders,
    stalling,
    until,
    wsgi_get,
)
from streamware import observe
from streamware.observe import Watch
from streamware.scratch.pool import scratch_pool, scratch_pools
from streamware.settings import MIB

MANY = 20_000
"""Rows of several chunks."""

streamed = partial(sw.Export, delivery="stream")


class Seen:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.receipts: list[sw.Receipt] = []

    def opened(self, receipt: sw.Receipt) -> None:
        self.receipts.append(receipt)
        self.events.append(f"opened: {receipt.outcome}")

    def first_byte(self, receipt: sw.Receipt) -> None:
        self.events.append("first byte")

    def progress(self, receipt: sw.Receipt) -> None:
        if self.events[-1] != "progress":
            self.events.append("progress")

    def done(self, receipt: sw.Receipt) -> None:
        self.events.append(f"done: {receipt.outcome}")


class Raising:
    """An observer that cannot be told anything."""

    def __init__(self, error: type[BaseException] = Broken) -> None:
        self._error = error

    def opened(self, receipt: sw.Receipt) -> None:
        raise self._error

    first_byte = progress = done = opened


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def settings(seen: Seen, tmp_path: pathlib.Path) -> Iterator[sw.Settings]:
    made = sw.Settings(observers=(seen,), scratch_dir=tmp_path, keep_free_bytes=0, wait_seconds=0.0)
    yield made
    for kept in scratch_pools():
        if kept.settings.scratch_dir == made.scratch_dir:
            oracle.close(kept)


@pytest.fixture(params=[wsgi_get, asgi_get], ids=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    made: Get = request.param
    return made


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of progress, which only the test moves."""
    made = Clock()
    monkeypatch.setattr(observe, "monotonic", made)
    return made


# One export


def test_events_come_in_their_order(seen: Seen) -> None:
    receipt = sw.Receipt("csv")
    watch = Watch(receipt, [seen])
    watch.opened()
    watch.look()
    receipt.bytes = 1
    watch.look()
    watch.look()
    watch.done()
    assert seen.events == ["opened: running", "first byte", "done: running"]
    assert seen.receipts == [receipt]


def test_there_is_progress_every_ten_thousand_rows(moved: Clock) -> None:
    told, receipt = Counting(), sw.Receipt("csv")
    watch = Watch(receipt, [told])
    watch.opened()
    for rows in (9_999, 10_000, 19_999, 20_000, 29_999):
        receipt.rows = rows
        watch.look()
    assert told.rows == [10_000, 20_000]


def test_there_is_progress_every_second(moved: Clock) -> None:
    told, receipt = Counting(), sw.Receipt("csv")
    watch = Watch(receipt, [told])
    watch.opened()
    for rows, seconds in enumerate((0.5, 0.5, 0.9, 0.1, 0.1)):
        moved.now += seconds
        receipt.rows = rows
        watch.look()
    assert told.rows == [1, 3]


class Counting(Seen):
    """Keeps the rows at every progress."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def progress(self, receipt: sw.Receipt) -> None:
        self.rows.append(receipt.rows)


def test_who_asked_is_told_the_end_of_what_never_began(seen: Seen) -> None:
    told, receipt = list[sw.Receipt](), sw.Receipt("csv")
    watch = Watch(receipt, [seen], told.append)
    watch.done()
    assert (seen.events, told) == ([], [receipt])


@pytest.mark.parametrize("error", [Broken, StopIteration, asyncio.CancelledError])
def test_what_they_raise_is_logged_and_nothing_else(
    seen: Seen, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def fail(receipt: sw.Receipt) -> None:
        raise error

    watch = Watch(sw.Receipt("csv"), [Raising(error), seen], fail)
    watch.opened()
    watch.done()
    assert seen.events == ["opened: running", "done: running"]
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, "opened of the observer Raising failed"),
        (logging.ERROR, "done of the observer Raising failed"),
        (logging.ERROR, "on_done of an export failed"),
    ]


@given(st.lists(st.sampled_from(["opened", "look", "done"])))
def test_every_beginning_has_one_end_whatever_is_called(calls: list[str]) -> None:
    seen, ends = Seen(), list[sw.Receipt]()
    receipt = sw.Receipt("csv", bytes=1)
    watch = Watch(receipt, [seen], ends.append)
    for call in calls:
        getattr(watch, call)()
    watch.done()
    begun = "opened" in calls and "opened" in calls[: ([*calls, "done"]).index("done")]
    assert [event for event in seen.events if "first" not in event] == (
        ["opened: running", "done: running"] if begun else []
    )
    assert ends == [receipt]


# Every path of a response

Path = Callable[[Get, sw.Settings, Any], object]


def read(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(3), settings=settings, on_done=told))


def read_many(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(MANY), settings=settings, on_done=told))


def read_nothing(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(list, settings=settings, on_done=told))


def read_gzip(get: Get, settings: sw.Settings, told: Any) -> None:
    export = streamed(orders(MANY), settings=settings, on_done=told)
    get(export, headers={"Accept-Encoding": "gzip"})


def read_zip(get: Get, settings: sw.Settings, told: Any) -> None:
    members: list[tuple[str, Any]] = [("a", streamed(orders(MANY))), ("b", b"b")]
    get(sw.Bundle(members, settings=settings, on_done=told))


def head(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(3), settings=settings, on_done=told), method="HEAD")


def unacceptable(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(3), settings=settings, on_done=told), query="format=pdf")


def refused(get: Get, settings: sw.Settings, told: Any) -> None:
    one = replace(settings, max_concurrent=1)
    late = streamed(orders(3), settings=one, on_done=told)
    quiet = replace(one, observers=())

    def rows() -> Iterator[Any]:
        get(late)
        yield (1,)

    get(streamed(rows, settings=quiet))


def fail_first(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(failing(0), settings=settings, on_done=told))


def fail_to_open(get: Get, settings: sw.Settings, told: Any) -> None:
    def rows() -> Any:
        raise Broken

    get(streamed(rows, settings=settings, on_done=told))


def fail_later(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(failing(MANY), settings=settings, on_done=told))


def fail_to_encode(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed([(object(),)], settings=settings, on_done=told))


def leave(chunks: int, get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(10**6), settings=settings, on_done=told), leave_after=chunks)


def leave_after_all(get: Get, settings: sw.Settings, told: Any) -> None:
    get(streamed(orders(3), settings=settings, on_done=told), leave_after=1)


def limited_first(get: Get, settings: sw.Settings, told: Any) -> None:
    limits = sw.Limits(rows=2)
    reply = get(streamed(orders(3), limits=limits, settings=settings, on_done=told))
    assert (reply.status, reply.complete) == (413, True)


def limited_later(get: Get, settings: sw.Settings, told: Any) -> None:
    limits = sw.Limits(rows=MANY - 1)
    get(streamed(orders(MANY), limits=limits, settings=settings, on_done=told))


def expired(get: Get, settings: sw.Settings, told: Any) -> None:
    limits = sw.Limits(seconds=0)
    reply = get(streamed(orders(3), limits=limits, settings=settings, on_done=told))
    assert (reply.status, reply.complete) == (503, True)


def without_room(get: Get, settings: sw.Settings, told: Any) -> None:
    def rows() -> Iterator[Any]:
        sw.current_scratch().spool().write(bytes(2 * MIB))
        yield (1,)

    bound = replace(settings, request_bytes=1, spool_memory=0)
    get(streamed(rows, settings=bound, on_done=told))


def without_budget(get: Get, settings: sw.Settings, told: Any) -> None:
    def rows() -> Iterator[Any]:
        sw.current_scratch().spool().write(bytes(6 * MIB // 10))
        yield (1,)

    bound = replace(settings, process_bytes=MIB, spool_memory=0)
    other = sw.Scratch(scratch_pool(bound))
    other.spool().write(bytes(6 * MIB // 10))
    try:
        assert get(streamed(rows, settings=bound, on_done=told)).status == 503
    finally:
        other.close()


@pytest.mark.parametrize(
    ("path", "events"),
    [
        (read, ["first byte", "done: complete"]),
        (read_many, ["first byte", "progress", "done: complete"]),
        (read_nothing, ["done: complete"]),
        (read_gzip, ["first byte", "progress", "done: complete"]),
        (read_zip, ["first byte", "progress", "done: complete"]),
        (refused, ["done: refused"]),
        (fail_first, ["done: source error"]),
        (fail_to_open, ["done: source error"]),
        (fail_later, ["first byte", "progress", "done: source error"]),
        (fail_to_encode, ["done: encode error"]),
        (partial(leave, 1), ["first byte", "done: client gone"]),
        (leave_after_all, ["first byte", "done: client gone"]),
        (limited_first, ["done: limit"]),
        (limited_later, ["first byte", "progress", "done: limit"]),
        (expired, ["done: expired"]),
        (without_room, ["done: no space"]),
        (without_budget, ["done: no space"]),
    ],
    ids=lambda value: getattr(value, "__name__", "") if callable(value) else None,
)
def test_every_path_has_one_beginning_and_one_end(
    get: Get, settings: sw.Settings, seen: Seen, path: Path, events: list[str]
) -> None:
    told = list[str]()
    path(get, settings, lambda receipt: told.append(f"done: {receipt.outcome}"))
    assert seen.events == ["opened: running", *events]
    assert told == events[-1:]
    assert seen.receipts[0].outcome == events[-1].removeprefix("done: ")


@pytest.mark.parametrize("path", [head, unacceptable], ids=["head", "unacceptable"])
def test_of_what_opens_nothing_nothing_is_told(
    get: Get, settings: sw.Settings, seen: Seen, path: Path
) -> None:
    told = list[sw.Receipt]()
    path(get, settings, told.append)
    assert (seen.events, told) == ([], [])


@pytest.mark.parametrize("path", [read_many, fail_first, fail_later, limited_later])
def test_observers_that_raise_change_nothing(
    get: Get, settings: sw.Settings, seen: Seen, path: Path
) -> None:
    told = list[sw.Receipt]()
    path(get, replace(settings, observers=(Raising(), seen)), told.append)
    assert seen.events[0] == "opened: running"
    assert [event.partition(":")[0] for event in seen.events].count("done") == len(told) == 1


@pytest.mark.parametrize("error", [Broken, asyncio.CancelledError])
def test_a_download_is_whole_though_an_observer_raises(
    get: Get, error: type[BaseException]
) -> None:
    def fail(receipt: sw.Receipt) -> None:
        raise error

    settings = sw.Settings(observers=[Raising(error)])  # type: ignore[arg-type]  # a list does, too
    reply = get(streamed(orders(MANY), settings=settings, on_done=fail))
    assert (reply.status, reply.complete, reply.error) == (200, True, None)


def test_a_middleware_has_observers_for_all_below_it(seen: Seen, settings: sw.Settings) -> None:
    wsgi_get(sw.WSGIMiddleware(streamed(orders(3)), settings))
    asgi_get(sw.ASGIMiddleware(streamed(orders(3)), settings=settings))
    assert seen.events == ["opened: running", "first byte", "done: complete"] * 2


def test_observers_do_not_part_the_budgets(settings: sw.Settings) -> None:
    assert scratch_pool(settings) is scratch_pool(replace(settings, observers=()))


# What only WSGI has


def wsgi_body(export: sw.Export) -> Any:
    return export(environ(), lambda status, headers, exc_info=None: bytes)


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_body_may_be_closed_twice(settings: sw.Settings, seen: Seen, chunks: int) -> None:
    body = wsgi_body(streamed(orders(MANY), settings=settings))
    for _ in range(chunks):
        next(body)
    body.close()
    body.close()
    assert seen.events[0] == "opened: running"
    assert [event for event in seen.events if "done" in event] == ["done: client gone"]


def test_a_body_may_be_forgotten(settings: sw.Settings, seen: Seen) -> None:
    next(wsgi_body(streamed(orders(MANY), settings=settings)))
    assert seen.events[-1] == "done: client gone"


def test_a_body_that_was_read_may_be_closed(settings: sw.Settings, seen: Seen) -> None:
    body = wsgi_body(streamed(orders(3), settings=settings))
    list(body)
    body.close()
    assert seen.events == ["opened: running", "first byte", "done: complete"]


def test_a_server_may_refuse_to_start(settings: sw.Settings, seen: Seen) -> None:
    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        raise Broken

    with pytest.raises(Broken):
        streamed(orders(3), settings=settings)(environ(), start_response)
    assert seen.events == ["opened: running", "first byte", "done: client gone"]


# What only ASGI has


async def left(connection: Connection, export: sw.Export, when: Callable[[], object]) -> None:
    """Have it answer, and the client leave once it can."""
    task = asyncio.create_task(connection.run(export))
    await until(when)
    connection.leave()
    await asyncio.wait_for(task, 10)


async def test_a_client_may_leave_before_anything_was_asked(
    settings: sw.Settings, seen: Seen
) -> None:
    connection = Connection(leave_after=0)
    await connection.run(streamed(aorders(3), settings=settings))
    assert [event.partition(":")[0] for event in seen.events].count("opened") == len(
        [event for event in seen.events if "done" in event]
    )


@pytest.mark.parametrize("rows", [0, MANY])
async def test_a_client_may_leave_while_rows_are_waited_for(
    settings: sw.Settings, seen: Seen, rows: int
) -> None:
    waiting = asyncio.Event()

    async def source() -> AsyncIterator[Any]:
        async for row in aorders(rows):
            yield row
        waiting.set()
        async for row in stalling(0):
            yield row

    await left(Connection(), streamed(source(), settings=settings), waiting.is_set)
    assert (seen.events[0], seen.events[-1]) == ("opened: running", "done: client gone")
    assert [event for event in seen.events if "done" in event] == ["done: client gone"]


async def test_a_client_may_leave_while_rows_are_blocked(settings: sw.Settings, seen: Seen) -> None:
    gate = Gate()
    export = streamed(gated(0, gate), settings=settings, cancel=gate.open)
    await left(Connection(), export, gate.entered.is_set)
    assert seen.events == ["opened: running", "done: client gone"]


@pytest.mark.parametrize(
    ("chunks", "outcome"),
    [(0, "client gone"), (1, "complete")],  # after the only chunk there is nothing left to take
)
async def test_a_client_may_leave_while_it_takes_nothing(
    settings: sw.Settings, seen: Seen, chunks: int, outcome: str
) -> None:
    connection = Connection(stall_after=chunks)
    await left(connection, streamed(orders(3), settings=settings), connection.stalled.is_set)
    assert seen.events == ["opened: running", "first byte", f"done: {outcome}"]


async def test_a_client_may_leave_while_an_export_waits_for_its_turn(
    settings: sw.Settings, seen: Seen
) -> None:
    one = replace(settings, max_concurrent=1, wait_seconds=10.0)
    gate, rows = Gate(), Rows(orders(3))
    quiet = replace(one, observers=())
    first = asyncio.create_task(Connection().run(streamed(gated(1, gate), settings=quiet)))
    await gate.was_entered()
    await left(Connection(), streamed(rows, settings=one), lambda: seen.events)
    assert (seen.events, rows.closed) == (["opened: running", "done: client gone"], 1)
    gate.open()
    await first


async def test_a_server_may_cancel(settings: sw.Settings, seen: Seen) -> None:
    connection = Connection()
    task = asyncio.create_task(connection.run(streamed(orders(10**7), settings=settings)))
    await until(lambda: connection.chunks)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [event for event in seen.events if "done" in event] == ["done: client gone"]


async def test_a_send_may_fail(settings: sw.Settings, seen: Seen) -> None:
    connection = Connection()

    async def send(message: Any) -> None:
        raise Broken

    with pytest.raises(Broken):
        await streamed(orders(3), settings=settings)(connection.scope, connection.receive, send)
    assert [event for event in seen.events if "done" in event] == ["done: client gone"]


# The log


LINES: list[tuple[Any, str]] = [
    (read, r"INFO complete; 3 rows, 33 bytes, 0\.\d+ seconds"),
    (partial(leave, 1), r"INFO client gone; \d+ rows, \d+ bytes, "),
    (fail_first, "WARNING source error, Broken; 0 rows, 0 bytes, "),
    (fail_to_encode, "WARNING encode error, CellError; 0 rows"),
    (limited_first, r"WARNING limit, Limits\.rows: 3 is over 2; 0 rows"),
    (expired, r"WARNING expired, Limits\.seconds: 0\.?\d* is over 0; 0 rows"),
    (without_room, "WARNING no space, ScratchError: File too large; 0 rows"),
    (refused, r"INFO refused, Settings\.max_concurrent; 0 rows"),
]


@pytest.mark.parametrize("case", LINES, ids=[line.partition(",")[0] for _, line in LINES])
def test_every_end_is_a_line_in_the_log(
    get: Get,
    settings: sw.Settings,
    seen: Seen,
    caplog: pytest.LogCaptureFixture,
    case: tuple[Any, str],
) -> None:
    caplog.set_level(logging.INFO, "streamware")
    path, line = case
    path(get, settings, None)
    key = seen.receipts[0].id
    lines = [f"{r.levelname} {r.getMessage()}" for r in caplog.records if key in r.getMessage()]
    assert len(lines) == 1
    assert re.match(line, lines[0].replace(f"export {key} (csv) ended: ", ""))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("event", ["done", "opened", "first_byte", "progress"])
def test_an_observer_that_is_interrupted_keeps_no_one_from_being_notified(
    event: str, raised: type[BaseException], seen: Seen, settings: sw.Settings
) -> None:
    def interrupted(receipt: sw.Receipt) -> None:
        raise raised

    first = Seen()
    setattr(first, event, interrupted)
    done = list[str]()
    bound = replace(settings, observers=(first, seen), max_concurrent=1)
    for _ in range(2):  # its place is free again
        rows = Rows(orders(MANY))
        seen.events.clear()
        done.clear()
        export = streamed(
            rows, settings=bound, on_done=lambda receipt: done.append(receipt.outcome)
        )
        with pytest.raises(raised):
            wsgi_get(export)
        assert rows.closed == 1
        assert seen.events[-1] == f"done: {done[0]}"
        assert len(done) == 1
        assert done[0] == ("complete" if event == "done" else "source error")


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_on_done_that_is_interrupted_changes_no_outcome(
    raised: type[BaseException], settings: sw.Settings, seen: Seen
) -> None:
    def on_done(receipt: sw.Receipt) -> None:
        raise raised

    with pytest.raises(raised):
        wsgi_get(streamed(orders(3), settings=settings, on_done=on_done))
    assert seen.events[-1] == "done: complete"
