"""Watchdog: looks twice a second at every response that a WSGI server is sending.

While a WSGI server sends, or waits for rows, no code of ours runs on its thread.  So one thread of
the process looks at all responses.  It exists as long as there are any.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from time import sleep
from typing import Protocol
from weakref import ref

from streamware.http.sending import TICK
from streamware.locks import fork_safe
from streamware.scratch.forks import watch

_LINGER = 0.01  # seconds for which the thread outlives the last response
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
        self._ending = threading.Event()  # set when there is nothing left to look at

    def add(self, response: Watched) -> None:
        """Look at a response until it is removed."""
        self._responses[id(response)] = ref(response)
        with self._lock:
            self._ending.clear()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="streamware", daemon=True)
                with suppress(RuntimeError):  # too many threads: the response does without
                    thread.start()
                    self._thread = thread

    def remove(self, response: Watched) -> None:
        """Stop looking at a response.  Idempotent; never waits, so a finalizer may call it."""
        self._responses.pop(id(response), None)
        if not self._responses:
            self._ending.set()

    def _run(self) -> None:
        while True:
            if self._ending.wait(TICK):
                sleep(_LINGER)  # a busy server has another response by then
            with self._lock:
                if not self._responses:
                    self._thread = None
                    return
                self._ending.clear()
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
