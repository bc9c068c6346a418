"""A document that is finished before any of it is sent."""

import base64
import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import Any

import pytest

import streamware as sw
from drive import async_driver, driver
from fakes import Broken, Rows
from oracle import storing
from streamware.http.delivery import Answer
from streamware.http.spooled import AsyncSpooled, Content, Spooled
from streamware.scratch.ledger import Scratch

WIDE = "x" * 1000
MANY = 3000  # rows: 3 MB, more than stays in memory


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    with storing(folder) as scratch_pool:
        made = Scratch(scratch_pool)
        yield made
        made.close()
        assert scratch_pool.budget.used == 0


def wide(count: int) -> Iterator[tuple[int, str]]:
    return ((at, WIDE) for at in range(count))


WHOLE = b"".join(sw.encode(wide(MANY), "csv"))
DIGEST = base64.b64encode(hashlib.sha256(WHOLE).digest()).decode()


def headers(chunks: Spooled | AsyncSpooled) -> dict[str, str]:
    return dict(chunks.content.answer(Answer(HTTPStatus.OK, [], b"")).headers)


def spooled(rows: Any, scratch: Scratch, finished: list[int] | None = None) -> Spooled:
    done = list[int]() if finished is None else finished
    return Spooled(driver(rows, "csv"), Content(scratch.spool()), lambda: done.append(1))


def test_the_rows_are_closed_before_the_first_chunk(scratch: Scratch) -> None:
    rows, finished = Rows(wide(MANY)), list[int]()
    chunks = spooled(rows, scratch, finished)
    first = next(chunks)
    assert (rows.pulled, rows.closed, finished) == (MANY + 1, 1, [1])
    assert first + b"".join(chunks) == WHOLE
    assert chunks.receipt.outcome == "complete"
    assert finished == [1]


def test_its_length_and_digest_are_known_then(scratch: Scratch) -> None:
    chunks = spooled(wide(MANY), scratch)
    next(chunks)
    assert headers(chunks) == {
        "Content-Length": str(len(WHOLE)),
        "Repr-Digest": f"sha-256=:{DIGEST}:",
    }
    chunks.close()


def test_nothing_can_be_handed_out_before_it_is_whole(scratch: Scratch) -> None:
    def rows() -> Iterator[Any]:
        yield from wide(MANY)
        sleep(0.05)

    made = spooled(rows, scratch)
    next(made)
    assert made.receipt.first_byte_seconds == made.receipt.seconds >= 0.05
    made.close()


def test_what_the_rows_raise_comes_before_any_chunk(scratch: Scratch) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(MANY)
        raise Broken

    finished = list[int]()
    chunks = spooled(rows(), scratch, finished)
    with pytest.raises(Broken):
        next(chunks)
    chunks.close()
    assert (chunks.receipt.outcome, finished) == ("source error", [1])


def test_what_is_closed_gives_no_more(scratch: Scratch) -> None:
    chunks = spooled(wide(MANY), scratch)
    next(chunks)
    chunks.close()
    chunks.close()
    assert list(chunks) == []


def test_a_document_without_a_byte_is_complete(scratch: Scratch) -> None:
    chunks = spooled([], scratch)
    assert list(chunks) == []
    assert chunks.receipt.outcome == "complete"
    assert headers(chunks)["Content-Length"] == "0"


def test_what_is_closed_while_it_is_spooled_does_not_pass_for_whole(scratch: Scratch) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(100)
        document.close()
        yield from wide(100)

    document = driver(rows(), "csv")
    chunks = Spooled(document, Content(scratch.spool()), lambda: None)
    with pytest.raises(sw.StateError, match="is not complete: closed"):
        next(chunks)
    chunks.close()


def test_closed_before_it_began_it_closes_the_rows(scratch: Scratch) -> None:
    rows, finished = Rows(wide(MANY)), list[int]()
    spooled(rows, scratch, finished).close()
    assert (rows.pulled, rows.closed, finished) == (0, 1, [1])


def aspooled(rows: Any, scratch: Scratch) -> AsyncSpooled:
    return AsyncSpooled(async_driver(rows, "csv"), Content(scratch.spool()))


async def test_beside_a_loop_it_is_the_same(scratch: Scratch) -> None:
    rows = Rows(wide(MANY))
    chunks = aspooled(rows, scratch)
    first = await anext(chunks)
    assert (rows.pulled, rows.closed) == (MANY + 1, 1)
    assert headers(chunks)["Repr-Digest"] == f"sha-256=:{DIGEST}:"
    assert first + b"".join([chunk async for chunk in chunks]) == WHOLE
    await chunks.aclose()
    assert chunks.receipt.outcome == "complete"


async def test_beside_a_loop_a_client_that_leaves_ends_it(scratch: Scratch) -> None:
    rows = Rows(wide(MANY))
    chunks = aspooled(rows, scratch)
    await anext(chunks)
    await chunks.aclose()
    await chunks.aclose()
    assert rows.closed == 1


async def test_beside_a_loop_what_is_closed_while_it_is_spooled_does_not_pass_for_whole(
    scratch: Scratch,
) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from wide(100)
        document.close()
        yield from wide(100)

    document = async_driver(rows(), "csv")
    chunks = AsyncSpooled(document, Content(scratch.spool()))
    with pytest.raises(sw.StateError, match="is not complete: closed"):
        await anext(chunks)
    await chunks.aclose()


async def test_beside_a_loop_closed_before_it_began(scratch: Scratch) -> None:
    rows = Rows(wide(MANY))
    await aspooled(rows, scratch).aclose()
    assert (rows.pulled, rows.closed) == (0, 1)
