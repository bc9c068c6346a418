"""What only WSGI has: a body that the server closes, at any time."""

import contextvars
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Gate, Rows, environ, failing, gated, orders
from streamware.http import wsgi
from streamware.http.admission import admission
from streamware.http.application import prepare_answer
from streamware.http.request import Request
from streamware.http.wsgi import Body


class Server:
    """A `start_response` that keeps its arguments; it raises `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.started: list[tuple[str, list[tuple[str, str]]]] = []
        self._error = error

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        if self._error is not None:
            raise self._error
        self.started.append((status, headers))
        return bytes

    def get(self, app: Any, **request: Any) -> Any:
        return app(environ(**request), self)


@pytest.fixture
def server() -> Server:
    return Server()


def test_the_status_has_its_reason(server: Server) -> None:
    server.get(sw.Export([(1,)], status=203)).close()
    assert server.started[0][0] == "203 Non-Authoritative Information"


def test_the_status_is_sent_when_the_first_chunk_is_there(server: Server) -> None:
    rows = Rows(orders(10**6))
    body = server.get(sw.Export(rows))
    assert server.started
    pulled = rows.pulled
    assert 0 < pulled < 1000
    assert next(body).startswith(b"0,order 0\r\n")
    assert rows.pulled == pulled
    body.close()


def test_rows_are_pulled_only_as_chunks_are_asked_for(server: Server) -> None:
    rows = Rows(orders(10**6))
    body = server.get(sw.Export(rows))
    pulled = [rows.pulled]
    for _ in range(3):
        assert next(body)
        pulled.append(rows.pulled)
    assert pulled[0] == pulled[1] < pulled[2] < pulled[3] < 20_000
    body.close()


def test_a_body_is_its_own_iterator_and_stays_at_its_end(server: Server) -> None:
    body = server.get(sw.Export(orders(3)))
    assert iter(body) is body
    assert len(list(body)) == 1
    assert list(body) == []
    body.close()


def test_rows_are_closed_with_the_last_chunk_whether_the_server_closes_or_not(
    server: Server,
) -> None:
    rows, done = Rows(orders(3)), list[sw.Receipt]()
    body = server.get(sw.Export(rows, on_done=done.append))
    list(body)
    assert (rows.closed, len(done)) == (1, 1)
    body.close()
    assert (rows.closed, len(done)) == (1, 1)


def test_a_body_is_closed_once(server: Server) -> None:
    rows, done = Rows(orders(10**6)), list[sw.Receipt]()
    body = server.get(sw.Export(rows, on_done=done.append))
    next(body)
    body.close()
    body.close()
    assert (rows.closed, [receipt.outcome for receipt in done]) == (1, ["client gone"])
    assert next(body, None) is None


def test_a_body_can_be_closed_before_its_first_chunk_is_asked_for(server: Server) -> None:
    rows = Rows(orders(10**6))
    server.get(sw.Export(rows)).close()
    assert rows.closed == 1


def test_a_body_that_never_began_is_closed_too() -> None:
    rows, done = Rows(orders(3)), list[sw.Receipt]()
    export = sw.Export(rows, on_done=done.append)
    answer = prepare_answer(export, Request())
    body = Body(answer.body)  # type: ignore[arg-type]  # it is a job
    body.close()
    assert (rows.pulled, rows.closed) == (0, 1)
    assert [receipt.outcome for receipt in done] == ["client gone"]
    body.start()
    assert list(body) == []


def test_closing_never_raises(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def fail(receipt: sw.Receipt) -> None:
        raise Broken

    body = server.get(sw.Export(Rows(orders(10**6), closing=Broken()), on_done=fail))
    next(body)
    body.close()
    assert caplog.messages == [
        "closing the rows of an export failed",
        "on_done of an export failed",
    ]


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
@pytest.mark.parametrize("chunks", [0, 1, 10**6])
def test_a_place_is_free_though_the_program_is_to_end_while_rows_are_closed(
    server: Server,
    keep: Callable[["Keeper"], None],
    tmp_path: Path,
    chunks: int,
    delivery: Any,
) -> None:
    settings = sw.Settings(scratch_dir=tmp_path, max_concurrent=1, wait_seconds=0)
    done, keeper = list[sw.Receipt](), Keeper(Rows(orders(20_000), closing=SystemExit()))
    keep(keeper)
    export = sw.Export(
        lambda: keeper.rows, delivery=delivery, settings=settings, on_done=done.append
    )
    with pytest.raises(SystemExit):
        read(server.get(export), chunks)
    assert (keeper.rows.closed, len(done)) == (1, 1)
    assert keeper.released[-1] == (1, True)
    assert admission(settings).active == 0


def read(body: Any, chunks: int) -> None:
    with closing(body):
        for _ in zip(range(chunks), body, strict=False):
            pass


def test_a_body_that_was_forgotten_is_closed(server: Server) -> None:
    rows, done = Rows(orders(10**6)), list[sw.Receipt]()
    body = server.get(sw.Export(rows, on_done=done.append))
    next(body)
    gc.disable()
    try:
        del body
        assert (rows.closed, len(done)) == (1, 1)
    finally:
        gc.enable()


def test_a_server_that_refuses_the_headers_leaves_nothing_open() -> None:
    rows = Rows(orders(3))
    with pytest.raises(Broken):
        Server(Broken()).get(sw.Export(rows))
    assert rows.closed == 1


def test_the_server_gets_an_error_once_and_then_the_end(server: Server) -> None:
    body = server.get(sw.Export(failing(20_000)))
    with pytest.raises(Broken):
        list(body)
    assert next(body, None) is None
    body.close()


def test_rows_are_opened_read_and_closed_on_the_server_s_thread(server: Server) -> None:
    rows = Rows(orders(20_000))
    list(server.get(sw.Export(lambda: rows)))
    assert rows.threads == [threading.get_ident()]


def test_rows_are_read_in_one_context_that_is_a_copy_of_the_view_s(server: Server) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen = list[str]()

    def rows() -> Iterator[Any]:
        token = variable.set(variable.get() + " and changed")
        try:
            for order in orders(20_000):
                seen.append(variable.get())
                yield order
        finally:
            variable.reset(token)
            seen.append(variable.get())

    variable.set("view")
    body = server.get(sw.Export(rows))
    variable.set("server")
    next(body)
    next(body)
    body.close()
    assert set(seen[:-1]) == {"view and changed"}
    assert seen[-1] == "view"
    assert variable.get() == "server"


def test_a_body_can_be_closed_while_another_thread_is_pulling(server: Server) -> None:
    gate = Gate()
    rows = Rows(gated(1000, gate, orders(10**6)))
    body = server.get(sw.Export(rows))
    chunks = list[bytes]()
    reading = threading.Thread(target=lambda: chunks.extend(body))
    reading.start()
    assert gate.entered.wait(10)
    body.close()
    gate.open()
    reading.join()
    assert rows.closed == 1
    assert len(chunks) == 1


def test_head_and_refusals_have_a_body_that_is_there(server: Server) -> None:
    export = sw.Export(lambda: orders(3))
    assert server.get(export, method="HEAD") == [b""]  # and no empty list: hypercorn trips over it
    assert server.get(export, query="format=pdf") == [
        b"Not Acceptable. There are: csv, xlsx, xml\n"
    ]
    assert server.get(export, query="format=pdf", method="HEAD") == [b""]
    assert [status for status, _ in server.started] == [
        "200 OK",
        "406 Not Acceptable",
        "406 Not Acceptable",
    ]


def test_a_request_need_not_have_a_query(server: Server) -> None:
    made = environ()
    del made["QUERY_STRING"]
    sw.Export([(1,)])(made, server).close()
    assert server.started[0][0] == "200 OK"


# What a framework takes down around the view


class Keeper:
    """A module as those in `streamware.frameworks`, and what it keeps.

    Attributes:
        released: Whether the rows were closed whenever it was to let go, and whether for the last
            time; on the thread of the rows: "shared", and what ended the rows.
    """

    def __init__(self, rows: Rows, error: BaseException | None = None) -> None:
        self.rows = rows
        self.released: list[tuple[object, object]] = []
        self.handling = True
        self._error = error

    def has_request_context(self) -> bool:
        return self.handling

    def hold_contexts(self) -> "Keeper":
        return self

    def share(self) -> None:
        self.released.append(("shared", None))

    def rows_closed(self, error: BaseException | None) -> None:
        self.released.append((self.rows.closed, error))

    def release(self, error: BaseException | None, *, last: bool) -> None:
        self.released.append((self.rows.closed, last))
        if self._error is not None:
            raise self._error


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Callable[[Keeper], None]:
    def install(keeper: Keeper) -> None:
        monkeypatch.setitem(wsgi.sys.modules, "a_framework", keeper)  # type: ignore[attr-defined]
        monkeypatch.setattr(wsgi, "_HOLDERS", {"a_framework": "a_framework"})

    return install


@pytest.mark.parametrize("chunks", [1, 10**6])
def test_what_rows_need_is_released_after_they_were_closed(
    server: Server, keep: Callable[[Keeper], None], chunks: int
) -> None:
    rows = Rows(orders(20_000))
    keeper = Keeper(rows)
    keep(keeper)
    body = server.get(sw.Export(rows))
    for _ in zip(range(chunks), body, strict=False):
        pass
    body.close()
    body.close()
    assert keeper.released == [(1, True)]


def test_what_rows_need_is_released_when_they_fail(
    server: Server, keep: Callable[[Keeper], None]
) -> None:
    keeper = Keeper(Rows(failing(0)))
    keep(keeper)
    with pytest.raises(Broken):
        server.get(sw.Export(keeper.rows))
    assert keeper.released == [(1, True)]


def test_what_rows_need_is_offered_when_a_spool_is_complete_and_until_the_end(
    server: Server, keep: Callable[[Keeper], None], tmp_path: Path
) -> None:
    keeper = Keeper(Rows(orders(20_000)))
    keep(keeper)
    settings = sw.Settings(scratch_dir=tmp_path)
    list(server.get(sw.Export(lambda: keeper.rows, delivery="spool", settings=settings)))
    assert set(keeper.released[:-1]) == {(1, False)}
    assert len(keeper.released) > 3
    assert keeper.released[-1] == (1, True)


def test_what_rows_need_is_released_on_the_thread_that_reads_them_and_on_the_one_that_sends(
    server: Server, keep: Callable[[Keeper], None], tmp_path: Path
) -> None:
    keeper = Keeper(Rows(orders(20_000)))
    keep(keeper)
    settings = sw.Settings(scratch_dir=tmp_path)
    for _ in server.get(sw.Export(lambda: keeper.rows, delivery="buffer", settings=settings)):
        while len(keeper.released) < 2:
            time.sleep(0.001)
    assert keeper.released[0] == ("shared", None)
    assert (1, None) in keeper.released  # by the thread that has read them
    assert (1, False) in keeper.released
    assert keeper.released[-1] == (1, True)


def test_what_cannot_be_released_is_logged(
    server: Server, keep: Callable[[Keeper], None], caplog: pytest.LogCaptureFixture
) -> None:
    done = list[sw.Receipt]()
    keep(Keeper(Rows([]), Broken()))
    assert list(server.get(sw.Export([(1,)], on_done=done.append))) == [b"1\r\n"]
    assert len(done) == 1
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "what the rows of an export needed was not released")
    ]


def test_nothing_is_kept_for_a_framework_that_is_not_in_use(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wsgi, "_HOLDERS", {"not_installed": "not_installed_either"})
    assert list(server.get(sw.Export([(1,)]))) == [b"1\r\n"]


def test_nothing_is_kept_for_a_framework_that_does_not_handle_the_request(
    server: Server, keep: Callable[[Keeper], None]
) -> None:
    keeper = Keeper(Rows([(1,)]))
    keeper.handling = False
    keep(keeper)
    assert list(server.get(sw.Export(keeper.rows))) == [b"1\r\n"]
    assert keeper.released == []
