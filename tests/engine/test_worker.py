import asyncio
import contextvars
import threading
from functools import partial

import pytest

from fakes import PATIENCE, Broken, Gate, until
from streamware.engine.worker import GATE, Worker
from streamware.errors import StateError

variable = contextvars.ContextVar("variable", default="unset")


def fail(error: BaseException) -> None:
    raise error


async def stopped(worker: Worker) -> None:
    ending = worker.stop(lambda: None)
    if ending is not None:
        await ending


async def test_calls_run_one_after_the_other_on_one_thread() -> None:
    worker = Worker()
    threads = [await worker.submit(threading.get_ident) for _ in range(3)]
    await stopped(worker)
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_no_thread_is_started_before_the_first_call() -> None:
    before = threading.active_count()
    worker = Worker()
    assert threading.active_count() == before
    await stopped(worker)


async def test_every_call_runs_in_one_context_that_is_a_copy_of_its_maker_s() -> None:
    variable.set("made")
    worker = Worker()
    variable.set("later")
    assert await worker.submit(variable.get) == "made"
    await worker.submit(partial(variable.set, "by a call"))
    assert await worker.submit(variable.get) == "by a call"
    await stopped(worker)
    assert variable.get() == "later"


async def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    worker = Worker()
    with pytest.raises(Broken):
        await worker.submit(partial(fail, Broken()))
    assert await worker.submit(lambda: "and on") == "and on"
    await stopped(worker)


@pytest.mark.parametrize(
    "error", [StopIteration(), StopAsyncIteration(), GeneratorExit(), asyncio.CancelledError()]
)
async def test_what_would_end_an_awaiting_loop_is_an_error_that_says_so(
    error: BaseException,
) -> None:
    worker = Worker()
    with pytest.raises(RuntimeError, match=f"the rows raised {type(error).__name__}") as caught:
        await worker.submit(partial(fail, error))
    assert caught.value.__cause__ is error
    await stopped(worker)


async def test_the_last_call_runs_after_those_before_it_and_ends_the_thread() -> None:
    before = threading.active_count()
    gate, calls = Gate(), list[str]()
    worker = Worker()

    def call() -> None:
        gate.wait()
        calls.append("first")

    first = worker.submit(call)
    ending = worker.stop(lambda: calls.append("last"))
    assert ending is not None
    assert not calls
    gate.open()
    await asyncio.gather(first, ending)
    assert calls == ["first", "last"]
    await until(lambda: threading.active_count() == before)


async def test_the_last_call_runs_at_once_where_no_thread_was_started() -> None:
    worker, threads = Worker(), list[int]()
    assert worker.stop(lambda: threads.append(threading.get_ident())) is None
    assert threads == [threading.get_ident()]


async def test_a_worker_is_stopped_once() -> None:
    worker, calls = Worker(), list[str]()
    assert not worker.stopped
    await worker.submit(lambda: None)
    ending = worker.stop(lambda: calls.append("last"))
    assert worker.stopped
    assert worker.stop(lambda: calls.append("again")) is None
    assert ending is not None
    await ending
    assert calls == ["last"]


@pytest.mark.parametrize("calls", [0, 1])
async def test_a_stopped_worker_takes_no_call(
    calls: int,
) -> None:
    before = threading.active_count()
    worker = Worker()
    for _ in range(calls):
        await worker.submit(lambda: None)
    await stopped(worker)
    with pytest.raises(StateError, match=r"submit\(\) was called after stop\(\)"):
        worker.submit(lambda: None)
    await until(lambda: threading.active_count() == before)


async def test_a_result_that_nobody_awaits_any_more_is_dropped() -> None:
    gate, worker = Gate(), Worker()
    call = worker.submit(gate.wait)
    call.cancel()
    gate.open()
    await stopped(worker)
    assert call.cancelled()


def test_a_call_may_outlive_its_loop() -> None:
    gate, worker, calls = Gate(), Worker(), list[str]()
    before = threading.enumerate()

    async def begin() -> None:
        worker.submit(gate.wait)
        await gate.was_entered()

    asyncio.run(begin())
    assert worker.stop(lambda: calls.append("last")) is None
    gate.open()
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(PATIENCE)
    assert calls == ["last"]


def test_the_gate_lets_one_through_at_a_time() -> None:
    with GATE:
        assert not GATE.acquire(blocking=False)
