"""How much one export may be."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event, active_count
from time import monotonic, sleep
from typing import Any
from weakref import ref

import pytest

import oracle
import streamware as sw
from drive import Clock, document
from fakes import PATIENCE, Broken, Get, Rows, asgi_get, orders, stalling, wsgi_get
from streamware.formats.protocol import pieces
from streamware.scratch.pool import scratch_pool


@pytest.mark.parametrize("limits", [sw.Limits(rows=100), sw.Limits(bytes=1280), sw.Limits()])
def test_what_is_within_its_limits_is_written(limits: sw.Limits) -> None:
    assert len(document(orders(100), limits=limits).data) == 1280


def test_a_limit_is_a_number() -> None:
    with pytest.raises(TypeError, match=r"Limits\(rows=…\) must be a number or None, not str"):
        sw.Limits(rows="5")  # type: ignore[arg-type]


def test_more_rows_than_the_limit_are_an_error() -> None:
    rows = Rows(orders(101))
    with pytest.raises(sw.LimitError, match="rows of the export: 101 is over the limit of 100"):
        document(rows, limits=sw.Limits(rows=100))
    assert rows.closed == 1


def test_rows_are_counted_over_all_sheets() -> None:
    sheets = [sw.Sheet(name, [(1,)] * 60) for name in "AB"]
    with pytest.raises(sw.LimitError, match="rows of the export: 120 is over"):
        document(sheets, "xlsx", limits=sw.Limits(rows=100))


def test_more_bytes_than_the_limit_are_never_handed_out() -> None:
    chunks = sw.encode(orders(10**9), limits=sw.Limits(bytes=200_000))
    received: list[bytes] = []
    with pytest.raises(sw.LimitError, match=r"bytes of the document: .* over the limit of 200,000"):
        received.extend(chunks)
    assert 0 < sum(map(len, received)) <= 200_000
    assert chunks.receipt.outcome == "limit"


def test_the_time_is_looked_at_when_a_row_arrives(clock: Clock) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        yield clock.after(9, (2,))
        yield clock.after(2, (3,))

    chunks = sw.encode(rows(), limits=sw.Limits(seconds=10))
    assert b"2" in next(chunks)
    with pytest.raises(sw.LimitError, match=r"seconds of the export: 11.0 is over the limit of 10"):
        next(chunks)


def test_nothing_is_within_a_limit_of_nothing() -> None:
    assert document([], limits=sw.Limits(rows=0, bytes=0)).data == b""
    with pytest.raises(sw.LimitError):
        document([(1,)], limits=sw.Limits(rows=0))


@pytest.mark.parametrize("name", ["rows", "bytes", "seconds", "cell_characters", "scratch_bytes"])
def test_a_limit_below_nothing_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=rf"Limits\({name}=…\) must be 0 or more"):
        sw.Limits(**{name: -1})


def test_an_error_names_the_field_that_was_passed() -> None:
    with pytest.raises(sw.LimitError) as caught:
        document(orders(2), limits=sw.Limits(rows=1))
    assert (caught.value.name, caught.value.limit, caught.value.actual) == ("rows", 1, 2)
    with pytest.raises(sw.LimitError) as caught:
        document([("xx",)], limits=sw.Limits(cell_characters=1))
    assert caught.value.name == "cell_characters"


def test_what_a_format_cannot_hold_is_no_field_of_them() -> None:
    with pytest.raises(sw.LimitError) as caught:
        document([(1,) * 16_385], "xlsx")
    assert (caught.value.name, caught.value.status) == (None, None)


# Scratch


class Spooling(sw.Csv):
    """A format that puts all its rows aside before any of them comes out."""

    def encoder(self, columns: Sequence[sw.Column], context: sw.Context) -> Any:
        return Aside(super().encoder(columns, context), context)


class Aside:
    def __init__(self, encoder: sw.Encoder, context: sw.Context) -> None:
        assert context.open_spool is not None
        self._encoder = encoder
        self._spool = context.open_spool()
        self._spool.write(encoder.start())

    def start(self) -> bytes:
        return b""

    def feed(self, batch: Any) -> bytes:
        self._spool.write(self._encoder.feed(batch))
        return b""

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        self._spool.write(b"".join(pieces(self._encoder.finish())))
        self._spool.seek(0)
        return self._spool.read()

    def abort(self) -> None:
        self._encoder.abort()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    made = sw.Settings(scratch_dir=tmp_path, keep_free_bytes=0, spool_memory=1000)
    yield made
    oracle.close(scratch_pool(made))


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_scratch_of_an_export_has_a_limit(get: Get, settings: sw.Settings) -> None:
    done = list[sw.Receipt]()
    export = sw.Export(
        lambda: orders(20_000),
        format=Spooling(),
        limits=sw.Limits(scratch_bytes=100_000),
        settings=settings,
        on_done=done.append,
    )
    reply = get(export)
    assert (reply.status, reply.complete) == (413, True)
    assert (done[0].outcome, done[0].first_byte_seconds) == ("limit", None)
    assert (done[0].problem or "").startswith("Limits.scratch_bytes: ")
    assert scratch_pool(settings).budget.used == 0


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_scratch_within_its_limit_is_given_back(get: Get, settings: sw.Settings) -> None:
    limits = sw.Limits(scratch_bytes=400_000)
    export = sw.Export(
        orders(20_000),
        format=Spooling(),
        limits=limits,
        settings=settings,
        delivery="stream",
    )
    assert get(export).body == b"".join(sw.encode(orders(20_000)))
    assert scratch_pool(settings).budget.used == 0


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_exports_of_a_bundle_have_a_limit_each(get: Get, settings: sw.Settings) -> None:
    def bundle(least: int) -> sw.Bundle:
        members = [
            (name, sw.Export(orders(20_000), format=Spooling(), limits=limits))
            for name, limits in (
                ("a", sw.Limits(scratch_bytes=400_000)),
                ("b", sw.Limits(scratch_bytes=least)),
            )
        ]
        return sw.Bundle(members, settings=settings)

    assert get(bundle(400_000)).complete
    assert isinstance(get(bundle(100_000)).error, sw.LimitError)


# Time


class Blocked:
    """Rows that wait to be interrupted, and then raise, go on, or end, as a driver may."""

    def __init__(self, rows: int, then: Callable[[], Iterator[Any]]) -> None:
        self.closed = 0
        self.interrupted = Event()
        self._rows = self._all(rows, then)

    def _all(self, rows: int, then: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        yield from orders(rows)
        assert self.interrupted.wait(PATIENCE), "nobody interrupted it"
        yield from then()

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def close(self) -> None:
        self.closed += 1


def raising() -> Iterator[Any]:
    raise Broken
    yield


THEN = [
    pytest.param(raising, id="raises"),
    pytest.param(partial(orders, 10), id="goes on"),
    pytest.param(partial(orders, 0), id="ends"),
]


@pytest.mark.parametrize("then", THEN)
def test_what_is_interrupted_was_not_complete(clock: Any, then: Any) -> None:
    """Also if the timer is ahead of the clock by which an export knows that its time is over."""
    rows = Blocked(5, then)
    limits = sw.Limits(seconds=0.05, status=None)
    reply = wsgi_get(sw.Export(rows, limits=limits, cancel=rows.interrupted.set))
    assert isinstance(reply.error, sw.LimitError)
    assert b"".join(reply.chunks).count(b"\n") <= 6


def test_rows_that_come_once_the_timer_has_struck_are_not_sent(clock: Any) -> None:
    rows = Blocked(0, partial(orders, 10))
    limits = sw.Limits(seconds=0.05)
    reply = wsgi_get(sw.Export(rows, limits=limits, cancel=rows.interrupted.set))
    assert (reply.status, reply.error) == (503, None)


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_pull_that_is_blocked_before_the_first_byte_is_a_503(get: Get, then: Any) -> None:
    rows, done = Blocked(0, then), list[sw.Receipt]()
    reply = get(
        sw.Export(
            lambda: rows,
            limits=sw.Limits(seconds=0.05),
            cancel=rows.interrupted.set,
            on_done=done.append,
        )
    )
    assert (reply.status, reply.complete, reply.error) == (503, True, None)
    assert int(reply.headers["retry-after"]) > 0
    assert (rows.closed, [receipt.outcome for receipt in done]) == (1, ["expired"])
    assert done[0].seconds < 5


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_pull_that_is_blocked_later_breaks_the_transfer(get: Get, then: Any) -> None:
    rows, done = Blocked(5_000, then), list[sw.Receipt]()
    reply = get(
        sw.Export(
            lambda: rows,
            limits=sw.Limits(seconds=0.2),
            cancel=rows.interrupted.set,
            on_done=done.append,
            delivery="stream",
        )
    )
    assert isinstance(reply.error, sw.LimitError)
    assert (reply.status, reply.complete) == (200, False)
    assert (rows.closed, [receipt.outcome for receipt in done]) == (1, ["expired"])
    assert (done[0].problem or "").startswith("Limits.seconds: 0.")


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_the_opening_of_rows_is_interrupted_too(get: Get) -> None:
    interrupted, done = Event(), list[sw.Receipt]()

    def opened() -> Any:
        assert interrupted.wait(PATIENCE)
        raise Broken

    limits = sw.Limits(seconds=0.05)
    reply = get(sw.Export(opened, limits=limits, cancel=interrupted.set, on_done=done.append))
    assert (reply.status, done[0].outcome) == (503, "expired")


@pytest.mark.slow
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_an_export_of_a_bundle_is_interrupted(get: Get) -> None:
    rows, told = Blocked(5_000, raising), list[str]()

    def tell(receipt: sw.Receipt) -> None:
        told.append(f"{receipt.format}: {receipt.outcome}")

    limits = sw.Limits(seconds=0.2)
    member = sw.Export(lambda: rows, limits=limits, cancel=rows.interrupted.set, on_done=tell)
    reply = get(sw.Bundle([("a", member), ("b", b"b")], on_done=tell))
    assert reply.status in (200, 503)
    assert (rows.closed, told) == (1, ["csv: expired", "zip: expired"])


def test_asynchronous_rows_need_no_cancel() -> None:
    done = list[sw.Receipt]()
    export = sw.Export(stalling(0), limits=sw.Limits(seconds=0.05), on_done=done.append)
    assert asgi_get(export).status == 503
    assert [receipt.outcome for receipt in done] == ["expired"]


async def test_aencode_expires() -> None:
    chunks = sw.aencode(stalling(5_000), limits=sw.Limits(seconds=0.2))
    with pytest.raises(sw.LimitError, match="seconds of the export"):
        async for _ in chunks:
            pass
    assert chunks.receipt.outcome == "expired"


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_what_ends_in_time_is_not_interrupted(get: Get) -> None:
    calls = list[int]()
    limits = sw.Limits(seconds=PATIENCE)
    export = sw.Export(orders(20_000), limits=limits, cancel=partial(calls.append, 1))
    threads = active_count()
    assert get(export).complete
    assert not calls
    end = monotonic() + PATIENCE
    while active_count() > threads:
        assert monotonic() < end, "a timer was left"


# Statuses


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (sw.Limits(rows=1), 413),
        (sw.Limits(bytes=1), 413),
        (sw.Limits(cell_characters=1), 413),
        (sw.Limits(seconds=0), 503),
        (sw.Limits(rows=1, status=422), 422),
        (sw.Limits(seconds=0, status=504), 504),
    ],
    ids=str,
)
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_limit_is_a_status_as_long_as_nothing_was_sent(
    get: Get, limits: sw.Limits, status: int
) -> None:
    reply = get(sw.Export(orders(3), limits=limits))
    assert (reply.status, reply.complete, reply.error) == (status, True, None)
    assert reply.headers["content-type"].startswith("text/plain")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert ("retry-after" in reply.headers) is (status == 503)
    assert b"limit" not in reply.body


@pytest.mark.parametrize(
    "limits", [sw.Limits(rows=1, status=None), sw.Limits(seconds=0, status=None)]
)
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_limit_may_be_the_framework_s(get: Get, limits: sw.Limits) -> None:
    reply = get(sw.Export(orders(3), limits=limits))
    assert isinstance(reply.error, sw.LimitError)
    assert reply.status is None


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_what_a_format_cannot_hold_is_the_framework_s(get: Get) -> None:
    reply = get(sw.Export([(1,) * 16_385], format="xlsx", limits=sw.Limits(status=422)))
    assert isinstance(reply.error, sw.LimitError)
    assert reply.status is None


@pytest.mark.parametrize("status", [200, 399, 600, 499, "413"])
def test_a_status_is_that_of_an_error(status: Any) -> None:
    with pytest.raises(ValueError, match=r"Limits\(status=…\) must be a status from 400 to 599"):
        sw.Limits(status=status)


# Limits of another document


def over(*ignored: Any) -> Any:
    """Pass a limit of a document of its own."""
    return document(orders(3), limits=ONE)


def rows_over() -> Iterator[Any]:
    yield over()


async def arows_over() -> AsyncIterator[Any]:
    yield over()


def sheets_over() -> Iterator[Any]:
    yield sw.Sheet("A", [(1,)])
    over()


ONE = sw.Limits(rows=1)
OTHERS: dict[str, Callable[[], dict[str, Any]]] = {
    "opened": lambda: {"rows": over},
    "pulled": lambda: {"rows": rows_over},
    "converted": lambda: {"rows": [(1,)], "columns": [sw.Column(0, convert=over)]},
    "reached": lambda: {"rows": [(1,)], "columns": [sw.Column(over, title="a")]},
    "among sheets": lambda: {"rows": sheets_over, "format": "xlsx"},
    "in a sheet": lambda: {"rows": [sw.Sheet("A", rows_over)], "format": "xlsx"},
    "sorted": lambda: {"rows": [(1,)], "sheet_by": over, "format": "xlsx"},
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_limit_of_another_document_is_an_error_of_the_rows(
    get: Get, settings: sw.Settings, delivery: Any, other: str
) -> None:
    done = list[sw.Receipt]()
    export: Any = partial(sw.Export, delivery=delivery, settings=settings, on_done=done.append)
    for limits in (None, ONE):
        reply = get(export(**OTHERS[other](), limits=limits))
        assert isinstance(reply.error, sw.LimitError)
        assert reply.status in (None, 200)
        assert not reply.complete
    assert [(each.outcome, each.problem) for each in done] == [("source error", "LimitError")] * 2


def test_asynchronous_rows_may_pass_a_limit_of_another_document_too() -> None:
    done = list[sw.Receipt]()
    reply = asgi_get(sw.Export(arows_over, on_done=done.append))
    assert (reply.status, type(reply.error)) == (None, sw.LimitError)
    assert [receipt.outcome for receipt in done] == ["source error"]


def bytes_over() -> Iterator[bytes]:
    yield over()


@pytest.mark.parametrize("content", [lambda: sw.Export(rows_over), bytes_over])
@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_an_entry_may_pass_a_limit_of_another_document_too(get: Get, content: Any) -> None:
    done = list[sw.Receipt]()
    reply = get(sw.Bundle([("a", content())], on_done=done.append))
    assert isinstance(reply.error, sw.LimitError)
    assert reply.error.status is None
    assert [(each.outcome, each.problem) for each in done] == [("source error", "LimitError")]


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
def test_a_limit_of_an_entry_is_the_bundle_s(get: Get) -> None:
    done = list[sw.Receipt]()
    member = sw.Export(orders(3), limits=ONE)
    assert not get(sw.Bundle([("a", member)], on_done=done.append)).complete
    assert [(each.outcome, each.problem) for each in done] == [
        ("limit", "Limits.rows: 3 is over 1")
    ]


# Nothing is kept


@pytest.mark.parametrize("seconds", [None, 0.05])
def test_an_error_keeps_no_rows_alive(seconds: float | None) -> None:
    rows = Blocked(0 if seconds else 100, raising)
    kept = ref(rows)
    limits = sw.Limits(rows=10, seconds=seconds, status=413)
    export = sw.Export(lambda rows=rows: rows, limits=limits, cancel=rows.interrupted.set)  # type: ignore[misc]
    gc.disable()
    try:
        assert wsgi_get(export).status == 413
        del rows, export
        assert kept() is None
    finally:
        gc.enable()


def test_an_error_of_another_document_keeps_no_rows_alive() -> None:
    rows = Rows(rows_over())
    kept = ref(rows)
    export = sw.Export(lambda rows=rows: rows)  # type: ignore[misc]
    gc.disable()
    try:
        reply = wsgi_get(export)
        assert type(reply.error) is sw.LimitError
        reply.error = None  # its traceback holds the reply
        del rows, export
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("pause", [0.05, 0.3])
def test_the_time_is_checked_after_every_pull_however_many_rows_a_batch_may_have(
    pause: float,
) -> None:
    pulled: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        for at in range(100):
            sleep(pause)
            pulled.append(at)
            yield (at,)

    with pytest.raises(sw.LimitError, match="seconds"):
        b"".join(sw.encode(rows, limits=sw.Limits(seconds=0.2)))
    assert len(pulled) <= 0.2 / pause + 1.5


def test_a_stall_of_no_time_is_refused_with_what_switches_it_off() -> None:
    with pytest.raises(ValueError, match=r"stall_seconds=…\) must be above 0, or None, not 0"):
        sw.Limits(stall_seconds=0)
