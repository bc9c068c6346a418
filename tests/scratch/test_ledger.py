import errno
import faulthandler
import gc
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from children import needs_linux, ran
from fakes import PATIENCE
from faults import Tracked
from oracle import Oracle, close, settings, storing
from streamware.errors import Refused, ScratchError, StateError
from streamware.limits import Limits
from streamware.scratch.ledger import CURRENT, Closeable, Scratch, Usage, current_scratch
from streamware.scratch.pool import ScratchPool
from streamware.scratch.spool import STEP, Spool

posix = pytest.mark.skipif(os.name != "posix", reason="modes, forks")

CALLS: list[Callable[[Scratch], object]] = [
    Scratch.spool,
    Scratch.path,
    Scratch.directory,
    lambda scratch: scratch.track(Tracked()),
]
NAMES = ["spool", "path", "directory", "track"]


def on_disk_ahead(scratch: Scratch, size: int) -> Spool:
    """A spool on disk that holds more than was written, for what is to come."""
    before, spool = scratch.usage.bytes, scratch.spool()
    spool.write(b"x" * size)
    assert scratch.usage.bytes - before >= STEP
    return spool


def on_disk(scratch: Scratch, size: int = 5000) -> Spool:
    """A spool that has moved to disk."""
    spool = scratch.spool()
    spool.write(b"x" * size)
    assert spool.fileno() > 0
    return spool


class Noted:
    """Something tracked that notes when it is closed, and may refuse to be."""

    def __init__(self, notes: list[Any], note: object, error: BaseException | None = None) -> None:
        self.notes = notes
        self.note = note
        self.error = error

    def close(self) -> None:
        self.notes.append(self.note() if callable(self.note) else self.note)
        if self.error is not None:
            raise self.error


# What it hands out


def test_a_spool_is_a_binary_file_without_a_name(scratch: Scratch, root: Path) -> None:
    spool = on_disk(scratch)
    spool.seek(0)
    assert spool.read() == b"x" * 5000
    assert os.fstat(spool.fileno()).st_nlink == 0


@posix
def test_a_path_is_empty_and_nobody_elses(scratch: Scratch) -> None:
    path = scratch.path()
    assert path.is_absolute()
    assert path.read_bytes() == b""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


@posix
def test_neither_umask_nor_luck_opens_a_name_to_others(scratch: Scratch) -> None:
    before = os.umask(0)
    try:
        modes = [
            stat.S_IMODE(made.stat().st_mode) for made in (scratch.path(), scratch.directory())
        ]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o700]


def test_a_path_ends_in_its_suffix(scratch: Scratch) -> None:
    assert scratch.path(".xlsx").suffix == ".xlsx"
    assert scratch.path("-täglich.csv").name.endswith("-täglich.csv")


def test_each_path_and_directory_is_another(scratch: Scratch) -> None:
    made = [scratch.path(), scratch.path(), scratch.directory(), scratch.directory()]
    assert len(set(made)) == 4


def test_a_directory_is_empty_and_may_be_filled(scratch: Scratch) -> None:
    directory = scratch.directory()
    assert list(directory.iterdir()) == []
    (directory / "sub").mkdir()
    (directory / "sub" / "part").write_bytes(b"x")


@pytest.mark.parametrize("suffix", ["/", "a/b", "/../../etc/passwd", "\0", ".xlsx\0"])
def test_a_suffix_with_a_separator_or_nul_is_refused(scratch: Scratch, suffix: str) -> None:
    with pytest.raises(ValueError, match="must not hold a path separator or NUL"):
        scratch.path(suffix)
    assert scratch.usage == Usage(0, 0, 0)


@pytest.mark.parametrize("suffix", [b".pdf", None, 1])
def test_a_suffix_is_text(scratch: Scratch, suffix: Any) -> None:
    with pytest.raises(TypeError, match=r"the suffix of a scratch path must be a str, not \w+"):
        scratch.path(suffix)
    assert scratch.usage == Usage(0, 0, 0)


@posix
def test_a_suffix_that_no_name_can_hold_is_refused(scratch: Scratch) -> None:
    with pytest.raises(ValueError, match="must not hold half a surrogate pair: no file") as it:
        scratch.path("\ud800")
    assert type(it.value) is ValueError
    assert scratch.path(os.fsdecode(b"\xff")).exists()


def test_a_name_is_known_as_bytes_and_what_is_none_is_not(scratch: Scratch) -> None:
    path = scratch.path()
    assert scratch.holds(os.fsencode(path))
    assert not scratch.holds(b"/etc/passwd")
    assert not scratch.holds(f"{path}\0")


def test_a_suffix_that_is_too_long_is_a_named_error(scratch: Scratch) -> None:
    with pytest.raises(ScratchError, match=r"Settings\.scratch_dir") as caught:
        scratch.path("x" * 300)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert scratch.usage.files == 0


def test_it_says_what_holds_for_it(scratch_pool: ScratchPool) -> None:
    assert Scratch(scratch_pool).settings is scratch_pool.settings


def test_what_is_tracked_is_handed_back(scratch: Scratch) -> None:
    tracked = Tracked()
    assert scratch.track(tracked) is tracked


@pytest.mark.parametrize("thing", [None, 3, object()], ids=lambda it: type(it).__name__)
def test_what_cannot_be_closed_cannot_be_tracked(scratch: Scratch, thing: Closeable) -> None:
    with pytest.raises(TypeError, match=r"takes an object with a close\(\) method, not"):
        scratch.track(thing)


def test_it_knows_its_own_names(scratch: Scratch, root: Path) -> None:
    assert not scratch.holds(root)
    path, directory = scratch.path(), scratch.directory()
    assert scratch.holds(path)
    assert scratch.holds(str(directory / "part"))
    assert not scratch.holds(root)
    assert not scratch.holds(path.parent / ".." / ".." / "other")
    assert not scratch.holds("/etc/passwd")


def test_a_link_out_of_it_is_not_its_own(scratch: Scratch) -> None:
    link = scratch.directory() / "link"
    link.symlink_to("/etc/passwd")
    assert not scratch.holds(link)


# The current one


def test_without_a_middleware_there_is_no_current_ledger() -> None:
    with pytest.raises(StateError, match=r"mount sw\.WSGIMiddleware or sw\.ASGIMiddleware"):
        current_scratch()


def test_the_current_ledger_is_that_of_the_context(scratch: Scratch) -> None:
    def entered() -> Scratch:
        CURRENT.set(scratch)
        return current_scratch()

    assert copy_context().run(entered) is scratch


# Usage and bounds


def test_an_unused_ledger_holds_nothing_and_opens_nothing(
    scratch_pool: ScratchPool, root: Path
) -> None:
    scratch = Scratch(scratch_pool)
    scratch.spool().write(b"x" * 1000)
    assert scratch.usage == Usage(0, 0, 0)
    assert [path.name for path in root.iterdir()] == [".streamware-budget-" + str(os.getuid())]
    scratch.close()


def test_usage_counts_spools_and_names(scratch: Scratch) -> None:
    on_disk(scratch)
    scratch.path().write_bytes(b"x" * 4096)
    (scratch.directory() / "part").write_bytes(b"x" * 4096)
    assert scratch.usage == Usage(5000 + 2 * 4096, 3, STEP)  # which was reserved at first


def test_the_peak_stays_when_a_spool_is_closed(scratch: Scratch) -> None:
    on_disk(scratch).close()
    assert scratch.usage.bytes == 0
    assert scratch.usage.files == 0
    assert scratch.usage.peak_bytes >= 5000


def test_a_file_that_was_deleted_is_not_counted(scratch: Scratch) -> None:
    path = scratch.path()
    path.write_bytes(b"x" * 4096)
    scratch.spool()
    path.unlink()
    scratch.spool()
    assert scratch.usage.bytes == 0


def test_a_request_may_hold_so_many_files(root: Path) -> None:
    with storing(root, request_files=3) as scratch_pool:
        scratch = Scratch(scratch_pool)
        on_disk(scratch)
        scratch.path()
        last = scratch.spool()
        for call in (Scratch.path, Scratch.directory, Scratch.spool):
            with pytest.raises(
                ScratchError, match=r"3 scratch files, .*Settings\.request_files \("
            ) as it:
                call(scratch)
            assert it.value.errno == errno.EFBIG
        last.write(b"x" * 5000)
        assert scratch.usage.files == 3
        last.close()
        scratch.directory()
        scratch.close()


def test_spools_that_stay_in_memory_are_bounded_too(root: Path) -> None:
    with storing(root, request_files=2, spool_memory=2**20) as scratch_pool:
        scratch = Scratch(scratch_pool)
        for _ in range(3):
            with scratch.spool() as spool:
                spool.write(bytes(2**20))
        kept = [scratch.spool(), scratch.spool()]
        with pytest.raises(ScratchError, match="in memory too"):
            scratch.spool()
        assert (scratch.usage.files, len(kept)) == (0, 2)
        scratch.close()


def test_two_spools_fill_a_bound(root: Path) -> None:
    mib = 2**20
    for name in ("request_bytes", "process_bytes", "host_bytes"):
        with storing(root, **{name: 16 * mib}) as scratch_pool:
            scratch = Scratch(scratch_pool)
            first, second = scratch.spool(), scratch.spool()
            first.write(bytes(8 * mib))
            first.write(b"x")
            first.flush()
            for _ in range(7 * 16):
                second.write(bytes(mib // 16))
            assert scratch.usage.bytes <= 15 * mib + mib // 2
            scratch.close()


def test_spools_that_were_read_hold_what_was_written_and_no_more(scratch: Scratch) -> None:
    for _ in range(20):
        spool = on_disk_ahead(scratch, 5000)
        spool.seek(0)
        assert spool.read(1) == b"x"
    assert scratch.usage.bytes == 20 * 5000


def test_a_request_may_hold_so_many_bytes_in_spools(root: Path) -> None:
    with storing(root, request_bytes=10_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        spool = on_disk(scratch, 8000)
        with pytest.raises(ScratchError, match=r"10,000 bytes .*Settings\.request_bytes") as caught:
            spool.write(b"x" * 8000)
        assert caught.value.errno == errno.EFBIG
        scratch.close()
        assert scratch_pool.budget.used == 0


def test_a_request_may_hold_so_many_bytes_in_named_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measure each time, however slow the machine is.
    monkeypatch.setattr("streamware.scratch.named_files._TIME_SHARE", 0)
    with storing(root, request_bytes=10_000) as scratch_pool:
        scratch = Scratch(scratch_pool)
        path = scratch.path()
        path.write_bytes(b"x" * 20_000)
        for call in (Scratch.spool, Scratch.path, Scratch.directory):
            with pytest.raises(ScratchError, match="request_bytes"):
                call(scratch)
        path.write_bytes(b"x" * 5000)
        on_disk(scratch, 1500)
        scratch.close()
        assert scratch_pool.budget.used == 0


def test_requests_share_the_budget_of_the_process(root: Path) -> None:
    with storing(root, process_bytes=10_000) as scratch_pool:
        first, second = Scratch(scratch_pool), Scratch(scratch_pool)
        spool = on_disk(first, 8000)
        with pytest.raises(Refused, match="process_bytes"):
            second.spool().write(b"x" * 8000)
        spool.close()
        assert on_disk(second, 8000).tell() == 8000
        first.close()
        second.close()
        assert scratch_pool.budget.used == 0


# Its end


def test_nothing_is_left_of_a_closed_ledger(scratch_pool: ScratchPool, root: Path) -> None:
    scratch = Scratch(scratch_pool)
    on_disk(scratch)
    path, directory = scratch.path(), scratch.directory()
    (directory / "part").write_bytes(b"x")
    tracked = scratch.track(Tracked())
    scratch.spool()
    scratch.close()
    assert scratch.closed
    assert not path.exists()
    assert not path.parent.exists()
    assert not directory.exists()
    assert tracked.closed == 1
    assert scratch.usage.bytes == scratch.usage.files == 0
    assert scratch_pool.budget.used == 0


def test_names_go_first_then_spools_then_what_is_tracked_from_last_to_first(
    scratch: Scratch,
) -> None:
    notes: list[Any] = []
    spool, path = on_disk(scratch), scratch.path()
    scratch.track(Noted(notes, lambda: (path.exists(), spool.closed)))
    scratch.track(Noted(notes, "last"))
    scratch.close()
    assert notes == ["last", (False, True)]


def test_a_closed_spool_says_so(scratch: Scratch) -> None:
    spool = on_disk(scratch)
    scratch.close()
    with pytest.raises(ValueError, match="closed file"):
        spool.read()


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_closed_ledger_takes_nothing(scratch: Scratch, call: Callable[..., Any]) -> None:
    scratch.path().write_bytes(b"x" * 5000)
    scratch.spool()
    scratch.close()
    with pytest.raises(StateError, match="the request is over, and its scratch is closed"):
        call(scratch)
    assert scratch.usage.bytes == 0


def test_calls_after_the_end_give_nothing_back_again(scratch_pool: ScratchPool) -> None:
    first, second = Scratch(scratch_pool), Scratch(scratch_pool)
    first.path().write_bytes(b"x" * 8192)
    first.spool()
    on_disk(second)
    used = scratch_pool.budget.used
    first.close()
    for _ in range(2):
        first.close()
        with pytest.raises(StateError):
            first.spool()
    assert scratch_pool.budget.used == used - 8192
    second.close()


def test_it_is_closed_once_whoever_asks(scratch: Scratch) -> None:
    on_disk(scratch)
    tracked = scratch.track(Tracked())
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait(PATIENCE)
        scratch.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracked.closed == 1


def test_one_that_will_not_close_keeps_no_other_from_it(
    scratch_pool: ScratchPool, caplog: pytest.LogCaptureFixture
) -> None:
    scratch, notes = Scratch(scratch_pool), list[str]()
    for note, error in (("a", None), ("b", OSError("secret")), ("c", ValueError("secret"))):
        scratch.track(Noted(notes, note, error))
    path = scratch.path()
    with caplog.at_level(logging.WARNING, "streamware"):
        scratch.close()
    assert notes == ["c", "b", "a"]
    assert not path.exists()
    assert scratch_pool.signals["cleanup_failures"] == 2
    assert "met 2 errors: OSError, ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_an_interrupt_is_raised_when_everything_is_closed(scratch_pool: ScratchPool) -> None:
    scratch, notes = Scratch(scratch_pool), list[str]()
    scratch.track(Noted(notes, "a"))
    scratch.track(Noted(notes, "b", KeyboardInterrupt()))
    path = scratch.path()
    with pytest.raises(KeyboardInterrupt):
        scratch.close()
    assert notes == ["b", "a"]
    assert not path.exists()


def test_names_whose_removal_breaks_keep_nothing_open(
    scratch_pool: ScratchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch(scratch_pool)
    spool, path = on_disk(scratch), scratch.path()
    tracked, remove, breaks = (
        scratch.track(Tracked()),
        scratch_pool.process_directory.remove,
        [MemoryError()],
    )

    def breaking(name: str) -> list[OSError]:
        if breaks:
            raise breaks.pop()
        return remove(name)

    monkeypatch.setattr(
        type(scratch_pool.process_directory), "remove", lambda _, name: breaking(name)
    )
    scratch.close()
    assert (spool.closed, tracked.closed, path.exists()) == (True, 1, False)
    assert scratch_pool.budget.used == 0


def test_what_is_tracked_may_use_the_ledger_that_closes_it(scratch: Scratch) -> None:
    notes: list[Any] = []

    def again() -> str:
        scratch.close()
        with suppress(StateError):
            scratch.spool()
        return "closed"

    scratch.track(Noted(notes, again))
    scratch.close()
    assert notes == ["closed"]


def test_a_close_does_not_wait_for_a_thread_that_waits_for_room(root: Path) -> None:
    with storing(root, process_bytes=10_000, wait_seconds=PATIENCE) as scratch_pool:
        other, scratch = Scratch(scratch_pool), Scratch(scratch_pool)
        spool = on_disk(other, 8000)
        scratch.path().write_bytes(b"x" * 8000)
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(scratch.spool)
            while not scratch._quota or scratch._quota.bytes < 8000:
                pass
            scratch.close()
            spool.close()
            with pytest.raises(StateError):
                asking.result(PATIENCE)
        other.close()
        assert scratch_pool.budget.used == 0


# The garbage collector, and forks


def test_a_ledger_that_nobody_closed_is_closed_and_counted(
    scratch_pool: ScratchPool, caplog: pytest.LogCaptureFixture
) -> None:
    scratch = Scratch(scratch_pool)
    path = scratch.path()
    on_disk(scratch)
    with caplog.at_level(logging.WARNING, "streamware"):
        del scratch
        gc.collect()
    assert not path.exists()
    assert scratch_pool.signals["leaked_ledgers"] == 1
    assert scratch_pool.budget.used == 0
    assert "closed only by the garbage collector" in caplog.text


def test_an_unused_ledger_that_nobody_closed_is_no_leak(scratch_pool: ScratchPool) -> None:
    Scratch(scratch_pool)
    gc.collect()
    assert scratch_pool.signals["leaked_ledgers"] == 0


def test_a_ledger_in_a_cycle_is_collected_wherever_that_happens(root: Path) -> None:
    scratch_pool = ScratchPool(
        settings(root)
    )  # closed at the end only: a test that fails has lost a lock

    class Cycle(Tracked):
        ledger: Scratch

    def leak() -> None:
        cycle = Cycle()
        cycle.ledger = Scratch(scratch_pool)
        cycle.ledger.path()
        cycle.ledger.track(cycle)

    def under_the_lock_of_the_home() -> None:
        make = scratch_pool.process_directory._ensure_held
        held = []

        def collecting() -> Any:
            gc.collect()
            held.append(True)
            return make()

        scratch_pool.process_directory._ensure_held = collecting  # type: ignore[method-assign]
        other = Scratch(scratch_pool)
        other.path()
        assert held
        other.close()

    leak()
    thread = threading.Thread(target=under_the_lock_of_the_home, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert scratch_pool.signals["leaked_ledgers"] == 1
    close(scratch_pool)


def in_child(test: Callable[[], bool]) -> bool:
    """What a forked child says."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if test() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@posix
def test_a_forked_child_takes_nothing_away(scratch: Scratch) -> None:
    spool, path = on_disk(scratch), scratch.path()
    tracked = scratch.track(Tracked())

    def child() -> bool:
        scratch.close()
        scratch.__del__()
        return scratch.closed and not tracked.closed and path.exists()

    assert in_child(child)
    spool.seek(0)
    assert spool.read() == b"x" * 5000
    assert path.exists()
    assert not scratch.closed


@posix
@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_forked_child_cannot_use_the_ledger_of_its_parent(
    scratch: Scratch, call: Callable[..., Any]
) -> None:
    def child() -> bool:
        with pytest.raises(StateError, match="belongs to the process that this one was forked"):
            call(scratch)
        return True

    assert in_child(child)


@posix
@pytest.mark.parametrize(
    "call",
    [
        *CALLS,
        lambda scratch: scratch.usage,
        Scratch.measure,
        Scratch.ring,
        lambda scratch: scratch.export_quota(Limits()),
    ],
    ids=[*NAMES, "usage", "measure", "ring", "export_quota"],
)
def test_a_child_does_not_wait_for_locks_that_its_parent_held(
    scratch: Scratch, call: Callable[[Scratch], object]
) -> None:
    scratch.path().write_bytes(b"x" * 5000)
    on_disk(scratch)
    assert scratch._names is not None
    assert scratch._quota is not None
    # As a thread that the child does not have.
    held = threading.Thread(target=scratch._quota._lock.acquire)
    held.start()
    held.join()
    with scratch._lock, scratch._names._lock:
        child = os.fork()
        if not child:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            try:
                call(scratch)
            except StateError:
                os._exit(0 if scratch._pool.budget.used == 0 else 2)
            os._exit(3)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    scratch._quota._lock = threading.RLock()
    assert ended == 0


RACE = """
import warnings; warnings.simplefilter("ignore")
import os, sys, threading, time
from streamware.scratch.ledger import Scratch
from streamware.scratch.pool import scratch_pool
from streamware.settings import Settings

folder = sys.argv[1]
bounds = {"spool_memory": 0, "host_bytes": 2**30, "keep_free_bytes": 0}
shared = scratch_pool(Settings(scratch_dir=folder, **bounds))
ending = threading.Event()

def work():
    while not ending.is_set():
        scratch = Scratch(shared)
        scratch.spool().write(b"x")
        scratch.path()
        scratch.close()
        shared.budget.close()

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
held = 0
end = time.monotonic() + 3
while time.monotonic() < end:
    child = os.fork()
    if not child:
        found = 0
        for number in os.listdir("/proc/self/fd"):
            try:
                found |= os.readlink(f"/proc/self/fd/{number}").startswith(folder)
            except OSError:
                pass
        os._exit(found)
    held += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
ending.set()
for thread in threads:
    thread.join()
print(held)
"""


@pytest.mark.slow
@needs_linux
def test_children_forked_while_requests_come_and_go_hold_nothing(folder: Path) -> None:
    assert ran(RACE, folder).stdout == "0\n"


def test_a_ledger_of_another_process_is_let_alone(scratch_pool: ScratchPool) -> None:
    scratch = Scratch(scratch_pool)
    tracked = scratch.track(Tracked())
    own, scratch._pid = scratch._pid, -1
    with pytest.raises(StateError, match="was forked from"):
        scratch.path()
    scratch.close()
    assert (scratch.closed, tracked.closed) == (True, 0)
    scratch._pid, scratch._closed = own, False
    scratch.close()
    assert tracked.closed == 1


# Many


@pytest.mark.slow
def test_a_thousand_ledgers_at_once_leave_nothing(root: Path) -> None:
    oracle = Oracle(root)

    def one(scratch_pool: ScratchPool) -> Scratch:
        scratch = Scratch(scratch_pool)
        on_disk(scratch, 1500)
        scratch.path(".csv").write_bytes(b"x")
        return scratch

    with storing(root, host_bytes=2**31) as scratch_pool, ThreadPoolExecutor(16) as pool:
        ledgers = list(pool.map(one, [scratch_pool] * _affordable()))
        assert len({scratch.path() for scratch in ledgers}) == len(ledgers)
        list(pool.map(Scratch.close, ledgers))
        assert scratch_pool.budget.used == 0
        assert scratch_pool.signals.total() == 0
        assert len(list(root.rglob("*"))) == 1  # the ledger of the host
    oracle.check()


def _affordable() -> int:
    """A thousand, or what the limit of descriptors allows."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1200 <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
    return min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)


class Requests(RuleBasedStateMachine):
    """Ledgers under bounds, against plain lists of what they should hold."""

    FILES = 4
    BYTES = 40_000

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.oracle = Oracle(Path(self.folder.name))
        self.scratch_pool = ScratchPool(self._settings())
        self.patch = pytest.MonkeyPatch()
        # However slow the machine, what was written is measured whenever it is asked.
        self.patch.setattr("streamware.scratch.named_files._TIME_SHARE", 0)
        self.scratch = Scratch(self.scratch_pool)
        self.spools: list[tuple[Spool, bytearray]] = []
        self.files: dict[Path, int] = {}
        self.tracked: list[Tracked] = []

    def _settings(self) -> Any:
        return settings(
            Path(self.folder.name),
            request_files=self.FILES,
            request_bytes=self.BYTES,
        )

    def _moved(self) -> int:
        return sum(spool._file is not None for spool, _ in self.spools)

    def _written(self) -> int:
        return sum(-(-size // 4096) * 4096 for size in self.files.values())

    @rule()
    def spool(self) -> None:
        over = self._written() > self.BYTES - self._reserved()
        if over or len(self.files) + len(self.spools) >= self.FILES:
            with pytest.raises(ScratchError, match="request_bytes" if over else "request_files"):
                self.scratch.spool()
        else:
            self.spools.append((self.scratch.spool(), bytearray()))

    def _reserved(self) -> int:
        return sum(spool._reserved for spool, _ in self.spools)

    @precondition(lambda self: self.spools)
    @rule(at=st.integers(0), size=st.sampled_from([1, 900, 1500, 9000]))
    def write(self, at: int, size: int) -> None:
        spool, expected = self.spools[at % len(self.spools)]
        try:
            spool.write(b"w" * size)
        except ScratchError:
            with pytest.raises(ScratchError, match="spoilt"):
                spool.read()
            spool.close()
            del self.spools[at % len(self.spools)]
        else:
            expected += b"w" * size

    @precondition(lambda self: self.spools)
    @rule(at=st.integers(0))
    def close_spool(self, at: int) -> None:
        spool, _ = self.spools.pop(at % len(self.spools))
        spool.close()

    @rule(size=st.sampled_from([0, 1, 5000, 30_000]))
    def path(self, size: int) -> None:
        full = len(self.files) + len(self.spools) >= self.FILES
        over = self._written() > self.BYTES - self._reserved()
        if full or over:
            with pytest.raises(ScratchError):
                self.scratch.path()
        else:
            path = self.scratch.path(".part")
            path.write_bytes(b"p" * size)
            self.files[path] = size

    @rule()
    def track(self) -> None:
        self.tracked.append(self.scratch.track(Tracked()))

    @rule()
    def end(self) -> None:
        """Close, and begin another request."""
        self.scratch.close()
        assert all(spool.closed for spool, _ in self.spools)
        assert all(tracked.closed == 1 for tracked in self.tracked)
        assert not any(path.exists() for path in self.files)
        assert self.scratch_pool.budget.used == 0
        assert self.oracle.look().units == 0
        self.spools, self.files, self.tracked = [], {}, []
        self.scratch = Scratch(self.scratch_pool)

    @invariant()
    def holds_what_it_should(self) -> None:
        usage = self.scratch.usage
        assert usage.files == len(self.files) + self._moved()
        assert usage.bytes == self._reserved() + self._written()
        for spool, expected in self.spools:
            spool.seek(0)
            assert spool.read() == expected

    def teardown(self) -> None:
        self.end()
        self.scratch.close()
        close(self.scratch_pool)
        self.oracle.check()
        self.folder.cleanup()
        self.patch.undo()


TestRequests = Requests.TestCase
TestRequests.settings = hypothesis_settings(max_examples=60, stateful_step_count=25)


@pytest.fixture(autouse=True)
def descriptors_as_before() -> Iterator[None]:
    """Give the limit of descriptors back."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
