"""How an Export is sent: as it is made, behind a buffer, or once it is whole; over both twins."""

import asyncio
import base64
import gzip
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage
from typing import Any
from wsgiref.util import FileWrapper

import pytest

import streamware as sw
from fakes import PATIENCE, Broken, Connection, Get, Reply, Rows, environ, wsgi_get
from readers import calamine_rows
from streamware.http import delivery as module
from streamware.scratch.pool import _pools

WIDE = "x" * 1000
MANY = 4000  # rows: 4 MB, more than stays in memory
WHOLE = b"".join(sw.encode(((at, WIDE) for at in range(MANY)), "csv"))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[sw.Settings]:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    yield sw.Settings(scratch_dir=folder)
    for made in list(_pools.values()):
        if made.settings.scratch_dir == str(folder):
            made.directory.close()
    assert list(folder.iterdir()) == []


@pytest.fixture
def receipts() -> list[sw.Receipt]:
    return []


def wide(count: int = MANY) -> Iterator[tuple[int, str]]:
    return ((at, WIDE) for at in range(count))


def broken(count: int) -> Iterator[tuple[int, str]]:
    yield from wide(count)
    raise Broken


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
def test_the_document_is_the_same_however_it_is_sent(
    get: Get, delivery: Any, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    rows = Rows(wide())
    reply = get(
        sw.Export(rows, format="csv", delivery=delivery, settings=settings, on_done=receipts.append)
    )
    assert (reply.status, reply.complete, reply.error) == (200, True, None)
    assert reply.body == WHOLE
    assert rows.closed == 1
    [receipt] = receipts
    assert (receipt.outcome, receipt.delivery, receipt.rows) == ("complete", delivery, MANY)
    assert receipt.sha256 == hashlib.sha256(WHOLE).hexdigest()


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("count", [0, 500])
def test_what_ends_other_loops_does_not_pass_for_the_end_of_the_rows(
    get: Get, delivery: Any, error: type[Exception], count: int, settings: sw.Settings
) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(count)
        raise error

    receipts = list[sw.Receipt]()
    reply = get(
        sw.Export(rows, format="csv", delivery=delivery, settings=settings, on_done=receipts.append)
    )
    assert isinstance(reply.error, (RuntimeError, error))
    assert not reply.complete
    assert (reply.status is None) == (delivery == "spool" or not count)
    assert [receipt.outcome for receipt in receipts] == ["source error"]


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("count", [0, 500])
def test_a_generator_exit_of_the_rows_is_their_error_and_no_client_that_left(
    get: Get, delivery: Any, count: int, settings: sw.Settings
) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(count)
        raise GeneratorExit

    receipts = list[sw.Receipt]()
    export = sw.Export(rows, delivery=delivery, settings=settings, on_done=receipts.append)
    with suppress(GeneratorExit):  # over WSGI it passes as it is
        assert isinstance(get(export).error, RuntimeError)
    assert [receipt.outcome for receipt in receipts] == ["source error"]


@pytest.mark.parametrize("delivery", ["buffer", "spool"])
def test_a_workbook_is_too(get: Get, delivery: Any, settings: sw.Settings) -> None:
    reply = get(sw.Export(wide(50), format="xlsx", delivery=delivery, settings=settings))
    assert calamine_rows(reply.body) == [[float(at), WIDE] for at in range(50)]


@pytest.mark.parametrize("delivery", ["buffer", "spool"])
def test_the_client_that_leaves_ends_it(
    get: Get, delivery: Any, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    rows = Rows(wide())
    export = sw.Export(rows, delivery=delivery, settings=settings, on_done=receipts.append)
    get(export, leave_after=1)
    until(lambda: receipts)
    assert [receipt.outcome for receipt in receipts] == ["client gone"]
    assert rows.closed == 1


@pytest.mark.parametrize("delivery", ["buffer", "spool", "auto"])
def test_head_opens_nothing(get: Get, delivery: Any, settings: sw.Settings) -> None:
    rows = Rows(wide())
    reply = get(sw.Export(rows, delivery=delivery, settings=settings), method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert (rows.pulled, rows.closed) == (0, 1)


def _start(*_: Any) -> Any:
    return lambda _: None


async def _asgi(export: Any, connection: Connection) -> None:
    await export.asgi(connection.scope, connection.receive, connection.send)


# Spool


def test_a_spooled_document_says_how_long_it_is_and_its_digest(
    get: Get, settings: sw.Settings
) -> None:
    reply = get(sw.Export(wide(), delivery="spool", settings=settings))
    digest = base64.b64encode(hashlib.sha256(WHOLE).digest()).decode()
    assert reply.headers["content-length"] == str(len(WHOLE))
    assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"


def test_length_and_digest_are_those_of_what_is_sent(get: Get, settings: sw.Settings) -> None:
    export = sw.Export(wide(), delivery="spool", settings=settings)
    reply = get(export, headers={"Accept-Encoding": "gzip"})
    digest = base64.b64encode(hashlib.sha256(reply.body).digest()).decode()
    assert gzip.decompress(reply.body) == WHOLE
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"


def test_a_spooled_document_that_fails_late_is_an_error_before_any_byte(
    get: Get, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    reply = get(
        sw.Export(broken(MANY), delivery="spool", settings=settings, on_done=receipts.append)
    )
    assert (reply.status, reply.body) == (None, b"")
    assert isinstance(reply.error, Broken)
    assert [receipt.outcome for receipt in receipts] == ["source error"]


def test_a_spool_without_room_is_a_503(get: Get, settings: sw.Settings) -> None:
    assert settings.scratch_dir is not None
    whole = disk_usage(settings.scratch_dir).total
    full = sw.Settings(scratch_dir=settings.scratch_dir, keep_free_bytes=whole, wait_seconds=0)
    reply = get(sw.Export(wide(), delivery="spool", settings=full))
    assert reply.status == 503
    assert reply.headers["retry-after"]
    assert reply.error is None


def test_a_limit_of_a_spooled_document_is_a_413(get: Get, settings: sw.Settings) -> None:
    limits = sw.Limits(rows=MANY - 1)
    reply = get(sw.Export(wide(), delivery="spool", settings=settings, limits=limits))
    assert (reply.status, reply.error) == (413, None)


def test_a_server_with_a_file_wrapper_is_given_the_file(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    given: dict[str, Any] = {**environ(), "wsgi.file_wrapper": FileWrapper}
    export = sw.Export(wide(), delivery="spool", settings=settings, on_done=receipts.append)
    body = export.wsgi(given, _start)
    assert type(body) is FileWrapper
    assert body.filelike.fileno() >= 0
    assert b"".join(body) == WHOLE
    assert receipts == []
    body.close()
    body.close()
    assert [receipt.outcome for receipt in receipts] == ["complete"]


def test_uwsgi_is_given_chunks_for_it_loses_files_that_others_wrapped(
    settings: sw.Settings,
) -> None:
    given: dict[str, Any] = {**environ(), "wsgi.file_wrapper": FileWrapper, "uwsgi.version": b"2"}
    body: Any = sw.Export(wide(), delivery="spool", settings=settings).wsgi(given, _start)
    assert type(body) is not FileWrapper
    assert b"".join(body) == WHOLE
    body.close()


async def test_a_client_that_has_all_of_the_content_length_may_leave(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    connection = Connection()
    send = connection.send

    async def leaving(message: Any) -> None:
        await send(message)
        length = sum(len(each.get("body", b"")) for each in connection.sent)
        if length == len(WHOLE):
            connection.leave()
            await asyncio.sleep(0.01)

    export = sw.Export(wide(), delivery="spool", settings=settings, on_done=receipts.append)
    await export.asgi(connection.scope, connection.receive, leaving)
    assert [receipt.outcome for receipt in receipts] == ["complete"]


def test_scratch_that_is_refused_for_good_is_named_in_the_receipt(
    get: Get, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    small = sw.Settings(scratch_dir=settings.scratch_dir, request_bytes=2**20)
    reply = get(sw.Export(wide(), delivery="spool", settings=small, on_done=receipts.append))
    assert isinstance(reply.error, sw.ScratchError)
    [receipt] = receipts
    assert receipt.outcome == "no space"
    assert receipt.problem is not None


def test_a_buffered_document_whose_scratch_fails_says_so(
    get: Get,
    settings: sw.Settings,
    receipts: list[sw.Receipt],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def put(ring: object, chunk: bytes) -> bool:
        raise sw.ScratchError(5, "Input/output error")

    monkeypatch.setattr("streamware.scratch.ring.Ring.put", put)
    reply = get(sw.Export(wide(), delivery="buffer", settings=settings, on_done=receipts.append))
    assert isinstance(reply.error, sw.ScratchError)
    assert [receipt.outcome for receipt in receipts] == ["no space"]


def test_a_spool_still_in_memory_is_not_sent_as_a_file(settings: sw.Settings) -> None:
    given: dict[str, Any] = {**environ(), "wsgi.file_wrapper": FileWrapper}
    export = sw.Export(wide(10), delivery="spool", settings=settings)
    body: Any = export.wsgi(given, _start)
    assert type(body) is not FileWrapper
    assert WHOLE.startswith(b"".join(body))
    body.close()


# Buffer


def test_the_rows_are_closed_while_the_client_reads_wsgi(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    rows = Rows(wide())
    export = sw.Export(rows, delivery="buffer", settings=settings, on_done=receipts.append)
    body: Any = export.wsgi(environ(), _start)
    first = next(iter(body))
    until(lambda: rows.closed)
    assert threading.get_ident() not in rows.threads
    assert receipts == []
    assert first + b"".join(body) == WHOLE
    body.close()
    assert [receipt.outcome for receipt in receipts] == ["complete"]


async def test_the_rows_are_closed_while_the_client_reads_asgi(settings: sw.Settings) -> None:
    rows = Rows(wide())
    connection = Connection(stall_after=1)
    export = sw.Export(rows, delivery="buffer", settings=settings)
    serving = asyncio.create_task(_asgi(export, connection))
    async with asyncio.timeout(PATIENCE):
        while not rows.closed:  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.001)
    connection.leave()
    await serving


async def test_async_rows_are_read_ahead_too(settings: sw.Settings) -> None:
    closed = asyncio.Event()

    async def rows() -> AsyncIterator[tuple[int, str]]:
        try:
            for row in wide():
                yield row
        finally:
            closed.set()

    connection = Connection(stall_after=1)
    export = sw.Export(rows(), delivery="buffer", settings=settings)
    serving = asyncio.create_task(_asgi(export, connection))
    async with asyncio.timeout(PATIENCE):
        await closed.wait()
    connection.leave()
    await serving


def test_a_buffered_document_that_fails_late_breaks_the_transfer(
    get: Get, settings: sw.Settings
) -> None:
    reply = get(sw.Export(broken(MANY), delivery="buffer", settings=settings))
    assert reply.status == 200
    assert not reply.complete
    assert isinstance(reply.error, Broken)
    assert WHOLE.startswith(reply.body)


def test_a_buffered_document_that_fails_at_once_has_no_status(
    get: Get, settings: sw.Settings
) -> None:
    reply = get(sw.Export(broken(0), delivery="buffer", settings=settings))
    assert (reply.status, reply.body) == (None, b"")
    assert isinstance(reply.error, Broken)


# Auto


def http_1_0(app: Any) -> Reply:
    """What a WSGI server gets of it over HTTP/1.0."""

    def older(given: dict[str, Any], start_response: Any) -> Any:
        return app({**given, "SERVER_PROTOCOL": "HTTP/1.0"}, start_response)

    return wsgi_get(older)


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_warned", set[str]())


def test_what_would_hide_a_cut_csv_gets_it_spooled(
    settings: sw.Settings, receipts: list[sw.Receipt], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        reply = http_1_0(sw.Export(wide, settings=settings, on_done=receipts.append))
        assert (reply.body, reply.headers["content-length"]) == (WHOLE, str(len(WHOLE)))
    [receipt, _] = receipts
    assert receipt.delivery == "spool"
    assert receipt.delivery_reason == "HTTP/1.0 would hide that it was cut"
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "proxy_http_version 1.1" in warnings[0].message


@pytest.mark.parametrize("form", ["xlsx", "xml", "json"])
def test_a_document_whose_end_shows_is_streamed_all_the_same(
    form: str, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    reply = http_1_0(sw.Export(wide, format=form, settings=settings, on_done=receipts.append))
    assert "content-length" not in reply.headers
    assert [receipt.delivery for receipt in receipts] == ["stream"]


def test_over_http_1_1_it_is_streamed(
    get: Get, settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    get(sw.Export(wide(), settings=settings, on_done=receipts.append))
    assert [(it.delivery, it.delivery_reason) for it in receipts] == [("stream", None)]


def test_a_silent_transport_may_be_streamed_over(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    chosen = sw.Settings(scratch_dir=settings.scratch_dir, silent_transport="stream")
    reply = http_1_0(sw.Export(wide, settings=chosen, on_done=receipts.append))
    assert "content-length" not in reply.headers
    assert receipts[0].delivery_reason is not None


def test_a_silent_transport_may_be_refused(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    chosen = sw.Settings(scratch_dir=settings.scratch_dir, silent_transport="refuse")
    rows = Rows(wide())
    reply = http_1_0(sw.Export(rows, settings=chosen, on_done=receipts.append))
    assert (reply.status, rows.pulled, rows.closed) == (503, 0, 1)
    assert [receipt.outcome for receipt in receipts] == ["refused"]


async def test_http_1_0_over_asgi_is_spooled_too(
    settings: sw.Settings, receipts: list[sw.Receipt]
) -> None:
    connection = Connection()
    connection.scope["http_version"] = "1.0"
    export = sw.Export(wide, settings=settings, on_done=receipts.append)
    await _asgi(export, connection)
    assert [receipt.delivery for receipt in receipts] == ["spool"]
