"""What becomes of an object when a store fails at each of its calls."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, until
from stores.s3 import S3, Call, Fault, serving, slow
from stores.started import started
from streamware.engine import saving
from streamware.stores import remote

started()
WIDE = "x" * 60_000
PART = 70_000  # less than S3 takes, so that the tests are quick
MANY = 4  # rows of more than one part
FULL, DOWN = 507, 500


def rows(count: int) -> Iterator[tuple[str]]:
    return ((WIDE,) for _ in range(count))


def to(store: Any, **options: Any) -> sw.Remote:
    return sw.Remote("orders.csv", store=store, **{"part_size": PART, **options})


def size(count: int) -> int:
    return count * (len(WIDE) + 2)


def at(name: str, fault: Fault) -> Fault:
    """Fail at all calls of that name."""
    return lambda call: call.name == name and fault(call)


def once(name: str, fault: Fault) -> Fault:
    """Fail at the first call of that name."""
    left = [fault]
    return lambda call: call.name == name and bool(left) and left.pop()(call)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3, Any]]:
    monkeypatch.setattr(remote, "_LEAST", 1)
    with serving() as (s3, store):
        yield s3, store


FAULTS: dict[str, tuple[Fault, type[OSError], str]] = {
    "down": (lambda call: call.fail(DOWN), OSError, "the store failed .500 .*InternalError"),
    "busy": (lambda call: call.fail(503, "SlowDown"), OSError, "the store failed .503 .*SlowDown"),
    "full": (lambda call: call.fail(FULL), OSError, "the store is full"),
    "forbidden": (
        lambda call: call.fail(403, "AccessDenied"),
        PermissionError,
        "the store forbids it .403 Forbidden, AccessDenied",
    ),
    "no bucket": (
        lambda call: call.fail(404, "NoSuchBucket"),
        FileNotFoundError,
        "there is no such bucket",
    ),
    "gone": (lambda call: call.hang_up(), ConnectionError, "the store cannot be reached"),
}


QUICK = {("put", "forbidden"), ("create", "no bucket"), ("part", "down"), ("complete", "full")}
"""Pairs of a call and a fault that are tried each time; all others, too, if there is time."""


def pairs(calls: list[str], faults: Iterable[str]) -> list[Any]:
    return [
        pytest.param(call, fault, marks=[] if (call, fault) in QUICK else pytest.mark.slow)
        for call in calls
        for fault in faults
    ]


@pytest.mark.parametrize(("call", "fault"), pairs(["put", "create", "part", "complete"], FAULTS))
def test_a_store_that_fails_is_an_error_that_says_so_and_no_object(
    bucket: tuple[S3, Any], call: str, fault: str
) -> None:
    s3, store = bucket
    fails, kind, said = FAULTS[fault]
    s3.fault = at(call, fails)
    with pytest.raises(kind, match=said) as raised:
        sw.save(rows(1 if call == "put" else MANY), to(store))
    assert "orders.csv" in str(raised.value)
    assert raised.value.__cause__ is not None
    assert (s3.objects, s3.uploads) == ({}, {})


@pytest.mark.parametrize(
    ("call", "fault"), pairs(["put", "create", "part", "complete", "copy"], FAULTS)
)
def test_nothing_is_left_of_one_that_replaces_none(
    bucket: tuple[S3, Any], call: str, fault: str
) -> None:
    s3, store = bucket
    fails, kind, said = FAULTS[fault]
    s3.fault = at(call, fails)
    target = to(store, overwrite=False)
    with pytest.raises(kind, match=said):
        sw.save(rows(1 if call == "put" else MANY), target)
    left = {"orders.csv": size(MANY)} if call == "copy" else {}  # it is whole, without headers
    assert {name: len(data) for name, data in s3.objects.items()} == left
    assert s3.uploads == {}


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    ("call", "fault"),
    pairs(["put", "create", "part", "complete", "head"], ["down", "busy", "full", "gone"]),
)
def test_a_store_that_fails_once_is_asked_again(
    bucket: tuple[S3, Any], call: str, fault: str, overwrite: bool
) -> None:
    s3, store = bucket
    s3.fault = once(call, FAULTS[fault][0])
    count = 1 if call == "put" else MANY
    receipt = sw.save(rows(count), to(store, overwrite=overwrite))
    assert {name: len(data) for name, data in s3.objects.items()} == {"orders.csv": size(count)}
    assert s3.uploads == {}
    assert receipt.etag is not None


@pytest.mark.parametrize("call", ["put", "part", "complete"])
def test_a_slow_store_is_waited_for(bucket: tuple[S3, Any], call: str) -> None:
    s3, store = bucket
    s3.fault = at(call, slow)
    sw.save(rows(1 if call == "put" else MANY), to(store))
    assert list(s3.objects) == ["orders.csv"]


@pytest.mark.parametrize("fault", ["down", "forbidden", "gone"])
def test_an_object_that_may_not_be_read_is_there_and_its_tag_is_not_known(
    bucket: tuple[S3, Any], fault: str
) -> None:
    s3, store = bucket
    s3.fault = at("head", FAULTS[fault][0])
    receipt = sw.save(rows(MANY), to(store))
    assert (receipt.outcome, receipt.etag) == ("complete", None)
    assert list(s3.objects) == ["orders.csv"]


def test_an_object_that_somebody_else_replaced_meanwhile_is_an_error(
    bucket: tuple[S3, Any],
) -> None:
    s3, store = bucket

    def replaced(call: Call) -> bool:
        s3.objects["orders.csv"] = b"another"
        return False

    s3.fault = at("head", replaced)
    with pytest.raises(OSError, match="the store has 7 bytes of 240,008; another program may have"):
        sw.save(rows(MANY), to(store))


@pytest.mark.parametrize("fault", ["down", "gone"])
def test_an_upload_that_cannot_be_aborted_is_no_object_and_the_first_error_counts(
    bucket: tuple[S3, Any], fault: str
) -> None:
    s3, store = bucket
    s3.fault = at("abort", FAULTS[fault][0])

    def failing() -> Iterator[Any]:
        yield from rows(100)
        raise Broken

    with pytest.raises(Broken):
        sw.save(failing, to(store))
    assert s3.objects == {}
    assert len(s3.uploads) == 1  # which a lifecycle rule of the bucket removes


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("count", [1, MANY])
def test_headers_and_metadata_are_kept(bucket: tuple[S3, Any], count: int, overwrite: bool) -> None:
    s3, store = bucket
    metadata = {"by": "42", "Cache-Control": "no-store"}
    target = to(store, overwrite=overwrite, metadata=metadata)
    sw.Export(rows(count), filename="Orders").save(target)
    assert s3.headers["orders.csv"] == {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="Orders.csv"',
        "cache-control": "no-store",
        "x-amz-meta-by": "42",
    }


@pytest.mark.parametrize(
    ("part_size", "calls"),
    [
        (160_000, ["create", "part", "part", "complete", "head"]),
        (size(MANY), ["put"]),
    ],
)
def test_what_fits_into_one_part_is_sent_by_one_request(
    bucket: tuple[S3, Any], part_size: int, calls: list[str]
) -> None:
    s3, store = bucket
    sw.save(rows(MANY), to(store, part_size=part_size))
    assert s3.calls == calls


@pytest.mark.parametrize("count", [1, MANY])
async def test_a_store_is_written_beside_a_loop(bucket: tuple[S3, Any], count: int) -> None:
    s3, store = bucket
    receipt = await sw.asave(rows(count), to(store))
    assert len(s3.objects["orders.csv"]) == receipt.bytes == size(count)


async def test_a_cancelled_upload_is_aborted(bucket: tuple[S3, Any]) -> None:
    s3, store = bucket
    saving = asyncio.create_task(sw.asave(rows(10**6), to(store)))
    await until(lambda: "part" in s3.calls)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert (s3.objects, s3.uploads) == ({}, {})
    assert "abort" in s3.calls


async def test_a_cancellation_does_not_wait_for_a_store_that_hangs(
    bucket: tuple[S3, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, store = bucket
    answers = threading.Event()
    monkeypatch.setattr(saving, "PATIENCE", 0.01)
    s3.fault = at("part", lambda call: not answers.wait(10))
    task = asyncio.create_task(sw.asave(rows(10**6), to(store)))
    await until(lambda: s3.calls.count("part") >= 2)
    await asyncio.sleep(0.05)  # the third one waits until one of them is sent
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "abort" not in s3.calls
    answers.set()
    await until(lambda: "abort" in s3.calls)
    await until(lambda: not s3.uploads)
    assert s3.objects == {}


def test_an_object_that_replaces_none_is_as_large_as_a_store_copies(
    bucket: tuple[S3, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamware.stores import upload

    s3, store = bucket
    monkeypatch.setattr(upload, "COPIED", 100_000)
    with pytest.raises(sw.LimitError, match=r"replaces none \(Remote\(overwrite=True\) allows"):
        sw.save(rows(MANY), to(store, overwrite=False))
    assert (s3.objects, s3.uploads) == ({}, {})


def test_a_store_of_ones_own_need_not_say_how_it_copies(bucket: tuple[S3, Any]) -> None:
    s3, store = bucket
    assert "copy_if_not_exists" not in store.config
    target = to(store, overwrite=False)
    sw.save(rows(MANY), target)
    with pytest.raises(FileExistsError):
        sw.save(rows(MANY), target)
    assert list(s3.objects) == ["orders.csv"]


def test_one_that_appears_while_another_is_written_is_not_replaced(
    bucket: tuple[S3, Any],
) -> None:
    s3, store = bucket

    def appears(call: Call) -> bool:
        s3.objects["orders.csv"] = b"first"
        return False

    s3.fault = once("complete", appears)
    with pytest.raises(FileExistsError, match="there is an object already"):
        sw.save(rows(MANY), to(store, overwrite=False))
    assert (s3.objects, s3.uploads) == ({"orders.csv": b"first"}, {})
