import errno
import fcntl
import logging
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes import PATIENCE
from streamware.errors import Refused, ScratchError
from streamware.scratch import host_budget as module
from streamware.scratch.host_budget import UNIT
from streamware.scratch.process_budget import Budget

linux = pytest.mark.skipif(sys.platform != "linux", reason="locks of open file descriptions")


class Ledger:
    """The host's file, as `ScratchDirectory` opens it, and the budgets that use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = 0
        self.budgets: list[Budget] = []

    def open(self) -> int:
        self.opened += 1
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def budget(self, units: int | None = None, process: int | None = None) -> Budget:
        host = None if units is None else units * UNIT
        made = Budget(process_bytes=process, host_bytes=host, open_lock_file=self.open)
        self.budgets.append(made)
        return made

    def close(self) -> None:
        for budget in self.budgets:
            budget.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    yield made
    made.close()


def never() -> int:
    raise AssertionError("the ledger was opened")


def process_budget(size: int | None) -> Budget:
    return Budget(process_bytes=size, host_bytes=None, open_lock_file=never)


def soon(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


# The units of a host


@linux
def test_a_process_holds_as_many_units_as_its_bytes_fill(ledger: Ledger) -> None:
    budget = ledger.budget(8)
    seen = []
    for size in (1, UNIT - 1, 1, UNIT):
        budget.take(size)
        seen.append(budget.host_units())
    assert seen == [1, 1, 2, 3]
    for size in (1, UNIT, UNIT - 1, 1):
        budget.release(size)
        seen.append(budget.host_units())
    assert seen[4:] == [2, 1, 1, 0]


@linux
def test_the_ledger_is_opened_by_the_first_take_and_once(ledger: Ledger) -> None:
    budget = ledger.budget(8)
    assert ledger.opened == 0
    budget.take(1)
    budget.take(5 * UNIT)
    budget.release(5 * UNIT)
    assert ledger.opened == 1
    assert ledger.path.stat().st_size == 0


@linux
def test_processes_share_the_units(ledger: Ledger) -> None:
    ours, theirs = ledger.budget(10), ledger.budget(10)
    ours.take(7 * UNIT)
    with pytest.raises(Refused):
        theirs.take(4 * UNIT)
    assert theirs.used == 0
    assert theirs.host_units() == ours.host_units() == 7
    theirs.take(3 * UNIT)
    assert ours.host_units() == 10
    ours.release(7 * UNIT)
    assert theirs.host_units() == 3


@linux
def test_a_refusal_by_the_host_says_who_uses_how_much(ledger: Ledger) -> None:
    ours, theirs = ledger.budget(10), ledger.budget(10)
    theirs.take(6 * UNIT)
    ours.take(2 * UNIT)
    with pytest.raises(Refused) as caught:
        ours.take(3 * UNIT)
    assert str(caught.value) == (
        "no room for 3,145,728 bytes of scratch: 8,388,608 of 10,485,760 are in use by all"
        " processes of the host, 2,097,152 by this one;"
        " try again later, or raise Settings.host_bytes (STREAMWARE_HOST_BYTES)"
    )


@linux
def test_a_process_that_is_alone_may_hold_all_units_and_no_more(ledger: Ledger) -> None:
    budget = ledger.budget(10)
    budget.take(10 * UNIT)
    with pytest.raises(Refused, match="10,485,760 of 10,485,760"):
        budget.take(1)
    assert budget.host_units() == 10


@linux
def test_more_than_the_whole_host_is_an_error_at_once(ledger: Ledger) -> None:
    budget = ledger.budget(10)
    with pytest.raises(ScratchError, match=r"Settings\.host_bytes .* 10,485,760: raise it"):
        budget.take(10 * UNIT + 1, deadline=soon())
    assert ledger.opened == 0


@linux
def test_a_bound_is_rounded_down_to_units(ledger: Ledger) -> None:
    budget = Budget(process_bytes=None, host_bytes=2 * UNIT - 1, open_lock_file=ledger.open)
    with pytest.raises(ScratchError):
        budget.take(UNIT + 1)
    nothing = Budget(process_bytes=None, host_bytes=UNIT - 1, open_lock_file=ledger.open)
    with pytest.raises(ScratchError):
        nothing.take(1)


@linux
def test_units_between_those_of_others_are_found(ledger: Ledger) -> None:
    others = [ledger.budget(20) for _ in range(20)]
    for other in others:
        other.take(1)
    for other in others[::2]:
        other.release(1)
    budget = ledger.budget(20)
    budget.take(10 * UNIT)
    assert budget.host_units() == 20
    with pytest.raises(Refused):
        budget.take(1)
    budget.release(10 * UNIT)
    assert budget.host_units() == 10


@linux
def test_a_process_keeps_to_its_own_number_of_units(ledger: Ledger) -> None:
    small, large = ledger.budget(4), ledger.budget(16)
    large.take(16 * UNIT)
    with pytest.raises(Refused):
        small.take(1)
    large.release(16 * UNIT)
    small.take(4 * UNIT)
    large.take(12 * UNIT)
    assert small.host_units() == 16
    with pytest.raises(Refused):
        large.take(1)


@linux
def test_a_take_waits_for_another_process_to_give_back(ledger: Ledger) -> None:
    ours, theirs = ledger.budget(4), ledger.budget(4)
    theirs.take(4 * UNIT)
    timer = threading.Timer(0.15, theirs.release, [UNIT])
    timer.start()
    began = time.monotonic()
    ours.take(1, deadline=soon())
    assert time.monotonic() - began < PATIENCE / 2
    assert ours.host_units() == 4
    timer.join()


@linux
def test_room_on_the_host_is_no_room_in_the_process(ledger: Ledger) -> None:
    budget = ledger.budget(10, process=5 * UNIT)
    budget.take(5 * UNIT)
    with pytest.raises(Refused, match="process_bytes"):
        budget.take(1)
    assert budget.host_units() == 5


@linux
def test_close_gives_back_the_units_and_a_later_take_has_them_again(ledger: Ledger) -> None:
    budget, other = ledger.budget(10), ledger.budget(10)
    budget.take(4 * UNIT)
    budget.close()
    budget.close()
    assert other.host_units() == 0
    budget.release(UNIT)
    budget.take(1)
    assert other.host_units() == 4  # three that it still uses, and one byte
    assert ledger.opened == 3


@linux
def test_close_gives_back_the_units_whoever_has_a_copy_of_the_descriptor(ledger: Ledger) -> None:
    budget, copies = ledger.budget(10), list[int]()

    def opened() -> int:
        descriptor = ledger.open()
        copies.append(os.dup(descriptor))  # as a child has between fork and exec
        return descriptor

    copied = Budget(process_bytes=None, host_bytes=10 * UNIT, open_lock_file=opened)
    copied.take(4 * UNIT)
    copied.close()
    assert budget.host_units() == 0
    os.close(copies.pop())


@linux
def test_what_a_finalizer_gives_back_in_the_middle_of_a_take_is_free_after_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget, other = ledger.budget(10), ledger.budget(10)
    budget.take(4 * UNIT)
    ask, given = module._ask, list[int]()

    def finalizing(*question: int) -> tuple[int, int, int]:
        if not given:
            given.append(4 * UNIT)
            budget.release(4 * UNIT)
        return ask(*question)

    monkeypatch.setattr(module, "_ask", finalizing)
    budget.take(UNIT)
    assert given
    assert other.host_units() == 1


@linux
def test_a_ledger_that_was_removed_is_made_again_with_all_we_hold(ledger: Ledger) -> None:
    budget = ledger.budget(10)
    budget.take(3 * UNIT)
    ledger.path.unlink()
    other = ledger.budget(10)
    other.take(4 * UNIT)
    with pytest.raises(Refused):
        budget.take(4 * UNIT)
    budget.take(3 * UNIT)
    assert other.host_units() == 10


@linux
def test_whoever_else_locks_the_whole_file_leaves_no_room(ledger: Ledger) -> None:
    budget = ledger.budget(4)
    budget.take(1)
    with ledger.path.open("r+b") as file:
        lock = struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, 4, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
        assert budget.host_units() > 2**60
        budget.take(3 * UNIT)


@linux
def test_units_that_are_lost_in_a_race_are_looked_for_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ledger.budget(8), ledger.budget(8)
    ask, races = module._ask, list[int]()

    def slow(file: int, command: int, kind: int, start: int, length: int) -> tuple[int, int, int]:
        if command == fcntl.F_OFD_SETLK and kind == fcntl.F_WRLCK and not races:
            races.append(start)
            theirs.take(5 * UNIT)  # between our look and our lock
        return ask(file, command, kind, start, length)

    monkeypatch.setattr(module, "randrange", lambda _: 0)
    monkeypatch.setattr(module, "_ask", slow)
    ours.take(3 * UNIT)
    assert races
    assert ours.host_units() == 8


@linux
def test_a_kernel_that_says_free_and_locks_nothing_is_not_asked_for_ever(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_lock", lambda *_: False)
    budget = ledger.budget(8)
    with pytest.raises(Refused):
        budget.take(1)


class Kernel:
    """fcntl(2) that fails from the call `fail_at` on, as often as is said."""

    def __init__(self, code: int, fail_at: int = 1, times: int = 1000) -> None:
        self.calls = 0
        self._code = code
        self._failing = range(fail_at, fail_at + times)
        self._fcntl = fcntl.fcntl

    def __call__(self, file: int, command: int, argument: bytes) -> bytes:
        self.calls += 1
        if self.calls in self._failing:
            raise OSError(self._code, os.strerror(self._code))
        return self._fcntl(file, command, argument)


@linux
@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_a_lock_that_fails_is_an_error_that_leaves_nothing_taken(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    budget, other = ledger.budget(8), ledger.budget(8)
    other.take(1)
    monkeypatch.setattr(module, "randrange", lambda _: 4)  # in two runs around theirs
    monkeypatch.setattr(fcntl, "fcntl", Kernel(errno.ENOLCK, fail_at, 1))
    with pytest.raises(ScratchError, match=r"the lock file of Settings\.host_bytes") as caught:
        budget.take(7 * UNIT)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOLCK
    assert budget.used == 0
    assert other.host_units() == 1


@linux
def test_units_of_a_take_that_failed_and_that_the_kernel_does_not_let_go_are_not_forgotten(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget, other = ledger.budget(8), ledger.budget(8)
    other.take(1)
    monkeypatch.setattr(module, "randrange", lambda _: 4)
    monkeypatch.setattr(fcntl, "fcntl", Kernel(errno.ENOLCK, 4))
    with pytest.raises(ScratchError):
        budget.take(7 * UNIT)
    monkeypatch.undo()
    assert other.host_units() > 1
    budget.take(1)
    budget.release(1)
    assert other.host_units() == 1


@linux
def test_units_that_the_kernel_does_not_let_go_are_given_back_later(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = ledger.budget(8)
    budget.take(4 * UNIT)
    monkeypatch.setattr(fcntl, "fcntl", Kernel(errno.ENOLCK))
    budget.release(2 * UNIT)
    monkeypatch.undo()
    assert (budget.used, budget.host_units()) == (2 * UNIT, 4)
    budget.take(2 * UNIT)
    assert budget.host_units() == 4
    budget.release(3 * UNIT)
    assert budget.host_units() == 1


@linux
def test_what_opening_the_ledger_raises_passes_unchanged() -> None:
    budget = Budget(process_bytes=None, host_bytes=UNIT, open_lock_file=broken)
    with pytest.raises(ScratchError, match="no directory"):
        budget.take(1)
    assert budget.used == 0
    budget.release(1)


def broken() -> int:
    raise ScratchError(errno.ENOENT, "no directory")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_elsewhere_than_on_linux_the_host_s_bound_is_the_process_s(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    budget = Budget(process_bytes=None, host_bytes=3 * UNIT, open_lock_file=never)
    budget.take(3 * UNIT)
    with pytest.raises(Refused, match=r"3,145,728 are in use by this process.*host_bytes"):
        budget.take(1)
    assert budget.host_units() == 0
    (warning,) = warnings(caplog)
    assert warning.startswith("Settings.host_bytes (STREAMWARE_HOST_BYTES) bounds each process ")
    assert warning.endswith("alone: this system has no F_OFD_SETLK")


@linux
@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_file_system_without_such_locks_bounds_the_process_and_says_so_once(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fail_at: int,
) -> None:
    monkeypatch.setattr(fcntl, "fcntl", Kernel(errno.EINVAL, fail_at))
    budget = ledger.budget(3)
    budget.take(2 * UNIT)
    budget.take(UNIT)
    with pytest.raises(Refused, match="host_bytes"):
        budget.take(1)
    budget.release(UNIT)
    assert budget.used == 2 * UNIT
    assert len(warnings(caplog)) == 1


@linux
def test_threads_never_hold_more_than_the_host_allows(ledger: Ledger) -> None:
    budgets = [ledger.budget(16) for _ in range(3)]
    done: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        budget = budgets[seed % 3]
        for _ in range(60):
            size = chance.randrange(1, 4 * UNIT)
            budget.take(size, deadline=soon(60))
            budget.release(size)
        done.append(seed)

    run([lambda seed=seed: work(seed) for seed in range(9)])  # type: ignore[misc]
    assert sorted(done) == list(range(9))
    assert budgets[0].host_units() == 0


def run(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


# Processes that end, and that fork

HOLDER = """
import os, sys, time
from streamware.scratch.process_budget import Budget
from streamware.scratch.host_budget import UNIT
path, units, all_units = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
budget = Budget(process_bytes=None, host_bytes=all_units * UNIT,
                open_lock_file=lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))
budget.take(units * UNIT)
print("held", flush=True)
time.sleep(60)
"""

ROOT = Path(__file__).parents[2]


@linux
def test_the_units_of_a_process_that_was_killed_are_free_at_once(ledger: Ledger) -> None:
    command = [sys.executable, "-c", HOLDER, str(ledger.path), "40", "64"]
    budget = ledger.budget(64)
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            assert budget.host_units() == 40
            with pytest.raises(Refused):
                budget.take(30 * UNIT)
        finally:
            holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE)
    assert budget.host_units() == 0
    budget.take(30 * UNIT)
    assert budget.host_units() == 30


def in_child(work: Callable[[], object]) -> None:
    """Run `work` in a forked child, which must not raise."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:  # noqa: BLE001 - the parent is told
            os.write(2, f"in the child: {error!r}\n".encode())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Child:
    """A forked child that lives until it is told to end."""

    def __init__(self) -> None:
        reading, self._end = os.pipe()
        ready, telling = os.pipe()
        self._id = os.fork()
        if self._id == 0:
            os.close(self._end)
            os.write(telling, b"x")
            os.read(reading, 1)
            os._exit(0)
        os.close(reading)
        os.close(telling)
        os.read(ready, 1)
        os.close(ready)

    def end(self) -> None:
        os.close(self._end)
        os.waitpid(self._id, 0)


@linux
def test_a_forked_child_holds_nothing_when_its_parent_gives_back_and_closes(
    ledger: Ledger,
) -> None:
    budget, other = ledger.budget(8), ledger.budget(8)
    budget.take(5 * UNIT)
    child = Child()
    try:
        assert other.host_units() == 5
        budget.release(2 * UNIT)
        assert other.host_units() == 3
        budget.close()
        assert other.host_units() == 0
    finally:
        child.end()


@linux
def test_a_forked_child_holds_nothing_when_its_parent_is_killed(ledger: Ledger) -> None:
    forker = HOLDER.replace("print(", "os.fork() and time.sleep(60)\nprint(")
    command = [sys.executable, "-c", forker, str(ledger.path), "5", "8"]
    budget = ledger.budget(8)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    ) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            assert budget.host_units() == 5
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait(PATIENCE)
            os.killpg(holder.pid, 0)  # the child lives
            assert budget.host_units() == 0
        finally:
            os.killpg(holder.pid, signal.SIGKILL)


@linux
def test_a_forked_child_counts_from_nothing_and_takes_units_of_its_own(ledger: Ledger) -> None:
    budget = ledger.budget(8)
    budget.take(5 * UNIT)

    def work() -> None:
        assert budget.used == 0
        assert budget.host_units() == 5
        with pytest.raises(Refused):
            budget.take(4 * UNIT)
        budget.take(3 * UNIT)
        assert budget.host_units() == 8

    in_child(work)
    assert budget.used == 5 * UNIT
    assert budget.host_units() == 5


@linux
def test_what_is_told_that_it_was_forked_closes_its_ledger_and_forgets_its_count(
    ledger: Ledger,
) -> None:
    budget, bound = ledger.budget(8), process_budget(100)
    budget.take(5 * UNIT)
    bound.take(100)
    for told in (budget, bound):
        told.forked()
        assert told.used == 0
    budget.take(1)
    assert ledger.opened == 2


@linux
def test_the_units_of_a_child_that_ends_are_free(ledger: Ledger) -> None:
    budget = ledger.budget(8)
    in_child(lambda: budget.take(8 * UNIT))
    budget.take(8 * UNIT)


@linux
@pytest.mark.slow
def test_twelve_processes_never_hold_more_than_the_host_allows(
    ledger: Ledger, tmp_path: Path
) -> None:
    end = time.monotonic() + 2
    children = []
    for seed in range(12):
        child = os.fork()
        if child == 0:
            os._exit(hammer(ledger, seed, end, tmp_path / f"{seed}.events"))
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * 12
    assert 56 <= peak(tmp_path.glob("*.events")) <= 64
    assert ledger.budget(1).host_units() == 0


def hammer(ledger: Ledger, seed: int, end: float, report: Path) -> int:
    """Take and give back up to `end`, and write down the units held: no earlier, no later."""
    chance, budget = random.Random(seed), ledger.budget(64)
    held: list[int] = []
    events = []

    def note() -> None:
        events.append(f"{time.monotonic_ns()} {seed} {-(-sum(held) // UNIT)}\n")

    while time.monotonic() < end or len(events) <= 20:  # on a busy machine it begins late
        if held and chance.random() < 0.5:
            size = held.pop()
            note()
            budget.release(size)
            continue
        size = chance.randrange(1, 12 * UNIT)
        try:
            budget.take(size)
        except Refused:
            continue
        held.append(size)
        note()
    held.clear()
    note()  # the end of the process gives back the rest
    report.write_text("".join(events))
    return 0


def peak(reports: Iterable[Path]) -> int:
    events = sorted(
        tuple(map(int, line.split())) for path in reports for line in path.read_text().splitlines()
    )
    now, most = [0] * 12, 0
    for _, who, units in events:
        now[who] = units
        most = max(most, sum(now))
    return most


# A model


class Host(RuleBasedStateMachine):
    """Three processes under one ledger, one of them with a bound of its own."""

    def __init__(self) -> None:
        super().__init__()
        descriptor, path = tempfile.mkstemp()
        os.close(descriptor)
        self.ledger = Ledger(Path(path))
        self.budgets = [
            self.ledger.budget(12),
            self.ledger.budget(12),
            self.ledger.budget(12, process=3 * UNIT),
        ]
        self.held: list[list[int]] = [[], [], []]

    def units(self) -> int:
        return sum(-(-sum(held) // UNIT) for held in self.held)

    @rule(who=st.integers(0, 2), size=st.integers(1, 5 * UNIT))
    def take(self, who: int, size: int) -> None:
        used = sum(self.held[who])
        more = -(-(used + size) // UNIT) - -(-used // UNIT)
        fits = self.units() + more <= 12 and (who < 2 or used + size <= 3 * UNIT)
        if fits:
            self.budgets[who].take(size)
            self.held[who].append(size)
        else:
            with pytest.raises((Refused, ScratchError)):
                self.budgets[who].take(size)

    @rule(who=st.integers(0, 2), data=st.data())
    def give(self, who: int, data: st.DataObject) -> None:
        if self.held[who]:
            at = data.draw(st.integers(0, len(self.held[who]) - 1))
            self.budgets[who].release(self.held[who].pop(at))

    @rule(who=st.integers(0, 2))
    @precondition(lambda self: any(self.held))
    def end(self, who: int) -> None:
        self.budgets[who].close()
        self.budgets[who].release(sum(self.held[who]))
        self.held[who] = []

    @invariant()
    def the_host_holds_what_its_processes_hold(self) -> None:
        assert self.budgets[0].host_units() == self.units()
        assert [budget.used for budget in self.budgets] == [sum(held) for held in self.held]

    def teardown(self) -> None:
        self.ledger.close()
        self.ledger.path.unlink()


if sys.platform == "linux":
    TestHost = Host.TestCase
