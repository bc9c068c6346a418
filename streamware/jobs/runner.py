"""Runner: runs jobs on threads of this process, for applications without workers.

A thread ends when it finds nothing to do, and starts again with the next job.  At the first use in
a process the open jobs of an earlier one are taken up: those that wait at once, and those that a
killed process ran as soon as its lease is over.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import RLock, Thread, Timer, current_thread
from typing import Final

from streamware.locks import fork_safe, generation

logger = logging.getLogger("streamware")

THREADS: Final = 2
"""Jobs of a process that run at the same time: encoding keeps one core busy each."""


_AGAIN: Final = 10.0  # seconds after which open jobs are looked up again if that failed
_PATIENCE: Final = 10.0  # seconds that the end of the process waits for a thread


class Runner:
    """A few threads that run jobs, each only while there are some.

    Args:
        run: Runs the job with this id.
        recover: Submits the open jobs whose lease has ended; returns the seconds after which it is
            worth another look, or None.
    """

    def __init__(self, run: Callable[[str], object], recover: Callable[[], float | None]) -> None:
        self._run = run  # runs a job
        self._recover = recover  # finds those whose lease has ended
        self._waiting: deque[str] = deque()  # ids, in the order in which they came
        self._threads: list[Thread] = []  # those that run
        self._timer: Timer | None = None  # until the next look at lost jobs
        self._started = False  # whether this process has looked for the jobs of an earlier one
        self._closed = False  # whether no more are run
        self._generation = generation()  # of the process that has the threads
        self._lock = fork_safe(RLock())  # guards all of these

    def submit(self, id: str) -> None:  # noqa: A002 - the contract's name
        """Run a job on a thread, as soon as one is free."""
        with self._lock:
            self._adopt()
            if self._closed or id in self._waiting:
                return
            self._waiting.append(id)
            if len(self._threads) < THREADS:
                thread = Thread(target=self._work, name="streamware-jobs", daemon=True)
                self._threads.append(thread)
                thread.start()

    def start(self) -> None:
        """Take up the open jobs of an earlier process, at the first call in this one."""
        with self._lock:
            self._adopt()
            if self._started or self._closed:
                return
            self._started = True
        self._look()

    def stop(self) -> None:
        """Start no more jobs."""
        with self._lock:
            self._adopt()
            self._closed = True
            self._waiting.clear()
            timer = self._timer
        if timer is not None:
            timer.cancel()

    def join(self) -> None:
        """Wait for some time until the threads have ended."""
        with self._lock:
            threads = [*self._threads, *filter(None, [self._timer])]
        for thread in threads:
            if thread is not current_thread():
                thread.join(_PATIENCE)

    def _adopt(self) -> None:
        """In a forked child: leave the jobs to the parent, whose threads are not here."""
        if self._generation != generation():
            self._generation = generation()
            self._waiting.clear()
            self._threads.clear()
            self._timer, self._started = None, False

    def _look(self) -> None:
        """Take up lost jobs, and come back when the next lease is over."""
        try:
            seconds = self._recover()
        except Exception:
            logger.warning("the open jobs cannot be looked up", exc_info=True)
            seconds = _AGAIN
        with self._lock:
            if seconds is None or self._closed:
                return
            self._timer = Timer(seconds, self._look)
            self._timer.name, self._timer.daemon = "streamware-jobs", True
            self._timer.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads = [each for each in self._threads if each is not current_thread()]
                    return
                id_ = self._waiting.popleft()
            try:
                self._run(id_)
            except Exception:
                logger.exception("job %s cannot be run", id_)
