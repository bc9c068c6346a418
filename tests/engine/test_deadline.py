"""What is interrupted when the time of an export is over, and what is not."""

import logging
import threading
import time

import pytest

import streamware as sw
from fakes import PATIENCE, Broken, asgi_get, orders, wsgi_get
from streamware.engine.deadline import Deadline


class Interrupt:
    """What a deadline calls."""

    def __init__(self, error: Exception | None = None) -> None:
        self.called = threading.Event()
        self.threads: list[str] = []
        self._error = error

    def __call__(self) -> None:
        self.threads.append(threading.current_thread().name)
        self.called.set()
        if self._error is not None:
            raise self._error


def test_a_pull_that_is_blocked_is_interrupted_from_another_thread() -> None:
    interrupt = Interrupt()
    deadline = Deadline(interrupt)
    with deadline:
        deadline.start(0.01)
        assert interrupt.called.wait(PATIENCE)
    assert (interrupt.threads, deadline.struck) == (["streamware"], True)


def test_a_pull_that_has_ended_is_not() -> None:
    interrupt = Interrupt()
    deadline = Deadline(interrupt)
    deadline.start(0.05)
    with deadline:
        pass
    time.sleep(0.1)
    assert (interrupt.threads, deadline.struck) == ([], False)


def test_a_pull_does_not_end_while_it_is_being_interrupted() -> None:
    begun, order = threading.Event(), list[str]()

    def interrupt() -> None:
        begun.set()
        time.sleep(0.05)
        order.append("interrupted")

    deadline = Deadline(interrupt)
    with deadline:
        deadline.start(0.01)
        assert begun.wait(PATIENCE)
    order.append("ended")
    assert order == ["interrupted", "ended"]


def test_the_rows_are_not_closed_while_they_are_being_interrupted() -> None:
    begun, order = threading.Event(), list[str]()

    def interrupt() -> None:
        begun.set()
        time.sleep(0.05)
        order.append("interrupted")

    deadline = Deadline(interrupt)
    with deadline:
        deadline.start(0.01)
        assert begun.wait(PATIENCE)
        deadline.stop()
        order.append("stopped")
    assert order == ["interrupted", "stopped"]


def test_a_deadline_that_was_stopped_leaves_no_thread() -> None:
    before = threading.active_count()
    deadline = Deadline(Interrupt())
    deadline.start(PATIENCE)
    assert threading.active_count() == before + 1
    deadline.stop()
    deadline.stop()
    end = time.monotonic() + PATIENCE
    while threading.active_count() > before:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_deadline_that_was_never_started_can_be_stopped() -> None:
    Deadline(Interrupt()).stop()


def test_an_interruption_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    interrupt = Interrupt(Broken())
    deadline = Deadline(interrupt)
    with deadline:
        deadline.start(0.01)
        assert interrupt.called.wait(PATIENCE)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "cancelling the rows of an export failed")
    ]


@pytest.mark.parametrize(
    "seconds", [1e10, 1e300, float("inf"), 10**400], ids=["1e10", "1e300", "inf", "int"]
)
def test_a_deadline_may_be_further_than_a_thread_can_wait(seconds: float) -> None:
    limits = sw.Limits(seconds=seconds)
    for get in (wsgi_get, asgi_get):
        assert get(sw.Export(orders(3), limits=limits, cancel=lambda: None)).complete
