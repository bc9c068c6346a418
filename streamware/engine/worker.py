"""The thread of an export, and the gate that all encoding beside an event loop passes.

Rows of an ordinary iterable are opened, pulled and closed on one thread, in one context: SQLite's
cursors refuse any other thread, and a context variable set in one pull has to be there in the
next.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from streamware.errors import StateError

T = TypeVar("T")

GATE = threading.Lock()
"""Held while a batch (about 2 ms) is encoded beside an event loop.

Threads that encode freely take the interpreter from the loop in turns: with 8 of them another
task waited 63 to 89 ms (p99), with one at a time 3.5 to 6.5.
"""

_ENDINGS = (StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError)
"""What says something else to whoever awaits it: the end of a loop, of a generator, of a task."""

_Job = tuple[Callable[[], Any], "asyncio.Future[Any] | None"]


class Worker:
    """One thread, started by the first call, that runs calls one after the other.

    Calls run in a copy of the context in which the worker was made.
    """

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Have `call` run after those before it; a future of the running loop.

        Raises:
            StateError: `stop` was called, and nothing would ever come of it.
        """
        if self._stopped:
            raise StateError("the thread of these calls has been stopped")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put((call, future))
        return future

    def stop(self, last: Callable[[], object]) -> asyncio.Future[Any] | None:
        """Run `last` after what is under way, and end the thread; idempotent.

        Returns:
            A future of the running loop, where there is one, done when `last` is.
        """
        if self._stopped:
            return None
        self._stopped = True
        if self._thread is None:
            last()
            return None
        try:
            future = asyncio.get_running_loop().create_future()
        except RuntimeError:  # no loop: a finalizer, or a loop that has ended
            future = None
        self._jobs.put((last, future))
        self._jobs.put(None)
        return future

    def _put(self, job: _Job) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="streamware", daemon=True)
            thread.start()  # fails where there are too many
            self._thread = thread
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._context.run(_run, *job)
            del job


def _run(call: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
    result, error = None, None
    try:
        result = call()
    except BaseException as caught:  # noqa: BLE001 - it is raised where the result is awaited
        error = caught
    if future is None:
        return
    try:
        future.get_loop().call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:  # the loop has ended, and nobody waits any more
        return


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, _ENDINGS):
        named = RuntimeError(f"the rows raised {type(error).__name__}")
        named.__cause__ = error
        future.set_exception(named)
    else:
        future.set_exception(error)
