import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

import streamware as sw
from streamware.sources.source import AsyncSource, Source, check_batch, check_query


class Database:
    """Records what is opened, read and closed."""

    def __init__(self, *batches: list[Any], error: Exception | None = None) -> None:
        self.batches = batches
        self.error = error
        self.events: list[str] = []

    def connect(self, stack: ExitStack) -> tuple[Iterator[Any], None]:
        self.events.append("connect")
        stack.callback(self.events.append, "close")
        if self.error is not None and not self.batches:
            raise self.error
        return self._results(), None

    async def aconnect(self, stack: AsyncExitStack) -> tuple[AsyncIterator[Any], None]:
        return self._aresults(stack.enter_context(ExitStack())), None

    def _results(self) -> Iterator[Any]:
        self.events.append("execute")
        yield ["a"]
        yield from self.batches
        if self.error is not None:
            raise self.error

    async def _aresults(self, stack: ExitStack) -> AsyncIterator[Any]:
        results, _ = self.connect(stack)
        for each in results:
            yield each


def test_a_source_connects_executes_reads_and_closes_each_time() -> None:
    database = Database([(1,), (2,)], [(3,)])
    source = Source(database.connect)
    assert database.events == []
    assert list(source) == list(source) == [(1,), (2,), (3,)]
    assert database.events == ["connect", "execute", "close"] * 2


async def test_an_async_source_does_the_same() -> None:
    database = Database([(1,), (2,)], [(3,)])
    source = AsyncSource(database.aconnect)
    for _ in range(2):
        assert [row async for row in source] == [(1,), (2,), (3,)]
    assert database.events == ["connect", "execute", "close"] * 2


def test_the_query_is_executed_with_the_first_row() -> None:
    database = Database([(1,)])
    reader = Source(database.connect).open_rows()
    assert (database.events, reader.description) == (["connect"], None)
    assert next(iter(reader)) == (1,)
    assert (database.events, reader.description) == (["connect", "execute"], [("a",)])
    reader.close()
    reader.close()
    assert database.events == ["connect", "execute", "close"]


def test_an_export_of_no_rows_has_the_names() -> None:
    assert b"".join(sw.encode(Source(Database().connect))) == b"a\r\n"


async def test_an_export_of_no_rows_has_the_names_beside_a_loop() -> None:
    async with sw.aencode(AsyncSource(Database().aconnect)) as encoding:
        assert b"".join([chunk async for chunk in encoding]) == b"a\r\n"


@pytest.mark.parametrize("batches", [[], [[(1,)]]], ids=["connecting", "reading"])
def test_what_fails_is_closed(batches: list[Any]) -> None:
    database = Database(*batches, error=OSError("lost"))
    with pytest.raises(OSError, match="lost"):
        b"".join(sw.encode(Source(database.connect)))
    assert database.events[-1] == "close"
    assert database.events.count("close") == 1


def test_a_source_that_no_one_reads_connects_to_nothing() -> None:
    database = Database([(1,)])
    encoding = sw.encode(Source(database.connect))
    encoding.close()
    assert database.events == []


def test_an_asynchronous_source_without_an_event_loop_is_an_error_that_says_so() -> None:
    with pytest.raises(sw.StateError, match=r"asynchronous: use sw\.aencode"):
        b"".join(sw.encode(AsyncSource(Database().aconnect)))


class Driver:
    """A driver of an event loop whose call ends when it is told to, or never."""

    def __init__(self, *, interruptible: bool = True) -> None:
        self.events: list[str] = []
        self.called = asyncio.Event()
        self.end = asyncio.Event()
        self.interruptible = interruptible

    async def connect(self, stack: AsyncExitStack) -> tuple[AsyncIterator[Any], Any]:
        stack.callback(self.events.append, "close")
        return self._results(), self._interrupt if self.interruptible else None

    async def _results(self) -> AsyncIterator[Any]:
        yield ["a"]
        self.called.set()
        try:
            await self.end.wait()
            self.events.append("end")
        except asyncio.CancelledError:
            self.events.append("cut off")
            raise
        yield [(1,)]

    async def _interrupt(self) -> None:
        self.events.append("interrupt")
        if self.events.count("interrupt") == 2:  # the first one came too early
            self.end.set()


async def cancelled(driver: Driver) -> list[str]:
    """What happens when the task that waits for the driver is cancelled."""
    encoding = sw.aencode(AsyncSource(driver.connect))
    task = asyncio.ensure_future(anext(aiter(encoding)))
    await driver.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await encoding.aclose()
    return driver.events


async def test_a_call_that_ends_soon_is_waited_for_by_a_cancelled_task() -> None:
    driver = Driver()
    asyncio.get_running_loop().call_later(0.01, driver.end.set)
    assert await cancelled(driver) == ["end", "close"]


async def test_a_long_call_is_interrupted_until_it_ends() -> None:
    assert await cancelled(Driver()) == ["interrupt", "interrupt", "end", "close"]


@pytest.mark.slow
async def test_a_call_that_nothing_interrupts_is_cut_off() -> None:
    assert await cancelled(Driver(interruptible=False)) == ["cut off", "close"]


def test_the_rows_that_are_expected_are_known_of_a_prepared_source_too() -> None:
    def prepare(columns: Any) -> Any:
        return Source(Database().connect), columns

    source = Source(Database().connect, prepare)
    assert source.total is source.prepare(None)[0].total is None
    source.total = 3
    assert source.prepare(None)[0].total == 3


@pytest.mark.parametrize("kind", [Source, AsyncSource])
def test_a_source_that_a_view_returns_says_what_to_return(kind: Any) -> None:
    source = kind(Database().connect)
    with pytest.raises(TypeError, match=r"return ExportResponse\(source, …\)"):  # of FastAPI
        dict(source)
    with pytest.raises(TypeError):
        vars(source)
    with pytest.raises(AttributeError, match=r"'status_code'; .*ExportResponse"):  # of Django
        getattr(source, "status_code")  # noqa: B009 - type checkers know that there is none
    with pytest.raises(AttributeError, match=r"no attribute 'colour'$"):
        getattr(source, "colour")  # noqa: B009


def test_a_query_and_its_parameters_are_what_drivers_take() -> None:
    for parameters in (None, [1], (1,), {"a": 1}):
        check_query("select 1", parameters)
    with pytest.raises(TypeError, match=r"query must be a str, such as 'SELECT …', not list"):
        check_query([])
    for single in (1, "abc", {1}):
        with pytest.raises(TypeError, match=r"parameters must be a list, .*: pass \[value\]"):
            check_query("select 1", single)


def test_a_batch_is_at_least_a_row() -> None:
    assert check_batch(1) == 1
    with pytest.raises(ValueError, match="batch must be at least 1, not 0"):
        check_batch(0)
