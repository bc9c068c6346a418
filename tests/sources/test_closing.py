"""Every source closes what it opened, wherever its driver fails, on the thread that opened it."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

import streamware as sw
from streamware.sources import dbapi, sqlite

psycopg = pytest.importorskip("psycopg", reason="skipped: needs psycopg")
asyncpg = pytest.importorskip("asyncpg", reason="skipped: needs asyncpg")

from streamware.sources import asyncpg as asyncpg_source  # noqa: E402
from streamware.sources import psycopg as psycopg_source  # noqa: E402


class FailedError(Exception):
    """What a driver raises."""


class Driver:
    """Fails at one step, and records what is open, and on which threads it was used.

    It has the connections, pools and cursors of several drivers at once.
    """

    description = (("n", None),)
    autocommit = False

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.open: list[str] = []
        self.threads: set[int] = set()
        self.batches = [[(1,), (2,)], [(3,)]]

    def step(self, name: str) -> None:
        self.threads.add(threading.get_ident())
        if name == self.fails:
            raise FailedError(name)

    @contextmanager
    def held(self, name: str) -> Iterator["Driver"]:
        self.step(f"open {name}")
        self.open.append(name)
        try:
            yield self
        finally:
            self.open.remove(name)
            self.step(f"close {name}")

    @asynccontextmanager
    async def aheld(self, name: str) -> AsyncIterator["Driver"]:
        with self.held(name):
            await asyncio.sleep(0)
            yield self

    def executed(self, *_: object) -> None:
        self.step("execute")

    def fetched(self, *_: object) -> list[Any]:
        self.step("fetch")
        return self.batches.pop(0) if self.batches else []

    async def aexecuted(self, *_: object) -> None:
        self.step("execute")

    async def afetched(self, *_: object) -> list[Any]:
        return self.fetched()


class Plain(Driver):
    """PEP 249."""

    def opened(self) -> "Plain":
        self.held_connection = self.held("connection")
        self.held_connection.__enter__()
        return self

    def close(self) -> None:
        self.held_connection.__exit__(None, None, None)

    def cursor(self) -> Any:
        return PlainCursor(self)


class PlainCursor:
    description = Driver.description

    def __init__(self, driver: Plain) -> None:
        self._held = driver.held("cursor")
        self._held.__enter__()
        self.execute = driver.executed
        self.fetchmany = driver.fetched

    def close(self) -> None:
        self._held.__exit__(None, None, None)


class Psycopg(Driver):
    """A pool of psycopg."""

    class Info:
        transaction_status = psycopg.pq.TransactionStatus.IDLE

    info = Info()
    execute = Driver.executed
    fetchmany = Driver.fetched

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def connection(self) -> Any:
        return self.held("connection")

    def transaction(self, *, force_rollback: bool) -> Any:
        return self.held("transaction")

    def cursor(self, name: str) -> Any:
        return self.held("cursor")

    def cancel_safe(self) -> None: ...


class AsyncPsycopg(Driver):
    """An asynchronous pool of psycopg."""

    info = Psycopg.Info()
    execute = Driver.aexecuted
    fetchmany = Driver.afetched

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    def connection(self) -> Any:
        return self.aheld("connection")

    def transaction(self, *, force_rollback: bool) -> Any:
        return self.aheld("transaction")

    def cursor(self, name: str) -> Any:
        return self.aheld("cursor")

    async def cancel_safe(self) -> None: ...


class Asyncpg(Driver):
    """A pool of asyncpg."""

    fetch = Driver.afetched

    class Attribute:
        name = "n"

    def acquire(self) -> Any:
        return self.aheld("connection")

    def transaction(self) -> Any:
        return self.aheld("transaction")

    async def prepare(self, query: str) -> Any:
        return self

    def get_attributes(self) -> list[Any]:
        return [self.Attribute]

    async def cursor(self, *_: object) -> Any:
        await self.aexecuted()
        return self


class Aiosqlite(Driver):
    """aiosqlite."""

    fetchmany = Driver.afetched

    async def __call__(self) -> "Aiosqlite":
        self.held_connection = self.held("connection")
        self.held_connection.__enter__()
        return self

    async def close(self) -> None:
        self.held_connection.__exit__(None, None, None)

    def execute(self, *_: object) -> Any:
        self.step("execute")
        return self.aheld("cursor")

    async def interrupt(self) -> None: ...


def connects(driver: Any) -> Any:
    async def connect() -> Any:
        return await driver()

    return connect


KINDS: dict[str, tuple[type[Driver], Callable[[Any], Any]]] = {
    "dbapi": (Plain, lambda driver: dbapi.rows(driver.opened, "select", batch=2)),
    "psycopg": (Psycopg, lambda driver: psycopg_source.rows(driver, "select", batch=2)),
    "async psycopg": (AsyncPsycopg, lambda driver: psycopg_source.rows(driver, "select", batch=2)),
    "asyncpg": (Asyncpg, lambda driver: asyncpg_source.rows(driver, "select", batch=2)),
    "aiosqlite": (Aiosqlite, lambda driver: sqlite.rows(connects(driver), "select", batch=2)),
}
STEPS = ["open connection", "open transaction", "open cursor", "execute", "fetch"]
CLOSES = ["close cursor", "close transaction", "close connection"]


async def document(rows: Any) -> bytes:
    async with sw.aencode(rows) as encoding:
        return b"".join([chunk async for chunk in encoding])


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_fails_and_nothing_is_left(kind: str) -> None:
    make, rows = KINDS[kind]
    driver = make()
    assert await document(rows(driver)) == b"n\r\n1\r\n2\r\n3\r\n"
    assert driver.open == []
    assert len(driver.threads) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_left_when_the_driver_fails(kind: str, step: str) -> None:
    make, rows = KINDS[kind]
    driver = make(step)
    if step == "open transaction" and kind in ("dbapi", "aiosqlite"):
        return
    if step == "open cursor" and kind == "asyncpg":
        return
    with pytest.raises(FailedError, match=step):
        await document(rows(driver))
    assert driver.open == []
    assert len(driver.threads) == 1


@pytest.mark.slow
@pytest.mark.parametrize("step", CLOSES)
@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_left_when_closing_fails(
    kind: str, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, rows = KINDS[kind]
    driver = make(step)
    with caplog.at_level(logging.CRITICAL):
        try:
            assert await document(rows(driver)) == b"n\r\n1\r\n2\r\n3\r\n"
        except FailedError:
            assert kind == "aiosqlite"  # its cursor ends with its rows
    assert driver.open == []
    assert len(driver.threads) == 1


@pytest.mark.parametrize("taken", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_left_when_the_client_leaves(kind: str, taken: int) -> None:
    make, rows = KINDS[kind]
    driver = make()
    encoding = sw.aencode(rows(driver), chunk_size=1)
    for _ in range(taken):
        await anext(aiter(encoding))
    await encoding.aclose()
    assert driver.open == []
    assert len(driver.threads) <= 1
