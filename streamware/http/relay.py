"""Relays: middlewares that run the application in a task of their own, and pass its messages on.

Starlette's `BaseHTTPMiddleware` and `@app.middleware("http")` are relays.  Since Starlette 0.46
they end a body as if it were complete even if the application raised an error after the status, and
raise the error only then.  A relay inside another hides it from the outer one.  So an export that
fails late puts its error among the messages for each relay of its request: a relay raises it when
it reads the message, and so never sends the end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from functools import cache
from types import CodeType, FrameType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

_TASK = "coro"
"""The function that runs the application in the task of a relay, in Starlette 0.21 to 1.10."""
_NAMES = frozenset({"self", "scope", "send_stream"})
"""What it refers to: the relay, the scope that the application got, the stream of its messages."""
_MODULE = "starlette.middleware.base"

_outside: WeakKeyDictionary[object, bool] = WeakKeyDictionary()  # what `is_below` found
_sending: set[asyncio.Task[None]] = set()  # the event loop itself keeps no task alive


def break_relays(scope: MutableMapping[str, Any], error: Exception) -> list[asyncio.Task[None]]:
    """Make every relay around this application raise `error` instead of ending the body.

    Return the tasks that pass it to them: a relay takes it once it has sent what came before.
    """
    loop = asyncio.get_running_loop()
    # While there is a clone, the stream does not end, although the application closes its own.
    clones = [stream.clone() for stream in _streams(scope)]
    tasks = [loop.create_task(_send_error(clone, error)) for clone in clones]
    for task in tasks:
        _sending.add(task)
        task.add_done_callback(_sending.discard)
    return tasks


def unknown_relay() -> str | None:
    """Return the name of relays that `break_relays` would not find; None if there are none."""
    module = sys.modules.get(_MODULE)
    if module is None or _has_task(module.BaseHTTPMiddleware.__call__.__code__):
        return None
    return "this version of Starlette's BaseHTTPMiddleware"


class _Failure(dict[str, Any]):
    """A message that raises an error when it is read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def __getitem__(self, key: str) -> NoReturn:
        raise self._error

    def get(self, *_: object) -> NoReturn:
        """Raise the error."""
        raise self._error


async def _send_error(stream: Any, error: Exception) -> None:
    with suppress(Exception), stream:  # the relay may be gone
        await stream.send(_Failure(error))


def _streams(scope: MutableMapping[str, Any]) -> list[Any]:
    """Return the message stream of every relay around this application.

    A relay is around it if this task was started in the relay's, or if it got the same headers.
    Either alone is not enough: some middlewares replace the headers in the scope, others start
    tasks.
    """
    if "anyio" not in sys.modules:  # Starlette needs it
        return []
    relays = {task: frame.f_locals for task, frame in _relays()}
    around = _tasks_around()
    own = [scope, *(names["scope"] for task, names in relays.items() if id(task) in around)]
    headers = [each.get("headers") for each in own]
    found = relays.values()
    return [
        names["send_stream"]
        for names in found
        if any(names["scope"].get("headers") is each for each in headers)
    ]


def _relays() -> Iterator[tuple[asyncio.Task[Any], FrameType]]:
    """Yield each task that runs an application for a relay, with the frame that has the names."""
    for task in asyncio.all_tasks():
        for frame in _frames(task):
            if _is_task(frame.f_code):
                yield task, frame


def is_below(is_meant: Callable[[FrameType], bool]) -> bool:
    """Return whether one of the functions around this one is meant, also outside of relays.

    Looking there takes a millisecond for every 150 tasks, and gives the same for each request.  So
    what was found is remembered: for one question only.
    """
    relay: object = None
    for frame in _stack():
        if is_meant(frame):
            return True
        if relay is None and _is_task(frame.f_code):
            relay = frame.f_locals["self"]
    if relay is None:
        return False
    if relay not in _outside:
        around = _tasks_around() - {id(asyncio.current_task())}
        tasks = [task for task in asyncio.all_tasks() if id(task) in around]
        _outside[relay] = any(is_meant(frame) for task in tasks for frame in _frames(task))
    return _outside[relay]


def _tasks_around() -> set[int]:
    """Return the ids of the current task and of those in whose task groups it was started."""
    anyio: Any = sys.modules["anyio"]
    parents = {info.id: info.parent_id for info in anyio.get_running_tasks()}
    found: set[int] = set()
    task = anyio.get_current_task().id
    while task is not None:
        found.add(task)
        task = parents.get(task)
    return found


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task's coroutines, as far as they await each other."""
    if task is asyncio.current_task():
        yield from _stack()  # a running coroutine does not show what it awaits
        return
    awaited: Any = task.get_coro()
    while awaited is not None:
        if found := getattr(awaited, "cr_frame", None):
            yield found
        awaited = getattr(awaited, "cr_await", None)


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - `inspect` would read source files
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_task(code: CodeType) -> bool:
    return code.co_name == _TASK and set(code.co_freevars) >= _NAMES


@cache
def _has_task(code: CodeType) -> bool:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return _is_task(code) or any(map(_has_task, inner))
