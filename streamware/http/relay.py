"""Relays: middlewares that run the application in a task of their own, and pass its messages on.

Starlette's `BaseHTTPMiddleware` and `@app.middleware("http")` are relays.  Since Starlette 0.46
they end a body as if it were complete even if the application raised an error after the status, and
raise the error only then.  A relay inside another hides it from the outer one.  So an export that
fails late puts its error among the messages for each relay of its request: a relay raises it when
it reads the message, and so never sends the end.

The relays of a request are found by following its messages: from each `send` to what it calls,
until that is the stream of a relay, and on from the relay's own `send`.  Comparing scopes or tasks
would miss some: middlewares copy the scope and start tasks.  The tasks are used where a middleware
sends through a queue, which cannot be followed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from functools import cache, partial
from types import CellType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

_TASK = "coro"
"""The function that runs the application in the task of a relay, in Starlette 0.21 to 1.10."""
_NAMES = frozenset({"self", "scope", "send_stream"})
"""What it refers to: the relay, the scope that the application got, the stream of its messages."""
_MODULE = "starlette.middleware.base"
_BRIDGES = ("a2wsgi.", "anyio.", "asgiref.", "hypercorn.", "uvicorn.")
"""What runs a WSGI application on a thread beside an event loop; Starlette uses anyio for that."""
_PATIENCE = 1.0  # seconds that an event loop has to answer
_MOST = 2000  # objects that are looked at on the way of a message

_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Question = Callable[[FrameType], bool]
# What `is_below` found, for each of its questions.
_outside: WeakKeyDictionary[object, dict[_Question, bool]] = WeakKeyDictionary()
_sending: set[asyncio.Task[None]] = set()  # the event loop itself keeps no task alive


def break_relays(
    scope: MutableMapping[str, Any], send: _Send, error: Exception
) -> list[asyncio.Task[None]]:
    """Make every relay that gets what `send` sends raise `error` instead of ending the body.

    Return the tasks that pass it to them: a relay takes it once it has sent what came before.
    """
    loop = asyncio.get_running_loop()
    # While there is a clone, the stream does not end, although the application closes its own.
    clones = [stream.clone() for stream in _streams(scope, send)]
    tasks = [loop.create_task(_send_error(clone, error)) for clone in clones]
    for task in tasks:
        _sending.add(task)
        task.add_done_callback(_sending.discard)
    return tasks


def unknown_relay() -> str | None:
    """Return the name of relays that `break_relays` would not find; None if there are none."""
    module = sys.modules.get(_MODULE)
    if module is None or any(map(_has_task, _codes(module.BaseHTTPMiddleware.__call__))):
        return None
    return "this version of Starlette's BaseHTTPMiddleware"


def is_beside() -> bool:
    """Return whether there are relays in the event loop beside which a bridge runs this thread.

    They may be around the bridge.  Also True if the loop is not found, or does not answer.
    """
    loop = next(filter(None, map(_loop_of, _stack())), None)
    if loop is None:
        return True
    # Not from here: the task of the bridge may not have come to wait for this thread yet.
    found = asyncio.run_coroutine_threadsafe(_has_relays(), loop)
    try:
        return found.result(_PATIENCE)
    except Exception:  # noqa: BLE001 - then it is not known
        found.cancel()
        return True


async def _has_relays() -> bool:
    tasks = asyncio.all_tasks()
    return any(_is_task(frame.f_code) for task in tasks for frame in _frames(task))


def _loop_of(frame: FrameType) -> asyncio.AbstractEventLoop | None:
    """Return the event loop that a frame of a bridge, or of the thread it uses, knows."""
    if not str(frame.f_globals.get("__name__")).startswith(_BRIDGES):
        return None
    names = frame.f_locals
    known = [names.get("loop"), getattr(names.get("self"), "loop", None)]
    for each in _way(names.get("send")):  # hypercorn's
        known += [each, getattr(each, "_loop", None)]
    return next((each for each in known if isinstance(each, asyncio.AbstractEventLoop)), None)


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


def _streams(scope: MutableMapping[str, Any], send: _Send) -> list[Any]:
    """Return the message stream of every relay that gets what `send` sends.

    Where a framework takes the body from an iterator, `send` leads nowhere; then the same headers,
    a list that each request has for itself, show which relays are those of the request.
    """
    if "anyio" not in sys.modules:  # Starlette needs it
        return []
    around = _tasks_around()
    starts: list[Any] = [send]
    relays: dict[int, tuple[int, int]] = {}  # by the stream: the relay and its scope, by their ids
    sends: dict[tuple[int, int], _Send] = {}  # what a relay sends to
    for task in asyncio.all_tasks():
        for frame in _frames(task):
            if not _is_task(frame.f_code) and not _is_call(frame.f_code):
                continue
            names = frame.f_locals
            key = (id(names["self"]), id(names["scope"]))
            if _is_task(frame.f_code):
                relays[id(names["send_stream"])] = key
                same = names["scope"].get("headers") is scope.get("headers")
                starts += [names["send_stream"]] if same or id(task) in around else []
            else:
                sends[key] = names["send"]
    found = []
    for start in starts:  # it grows
        for each in _way(start):
            if (relay := relays.pop(id(each), None)) is not None:
                found.append(each)
                starts.append(sends.get(relay))
    return found


def _way(start: object) -> Iterator[object]:
    """Yield what a message may pass from `start` on: what it calls, what that calls, and so on."""
    seen: dict[int, object] = {}
    waiting = deque([start])
    while waiting and len(seen) < _MOST:
        each = waiting.popleft()  # the nearest first
        if id(each) not in seen:
            seen[id(each)] = each
            yield each
            with suppress(Exception):  # some objects raise when they are asked for an attribute
                waiting += _parts(each)


def _parts(call: object) -> list[object]:
    """Return what a callable, or the object of a method, may call in turn."""
    if isinstance(call, FunctionType):
        return [cell.cell_contents for cell in call.__closure__ or () if _is_filled(cell)]
    if isinstance(call, MethodType):
        return [call.__func__, call.__self__]
    if isinstance(call, partial):
        return [call.func, *call.args]
    if isinstance(call, (type, ModuleType)):
        return []
    slots = [name for kind in type(call).__mro__ for name in getattr(kind, "__slots__", ())]
    values = [getattr(call, name, None) for name in slots]
    values += getattr(call, "__dict__", {}).values()
    return [value for value in values if callable(value)]


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # the variable has no value yet
        return False
    return True


def is_below(is_meant: _Question) -> bool:
    """Return whether one of the functions around this one is meant, also outside of relays.

    Looking there takes a millisecond for every 150 tasks, and gives the same for each request.  So
    what was found is remembered.
    """
    relay: object = None
    for frame in _stack():
        if is_meant(frame):
            return True
        if relay is None and _is_task(frame.f_code):
            relay = frame.f_locals["self"]
    if relay is None:
        return False
    found = _outside.setdefault(relay, {})
    if is_meant not in found:
        around = _tasks_around() - {id(asyncio.current_task())}
        tasks = [task for task in asyncio.all_tasks() if id(task) in around]
        found[is_meant] = any(is_meant(frame) for task in tasks for frame in _frames(task))
    return found[is_meant]


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


def _is_call(code: CodeType) -> bool:
    """Return whether it is that of a relay that awaits its task, and passes the messages on."""
    return code.co_name == "__call__" and _has_task(code)


def _codes(function: Any) -> Iterator[CodeType]:
    """Yield the code of a function, and of what it wraps: Sentry and others replace methods."""
    rest, seen = [function], set[int]()
    while rest:
        found = rest.pop()
        if id(found) in seen or not isinstance(getattr(found, "__code__", None), CodeType):
            continue
        seen.add(id(found))
        yield found.__code__
        rest.append(getattr(found, "__wrapped__", None))
        for cell in getattr(found, "__closure__", None) or ():
            with suppress(ValueError):  # it is empty
                rest.append(cell.cell_contents)


@cache
def _has_task(code: CodeType) -> bool:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return _is_task(code) or any(map(_has_task, inner))
