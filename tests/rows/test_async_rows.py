"""Asynchronous rows for a thread: what the loop reads arrives there, and so does its end."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import streamware as sw
from fakes import PATIENCE, AsyncRows, Broken, Rows, afailing, aorders, orders, stalling, until
from streamware.rows.async_rows import AsyncRowBridge, AsyncRowBridges
from streamware.rows.batching import MOST_ROWS
from streamware.rows.source import Cancelled

ORDERS = list(orders(3))


class Cursor(AsyncRows):
    """As those of aiosqlite: awaited for, and then read."""

    description = (("id", None), ("name", None))


async def opened_later() -> Any:
    await asyncio.sleep(0)
    return aorders(3)


async def read(rows: Any) -> list[Any]:
    """What a thread gets of them."""
    bridge = AsyncRowBridge(rows, asyncio.get_running_loop())
    bridge.begin()
    return await taken(bridge)


async def taken(bridge: AsyncRowBridge) -> list[Any]:
    got = await asyncio.to_thread(list, bridge)
    assert bridge.task is not None
    await asyncio.wait({bridge.task})
    return got


async def began(rows: Any) -> AsyncRowBridge:
    """A bridge that has taken its first step."""
    bridge = AsyncRowBridge(rows, asyncio.get_running_loop())
    bridge.begin()
    await asyncio.sleep(0)
    return bridge


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: aorders(3), id="async generator"),
        pytest.param(lambda: aorders.__get__(3), id="callable that opens an async generator"),
        pytest.param(lambda: opened_later, id="async callable"),
        pytest.param(opened_later, id="coroutine"),
        pytest.param(lambda: AsyncRows(ORDERS), id="async iterator"),
    ],
)
async def test_rows_arrive_in_order(make: Callable[[], Any]) -> None:
    assert await read(make()) == ORDERS


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 5000])
async def test_every_row_arrives_once(count: int) -> None:
    assert await read(aorders(count)) == list(orders(count))


async def test_what_was_awaited_may_be_an_ordinary_iterable() -> None:
    rows = Rows(ORDERS)

    async def fetch() -> Iterator[Any]:
        return rows

    assert await read(fetch) == ORDERS
    assert rows.closed == 1


async def test_an_endless_iterable_that_was_awaited_is_read_no_faster_than_it_is_taken() -> None:
    rows = Rows(iter(int, 1))

    async def fetch() -> Iterator[Any]:
        return rows

    bridge = await began(fetch)
    await asyncio.sleep(0.02)
    assert rows.pulled <= 2 * MOST_ROWS
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert rows.closed == 1


async def test_a_sheet_that_was_awaited_is_a_list_of_sheets() -> None:
    sheet = sw.Sheet("a", [])

    async def fetch() -> sw.Sheet:
        return sheet

    assert await read(fetch) == [sheet]


async def test_what_cannot_be_rows_is_an_error_and_is_closed() -> None:
    class Connection:
        closed = False

        async def close(self) -> None:
            self.closed = True

    connection = Connection()

    async def fetch() -> Connection:
        return connection

    with pytest.raises(TypeError, match=r"rows must be an iterable, .* not Connection"):
        await read(fetch)
    assert connection.closed


async def test_the_names_of_the_columns_are_told_once_the_rows_are_open() -> None:
    async def fetch() -> Cursor:
        return Cursor(ORDERS)

    bridge = await began(fetch)
    assert await asyncio.to_thread(lambda: bridge.description) == [("id",), ("name",)]
    assert await taken(bridge) == ORDERS


async def test_names_may_be_told_after_the_first_row_only() -> None:
    class Late(AsyncRows):
        @property
        def description(self) -> tuple[tuple[str], ...] | None:
            return (("id",), ("name",)) if self.pulled else None

    bridge = await began(Late(ORDERS))
    iterator = iter(bridge)
    assert await asyncio.to_thread(next, iterator) == (0, "order 0")
    assert bridge.description == [("id",), ("name",)]
    assert len(await asyncio.to_thread(list, iterator)) == 2


async def test_rows_that_tell_no_names_have_none() -> None:
    bridge = await began(aorders(1))
    assert await asyncio.to_thread(lambda: bridge.description) is None
    await taken(bridge)


async def test_rows_are_opened_read_and_closed_in_one_task() -> None:
    rows = AsyncRows(orders(100))
    tasks = list[asyncio.Task[Any] | None]()

    async def fetch() -> AsyncRows:
        tasks.append(asyncio.current_task())
        return rows

    assert len(await read(fetch)) == 100
    assert rows.tasks == tasks
    assert rows.closed == 1


async def test_a_variable_that_is_set_in_one_pull_is_there_in_the_next() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def rows() -> AsyncIterator[tuple[str]]:
        token = variable.set("by the first")
        yield (variable.get(),)
        await asyncio.sleep(0)
        yield (variable.get(),)
        variable.reset(token)
        yield (variable.get(),)

    assert await read(rows) == [("by the first",), ("by the first",), ("unset",)]


async def test_the_next_rows_are_read_while_a_list_is_taken_and_no_more() -> None:
    rows = AsyncRows(orders(10**6))
    bridge = await began(rows)
    await asyncio.sleep(0.02)
    assert 0 < rows.pulled <= 2 * MOST_ROWS
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert rows.pulled <= 2 * MOST_ROWS


async def test_wide_rows_are_handed_over_in_small_lists() -> None:
    rows = AsyncRows(iter(lambda: ("x" * 100_000,), None))
    bridge = await began(rows)
    await until(lambda: rows.pulled >= 6)
    await asyncio.sleep(0.02)
    assert rows.pulled < 10
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)


async def test_rows_that_came_are_handed_over_when_the_clock_wants_them() -> None:
    bridge = await began(stalling(3))
    iterator = iter(bridge)
    first = asyncio.create_task(asyncio.to_thread(next, iterator))
    assert bridge.flush()
    assert await first == (0, "order 0")
    assert not bridge.flush()
    bridge.cancel()
    with pytest.raises(Cancelled):
        await asyncio.to_thread(list, iterator)


async def test_an_error_arrives_after_the_rows_before_it() -> None:
    bridge = await began(afailing(3))
    rows = list[Any]()
    with pytest.raises(Broken):
        await asyncio.to_thread(rows.extend, bridge)
    assert rows == ORDERS


async def test_an_error_in_opening_arrives() -> None:
    async def fetch() -> Any:
        raise Broken

    with pytest.raises(Broken):
        await read(fetch)


async def test_an_error_in_opening_ends_the_wait_for_names() -> None:
    async def fetch() -> Any:
        raise Broken

    bridge = await began(fetch)
    assert await asyncio.to_thread(lambda: bridge.description) is None
    with pytest.raises(Broken):
        await taken(bridge)


async def test_rows_that_cancel_themselves_do_not_pass_for_complete() -> None:
    with pytest.raises(sw.StateError, match="the reading of the rows was cancelled"):
        await read(afailing(3, asyncio.CancelledError()))


async def test_rows_whose_task_is_cancelled_by_others_do_not_pass_for_complete() -> None:
    bridge = await began(stalling(3))
    assert bridge.task is not None
    bridge.task.cancel()
    with pytest.raises(sw.StateError, match="the reading of the rows was cancelled"):
        await taken(bridge)


async def test_rows_that_end_other_loops_do_not_pass_for_complete() -> None:
    async def fetch() -> Any:
        raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration):
        await read(fetch)
    with pytest.raises(GeneratorExit):
        await read(afailing(3, GeneratorExit()))


@pytest.mark.slow
def test_rows_that_end_the_program_do_not_pass_for_complete() -> None:
    bridges = list[AsyncRowBridge]()

    async def begin() -> None:
        bridges.append(await began(afailing(3, SystemExit("by the rows"))))
        await asyncio.sleep(1)

    with pytest.raises(SystemExit, match="by the rows"):
        asyncio.run(begin())
    with pytest.raises(SystemExit, match="by the rows"):
        list(bridges[0])


# Cancelled


async def test_a_pull_that_waits_is_cancelled_and_its_finally_may_wait() -> None:
    ended = list[str]()

    async def rows() -> AsyncIterator[Any]:
        try:
            yield (1,)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)
            ended.append("after a wait")

    bridge = await began(rows)
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert ended == ["after a wait"]


async def test_rows_that_never_truly_wait_are_cancelled_soon() -> None:
    async def rows() -> AsyncIterator[Any]:
        while True:
            yield (1,)

    bridge = await began(rows)
    loop = asyncio.get_running_loop()
    thread = asyncio.create_task(taken(bridge))
    await asyncio.sleep(0.01)
    begun = loop.time()
    bridge.cancel()
    with pytest.raises(Cancelled):
        await thread
    assert loop.time() - begun < 5


async def test_a_feed_may_be_cancelled_before_it_begins() -> None:
    rows = AsyncRows(ORDERS)
    bridge = AsyncRowBridge(rows, asyncio.get_running_loop())
    bridge.cancel()
    bridge.begin()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert (rows.pulled, rows.closed) == (0, 1)


async def test_a_feed_may_be_cancelled_between_its_begin_and_its_first_step() -> None:
    rows = AsyncRows(ORDERS)
    bridge = AsyncRowBridge(rows, asyncio.get_running_loop())
    bridge.begin()
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert (rows.pulled, rows.closed) == (0, 1)


async def test_a_callable_is_not_called_for_a_feed_that_was_cancelled_before() -> None:
    calls = list[str]()

    async def fetch() -> Any:
        calls.append("called")

    bridge = AsyncRowBridge(fetch, asyncio.get_running_loop())
    bridge.begin()
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert not calls


async def test_closing_is_not_cut_short_by_a_second_cancel() -> None:
    closing = asyncio.Event()

    class Slow(AsyncRows):
        async def aclose(self) -> None:
            closing.set()
            await asyncio.sleep(0.01)
            await super().aclose()

    rows = Slow(orders(3))
    bridge = await began(rows)
    thread = asyncio.create_task(asyncio.to_thread(list, bridge))
    await closing.wait()
    bridge.cancel()
    assert await thread == ORDERS
    assert rows.closed == 1


async def test_a_feed_may_be_cancelled_from_another_thread() -> None:
    bridge = await began(stalling(1))
    await asyncio.to_thread(bridge.cancel)
    with pytest.raises(Cancelled):
        await taken(bridge)


async def test_a_feed_may_be_cancelled_when_all_was_read() -> None:
    bridge = await began(aorders(3))
    assert await taken(bridge) == ORDERS
    bridge.cancel()
    await asyncio.sleep(0)
    assert bridge.task is not None
    assert not bridge.task.cancelled()


class Stubborn:
    """Rows that take a cancellation for a hiccup: they try again, and go on."""

    def __init__(self, count: int = 10**9) -> None:
        self.left = count
        self.waiting = False
        self.swallowed = 0

    def __aiter__(self) -> "Stubborn":
        return self

    async def __anext__(self) -> Any:
        if not self.left:
            raise StopAsyncIteration
        await self.wait()
        self.left -= 1
        return (self.left,)

    async def wait(self) -> None:
        self.waiting = True
        if self.swallowed:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.swallowed += 1


async def sheet_of(rows: Stubborn) -> AsyncIterator[sw.Sheet]:
    await rows.wait()
    yield sw.Sheet("a", [])
    yield sw.Sheet("b", [])


async def opened_by(rows: Stubborn) -> Any:
    await rows.wait()
    return rows


@pytest.mark.parametrize(
    "make",
    [lambda rows: rows, lambda rows: lambda: opened_by(rows), sheet_of],
    ids=["rows", "opener", "sheets"],
)
async def test_rows_that_swallow_their_cancellation_are_asked_for_no_more(
    make: Callable[[Stubborn], Any],
) -> None:
    rows = Stubborn()
    bridge = await began(make(rows))
    await until(lambda: rows.waiting)
    bridge.cancel()
    assert bridge.task is not None
    done, _ = await asyncio.wait({bridge.task}, timeout=PATIENCE)  # and no thread takes any
    assert done
    assert (rows.swallowed, rows.left > 10**9 - 3) == (1, True)
    with pytest.raises(Cancelled):
        await taken(bridge)


async def test_rows_that_swallow_their_cancellation_and_end_do_not_pass_for_complete() -> None:
    class Ending(Stubborn):
        async def wait(self) -> None:
            await super().wait()
            raise StopAsyncIteration

    rows = Ending()
    bridge = await began(rows)
    bridge.cancel()
    with pytest.raises(Cancelled):
        await taken(bridge)
    assert rows.swallowed == 1


def test_a_thread_does_not_wait_for_a_loop_that_has_ended() -> None:
    async def make() -> AsyncRowBridge:
        return AsyncRowBridge(aorders(1), asyncio.get_running_loop())

    bridge = asyncio.run(make())
    bridge.cancel()
    with pytest.raises(Cancelled):
        list(bridge)


# Several


async def test_rows_of_a_sheet_are_read_before_the_next_sheet_is_asked_for() -> None:
    asked = list[str]()

    async def sheets() -> AsyncIterator[sw.Sheet]:
        for name in "abc":
            asked.append(name)
            yield sw.Sheet(name, [(1,)])

    bridge = await began(sheets)

    def look() -> list[list[str]]:
        return [list(asked) for _ in bridge]

    assert await asyncio.to_thread(look) == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_asynchronous_rows_need_a_loop() -> None:
    with pytest.raises(sw.StateError, match="must be read beside a running event loop"):
        AsyncRowBridges()(aorders(1))


async def test_feeds_are_begun_by_their_loop() -> None:
    bridges = AsyncRowBridges()
    bridges.loop = asyncio.get_running_loop()
    bridge = bridges(aorders(3))
    assert await taken_by_a_thread(bridge) == ORDERS
    assert [task.done() for task in bridges.tasks()] == [True]


async def test_feeds_are_cancelled_together_and_those_to_come_too() -> None:
    bridges = AsyncRowBridges()
    bridges.loop = asyncio.get_running_loop()
    first = bridges(stalling(1))
    bridges.cancel()
    second = bridges(stalling(1))
    for bridge in first, second:
        with pytest.raises(Cancelled):
            await taken_by_a_thread(bridge)


async def test_feeds_that_have_ended_are_forgotten() -> None:
    bridges = AsyncRowBridges()
    bridges.loop = asyncio.get_running_loop()
    for _ in range(5):
        assert await taken_by_a_thread(bridges(aorders(3))) == ORDERS
    assert len(bridges.tasks()) == 1


async def test_every_feed_hands_over_what_it_has() -> None:
    bridges = AsyncRowBridges()
    bridges.loop = asyncio.get_running_loop()
    several = [bridges(stalling(1)), bridges(stalling(2))]
    await asyncio.sleep(0.01)
    assert bridges.flush()
    assert not bridges.flush()
    bridges.cancel()
    for bridge in several:
        with pytest.raises(Cancelled):
            await taken_by_a_thread(bridge)


async def taken_by_a_thread(bridge: AsyncRowBridge) -> list[Any]:
    rows = await asyncio.to_thread(list, bridge)
    await until(lambda: bridge.task is not None and bridge.task.done())
    return rows
