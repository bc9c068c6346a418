"""The options of a target in a store."""

from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import orders
from stores.started import started
from streamware.stores import bucket

started()
CSV = b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind `memory://` in one test."""
    from obstore.store import MemoryStore

    store = MemoryStore()
    monkeypatch.setattr(bucket, "_memory", lambda: store)


def test_it_is_written_with_its_media_type_and_metadata() -> None:
    from obstore.store import MemoryStore

    store = MemoryStore()
    remote = sw.Remote(
        "2026/orders.csv", store=store, metadata={"by": "42", "Cache-Control": "no-store"}
    )
    receipt = sw.save(orders(3), remote)
    found = store.get("2026/orders.csv")
    assert bytes(found.bytes()) == CSV
    assert found.attributes == {
        "Content-Type": "text/csv; charset=utf-8",
        "Cache-Control": "no-store",
        "by": "42",
    }
    assert receipt.etag == store.head("2026/orders.csv")["e_tag"]
    assert receipt.sha256 is not None


@pytest.mark.parametrize("target", ["memory://once.csv", "path"])
def test_what_is_there_is_not_replaced_and_no_row_is_read(target: str, tmp_path: Path) -> None:
    where = target if target != "path" else str(tmp_path / "once.csv")
    sw.save(orders(3), sw.Remote(where, overwrite=False))

    def rows() -> Any:
        pytest.fail("a row was read")
        yield

    with pytest.raises(FileExistsError, match="already"):
        sw.save(rows, sw.Remote(where, overwrite=False))
    sw.save(orders(2), where)
    with pytest.raises(FileExistsError):
        sw.save(rows, sw.Remote(where, overwrite=False))


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"

    def rows() -> Any:
        yield from orders(3)
        path.write_bytes(b"first")

    with pytest.raises(FileExistsError, match="there is a file already"):
        sw.save(rows, sw.Remote(path, overwrite=False))
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"target": 17}, TypeError, "target must be a URL or a path, not int"),
        ({"target": "s3://exports"}, ValueError, "names no object"),
        ({"target": "s3://exports/"}, ValueError, "names no object"),
        ({"target": "memory://"}, ValueError, "names no object"),
        ({"target": "../a.csv", "store": 1}, ValueError, "not the path of an object"),
        ({"part_size": 5 * 2**20 - 1}, ValueError, "part_size must be 5,242,880 to"),
        ({"part_size": 5 * 2**30 + 1}, ValueError, "not 5,368,709,121"),
        ({"part_size": True}, TypeError, "part_size must be a number"),
        ({"overwrite": 1}, TypeError, "overwrite must be True or False"),
        ({"metadata": {"a b": "c"}}, ValueError, "the metadata 'a b' cannot be sent"),
        ({"metadata": {"a": "ä"}}, ValueError, "the metadata 'a' cannot be sent"),
        ({"metadata": {"a": "b\r\nc: d"}}, ValueError, "the metadata 'a' cannot be sent"),
        ({"metadata": {"a": " b"}}, ValueError, "the metadata 'a' cannot be sent"),
        ({"metadata": {"": "b"}}, ValueError, "the metadata '' cannot be sent"),
        ({"metadata": {"a": 1}}, ValueError, "the metadata 'a' cannot be sent"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        sw.Remote(**{"target": "s3://exports/a.csv", **arguments})


def test_more_parts_than_an_object_can_have_are_an_error_that_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from obstore.store import MemoryStore

    from streamware.stores import upload

    monkeypatch.setattr(upload, "PARTS", 2)
    store = MemoryStore()
    remote = sw.Remote("large.csv", store=store)
    rows = ((b"x" * 60_000).decode() for _ in range(10**6))
    with pytest.raises(sw.LimitError, match=r"of 2 parts \(a larger Remote\(part_size=\) allows"):
        sw.save(((row,) for row in rows), remote)
    assert list(store.list()) == []


@pytest.mark.parametrize("url", ["s3://b//x.csv", "s3://b/2026/", "memory://a/../x.csv"])
def test_a_url_whose_object_would_have_another_name_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the path of an object"):
        sw.Remote(url)
