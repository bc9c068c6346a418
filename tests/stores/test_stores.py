"""What every store does: a folder, a store in memory, a prefix of one."""

import asyncio
import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import Broken, until
from stores.started import started
from streamware.stores import bucket
from streamware.stores.opening import open_store
from streamware.stores.store import Store

started()
MIB = 2**20
SIZES = [0, 10, 5 * MIB, 5 * MIB + 1]  # the last one does not fit into one part


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind `memory://` in one test."""
    from obstore.store import MemoryStore

    store = MemoryStore()
    monkeypatch.setattr(bucket, "_memory", lambda: store)


@pytest.fixture(params=["folder", "memory", "prefix", "obstore"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    from obstore.store import MemoryStore

    where = {
        "folder": tmp_path / "made" / "exports",
        "memory": "memory://",
        "prefix": "memory://exports/2026",
        "obstore": MemoryStore(),
    }
    return open_store(where[request.param])


def put(store: Store, path: str, data: bytes, *, overwrite: bool = True) -> None:
    with store.writer(path, overwrite=overwrite) as upload:
        for at in range(0, len(data), 65_536):
            upload.write(data[at : at + 65_536])


def broken(store: Store, size: int) -> None:
    with store.writer("orders.csv") as upload:
        upload.write(b"x" * size)
        assert upload.meta is None
        raise Broken


def paths(store: Store) -> list[str]:
    return [found.path for found in store.list()]


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_read(store: Store, size: int, overwrite: bool) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with store.writer("a/orders.csv", overwrite=overwrite) as upload:
        assert upload.write(data[:7]) == len(data[:7])
        upload.write(data[7:])
        assert upload.meta is None
    assert b"".join(store.read("a/orders.csv")) == data
    found = store.head("a/orders.csv")
    assert upload.meta is not None
    assert (upload.meta.path, upload.meta.size) == ("a/orders.csv", size)
    assert (found.path, found.size, found.etag) == ("a/orders.csv", size, upload.meta.etag)
    assert found.etag is not None
    assert found.etag.startswith('"')
    assert found.etag.endswith('"')
    assert abs(found.modified - upload.meta.modified) < 2
    assert paths(store) == ["a/orders.csv"]


@pytest.mark.parametrize("size", [10, 5 * MIB + 1])
def test_an_error_publishes_nothing(store: Store, size: int) -> None:
    with pytest.raises(Broken):
        broken(store, size)
    assert paths(store) == []


@pytest.mark.parametrize("size", [10, 5 * MIB + 1])
def test_an_error_leaves_the_object_that_was_there(store: Store, size: int) -> None:
    put(store, "orders.csv", b"old")
    with pytest.raises(Broken):
        broken(store, size)
    assert b"".join(store.read("orders.csv")) == b"old"
    assert paths(store) == ["orders.csv"]


@pytest.mark.parametrize("size", [10, 5 * MIB + 1])
def test_an_object_is_replaced_only_if_it_may_be(store: Store, size: int) -> None:
    put(store, "orders.csv", b"old")
    before = store.head("orders.csv").etag
    with pytest.raises(FileExistsError, match="already"):
        put(store, "orders.csv", b"x" * size, overwrite=False)
    assert b"".join(store.read("orders.csv")) == b"old"
    assert paths(store) == ["orders.csv"]
    put(store, "orders.csv", b"x" * size)
    assert store.head("orders.csv").size == size
    assert store.head("orders.csv").etag != before


@pytest.mark.parametrize("size", [10, 5 * MIB + 1])
def test_one_that_appears_while_another_is_written_stays(store: Store, size: int) -> None:
    writing = store.writer("orders.csv", overwrite=False)
    upload = writing.__enter__()
    upload.write(b"x" * size)
    put(store, "orders.csv", b"first")
    with pytest.raises(FileExistsError, match="already"):
        writing.__exit__(None, None, None)
    assert b"".join(store.read("orders.csv")) == b"first"
    assert paths(store) == ["orders.csv"]


@pytest.mark.parametrize(
    ("start", "stop", "read"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 5, b"34"),
        (0, 1, b"0"),
        (9, 10, b"9"),
        (9, 99, b"9"),
        (4, 4, b""),
    ],
)
async def test_a_range_is_read(store: Store, start: int, stop: int | None, read: bytes) -> None:
    put(store, "digits", b"0123456789")
    assert b"".join(store.read("digits", start, stop)) == read
    assert b"".join([data async for data in store.aread("digits", start, stop)]) == read


def test_a_large_object_is_read_in_small_pieces(store: Store) -> None:
    put(store, "large", b"x" * 3 * MIB)
    pieces = [len(data) for data in store.read("large")]
    assert sum(pieces) == 3 * MIB


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.head("nothing")
    with pytest.raises(FileNotFoundError):
        list(store.read("nothing"))


async def test_the_twins_do_the_same(store: Store) -> None:
    put(store, "a/b", b"0123456789")
    assert await store.ahead("a/b") == store.head("a/b")
    assert await store.asigned_url("a/b", 60) is None
    assert store.signed_url("a/b", 60) is None
    await store.adelete("a/b")
    await store.adelete("a/b")
    with pytest.raises(FileNotFoundError):
        await store.ahead("a/b")
    with pytest.raises(FileNotFoundError):
        [data async for data in store.aread("a/b")]


def test_a_folder_that_is_removed_while_a_file_is_published_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_store(tmp_path / "exports")
    with folder.writer("a/b/first.csv") as upload:
        upload.write(b"1")
    make, calls = Path.mkdir, list[Path]()

    def mkdir(path: Path, *args: object, **options: bool) -> None:
        calls.append(path)
        if len(calls) == 2:  # of the parent of the file; its own was found missing
            raise FileNotFoundError(2, "another process has removed it", str(path))
        make(path, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with folder.writer("a/b/second.csv") as upload:
        upload.write(b"2")
    assert b"".join(folder.read("a/b/second.csv")) == b"2"


def test_what_is_removed_is_gone_and_can_be_removed_again(store: Store) -> None:
    put(store, "a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("a/b/c")
    assert paths(store) == []


def test_objects_are_listed_in_order_below_a_path(store: Store) -> None:
    for path in ("b/1", "a/2", "a/1", "ab/1"):
        put(store, path, b"x")
    assert paths(store) == ["a/1", "a/2", "ab/1", "b/1"]
    assert [found.path for found in store.list("a")] == ["a/1", "a/2"]
    assert list(store.list("nothing")) == []


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "a/", "a//b", "..", "a/../b", "a/..", ".", "a\0b", "a\nb", "../../etc"]
)
def test_a_path_that_could_be_another_one_is_refused(store: Store, path: str) -> None:
    calls: list[Callable[[str], object]] = [
        store.head,
        store.delete,
        lambda path: list(store.read(path)),
        lambda path: put(store, path, b"x"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="not the path of an object"):
            call(path)
    assert paths(store) == []


@pytest.mark.parametrize("path", ["a b", "ä", "%20", "a?b", "a#b", "a+b", "😀", "'", "a:b"])
def test_a_path_is_taken_as_it_is(store: Store, path: str) -> None:
    put(store, path, b"x")
    assert paths(store) == [path]
    assert store.head(path).path == path


async def test_a_reader_that_is_cancelled_lets_the_read_under_way_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, reads = threading.Event(), list[int]()

    class Waiting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(1)
            answers.wait(10)
            return b"x"

    file = Waiting(b"x")
    monkeypatch.setattr(Path, "open", lambda *_: file)

    async def read() -> bytes:
        return await anext(open_store(tmp_path).aread("a"))

    reading = asyncio.create_task(read())
    await until(lambda: reads)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    answers.set()
    assert file.closed
