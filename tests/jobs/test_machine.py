"""Any order of events, with two workers and a clock that jumps: one object, the right one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import streamware.jobs.run
import streamware.jobs.sweep
from streamware.jobs.control import Control, Stop
from streamware.jobs.definitions import Definitions
from streamware.jobs.record import JobState, Record
from streamware.jobs.records import Records
from streamware.jobs.run import Workshop, end_stopped, finish, take
from streamware.jobs.sweep import sweep
from streamware.stores.folder import Folder

ID = "a" * 22
LEASE, ATTEMPTS, EXPIRES = 10.0, 3, 1000.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Machine(RuleBasedStateMachine):
    """Two workers take, beat, publish and record one job, at any pace."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.records = Records(root / "jobs.sqlite3")
        self.shop = Workshop(
            self.records, Folder(root / "store"), Definitions(), LEASE, ATTEMPTS, EXPIRES, LEASE
        )
        self.clock = Clock()
        self.patch = pytest.MonkeyPatch()
        for module in (streamware.jobs.run, streamware.jobs.sweep):
            self.patch.setattr(module, "time", self.clock)
        self.records.create(Record(id=ID, name="orders", arguments={}, created=1000.0))
        self.held: list[Record | None] = [None, None]
        self.objects: list[str | None] = [None, None]
        self.done: list[str] = []
        self.last = JobState.QUEUED

    def teardown(self) -> None:
        self.patch.undo()
        self.records.close()
        self.folder.cleanup()

    @property
    def record(self) -> Record | None:
        return self.records.get(ID)

    def free(self, worker: int) -> None:
        self.held[worker] = self.objects[worker] = None

    workers = st.integers(0, 1)

    @rule(seconds=st.sampled_from([11.0, 0.5, 5.0, 11.5, 1001.0, -3.0, -500.0]))
    def jump(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(worker=workers)
    def take_after_the_lease(self, worker: int) -> None:
        self.clock.now += LEASE + 1
        self.take(worker)

    @rule(worker=workers)
    def take(self, worker: int) -> None:
        if self.held[worker] is None:
            self.held[worker] = take(self.shop, ID)

    @rule(worker=workers)
    def beat(self, worker: int) -> None:
        held = self.held[worker]
        if held is not None:
            self.records.note(held, [JobState.RUNNING], lease=self.clock.now + LEASE, rows=1)

    @rule(worker=workers, is_struck=st.sampled_from([False, False, False, True]))
    def die(self, worker: int, is_struck: bool) -> None:
        if is_struck:
            self.free(worker)

    @rule(worker=workers)
    def publish(self, worker: int) -> None:
        held = self.held[worker]
        if held is not None:
            path = f"{self.records.space}/{ID}/{held.attempt}/orders.csv"
            with self.shop.store.writer(path) as upload:
                upload.write(b"%d" % held.attempt)
            self.objects[worker] = path

    @rule(worker=workers)
    def record_the_end(self, worker: int) -> None:
        held, path = self.held[worker], self.objects[worker]
        if held is None or path is None:
            return
        finish(
            self.shop,
            held,
            Control(self.records, held, LEASE, EXPIRES),
            {"object": path, "size": 1},
        )
        if (found := self.record) is not None and found.state is JobState.DONE:
            self.done.append(str(found.object))
        self.free(worker)

    @rule(worker=workers)
    def give_back(self, worker: int) -> None:
        held = self.held[worker]
        if held is not None and self.objects[worker] is None:
            control = Control(self.records, held, LEASE, EXPIRES)
            control.reason = Stop.CLOSING
            end_stopped(self.shop, held, control)
            self.free(worker)

    @rule(is_wanted=st.sampled_from([True, True, False]))
    def cancel(self, is_wanted: bool) -> None:
        if is_wanted:
            return
        found = self.record
        if found is not None and found.state is JobState.RUNNING:
            self.records.move(found, JobState.CANCELLING)
        elif found is not None and found.state is JobState.QUEUED:
            self.records.move(found, JobState.CANCELLED, ended=self.clock.now)

    @rule()
    def sweep(self) -> None:
        sweep(self.shop, lambda _: None)

    @precondition(lambda self: self.held == [None, None])
    @rule()
    def nothing_is_left_when_all_is_over(self) -> None:
        self.sweep()
        found = self.record
        if found is not None and found.is_open:  # an attempt may still run, as far as one can know
            return
        named = [] if found is None or found.object is None else [found.object]
        assert [each.path for each in self.shop.store.list()] == named

    @invariant()
    def the_object_that_is_named_is_there(self) -> None:
        found = self.record
        if found is None:
            assert self.last is JobState.EXPIRED
            return
        assert len(set(self.done)) <= 1
        if found.state is JobState.DONE:
            assert found.object is not None
            held = b"".join(self.shop.store.read(found.object))
            assert held == b"%d" % found.attempt
        assert found.attempt <= ATTEMPTS
        self.last = found.state


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)

pytestmark = pytest.mark.slow
