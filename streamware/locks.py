"""Locks that no forked child finds held by a thread that does not exist in it.

A child has only the thread that forked, which releases the re-entrant locks that it holds, in the
child as well.  All other locks are made free there, before anything else runs.
"""

from __future__ import annotations

import os
from threading import Condition, RLock
from typing import Any, TypeVar
from weakref import ref

Lock = TypeVar("Lock")

# Not a WeakSet, whose methods are Python code and slow: documents have several locks each.
_locks: set[ref[Any]] = set()
_forks = 0  # forks between the first process and this one


def fork_safe(lock: Lock) -> Lock:
    """Return `lock`, a lock of `threading`, which will be free in a forked child."""
    _locks.add(ref(lock, _locks.discard))
    return lock


def condition() -> Condition:
    """Return a condition with such a lock."""
    return Condition(fork_safe(RLock()))


def generation() -> int:
    """Return a number that differs in each forked child."""
    return _forks


def _free_locks() -> None:
    global _forks  # noqa: PLW0603 - it belongs to the process
    _forks += 1
    for lock in filter(None, [reference() for reference in list(_locks)]):
        # Both are private to the standard library, whose own locks are kept and freed by them.
        if not hasattr(lock, "_is_owned") or not lock._is_owned():  # noqa: SLF001
            lock._at_fork_reinit()  # noqa: SLF001


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork either
    os.register_at_fork(after_in_child=_free_locks)
