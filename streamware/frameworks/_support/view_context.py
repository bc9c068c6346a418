"""The context of a Django view, for the threads and tasks that read the rows of its response.

Rows see the language, the time zone and all else that the view saw where it made the response.
They are read later and elsewhere: a `translation.override` has ended, and a middleware has
returned.  Two things need more than a copy of the context:

- asgiref's `Local`, in which Django keeps language, time zone and URLconf.  Before asgiref 3.9 a
  copy of the context shares its values with the original, and since 3.12 they are visible on the
  thread that set them alone, unless asgiref itself has moved them.
- Thread-sensitive calls, such as those of `async for order in Order.objects.all()`.  Below a
  synchronous middleware asgiref runs them on the thread of that middleware, by an executor that
  ends when the middleware returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from threading import Condition, get_ident
from typing import Any, Self, cast

from asgiref import sync
from asgiref.local import Local
from asgiref.sync import AsyncToSync, SyncToAsync

from streamware.errors import StateError

_LOCAL = "asgiref.local"  # the name of the context variable of every `Local`
_home: ContextVar[int] = ContextVar("streamware.view_context")  # the thread that sees the Locals
_mark: Any = Local()  # shows whether Locals are visible


def view_context() -> Context:
    """Return a copy of the current context, in which `bind_locals` works."""
    context = copy_context()
    context.run(_bind)
    context.run(setattr, _mark, "visible", True)
    return context


def bind_locals() -> None:
    """Make the Locals of a `view_context`, or of a copy of one, visible on this thread.

    Raises:
        StateError: This version of asgiref keeps them in another way.
    """
    if _home.get(None) in (None, get_ident()):
        return
    _bind()
    if not hasattr(_mark, "visible"):
        raise StateError(
            "the installed version of asgiref does not let the rows of an export see Django's"
            " language and time zone; install a version from 3.8 to 3.13"
        )


def _bind() -> None:
    """Give the current context values of its own for all Locals, visible on this thread."""
    elsewhere = {}
    for variable, value in copy_context().items():
        if variable.name != _LOCAL:
            continue
        if isinstance(value, dict):  # before asgiref 3.12
            variable.set(value.copy())
        else:
            elsewhere[variable] = value
    move: Any = getattr(sync, "_restore_context", None)  # there is no public way
    if elsewhere and move is not None:
        move(elsewhere)
    _home.set(get_ident())


class SensitiveCalls(Executor):
    """Runs thread-sensitive calls of rows where those of the reader of the response would run.

    The reader is a task of Django's, or a middleware.  Below a synchronous middleware, calls wait
    while the reader does not wait for a chunk: what would run them may be about to end.
    """

    # asgiref looks at these if a call outlives the executor of an `async_to_sync` within rows.
    _work_ready, _broken, _old_executor = Condition(), True, None

    def __init__(self) -> None:
        self._reader: Context | None = None  # of the reader, while calls may run
        self._waiting: list[Callable[[Executor], None]] = []  # start the calls that wait

    def install(self) -> None:
        """Have asgiref run the thread-sensitive calls of the current context by this."""
        SyncToAsync.deadlock_context.set(False)  # as when the view has returned
        if _below_sync():
            AsyncToSync.executors.current = self

    def __enter__(self) -> Self:
        """Run calls as those of the current context: the reader waits."""
        self._reader = copy_context()
        waiting, self._waiting = self._waiting, []
        for start in waiting:
            start(_executor())
        return self

    def __exit__(self, *ignored: object) -> None:
        """Let calls wait if what runs those of the current context may end."""
        if _below_sync():
            self._reader = None

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call, or let it wait."""
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001 - raised where the call is awaited
                    future.set_exception(error)

        def start(executor: Executor) -> None:
            executor.submit(run)

        if self._reader is None:
            self._waiting.append(start)
        else:
            start(self._reader.run(_executor))
        return future


def _below_sync() -> bool:
    """Return whether a synchronous middleware waits for the current task."""
    return getattr(AsyncToSync.executors, "current", None) is not None


def _executor() -> Executor:
    """Return what runs the thread-sensitive calls of the current context, as asgiref chooses it."""
    if _below_sync():
        return cast(Executor, AsyncToSync.executors.current)
    request = SyncToAsync.thread_sensitive_context.get(None)
    if request is None:
        loop = asyncio.get_running_loop()
        return AsyncToSync.loop_thread_executors.get(loop, SyncToAsync.single_thread_executor)
    executors: Any = SyncToAsync.context_to_thread_executor
    if request not in executors:
        executors[request] = ThreadPoolExecutor(max_workers=1)
    return cast(Executor, executors[request])
