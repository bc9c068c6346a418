from typing import Any

import pytest

import streamware as sw
from fakes import Rows, failing, orders
from readers import csv_rows
from streamware.frameworks._support.download import Download
from streamware.http.admission import admission
from streamware.http.application import prepare_answer
from streamware.http.request import Request

ENVIRON: dict[str, Any] = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
FULL = sw.Settings(max_concurrent=1, wait_seconds=0)


def download(content: Any, **options: Any) -> Download:
    export = sw.Export(content, **{"format": "csv"} | options)
    answer = prepare_answer(export, Request())
    return Download(answer, ENVIRON)


def test_rows_are_opened_by_the_start_and_closed_at_the_end() -> None:
    rows = Rows(orders(3))
    made = download(rows, columns=["id", "name"])
    assert (rows.pulled, made.started, made.status) == (0, False, 200)
    made.start()
    made.start()
    assert rows.pulled > 0
    assert csv_rows(b"".join(made))[0] == ["id", "name"]
    made.close()
    assert rows.closed == 1


def test_reading_starts_it() -> None:
    assert len(csv_rows(b"".join(download(orders(3))))) == 3


@pytest.mark.parametrize("started", [False, True])
def test_close_works_at_any_time_and_twice(started: bool) -> None:
    rows = Rows(orders(10**9))
    made = download(rows)
    if started:
        next(made)
    made.close()
    made.close()
    assert (rows.pulled > 0, rows.closed) == (started, 1)
    assert list(made) == []


def test_a_start_without_rows_opens_nothing() -> None:
    made = download(lambda: pytest.fail("opened"))
    made.start(open_rows=False)
    assert (made.status, b"".join(made)) == (200, b"")


def test_a_failure_before_the_first_chunk_is_raised_by_the_start() -> None:
    rows = Rows(failing(0, OSError("no disk")))
    made = download(lambda: rows)
    with pytest.raises(OSError, match="no disk"):
        made.start()
    assert rows.closed == 1
    made.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_dropped_before_the_start_closes_its_rows(method: str) -> None:
    rows = Rows(orders(3))
    export = sw.Export(rows, format="csv")
    made = Download(prepare_answer(export, Request(method=method)), ENVIRON)
    assert rows.closed == 0
    del made
    assert (rows.pulled, rows.closed) == (0, 1)


def test_a_dropped_download_opens_nothing() -> None:
    made = download(lambda: pytest.fail("opened"))
    del made


def refused() -> Download:
    """A download started while no other was admitted."""
    places = admission(FULL)
    places.enter()
    try:
        made = download([(1,)], settings=FULL, headers=[("X-Ours", "1")])
        made.start()
    finally:
        places.leave()
    return made


def test_a_refusal_replaces_the_headers_of_the_download() -> None:
    made = refused()
    assert (made.refused, made.status) == (True, 503)
    headers = {"X-Ours": "1", "Content-Disposition": "attachment", "X-Theirs": "2", **deleted()}
    made.update_headers(headers)
    assert headers["X-Theirs"] == "2"
    assert headers["Content-Type"].startswith("text/plain")
    assert int(headers["Content-Length"]) == len(b"".join(made))
    assert "Content-Disposition" not in headers


def deleted() -> dict[str, str]:
    """The headers of a download; a dict raises for a missing one."""
    names = ("Content-Type", "Cache-Control", "X-Content-Type-Options", "Accept-Ranges", "Vary")
    return dict.fromkeys(names, "")


def test_headers_changed_before_the_start_stay() -> None:
    made = download([(1,)])
    headers = {"Cache-Control": "no-cache"}
    made.start()
    made.update_headers(headers)
    assert headers == {"Cache-Control": "no-cache"}
    made.close()


def test_a_refusal_that_comes_too_late_is_an_error() -> None:
    places = admission(FULL)
    places.enter()
    try:
        made = download([(1,)], settings=FULL)
        with pytest.raises(sw.StateError, match=r"refused \(503\) after its response was started"):
            next(made)
    finally:
        places.leave()
