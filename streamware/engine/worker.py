"""Worker: the thread of an export; and the gate that all encoding beside an event loop passes.

Rows of an ordinary iterable are opened, pulled and closed on one thread, in one context.  SQLite's
cursors refuse any other thread, and a context variable that one pull sets must still be set in the
next.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from streamware.errors import StateError
from streamware.locks import fork_safe, generation

T = TypeVar("T")

GATE = fork_safe(threading.Lock())
"""Held while a batch (about 2 ms) is encoded beside an event loop.

Threads that encode freely take the interpreter from the loop in turns: with 8 of them another
task waited 63 to 89 ms (p99), with one at a time 3.5 to 6.5.
"""

_ENDINGS = (StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError)
"""Errors that would end a loop, a generator or the task itself if the task that awaits got them."""

_Job = tuple[Callable[[], Any], "asyncio.Future[Any] | None"]


class Worker:
    """One thread, started by the first call, that runs calls one after the other.

    Calls run in a copy of the context in which the worker was made.

    Attributes:
        stopped: Whether `stop` was called.
    """

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._generation = generation()  # of the process that has the thread
        self.stopped = False

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Run `call` after the earlier ones; return a future of the running loop.

        Raises:
            StateError: `stop` was called, or the thread belongs to the process that this one was
                forked from; the future would never be done.
        """
        if self.stopped:
            raise StateError("submit() was called after stop(); the thread has ended")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._thread is not None and self._generation != generation():
            raise StateError("the thread of this export belongs to the parent of this process")
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="streamware", daemon=True)
            thread.start()  # raises RuntimeError if there are too many threads
            self._thread = thread
        self._jobs.put((call, future))
        return future

    def stop(self, last: Callable[[], object]) -> asyncio.Future[Any] | None:
        """Run `last` after the earlier calls, and end the thread.  Idempotent.

        Returns:
            A future of the running loop that is done when `last` is; None if there is no loop,
            if `last` was run at once because no thread was started, or if this was called before.
        """
        if self.stopped:
            return None
        self.stopped = True
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

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._context.run(_run, *job)
            del job
        disconnect()


def disconnect() -> None:
    """Close what Django has opened on this thread, which ends: nobody else could.  Never raises."""
    if "django.db" in sys.modules:
        from streamware.sources.lending import close_all  # noqa: PLC0415 - it imports Django

        close_all()


def _run(call: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
    result, error = None, None
    try:
        result = call()
    except BaseException as caught:  # noqa: BLE001 - raised where the result is awaited
        error = caught
    if future is None:
        return
    try:
        future.get_loop().call_soon_threadsafe(_resolve, future, result, error)
    except RuntimeError:  # the loop has ended, so no task waits
        return


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
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
