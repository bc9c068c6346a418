"""send and asend: a finished file becomes an object."""

import asyncio
import io
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from oracle import storing
from stores.started import started
from streamware.scratch.ledger import Scratch

started()
Send = Callable[..., sw.Receipt]


def asent(*arguments: Any, **options: Any) -> sw.Receipt:
    return asyncio.run(sw.asend(*arguments, **options))


@pytest.fixture(params=[sw.send, asent], ids=["send", "asend"])
def send(request: pytest.FixtureRequest) -> Send:
    function: Send = request.param
    return function


@pytest.fixture
def store() -> Any:
    from obstore.store import MemoryStore

    return MemoryStore()


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_a_spool_is_sent_whole_wherever_it_stands(
    send: Send, store: Any, tmp_path: Path, size: int
) -> None:
    with (
        storing(tmp_path, spool_memory=1000) as scratch_pool,
        closing(Scratch(scratch_pool)) as scratch,
    ):
        spool = scratch.spool()
        spool.write(b"x" * size)
        receipt = send(spool, sw.Remote("report.pdf", store=store))
        assert not spool.closed
    found = store.get("report.pdf")
    assert bytes(found.bytes()) == b"x" * size
    assert found.attributes == {"Content-Type": "application/pdf"}
    assert (receipt.outcome, receipt.bytes) == ("complete", size)
    assert receipt.sha256 == sha256(b"x" * size).hexdigest()
    assert receipt.etag == store.head("report.pdf")["e_tag"]


def test_a_path_is_sent(send: Send, store: Any, tmp_path: Path) -> None:
    path = tmp_path / "orders"
    path.write_bytes(b"1,2\r\n")
    send(path, sw.Remote("a.csv", store=store))
    send(str(path), sw.Remote("b", store=store))
    send(io.BytesIO(b"3"), sw.Remote("c.csv", store=store), content_type="text/x")
    send(path, tmp_path / "copy")
    kinds = [store.get(name).attributes["Content-Type"] for name in ("a.csv", "b", "c.csv")]
    assert kinds == ["text/csv; charset=utf-8", "application/octet-stream", "text/x"]
    assert (tmp_path / "copy").read_bytes() == b"1,2\r\n"


def test_a_file_that_cannot_be_read_is_not_published(send: Send, store: Any) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        send(Failing(), sw.Remote("a", store=store))
    with pytest.raises(FileNotFoundError):
        send("nowhere", sw.Remote("a", store=store))
    assert list(store.list()) == []


async def test_one_that_is_cancelled_is_not_published(store: Any) -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b"x" * 1000

    sending = asyncio.create_task(sw.asend(Endless(), sw.Remote("a", store=store)))
    await asyncio.sleep(0.02)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert list(store.list()) == []
