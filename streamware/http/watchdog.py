"""Watchdog: looks twice a second at every response that a WSGI server is sending.

While a WSGI server sends, or waits for rows, no code of ours runs on its thread.  So one thread of
the process looks at all responses.  It ends when it finds none, half a second after the last: to
start and end it with each response would cost as much as a small export.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Protocol
from weakref import ref

from streamware.http.sending import TICK
from streamware.locks import fork_safe
from streamware.scratch.forks import watch

logger = logging.getLogger("streamware")


class Watched(Protocol):
    """A response."""

    def look(self) -> None:
        """Look at it; called on the watchdog's thread, which it must not block."""


class Watchdog:
    """The thread, and what it looks at; it keeps no response alive."""

    def __init__(self) -> None:
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Look at nothing: the thread and the responses belong to the parent."""
        self._responses: dict[int, ref[Watched]] = {}
        self._lock = fork_safe(threading.Lock())  # guards the thread; never taken by a finalizer
        self._thread: threading.Thread | None = None
        self._early = threading.Event()  # set when the next look shall not wait

    def add(self, response: Watched) -> None:
        """Look at a response until it is removed."""
        self._responses[id(response)] = ref(response)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="streamware", daemon=True)
                with suppress(RuntimeError):  # too many threads: the response does without
                    thread.start()
                    self._thread = thread

    def remove(self, response: Watched) -> None:
        """Stop looking at a response.  Idempotent; never waits, so a finalizer may call it."""
        self._responses.pop(id(response), None)

    def hurry(self) -> None:
        """Look at once: if there is nothing to look at, the thread ends."""
        self._early.set()

    def _run(self) -> None:
        while True:
            self._early.wait(TICK)
            self._early.clear()
            with self._lock:
                if not self._responses:
                    self._thread = None
                    return
            for key, reference in list(self._responses.items()):
                response = reference()
                if response is None:
                    self._responses.pop(key, None)
                    continue
                try:
                    response.look()
                except Exception:
                    logger.exception("looking at a response failed")
                del response  # kept alive, it could not be collected


watchdog = Watchdog()
"""That of this process."""
