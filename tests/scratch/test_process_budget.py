import errno
import gc
import os
import random
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import PATIENCE
from streamware.errors import Refused, ScratchError
from streamware.scratch import process_budget as module
from streamware.scratch.process_budget import RETRY_AFTER, Budget


def never() -> int:
    raise AssertionError("the ledger was opened")


def process_budget(size: int | None) -> Budget:
    return Budget(process_bytes=size, host_bytes=None, open_lock_file=never)


def soon(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


# The bytes of a process


def test_bytes_are_taken_and_given_back() -> None:
    budget = process_budget(100)
    budget.take(60)
    budget.take(40)
    assert budget.used == 100
    budget.release(70)
    assert budget.used == 30


def test_without_bounds_there_is_always_room_and_no_ledger() -> None:
    budget = process_budget(None)
    budget.take(2**50)
    assert budget.used == 2**50
    assert budget.host_units() == 0


def test_a_take_without_room_changes_nothing() -> None:
    budget = process_budget(100)
    budget.take(60)
    with pytest.raises(Refused):
        budget.take(41)
    assert budget.used == 60
    budget.take(40)


def test_a_refusal_names_the_setting_the_size_the_use_and_when_to_ask_again() -> None:
    budget = process_budget(10_000)
    budget.take(9_000)
    with pytest.raises(Refused) as caught:
        budget.take(2_000)
    assert str(caught.value) == (
        "no room for 2,000 bytes of scratch: 9,000 of 10,000 are in use by this process;"
        " try again later, or raise Settings.process_bytes (STREAMWARE_PROCESS_BYTES)"
    )
    assert caught.value.retry_after == RETRY_AFTER == 10


def test_what_could_never_fit_is_an_error_at_once() -> None:
    budget = process_budget(100)
    with pytest.raises(
        ScratchError, match=r"101 bytes .* all of Settings\.process_bytes"
    ) as caught:
        budget.take(101, deadline=soon())
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize("size", [0, -5])
def test_nothing_and_less_than_nothing_change_nothing(size: int) -> None:
    budget = process_budget(100)
    budget.take(size)
    budget.release(size)
    assert budget.used == 0


def test_more_given_back_than_was_taken_counts_as_all() -> None:
    budget = process_budget(100)
    budget.take(10)
    budget.release(50)
    assert budget.used == 0


def test_without_a_deadline_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORTEST", PATIENCE)
    budget = process_budget(100)
    budget.take(100)
    began = time.monotonic()
    with pytest.raises(Refused):
        budget.take(1)
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("pause", [0.005, PATIENCE])
def test_a_take_waits_to_its_deadline_and_is_refused(
    monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    monkeypatch.setattr(module, "_SHORTEST", pause)
    budget = process_budget(100)
    budget.take(100)
    began = time.monotonic()
    with pytest.raises(Refused):
        budget.take(1, deadline=began + 0.2)
    assert 0.2 <= time.monotonic() - began < 1


def test_a_take_goes_on_as_soon_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORTEST", PATIENCE)  # nothing but what is given back wakes it
    budget = process_budget(100)
    budget.take(100)
    timer = threading.Timer(0.15, budget.release, [50])
    began = time.monotonic()
    timer.start()
    budget.take(50, deadline=soon())
    assert time.monotonic() - began < PATIENCE / 2
    assert budget.used == 100
    timer.join()


def test_a_finalizer_gives_back_while_its_thread_is_in_the_middle_of_a_take() -> None:
    budget = process_budget(100)
    budget.take(60)
    with budget._lock:  # as in the middle of a take
        budget.release(60)
    budget.take(100)
    assert budget.used == 100


def test_a_spool_that_only_the_garbage_collector_finds_gives_back_everything() -> None:
    budget = process_budget(1000)

    class Held:
        def __init__(self) -> None:
            budget.take(1)
            self.me = self

        def __del__(self) -> None:
            budget.release(1)

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for _ in range(5000):
            Held()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert budget.used == 0


def test_threads_never_hold_more_than_the_bound_and_lose_nothing() -> None:
    budget = process_budget(1000)
    over: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            size = chance.randrange(1, 400)
            try:
                budget.take(size, deadline=soon())
            except Refused:
                over.append(-1)
                return
            if budget.used > 1000:
                over.append(budget.used)
            budget.release(size)

    run([lambda seed=seed: work(seed) for seed in range(8)])  # type: ignore[misc]
    assert not over
    assert budget.used == 0


def run(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def in_child(work: Callable[[], object]) -> None:
    """Run `work` in a forked child, which must not raise."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:  # noqa: BLE001 - the parent is told
            os.write(2, f"in the child: {error!r}\n".encode())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_held() -> None:
    budget = process_budget(100)
    with budget._lock:
        in_child(lambda: budget.take(100))
    budget.take(100)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=40))
def test_a_process_holds_what_was_granted_and_not_given_back(
    calls: list[tuple[int, bool]],
) -> None:
    budget, held = process_budget(1000), list[int]()
    for size, giving in calls:
        if giving and held:
            budget.release(held.pop())
        elif sum(held) + size <= 1000:
            budget.take(size)
            held.append(size)
        else:
            with pytest.raises(Refused):
                budget.take(size)
        assert budget.used == sum(held)
