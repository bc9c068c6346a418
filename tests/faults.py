"""Calls to the system that fail on order, and a request that makes all of them.

SQLite's way of testing: the N-th call of a kind fails, once or from then on, and N is raised until
the request passes without meeting the fault.  After each run the `oracle` looks for what is left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from oracle import Oracle, storing
from streamware.errors import Refused, ScratchError
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.process_directory import reap

CALLS = [
    *("open", "close", "stat", "fstat", "lstat", "fstatvfs", "scandir", "listdir", "dup2"),
    *(
        "mkdir",
        "rmdir",
        "unlink",
        "rename",
        "chmod",
        "fchmod",
        "pwrite",
        "pread",
        "posix_fallocate",
        "ftruncate",
    ),
    *("posix_fadvise", "lseek", "fcntl", "flock"),
]
"""Functions of `os` and `fcntl` that the package, and what it uses of the library, may call."""

ERRORS = ("ENOSPC", "EIO", "EINTR", "EDQUOT", "EROFS", "EMFILE", "EACCES")
MOST = 200
"""Calls of a kind that one request may make; more is a sweep that would not end."""


class Faults:
    """Has calls of one function fail, for the thread that enters it.

    Args:
        call: The function's name.
        error: The name of the error.
        at: The number of the first call that fails, from 1.
        persistent: Whether those after it fail, too.

    Attributes:
        calls: How many there were.
        met: How many of them failed.
    """

    def __init__(self, call: str, error: str, *, at: int, persistent: bool) -> None:
        self._module = fcntl if hasattr(fcntl, call) else os
        self._call = call
        self.number = getattr(errno, error)
        self._at = at
        self.persistent = persistent
        self._real: Callable[..., Any] = getattr(self._module, call)
        self.calls = 0
        self._paused = False
        self.met = 0

    def __str__(self) -> str:
        when = f"{self._at} and after" if self.persistent else f"{self._at}"
        return f"{self._call} {errno.errorcode[self.number]} at {when}"

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        setattr(self._module, self._call, self._failing)
        return self

    def __exit__(self, *exc: object) -> None:
        setattr(self._module, self._call, self._real)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Neither count nor fail: what runs is not the package's."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def _failing(self, *args: Any, **options: Any) -> Any:
        if self._paused or threading.get_ident() != self._thread:
            return self._real(*args, **options)
        self.calls += 1
        if self.calls < self._at or (self.calls > self._at and not self.persistent):
            return self._real(*args, **options)
        self.met += 1
        if self._call == "close":  # as the kernel does: the descriptor is closed anyway
            self._real(*args, **options)
        raise OSError(self.number, os.strerror(self.number))


class Tracked:
    """Something with a `close()`, which counts."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def use(scratch: Scratch, outside: Callable[[], Any]) -> None:
    """All that a request can do with its scratch, read back and compared.

    Args:
        scratch: Of the request.
        outside: A context for what the request does by itself.
    """
    spool = scratch.spool()
    for part in (b"a" * 600, b"b" * 600, b"c" * 2**20, b"d" * 600):
        assert spool.write(part) == len(part)
    spool.seek(-600, os.SEEK_END)
    assert spool.read() == b"d" * 600
    spool.seek(0)
    assert spool.read(1200) == b"a" * 600 + b"b" * 600
    assert spool.truncate(1200) == 1200
    descriptor = spool.fileno()
    with outside():
        assert os.fstat(descriptor).st_size == 1200
    path = scratch.path(".xml")
    with outside():
        path.write_bytes(b"x" * 5000)
    folder = scratch.directory()
    with outside():
        (folder / "sub").mkdir()
        (folder / "sub" / "part").write_bytes(b"x" * 5000)
        (folder / "link").symlink_to("/nowhere")
    assert scratch.usage.files == 3
    second = scratch.spool()
    second.write(b"e" * 3000)
    second.close()
    assert scratch.holds(path)


@dataclass
class Tally:
    """What came of the runs with one call and one error.

    Attributes:
        call: Which one failed.
        error: How.
        runs: How often.
        named: Runs that ended in a `ScratchError` with its errno, or `Refused`.
        kept: Runs after which a name stayed until the process directory was closed, or reaped.
        leaks: What was left behind, and errors that were neither.
    """

    call: str
    error: str
    runs: int = 0
    named: int = 0
    kept: int = 0
    leaks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Runs that the fault did not keep from being done."""
        return self.runs - self.named

    def note(self, faults: Faults, problem: str) -> None:
        """Keep a problem, if it is one."""
        if problem:
            self.leaks.append(f"{faults}: {problem}")


def sweep(root: Path, call: str, error: str, *, wait_seconds: float = 0.02) -> Tally:
    """Fail the N-th call once, and all from the N-th on, until a request meets no fault.

    On the thread of an event loop nothing may wait, even with `wait_seconds`.
    """
    tally = Tally(call, error)
    oracle = Oracle(root)
    for persistent in (False, True):
        for at in range(1, MOST):
            faults = Faults(call, error, at=at, persistent=persistent)
            with storing(oracle.root, wait_seconds=wait_seconds) as scratch_pool:
                _run(oracle, scratch_pool, tally, faults)
            _look(oracle, tally, faults)
            if not faults.met:
                break
        else:
            tally.leaks.append(f"{call} is called {MOST} times")
    return tally


def _run(oracle: Oracle, scratch_pool: ScratchPool, tally: Tally, faults: Faults) -> None:
    """One request, its end and the end of its process."""
    tracked = Tracked()
    scratch = Scratch(scratch_pool)
    scratch.track(tracked)
    with faults:
        tally.note(faults, _outcome(tally, faults, scratch))
        scratch.close()
        tally.note(faults, "" if tracked.closed == 1 else f"closed {tracked.closed} times")
        with faults.paused():
            # What the kernel did not unlock is unlocked at the next occasion.
            scratch_pool.budget.take(1)
            scratch_pool.budget.release(1)
            kept = judge(oracle, scratch_pool)
        for part in (scratch_pool.process_directory, scratch_pool.budget, scratch_pool.directory):
            try:
                part.close()
            except OSError as error:
                tally.note(faults, f"close of the {type(part).__name__} raised {error!r}")
    # What could not be unlinked, though tried again, waits for the end of the process.
    tally.kept += bool(kept)
    if not faults.persistent:
        tally.note(faults, kept)


def _look(oracle: Oracle, tally: Tally, faults: Faults) -> None:
    """Have the next process reap, and see what is left then."""
    reap(oracle.root)
    if left := oracle.left():
        tally.note(faults, left)
        oracle.baseline = oracle.look()  # or each of the next runs would tell it again
    tally.runs += bool(faults.met)


def _outcome(tally: Tally, faults: Faults, scratch: Scratch) -> str:
    """What is wrong with how the request ended."""
    try:
        use(scratch, faults.paused)
    except (ScratchError, Refused) as error:
        tally.named += 1
        number = getattr(error, "errno", faults.number)
        return "" if number == faults.number else f"{error!r} has lost its errno"
    except Exception as error:  # noqa: BLE001 - it is reported
        return f"{type(error).__name__} is neither a ScratchError nor Refused: {error}"
    return ""


def judge(oracle: Oracle, scratch_pool: ScratchPool) -> str:
    """What a closed ledger still holds: all but what belongs to its process."""
    now = oracle.look()
    problems = [f"descriptor {it}" for it in now.descriptors if "#" in it]
    problems += [f"name {it}" for it in now.names if "/" in it]
    if scratch_pool.budget.used:
        problems.append(f"{scratch_pool.budget.used} bytes of the budget")
    if now.units:
        problems.append(f"{now.units} units")
    if now.bytes != oracle.baseline.bytes:
        problems.append(f"{now.bytes - oracle.baseline.bytes} bytes on disk")
    return ", ".join(problems)
