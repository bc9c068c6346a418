import asyncio
import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import PATIENCE
from oracle import storing, tmpfs
from streamware.errors import Refused, ScratchError
from streamware.scratch.account import Account
from streamware.scratch.storage import Storage


def free_room(storage: Storage, after: int) -> Callable[[int], str | None]:
    """A disk that is full for as many looks."""
    looks = iter(range(after))
    return lambda _: "the disk is full" if next(looks, None) is not None else None


def test_bytes_are_charged_and_given_back(storage: Storage) -> None:
    account = Account(storage)
    assert account.take(1000, wished=1000) == 1000
    assert (account.bytes, account.peak, storage.budget.used) == (1000, 1000, 1000)
    account.give(1000)
    assert (account.bytes, account.peak, storage.budget.used) == (0, 1000, 0)


def test_what_is_wished_is_granted_where_it_costs_no_wait(storage: Storage) -> None:
    account = Account(storage)
    assert account.take(1000, wished=5000) == 5000
    account.give(5000)


def test_a_request_gets_of_its_wish_what_its_bound_leaves(root: Path) -> None:
    with storing(root, request_bytes=3000) as storage:
        account = Account(storage)
        assert account.take(1000, wished=5000) == 3000
        with pytest.raises(ScratchError, match="holds 3,000 and asked for 1 more") as caught:
            account.take(1, wished=1)
        assert caught.value.errno == errno.EFBIG
        assert storage.budget.used == 3000
        account.give(3000)


def test_a_budget_grants_what_is_needed_where_the_wish_is_too_much(root: Path) -> None:
    with storing(root, process_bytes=3000) as storage:
        account = Account(storage)
        assert account.take(1000, wished=5000) == 1000
        assert (account.bytes, account.peak) == (1000, 1000)
        account.give(1000)


def test_what_is_refused_is_not_charged(root: Path) -> None:
    with storing(root, process_bytes=3000) as storage:
        account, other = Account(storage), Account(storage)
        other.take(2000, wished=2000)
        with pytest.raises(Refused):
            account.take(2000, wished=9000)
        assert (account.bytes, account.peak, storage.budget.used) == (0, 0, 2000)
        other.give(2000)


def test_what_can_never_be_had_is_no_matter_of_waiting(root: Path) -> None:
    with storing(root, process_bytes=3000, wait_seconds=PATIENCE) as storage:
        began = time.monotonic()
        with pytest.raises(ScratchError, match="process_bytes"):
            Account(storage).take(4000, wished=4000)
        assert time.monotonic() - began < PATIENCE / 2


def test_a_wish_that_waits_is_not_in_the_way_of_the_same_request(root: Path) -> None:
    with storing(root, process_bytes=5000, request_bytes=4000, wait_seconds=PATIENCE) as storage:
        account = Account(storage)
        storage.budget.take(4500)
        waiting = threading.Thread(target=account.take, args=(1000,), kwargs={"wished": 4000})
        waiting.start()
        while account.bytes != 1000:
            pass
        assert account.take(100, wished=100) == 100
        storage.budget.give(4500)
        waiting.join(PATIENCE)
        assert account.bytes == 1100
        account.give(1100)


def test_a_thread_waits_until_there_is_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with storing(root, wait_seconds=PATIENCE) as storage:
        monkeypatch.setattr(storage.place, "check_room", free_room(storage, 2))
        account = Account(storage)
        assert account.take(10, wished=10) == 10
        account.give(10)


def test_a_thread_that_waited_long_enough_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storing(root, wait_seconds=0.2) as storage:
        monkeypatch.setattr(storage.place, "check_room", free_room(storage, 1000))
        account, began = Account(storage), time.monotonic()
        with pytest.raises(Refused, match="the disk is full") as caught:
            account.opened()
        assert 0.2 <= time.monotonic() - began < PATIENCE
        assert caught.value.retry_after > 0
        assert account.files == 0


async def test_the_thread_of_a_loop_never_waits(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storing(root, wait_seconds=PATIENCE, process_bytes=100) as storage:
        account, began = Account(storage), time.monotonic()
        storage.budget.take(100)
        with pytest.raises(Refused):
            account.take(10, wished=10)
        monkeypatch.setattr(storage.place, "check_room", free_room(storage, 1000))
        for call in (account.open, account.opened, lambda: account.take(10, wished=20)):
            with pytest.raises(Refused):
                call()
        assert time.monotonic() - began < PATIENCE / 2
        assert (account.bytes, account.files) == (0, 0)
        storage.budget.give(100)


async def test_a_thread_beside_a_loop_waits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with storing(root, wait_seconds=PATIENCE) as storage:
        account = Account(storage)
        await asyncio.to_thread(account.take, 10, wished=10)
        monkeypatch.setattr(storage.place, "check_room", free_room(storage, 3))
        await asyncio.to_thread(account.opened)
        account.closed()
        account.give(10)


def test_a_file_that_cannot_be_opened_is_not_counted(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> int:
        raise ScratchError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(storage.place, "open_unnamed", failing)
    account = Account(storage)
    with pytest.raises(ScratchError):
        account.open()
    assert account.files == 0


def test_a_full_disk_is_refused_with_what_is_free(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "size=1m") as root, storing(root, keep_free_bytes=2**19) as storage:
        account = Account(storage)
        account.take(2**18, wished=2**18)
        account.give(2**18)
        with pytest.raises(Refused, match=r"524,288 are kept free \(Settings\.keep_free_bytes\)"):
            account.take(2**19 + 1, wished=2**20)
        assert account.bytes == 0
