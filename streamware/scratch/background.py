"""Background: runs what removes many bytes on a thread of its own, never on an event loop's.

The kernel frees the space of a file while its last descriptor is closed, while it is unlinked or
while it is cut.  That takes half a second for each gigabyte, during which no other task would run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

LARGE = 2**22
"""Bytes whose removal may take longer than an event loop should be blocked."""


def on_event_loop() -> bool:
    """Return whether this thread is running an event loop of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run(call: Callable[[], object]) -> None:
    """Run `call`, which never raises, on a thread of its own; on this one if there can be none.

    The interpreter waits for the thread when it exits.
    """
    try:
        Thread(target=call, name="streamware", daemon=False).start()
    except RuntimeError:  # too many threads, or the interpreter is exiting
        call()


async def arun(call: Callable[[], object]) -> None:
    """Run `call`, which never raises, as `run` does, and wait for it.

    A cancellation ends the waiting, not the call.
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def resolve() -> None:
        if not ended.done():
            ended.set_result(None)

    def called() -> None:
        call()
        with suppress(RuntimeError):  # the loop has ended, so no task waits
            loop.call_soon_threadsafe(resolve)

    run(called)
    await asyncio.wait({ended})
