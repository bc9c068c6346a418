"""Requests whose system calls fail, or end the process: to be run under `strace -e inject=...`.

`strace` counts the calls of each process from its birth on and strikes the `WHEN`-th.  So the N-th
call of a request is struck in a child that makes `WHEN` - N calls without effect before it uses its
scratch.  The parent, which stays below the count, plays the next start of the server: it reaps,
and looks what is left.  Python is started once for all of it.

    python tests/struck.py DIRECTORY [CALL...]

prints as JSON, for each call, what became of each child: [outcome, what was left before the
reaper came, what was left after it].  The last child of a call was not struck.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import judge, use
from oracle import Oracle, close, settings
from streamware.errors import StreamwareError
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.process_directory import reap

LATE = "not struck"

NOWHERE = 1023
"""A descriptor that is not open: calls with it fail with EBADF."""

CALLS: dict[str, Callable[[], object]] = {
    "pwrite64": lambda: os.pwrite(NOWHERE, b"", 0),
    "pread64": lambda: os.pread(NOWHERE, 1, 0),
    "fallocate": lambda: os.posix_fallocate(NOWHERE, 0, 1),
    "ftruncate": lambda: os.ftruncate(NOWHERE, 0),
    "fstatfs": lambda: os.fstatvfs(NOWHERE),
    "flock": lambda: fcntl.flock(NOWHERE, fcntl.LOCK_UN),
    "mkdirat": lambda: os.mkdir("none", dir_fd=NOWHERE),
    "unlinkat": lambda: os.unlink("none", dir_fd=NOWHERE),
    "renameat": lambda: os.rename("none", "none", src_dir_fd=NOWHERE, dst_dir_fd=NOWHERE),
    "fcntl": lambda: fcntl.fcntl(NOWHERE, fcntl.F_GETFD),
    "openat": lambda: os.open("none", os.O_RDONLY, dir_fd=NOWHERE),
    "close": lambda: os.close(NOWHERE),
}
"""Calls of the kernel that a request makes, each made so that it does nothing."""

WHEN = {call: 1500 if call in ("openat", "close") else 200 for call in CALLS}
"""The call of a process that is struck: one that Python's start does not come to."""


def struck(root: Path, what: str, calls: Sequence[str] = tuple(CALLS)) -> dict[str, list[Any]]:
    """Run all of it under strace; `what` is "error=..." or "signal=...".  Blocks for seconds.

    Raises:
        OSError: There is no strace, or it may not trace.
    """
    if not which("strace"):
        raise FileNotFoundError(errno.ENOENT, "strace")
    if what.startswith("error"):  # instead of the call: what is not closed is open, and no leak
        calls = [call for call in calls if call != "close"]
    injected = [f"--inject={call}:{what}:when={WHEN[call]}" for call in calls]
    # With its filter in the kernel strace is quicker, but sends no signals (6.1).
    filtered = [] if what.startswith("signal") else ["--seccomp-bpf"]
    trace = ["strace", "-f", "-qqq", "-o", "/dev/null", *filtered, *injected]
    command = [*trace, f"--trace={','.join(calls)}", sys.executable, __file__, str(root), *calls]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(errno.EPERM, done.stderr)
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


def main() -> None:
    logging.getLogger("streamware").setLevel(logging.CRITICAL)
    root, calls = Path(sys.argv[1]), sys.argv[2:] or list(CALLS)
    oracle = Oracle(root)
    _said(lambda say: _request(oracle, say))  # once unharmed: what is imported late is here now
    print(json.dumps({call: _sweep(oracle, call) for call in calls}))


def _sweep(oracle: Oracle, call: str) -> list[Any]:
    runs: list[Any] = []
    for at in range(1, WHEN[call]):
        outcome = _struck_at(oracle, call, at)
        before, after = _said(lambda say: _next_start(oracle, say))
        runs.append((outcome, before, after))
        if outcome == LATE:
            break
    return runs


def _struck_at(oracle: Oracle, call: str, at: int) -> str:
    """What became of a request whose call of that number was struck."""

    def child(say: Callable[[str], None]) -> None:
        usual = _told(call)
        if any(_told(call) != usual for _ in range(WHEN[call] - at - 1)):
            return  # by what Python does in a child
        scratch_pool = _request(oracle, say)
        # A child that is unharmed by now is struck by one of these.
        if any(_told(call) != usual for _ in range(at)):
            say(LATE)
        else:
            say(judge(oracle, scratch_pool))

    said = _said(child)
    if not said:
        return "killed"
    if said[1:] != [""]:  # or killed by one of the last calls
        return f"holds {said[1]}" if said[1:] not in ([], [LATE]) else LATE
    return said[0]


def _request(oracle: Oracle, say: Callable[[str], None]) -> ScratchPool:
    scratch_pool = ScratchPool(settings(oracle.root))
    scratch = Scratch(scratch_pool)
    outcome = "passed"
    try:
        use(scratch, _outside)
    except StreamwareError as error:
        outcome = errno.errorcode.get(getattr(error, "errno", 0), "refused")
    except _OutsideError:
        outcome = "passed"  # it was a call of the request's own
    except OSError as error:
        outcome = f"not named: {error!r}"
    scratch.close()
    with suppress(OSError):
        close(scratch_pool)
    say(outcome)
    return scratch_pool


class _OutsideError(Exception):
    """A call that is not the package's was struck."""


@contextmanager
def _outside() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _OutsideError from error


def _next_start(oracle: Oracle, say: Callable[[str], None]) -> None:
    say(oracle.look() - oracle.baseline)
    reap(oracle.root)
    say(oracle.left())


def _told(call: str) -> int | None:
    try:
        CALLS[call]()
    except OSError as error:
        return error.errno
    return None


def _said(child: Callable[[Callable[[str], None]], object]) -> list[str]:
    """What a child says until it ends, or is killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        try:
            child(lambda text: _ignored(os.write(writing, f"{text}\n".encode())))
        except BaseException:  # noqa: BLE001 - printed
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:  # noqa: PTH123 - a descriptor
        said = pipe.read()
    os.waitpid(process, 0)
    return said.split("\n")[:-1]


def _ignored(_: object) -> None:
    """For what returns something that is no use."""


if __name__ == "__main__":
    main()
