import asyncio
import contextlib
import gc
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import PATIENCE
from streamware.errors import Refused
from streamware.http import admission as module
from streamware.http.admission import RETRY_AFTER, Admission, admission
from streamware.settings import Settings


@pytest.fixture(autouse=True)
def nobody_is_admitted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_admissions", {})


def entered(places: int, seconds: float = PATIENCE) -> Admission:
    """One that is full."""
    made = Admission(places, seconds)
    for _ in range(places):
        made.enter()
    return made


@contextlib.contextmanager
def thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    started = threading.Thread(target=work)
    started.start()
    yield started
    started.join(PATIENCE)
    assert not started.is_alive()


def queued(gate: Admission, count: int) -> None:
    """Wait until `count` wait."""
    end = time.monotonic() + PATIENCE
    while len(gate._waiting) != count:
        assert time.monotonic() < end, f"{len(gate._waiting)} wait, not {count}"
        time.sleep(0.001)


async def aqueued(gate: Admission, count: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(gate._waiting) != count:
        assert time.monotonic() < end, f"{len(gate._waiting)} wait, not {count}"
        await asyncio.sleep(0)


# Without waiting


def test_places_are_taken_and_given_back() -> None:
    gate = Admission(2, 0)
    gate.enter()
    gate.enter()
    assert gate.active == 2
    gate.leave()
    gate.enter()
    gate.leave()
    gate.leave()
    assert gate.active == 0


def test_without_time_to_wait_an_export_is_refused_at_once() -> None:
    gate = entered(2, 0)
    with pytest.raises(Refused) as caught:
        gate.enter()
    assert caught.value.retry_after == RETRY_AFTER == 10
    assert str(caught.value) == (
        "2 exports are running, as many as Settings.max_concurrent"
        " (STREAMWARE_MAX_CONCURRENT) allows; none ended in 0 seconds"
    )
    assert gate.active == 2


async def test_a_task_that_may_not_wait_is_refused_at_once() -> None:
    gate = entered(1, 0)
    with pytest.raises(Refused):
        await gate.aenter()
    gate.leave()
    await gate.aenter()
    assert gate.active == 1


async def test_without_a_bound_nothing_is_counted() -> None:
    gate = Admission(None, 0)
    for _ in range(1000):
        gate.enter()
        await gate.aenter()
    assert gate.active == 0
    gate.leave()
    assert gate.active == 0


async def test_a_free_place_is_taken_without_yielding_to_the_loop() -> None:
    gate = Admission(1, PATIENCE)
    with pytest.raises(StopIteration):
        gate.aenter().send(None)
    assert gate.active == 1


def test_leaving_more_often_than_entering_makes_no_places() -> None:
    gate = Admission(1, 0)
    gate.leave()
    gate.enter()
    with pytest.raises(Refused):
        gate.enter()


# Waiting


def test_a_thread_waits_for_a_place() -> None:
    gate = entered(1)
    with thread(gate.enter):
        queued(gate, 1)
        gate.leave()
    assert gate.active == 1
    assert not gate._waiting


def test_a_thread_is_refused_after_its_time() -> None:
    gate = entered(1, 0.1)
    began = time.monotonic()
    with pytest.raises(Refused, match=r"none ended in 0\.1 seconds"):
        gate.enter()
    assert 0.1 <= time.monotonic() - began < 1
    assert gate.active == 1
    assert not gate._waiting


async def test_a_task_is_refused_after_its_time() -> None:
    gate = entered(1, 0.1)
    began = time.monotonic()
    with pytest.raises(Refused):
        await gate.aenter()
    assert 0.09 <= time.monotonic() - began < 1
    assert gate.active == 1
    assert not gate._waiting


async def test_threads_and_tasks_enter_in_order_of_arrival() -> None:
    gate = entered(1)
    order: list[int] = []

    def come(number: int) -> None:
        gate.enter()
        order.append(number)
        gate.leave()

    async def acome(number: int) -> None:
        await gate.aenter()
        order.append(number)
        gate.leave()

    coming: list[asyncio.Future[None]] = []
    for number in range(10):
        call = acome(number) if number % 2 else asyncio.to_thread(come, number)
        coming.append(asyncio.ensure_future(call))
        await aqueued(gate, number + 1)
    gate.leave()
    await asyncio.gather(*coming)
    assert order == list(range(10))
    assert gate.active == 0


async def test_a_slot_that_was_granted_cannot_be_taken_by_a_later_arrival() -> None:
    gate = entered(1)
    first = asyncio.ensure_future(gate.aenter())
    await aqueued(gate, 1)
    gate.leave()
    second = asyncio.ensure_future(gate.aenter())
    await first
    assert not second.done()
    gate.leave()
    await second
    assert gate.active == 1


async def test_tasks_of_several_loops_wait_in_one_queue() -> None:
    gate = entered(1)
    with thread(lambda: asyncio.run(gate.aenter())):
        await aqueued(gate, 1)
        ours = asyncio.ensure_future(gate.aenter())
        await aqueued(gate, 2)
        gate.leave()
    gate.leave()
    await ours
    assert gate.active == 1


async def test_places_given_back_by_another_thread_wake_the_loop() -> None:
    gate = entered(1)
    waiting = asyncio.ensure_future(gate.aenter())
    await aqueued(gate, 1)
    with thread(gate.leave):
        await asyncio.wait_for(waiting, PATIENCE)


def test_a_wait_without_a_bound_is_allowed() -> None:
    gate = entered(1, float("inf"))
    with thread(gate.enter), thread(lambda: asyncio.run(gate.aenter())):
        queued(gate, 2)
        gate.leave()
        gate.leave()
    assert gate.active == 1


@pytest.mark.parametrize("kind", ["_Thread", "_Task"])
async def test_a_place_that_becomes_free_just_before_the_wait_is_taken(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    gate = entered(1)
    made = getattr(module, kind)

    def freed() -> object:
        gate.leave()
        return made()

    monkeypatch.setattr(module, kind, freed)
    if kind == "_Task":
        await gate.aenter()
    else:
        gate.enter()
    assert gate.active == 1
    assert not gate._waiting


# Those who give up


async def test_a_cancelled_task_waits_no_more() -> None:
    gate = entered(1)
    waiting = asyncio.ensure_future(gate.aenter())
    await aqueued(gate, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not gate._waiting
    gate.leave()
    assert gate.active == 0


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_task_cancelled_as_it_is_handed_a_place_passes_it_on(
    cancelled_first: bool,
) -> None:
    gate = entered(1)
    first, second = (asyncio.ensure_future(gate.aenter()) for _ in range(2))
    await aqueued(gate, 2)
    if cancelled_first:
        first.cancel()
        gate.leave()
    else:
        gate.leave()
        await asyncio.sleep(0)  # it has its place, and has not yet heard of it
        first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert gate.active == 1


async def test_a_task_whose_time_ends_as_it_is_handed_a_place_keeps_it() -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    gate = entered(1)
    waiting = asyncio.ensure_future(gate.aenter())
    await aqueued(gate, 1)
    (waiter,) = gate._waiting
    waiter._end()  # type: ignore[union-attr]  # its timer
    gate.leave()
    await waiting
    await asyncio.sleep(0)
    assert gate.active == 1
    assert not problems


def test_a_thread_whose_time_ends_as_it_is_handed_a_place_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = entered(1)

    def late(_: object, seconds: float) -> None:
        gate.leave()

    monkeypatch.setattr(module._Thread, "wait", late)
    gate.enter()
    assert gate.active == 1


@pytest.mark.parametrize("handed", [True, False])
def test_a_thread_whose_wait_a_signal_ends_neither_keeps_nor_loses_a_place(
    monkeypatch: pytest.MonkeyPatch, handed: bool
) -> None:
    gate = entered(1)

    def interrupted(_: object, seconds: float) -> None:
        if handed:
            gate.leave()
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Thread, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gate.enter()
    assert gate.active == (0 if handed else 1)
    assert not gate._waiting


def test_a_place_passes_over_a_task_whose_loop_has_ended() -> None:
    gate = entered(1)
    loop = asyncio.new_event_loop()
    abandoned = gate.aenter()
    asyncio.events._set_running_loop(loop)
    try:
        abandoned.send(None)
    finally:
        asyncio.events._set_running_loop(None)
    loop.close()
    with thread(gate.enter):
        queued(gate, 2)
        gate.leave()
    assert gate.active == 1
    abandoned.close()
    gate.leave()
    assert gate.active == 0


def test_a_place_handed_to_a_task_whose_loop_then_ends_is_passed_on() -> None:
    gate = entered(1)
    loop = asyncio.new_event_loop()
    abandoned = gate.aenter()
    asyncio.events._set_running_loop(loop)
    try:
        abandoned.send(None)
    finally:
        asyncio.events._set_running_loop(None)
    gate.leave()
    assert gate.active == 1
    loop.close()
    del abandoned
    gc.collect()
    assert gate.active == 0


async def test_a_finalizer_leaves_while_its_thread_is_in_the_middle_of_entering() -> None:
    gate = entered(2)
    waiting = asyncio.ensure_future(gate.aenter())
    await aqueued(gate, 1)
    with gate._lock:  # as in the middle of it
        gate.leave()
        gate.leave()
    await gate.aenter()
    await waiting
    assert gate.active == 2


def test_a_slot_released_by_a_finalizer_is_free_for_an_export_that_does_not_wait() -> None:
    gate = entered(1, 0)
    with gate._lock:
        gate.leave()
    gate.enter()
    assert gate.active == 1


# Many at once


async def test_of_a_thousand_waiting_tasks_any_may_be_cancelled_at_any_time() -> None:
    chance = random.Random(5)
    gate = Admission(7, PATIENCE)
    inside, most, served = 0, 0, 0

    async def export() -> None:
        nonlocal inside, most, served
        await gate.aenter()
        try:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(chance.random() / 500)
        finally:
            inside -= 1
            gate.leave()
        served += 1

    tasks = [asyncio.ensure_future(export()) for _ in range(1000)]
    await aqueued(gate, 993)
    left = list(tasks)
    chance.shuffle(left)
    while left:
        for task in left[:15]:
            task.cancel()
        del left[:15]
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if chance.random() < 0.2:
            await asyncio.sleep(0.003)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert (most, inside, gate.active, len(gate._waiting)) == (7, 0, 0, 0)
    assert served == results.count(None) > 0


async def test_a_thousand_tasks_and_threads_that_time_out_or_are_cancelled_lose_no_place() -> None:
    gate = Admission(5, 0.05)
    inside, over = [0], []
    lock = threading.Lock()

    def count(change: int) -> None:
        with lock:
            inside[0] += change
            if inside[0] > 5:
                over.append(inside[0])

    def export(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(30):
            with contextlib.suppress(Refused):
                gate.enter()
                count(1)
                time.sleep(chance.random() / 1000)
                count(-1)
                gate.leave()

    async def aexport(seed: int) -> None:
        chance = random.Random(seed)
        with contextlib.suppress(Refused, TimeoutError):
            async with asyncio.timeout(chance.random() / 5):
                await gate.aenter()
                try:
                    count(1)
                    await asyncio.sleep(chance.random() / 1000)
                finally:
                    count(-1)
                    gate.leave()

    with contextlib.ExitStack() as threads:
        for seed in range(6):
            threads.enter_context(thread(partial(export, seed)))
        threads.enter_context(thread(lambda: asyncio.run(storm(aexport, 500))))
        await storm(aexport, 500)
    assert not over
    assert (inside, gate.active, len(gate._waiting)) == ([0], 0, 0)


async def storm(export: Callable[[int], object], count: int) -> None:
    await asyncio.gather(*(export(seed) for seed in range(count)))  # type: ignore[call-overload]


@given(
    st.integers(1, 3),
    st.lists(
        st.sampled_from(["enter", "leave", "cancel first", "cancel last", "run"]), max_size=30
    ),
)
def test_a_queue_of_tasks_is_served_in_order(places: int, steps: list[str]) -> None:
    asyncio.run(model(places, steps))


async def model(places: int, steps: list[str]) -> None:
    """Either all slots are taken or the queue is empty, and waiters enter in order."""
    gate = Admission(places, PATIENCE)
    tasks: list[asyncio.Future[None]] = []
    cancelled: set[asyncio.Future[None]] = set()
    left = 0
    for step in [*steps, "run"]:
        waiting = [task for task in tasks if not task.done() and task not in cancelled]
        if step == "enter":
            tasks.append(asyncio.ensure_future(gate.aenter()))
        elif step == "leave" and left < sum(
            task.done() and task not in cancelled for task in tasks
        ):
            gate.leave()
            left += 1
        elif step.startswith("cancel") and waiting:
            task = waiting[0 if step == "cancel first" else -1]
            task.cancel()
            cancelled.add(task)
        elif step == "run":
            for _ in range(5):
                await asyncio.sleep(0)
    done = [task.done() for task in tasks if task not in cancelled]
    assert done == sorted(done, reverse=True)
    assert sum(done) == min(len(done), places + left)
    assert gate.active == sum(done) - left
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.active == sum(done) - left


# One for a process


def test_equal_bounds_share_one_admission() -> None:
    one = admission(Settings(max_concurrent=3, wait_seconds=1))
    assert one is admission(Settings(max_concurrent=3, wait_seconds=1.0, spool_memory=5))
    assert one is not admission(Settings(max_concurrent=4, wait_seconds=1))
    assert one is not admission(Settings(max_concurrent=3, wait_seconds=2))
    assert one is not admission(Settings(max_concurrent=None, wait_seconds=1))


def test_threads_that_come_first_get_the_same_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, quicker = Settings(), list[Admission]()

    class Slow(Admission):
        def __init__(self, max_concurrent: int | None, wait_seconds: float) -> None:
            super().__init__(max_concurrent, wait_seconds)
            if not quicker:  # another thread comes, and is through before this one
                quicker.append(self)
                quicker[0] = admission(settings)

    monkeypatch.setattr(module, "Admission", Slow)
    assert admission(settings) is quicker[0]
    assert admission(settings) is quicker[0]


def test_a_forked_child_starts_with_all_slots_free() -> None:
    settings = Settings(max_concurrent=2, wait_seconds=PATIENCE)
    gate = admission(settings)
    gate.enter()
    gate.enter()
    with thread(gate.enter):
        queued(gate, 1)
        with (
            gate._lock,
            pytest.warns() if sys.version_info >= (3, 12) else contextlib.nullcontext(),
        ):
            child = os.fork()
            if child == 0:
                free = gate.active == 0 and not gate._waiting and admission(settings) is gate
                gate.enter()
                gate.leave()
                os._exit(0 if free else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        gate.leave()
    assert status == 0
    assert gate.active == 2


def test_after_a_fork_all_slots_are_forgotten() -> None:
    gate = entered(2, 0)
    gate.forked()
    assert gate.active == 0
    gate.enter()
