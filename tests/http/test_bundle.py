"""Several exports and files as one zip that every reader opens, and nothing left open."""

import asyncio
import io
import os
import struct
import subprocess
import sys
import threading
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import (
    AsyncRows,
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
from readers import bsdtar_parts, csv_rows, openpyxl_rows, unzip_complaints, zip_parts
from streamware.http import bundle
from streamware.http.application import prepare_answer
from streamware.http.request import Request

CSV = b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"
MANY = 20_000


@pytest.fixture(params=[wsgi_get, asgi_get], ids=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    function: Get = request.param
    return function


class Chunks:
    """An open iterable of bytes, as an upload's is."""

    def __init__(self, chunks: Any) -> None:
        self.closed = 0
        self._chunks: Iterator[bytes] = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1


def four(tmp_path: Path) -> list[tuple[str, Any]]:
    """One entry of each kind."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"notes" * 50_000)
    return [
        ("orders", sw.Export(lambda: orders(MANY))),
        ("2026/book.xlsx", sw.Export(lambda: orders(3))),
        ("notes.txt", path),
        ("readme.txt", b"read me"),
        ("Übersicht.txt", [b"a", b"", b"b"]),
    ]


# The zip


def test_a_bundle_holds_exports_and_files(get: Get, tmp_path: Path) -> None:
    reply = get(sw.Bundle(four(tmp_path), filename="all"))
    assert (reply.status, reply.complete, reply.error) == (200, True, None)
    parts = zip_parts(reply.body)
    assert list(parts) == [
        "orders.csv",
        "2026/book.xlsx",
        "notes.txt",
        "readme.txt",
        "Übersicht.txt",
    ]
    assert len(csv_rows(parts["orders.csv"])) == MANY
    assert len(openpyxl_rows(parts["2026/book.xlsx"])) == 3
    assert parts["notes.txt"] == b"notes" * 50_000
    assert (parts["readme.txt"], parts["Übersicht.txt"]) == (b"read me", b"ab")


def test_other_readers_open_it(tmp_path: Path) -> None:
    data = wsgi_get(sw.Bundle(four(tmp_path))).body
    assert unzip_complaints(data, tmp_path) == ""
    assert bsdtar_parts(data, tmp_path)["readme.txt"] == b"read me"


@pytest.mark.parametrize(("large", "version"), [(False, 20), (True, 45)])
def test_entries_need_the_version_that_their_size_needs(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, large: bool, version: int
) -> None:
    data = wsgi_get(sw.Bundle(four(tmp_path), large=large)).body
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.extract_version for entry in archive.infolist()} == {version}
        assert {entry.create_version for entry in archive.infolist()} == {version}
        offsets = [entry.header_offset for entry in archive.infolist()]
    assert {struct.unpack_from("<4sH", data, at) for at in offsets} == {(b"PK\3\4", version)}
    assert caplog.messages == []


def test_no_entries_are_a_zip_too(get: Get) -> None:
    assert zip_parts(get(sw.Bundle([])).body) == {}


def test_the_headers_of_a_bundle(get: Get) -> None:
    reply = get(sw.Bundle([], filename="März.zip", headers=[("X-Name", "a")]))
    assert reply.headers == {
        "content-type": "application/zip",
        "content-disposition": "attachment; filename=\"Marz.zip\"; filename*=UTF-8''M%C3%A4rz.zip",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "accept-ranges": "none",
        "x-name": "a",
    }


def test_a_header_that_must_not_be_sent_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="X-Name"):
        sw.Bundle([], headers=[("X-Name", "a\r\nb")])


def test_a_dict_of_members_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="not dict: pass its items"):
        sw.Bundle({"a.csv": b""})  # type: ignore[dict-item]  # the point


def test_the_receipt_is_of_the_zip(get: Get) -> None:
    done = list[sw.Receipt]()
    members: list[tuple[str, Any]] = [
        ("a", sw.Export(orders(3))),
        ("b", sw.Export(orders(4))),
        ("c.txt", b"c"),
    ]
    reply = get(sw.Bundle(members, on_done=done.append))
    [receipt] = done
    assert (receipt.format, receipt.outcome, receipt.rows) == ("zip", "complete", 7)
    assert receipt.bytes == len(reply.body)
    assert receipt.sha256 is not None
    assert receipt.seconds >= (receipt.first_byte_seconds or 0) > 0


def test_each_export_is_done_when_it_is(get: Get) -> None:
    done = list[tuple[str, str, int]]()

    def told(receipt: sw.Receipt) -> None:
        done.append((receipt.format, receipt.outcome, receipt.rows))

    first = sw.Export(orders(3), on_done=told)
    second = sw.Export(orders(4), formats=("xml",), on_done=told)
    get(sw.Bundle([("a", first), ("b", second)], on_done=told))
    assert done == [("csv", "complete", 3), ("xml", "complete", 4), ("zip", "complete", 7)]


def test_entries_are_made_one_after_the_other_while_the_client_reads() -> None:
    rows = [Rows(orders(10**6)), Rows(orders(10**6))]
    members = [(f"{at}.csv", sw.Export(each)) for at, each in enumerate(rows)]
    reply = wsgi_get(sw.Bundle(members), leave_after=3)
    assert len(reply.chunks) == 3
    assert 0 < rows[0].pulled < 100_000
    assert rows[1].pulled == 0


# Names


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "a/", "a//b", "..", "../a", "a/../b", "a\\..\\b", "./a", "C:/a", "c:a"),
        *("a\0", "a\n", "\ud800"),
    ],
    ids=ascii,
)
def test_a_name_that_is_not_safe_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a safe name for an entry"):
        sw.Bundle([(name, b"")])


@pytest.mark.parametrize(
    ("names", "repeated"),
    [
        (["a.txt", "a.txt"], "a.txt"),
        (["a.txt", "A.TXT"], "A.TXT"),
        (["f/a.txt", "f\\a.txt"], "f/a.txt"),
    ],
)
def test_a_name_that_repeats_is_refused(names: list[str], repeated: str) -> None:
    with pytest.raises(ValueError, match=f"the name '{repeated}' is given twice"):
        sw.Bundle([(name, b"") for name in names])


def test_the_extension_of_an_export_counts_for_its_name() -> None:
    with pytest.raises(ValueError, match=r"the name 'orders\.csv' is given twice"):
        sw.Bundle([("orders.csv", b""), ("orders", sw.Export([]))])


def test_a_backslash_is_a_slash(get: Get) -> None:
    assert list(zip_parts(get(sw.Bundle([("a\\b.txt", b"")])).body)) == ["a/b.txt"]


@pytest.mark.parametrize("content", [None, 7, object()])
def test_what_cannot_be_an_entry_is_refused(content: Any) -> None:
    with pytest.raises(
        TypeError, match="'a' must be an Export, a path, bytes or an iterable of bytes"
    ):
        sw.Bundle([("a", content)])


@pytest.mark.parametrize("content", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_of_any_kind_are_an_entry(get: Get, content: Any) -> None:
    assert zip_parts(get(sw.Bundle([("a", content)])).body) == {"a": b"ab"}


# Limits


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_SIZE", 100_000)


@pytest.mark.usefixtures("_small")
def test_an_entry_past_the_limit_is_an_error_before_it_is_passed(get: Get) -> None:
    done = list[sw.Receipt]()
    reply = get(sw.Bundle([("big.txt", [b"x" * 60_000] * 2)], on_done=done.append))
    assert isinstance(reply.error, sw.LimitError)
    assert "bytes of 'big.txt' in the bundle (large=True allows more)" in str(reply.error)
    assert (reply.error.limit, reply.error.actual) == (100_000, 120_000)
    assert not reply.complete
    assert b"PK\5\6" not in reply.body
    assert [receipt.outcome for receipt in done] == ["limit"]


@pytest.mark.usefixtures("_small")
def test_a_bundle_past_the_limit_is_an_error_before_it_is_passed(get: Get) -> None:
    noise = os.urandom(60_000)
    reply = get(sw.Bundle([("a", noise), ("b", noise)]))
    assert isinstance(reply.error, sw.LimitError)
    assert "bytes of the bundle (large=True allows more)" in str(reply.error)
    assert len(reply.body) <= 100_000


@pytest.mark.usefixtures("_small")
def test_a_large_bundle_has_no_such_limit(get: Get) -> None:
    noise = os.urandom(60_000)
    reply = get(sw.Bundle([("a", noise), ("b", [noise] * 2)], large=True))
    assert len(zip_parts(reply.body)["b"]) == 120_000


def test_the_limit_is_that_of_the_library() -> None:
    from zipstream import ng

    assert bundle.MAX_SIZE <= ng.ZIP64_LIMIT


# Closing


def test_everything_is_closed_at_the_end(get: Get) -> None:
    rows, chunks = Rows(orders(3)), Chunks([b"a"])
    assert get(sw.Bundle([("a", sw.Export(rows)), ("b", chunks)])).complete
    assert (rows.closed, chunks.closed) == (1, 1)


@pytest.mark.parametrize("number", [0, MANY])
def test_everything_is_closed_when_an_entry_fails(get: Get, number: int) -> None:
    done = list[str]()

    def told(receipt: sw.Receipt) -> None:
        done.append(f"{receipt.format}: {receipt.outcome}")

    rows, more, chunks = Rows(failing(number)), Rows(orders(3)), Chunks([b"a"])
    members: list[tuple[str, Any]] = [
        ("a", sw.Export(rows, on_done=told)),
        ("b", sw.Export(more, on_done=told)),
        ("c", chunks),
    ]
    reply = get(sw.Bundle(members, on_done=told))
    assert isinstance(reply.error, Broken)
    assert not reply.complete
    assert b"PK\5\6" not in reply.body
    assert (rows.closed, more.closed, chunks.closed) == (1, 1, 1)
    assert more.pulled == 0
    assert done == ["csv: source error", "csv: closed", "zip: source error"]


def test_an_entry_that_cannot_be_written_says_so(get: Get) -> None:
    done = list[sw.Receipt]()
    reply = get(sw.Bundle([("a", sw.Export([(object(),)]))], on_done=done.append))
    assert isinstance(reply.error, sw.CellError)
    assert [receipt.outcome for receipt in done] == ["encode error"]


def test_a_file_that_is_not_there_is_an_error(get: Get, tmp_path: Path) -> None:
    reply = get(sw.Bundle([("a", tmp_path / "nowhere")]))
    assert isinstance(reply.error, FileNotFoundError)


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_everything_is_closed_when_the_client_leaves(get: Get, tmp_path: Path, chunks: int) -> None:
    path = tmp_path / "noise"
    path.write_bytes(os.urandom(10**6))
    done, rows, more = list[sw.Receipt](), Rows(orders(10**6)), Chunks([b"a"])
    members: list[tuple[str, Any]] = [("f", path), ("a", sw.Export(rows)), ("b", more)]
    reply = get(sw.Bundle(members, on_done=done.append), leave_after=chunks)
    assert len(reply.chunks) == chunks
    assert (rows.closed, more.closed) == (1, 1)
    assert [receipt.outcome for receipt in done] == ["client gone"]


def test_two_threads_may_close_a_bundle() -> None:
    class Contested(Chunks):
        def close(self) -> None:
            super().close()
            other = threading.Thread(target=body.close)
            other.start()
            other.join()

    contents = [Contested([b"a"]), Chunks([b"b"])]
    app = sw.Bundle([(f"{number}.txt", content) for number, content in enumerate(contents)])
    body: Any = app(environ(), lambda *_: None)
    next(iter(body))
    body.close()
    assert [content.closed for content in contents] == [1, 1]


def test_head_opens_nothing_and_closes_what_was_handed_over_open(get: Get) -> None:
    rows, chunks, done = Rows(orders(3)), Chunks([b"a"]), list[sw.Receipt]()
    app = sw.Bundle([("a", sw.Export(rows, on_done=done.append)), ("b", chunks)])
    reply = get(app, method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == "application/zip"
    assert (rows.pulled, rows.closed, chunks.closed, done) == (0, 1, 1, [])


def test_an_iterator_cannot_be_used_again(get: Get) -> None:
    for content in (iter([b"a"]), sw.Export(orders(3))):
        app = sw.Bundle([("a", content)])
        assert get(app).complete
        reply = get(app)
        assert isinstance(reply.error, sw.StateError)
        assert reply.status is None


def test_what_can_be_opened_again_can_be_used_again(get: Get, tmp_path: Path) -> None:
    app = sw.Bundle(four(tmp_path))
    assert zip_parts(get(app).body) == zip_parts(get(app).body)


# Beside an event loop


def test_asynchronous_exports_are_entries() -> None:
    async def sheets() -> Any:
        yield sw.Sheet("a", aorders(2))

    members = [
        ("a", sw.Export(aorders(MANY))),
        ("b.xlsx", sw.Export(sheets, format="xlsx")),
        ("c", sw.Export(orders(3))),
    ]
    parts = zip_parts(asgi_get(sw.Bundle(members)).body)
    assert len(csv_rows(parts["a.csv"])) == MANY
    assert len(openpyxl_rows(parts["b.xlsx"])) == 2
    assert parts["c.csv"] == CSV


def test_asynchronous_exports_under_wsgi_are_an_error_that_names_the_remedy() -> None:
    reply = wsgi_get(sw.Bundle([("a", sw.Export(aorders(3)))]))
    assert isinstance(reply.error, sw.StateError)
    assert "ASGI" in str(reply.error)


@pytest.mark.parametrize("leave_after", [None, 0, 2])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_asynchronous_rows_are_closed_whether_they_began_or_not(
    method: str, leave_after: int | None
) -> None:
    rows = [AsyncRows(orders(MANY)), AsyncRows(failing(MANY)), AsyncRows(orders(3))]
    members = [(str(at), sw.Export(each)) for at, each in enumerate(rows)]
    asgi_get(sw.Bundle(members), method=method, leave_after=leave_after)
    assert [each.closed for each in rows] == [1, 1, 1]


async def test_the_client_may_leave_while_asynchronous_rows_wait() -> None:
    done = list[str]()

    def told(receipt: sw.Receipt) -> None:
        done.append(f"{receipt.format}: {receipt.outcome}")

    more = Rows(orders(3))
    members = [
        ("a", sw.Export(stalling(MANY), on_done=told)),
        ("b", sw.Export(more, on_done=told)),
    ]
    connection = Connection()
    task = asyncio.create_task(connection.run(sw.Bundle(members, on_done=told)))
    await until(lambda: connection.chunks)
    connection.leave()
    await asyncio.wait_for(task, 10)
    assert done == ["csv: client gone", "csv: closed", "zip: client gone"]
    assert (more.pulled, more.closed) == (0, 1)


async def test_the_entry_that_is_blocked_is_interrupted() -> None:
    gate, calls = Gate(), list[int]()

    def cancel() -> None:
        calls.append(threading.get_ident())
        gate.open()

    def never() -> None:
        calls.append(0)

    rows, more = Rows(gated(100, gate, orders(10**6))), Rows(orders(3))
    members = [("a", sw.Export(rows, cancel=cancel)), ("b", sw.Export(more, cancel=never))]
    connection = Connection()
    task = asyncio.create_task(connection.run(sw.Bundle(members)))
    await gate.was_entered()
    connection.leave()
    await asyncio.wait_for(task, 10)
    assert len(calls) == 1
    assert calls[0] not in (0, threading.get_ident())
    assert (rows.closed, more.closed, more.pulled) == (1, 1, 0)
    assert rows.pulled < 10_000


async def test_an_entry_that_cannot_be_interrupted_is_waited_for() -> None:
    gate = Gate()
    rows = Rows(gated(100, gate))
    connection = Connection()
    task = asyncio.create_task(connection.run(sw.Bundle([("a", sw.Export(rows))])))
    await gate.was_entered()
    connection.leave()
    await asyncio.sleep(0.01)
    assert rows.closed == 0
    gate.open()
    await task
    assert rows.closed == 1


def test_a_zip_is_its_own_iterator() -> None:
    chunks = prepare_answer(sw.Bundle([("a", b"1")]), Request())
    driver = chunks.body.chunks()  # type: ignore[union-attr]  # it is a job
    assert iter(driver) is driver
    assert zip_parts(b"".join(driver)) == {"a": b"1"}


# The library


@pytest.mark.parametrize(
    "module",
    [
        types.ModuleType("zipstream"),
        types.SimpleNamespace(ZipFile=object, ZipStream=type("ZipStream", (), {})),
    ],
    ids=["zipstream", "aiozipstream"],
)
def test_another_module_of_that_name_is_an_error_that_says_so(
    get: Get, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    monkeypatch.setitem(sys.modules, "zipstream", module)
    chunks = Chunks([b"a"])
    reply = get(sw.Bundle([("a", chunks)]))
    assert isinstance(reply.error, ImportError)
    assert "bundles need zipstream-ng" in str(reply.error)
    assert reply.status is None
    assert chunks.closed == 1


def test_the_library_is_imported_by_bundles_only() -> None:
    code = "import sys, streamware; sys.exit('zipstream' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
