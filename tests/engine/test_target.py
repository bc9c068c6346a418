"""Where save writes to: a store is told from a file, and says what it has."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import AsyncRows, Broken, Rows, failing, orders, until
from stores.started import started
from streamware.stores import bucket

started()
CSV = b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"
WIDE = "x" * 30_000
"""A cell; 200 of them are more than one part."""
Save = Callable[..., sw.Receipt]


def asaved(*arguments: Any, **options: Any) -> sw.Receipt:
    return asyncio.run(sw.asave(*arguments, **options))


@pytest.fixture(params=[sw.save, asaved], ids=["save", "asave"])
def save(request: pytest.FixtureRequest) -> Save:
    function: Save = request.param
    return function


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is behind `memory://` in one test."""
    from obstore.store import MemoryStore

    store = MemoryStore()
    monkeypatch.setattr(bucket, "_memory", lambda: store)
    return store


def names(store: Any) -> list[str]:
    return [found["path"] for batch in store.list() for found in batch]


@pytest.mark.parametrize("url", ["memory://a/orders.csv", "memory:///a/orders.csv"])
def test_a_url_is_saved_to(save: Save, store: Any, url: str) -> None:
    receipt = save(orders(3), url)
    assert bytes(store.get("a/orders.csv").bytes()) == CSV
    assert receipt.etag == store.head("a/orders.csv")["e_tag"]
    assert (receipt.outcome, receipt.bytes, receipt.format) == ("complete", len(CSV), "csv")


def test_a_file_url_and_a_remote_path_are_files(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "or ders.csv"
    assert save(orders(3), path.as_uri()).etag is None
    assert path.read_bytes() == CSV
    save(orders(2), sw.Remote(path))
    assert path.read_bytes() == CSV[:22]


def wide(count: int) -> Iterator[tuple[str]]:
    yield from ((WIDE,) for _ in range(count))
    raise Broken


@pytest.mark.parametrize("count", [10, 300], ids=["one part", "parts"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_an_error_of_the_rows_publishes_nothing(
    save: Save, store: Any, old: bytes | None, count: int
) -> None:
    if old is not None:
        store.put("orders.csv", old)
    rows = Rows(wide(count))
    with pytest.raises(Broken):
        save(rows, "memory://orders.csv")
    assert [bytes(store.get(name).bytes()) for name in names(store)] == (
        [] if old is None else [old]
    )
    assert rows.closed == 1


async def test_a_save_that_is_cancelled_publishes_nothing(store: Any) -> None:
    rows = AsyncRows((WIDE,) for _ in range(10**8))
    saving = asyncio.create_task(sw.asave(rows, "memory://orders.csv"))
    await until(lambda: rows.pulled > 300)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert names(store) == []
    assert rows.closed == 1


def test_an_interrupt_publishes_nothing(store: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        sw.save(failing(20_000, KeyboardInterrupt()), "memory://orders.csv")
    assert names(store) == []


def test_a_url_without_an_extension_needs_a_format(save: Save, store: Any) -> None:
    with pytest.raises(ValueError, match="no format has the extension ''; give format="):
        save(orders(3), "memory://orders")
    save(orders(3), "memory://orders", "csv")
    with pytest.raises(ValueError, match=r"the extension of a csv file must be '.csv'"):
        save(orders(3), "memory://orders.json", "csv")
    with pytest.raises(ValueError, match="names no object"):
        save(orders(3), "memory://", "csv")
    assert names(store) == ["orders"]
