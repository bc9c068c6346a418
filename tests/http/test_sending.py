"""Whether a client takes what it is sent, by a clock that a test sets."""

from typing import Any

import pytest

import streamware as sw
from streamware.http import sending as module
from streamware.http.sending import Sending


class Wire:
    """A connection whose client has taken `bytes`; the clock; and whether the time is over."""

    def __init__(self) -> None:
        self.now = 100.0
        self.bytes: int | None = 0
        self.expired: sw.LimitError | None = None

    def taken(self) -> int | None:
        return self.bytes

    def expire(self) -> sw.LimitError | None:
        return self.expired


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr(module, "monotonic", lambda: made.now)
    return made


def sending(wire: Wire, found: Any = "wire", **limits: Any) -> Sending:
    connection: Any = wire if found == "wire" else found
    made = Sending(sw.Limits(**limits), wire.expire, lambda _: connection)
    made.search()
    return made


def looked_at(made: Sending, wire: Wire, seconds: float, growing: bool = False) -> Any:
    """What is found when that time has passed, with a look every half second."""
    end = wire.now + seconds
    while wire.now < end:
        wire.now += 0.5
        if growing and wire.bytes is not None:
            wire.bytes += 1
        if found := made.overdue():
            return found
    return None


@pytest.mark.parametrize("found", ["wire", None])
def test_bytes_that_are_not_taken_are_overdue(wire: Wire, found: Any) -> None:
    made = sending(wire, found)
    made.passed()
    assert looked_at(made, wire, 119) is None
    error = looked_at(made, wire, 2)
    assert (error.name, error.limit, error.actual) == ("stall_seconds", 120, 120)
    assert "seconds in which the client took nothing: 120" in str(error)


def test_each_byte_that_is_taken_starts_the_time_anew(wire: Wire) -> None:
    made = sending(wire, stall_seconds=2)
    made.passed()
    assert looked_at(made, wire, 60, growing=True) is None
    assert looked_at(made, wire, 3) is not None


def test_a_server_that_asks_for_more_has_passed_it_on(wire: Wire) -> None:
    made = sending(wire, None, stall_seconds=2)
    for _ in range(10):
        made.passed()
        assert looked_at(made, wire, 1.5) is None
        made.asked()


def test_waiting_for_rows_is_no_stall(wire: Wire) -> None:
    made = sending(wire, stall_seconds=2)
    assert looked_at(made, wire, 60) is None
    made.passed()
    made.asked()
    assert looked_at(made, wire, 60) is None
    assert not made.is_waiting


def test_none_is_no_bound(wire: Wire) -> None:
    made = sending(wire, stall_seconds=None)
    made.passed()
    assert looked_at(made, wire, 10_000) is None


def test_the_time_of_the_export_is_watched_while_nothing_is_taken(wire: Wire) -> None:
    made = sending(wire)
    wire.expired = sw.LimitError("seconds of the export", limit=1, actual=2, name="seconds")
    made.passed()
    assert looked_at(made, wire, 5, growing=True) is None
    assert looked_at(made, wire, 1.5) is wire.expired


def test_a_file_that_the_kernel_sends_is_overdue_only_if_that_is_known(wire: Wire) -> None:
    made = sending(wire, stall_seconds=2)
    made.passed(is_file=True)
    assert looked_at(made, wire, 60, growing=True) is None
    wire.bytes = None
    assert looked_at(made, wire, 60) is None
    made.passed()  # a server that reads it
    assert looked_at(made, wire, 3) is not None
