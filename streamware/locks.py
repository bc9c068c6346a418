"""Locks that no forked child finds held by a thread that does not exist in it.

A child has only the thread that forked.  What that thread holds it also releases, in the child
as well.  All other locks are made free in the child, before anything else runs there.
"""

from __future__ import annotations

import os
from threading import Condition, RLock
from typing import Any
from weakref import WeakSet

_locks: WeakSet[Any] = WeakSet()
_forks = 0  # forks between the first process and this one


def fork_safe_lock() -> Any:
    """Return a re-entrant lock, as of `threading.RLock`."""
    lock = RLock()
    _locks.add(lock)
    return lock


def condition() -> Condition:
    """Return a condition with such a lock."""
    return Condition(fork_safe_lock())


def generation() -> int:
    """Return a number that is another one in each forked child."""
    return _forks


def _free_locks() -> None:
    global _forks  # noqa: PLW0603 - it belongs to the process
    _forks += 1
    for lock in list(_locks):
        if not lock._is_owned():  # noqa: SLF001 - as `threading.Condition` does
            lock._at_fork_reinit()  # noqa: SLF001 - as `threading` and `logging` do


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork either
    os.register_at_fork(after_in_child=_free_locks)
