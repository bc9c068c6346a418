"""What drives a document, as threads call it."""

import gc
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

import streamware as sw
from drive import Clock, driver
from fakes import PATIENCE, Rows, aorders, orders
from streamware.engine.driver import Driver
from streamware.engine.lifecycle import State
from streamware.rows.source import Cancelled


def pulled_in_between(made: Driver, call: Callable[[Driver], object]) -> Iterator[tuple[int]]:
    """Rows during whose second pull another thread calls."""
    yield (1,)
    thread = Thread(target=call, args=(made,))
    thread.start()
    thread.join()
    yield (2,)


def between(call: Callable[[Driver], object], **options: Any) -> tuple[Driver, Rows]:
    rows = Rows([])
    made = driver(rows, **options)
    rows._rows = pulled_in_between(made, call)
    return made, rows


def test_advance_and_take_give_the_document() -> None:
    made = driver(orders(33))
    assert made.advance()
    assert made.take().startswith(b"0,order 0\r\n1,order 1\r\n2,order 2\r\n")
    assert not made.advance()
    assert not made.lifecycle.is_over
    assert made.take() == b"32,order 32\r\n"
    assert made.lifecycle.state is State.COMPLETE
    assert not made.advance()


@pytest.mark.parametrize("form", ["csv", "xml", "json", "xlsx", "ods"])
def test_a_document_that_is_read_at_once_is_one_chunk(form: str) -> None:
    made = driver(orders(3), form)
    assert not made.advance()
    chunk = made.take()
    assert made.lifecycle.state is State.COMPLETE
    assert len(chunk) == made.receipt.bytes
    assert list(made) == []


def test_what_follows_a_sheet_is_not_waited_for() -> None:
    made = driver([sw.Sheet("one", orders(3)), sw.Sheet("two", orders(3))], "xlsx")
    assert made.advance()
    assert made.take()


def test_a_cancelled_driver_ends_with_the_pull_in_flight() -> None:
    made, rows = between(Driver.cancel)
    with pytest.raises(Cancelled):
        made.advance()
    assert (made.receipt.outcome, rows.closed) == ("closed", 1)


def test_rows_are_closed_by_the_thread_that_pulls_them() -> None:
    made, rows = between(Driver.close)
    assert not made.advance()
    assert (made.receipt.outcome, rows.closed) == ("closed", 1)


def test_what_has_come_can_be_flushed_during_a_pull() -> None:
    taken = list[bytes]()

    def flush(made: Driver) -> None:
        made.flush_pending()
        taken.append(made.take())

    made, _ = between(flush)
    assert b"".join(made) == b"2\r\n"
    assert taken == [b"1\r\n"]


def test_an_expired_driver_raises_the_limit(clock: Clock) -> None:
    def expire(made: Driver) -> None:
        clock.now += 11
        made.expire()

    made, rows = between(expire, limits=sw.Limits(seconds=10))
    with pytest.raises(sw.LimitError, match="seconds"):
        made.advance()
    assert (made.receipt.outcome, rows.closed) == ("expired", 1)


def test_a_driver_with_time_left_does_not_expire() -> None:
    made = driver(orders(3), limits=sw.Limits(seconds=60))
    assert made.expire() is None
    assert b"".join(made).startswith(b"0,")


def test_asynchronous_rows_wait_for_an_event_loop() -> None:
    rows = aorders(3)
    made = driver(rows)
    assert made.asynchronous == [rows]
    with pytest.raises(sw.StateError, match="asynchronous"):
        made.advance()


def test_closing_from_another_thread_ends_the_batch_that_is_being_filled() -> None:
    """A source that drips fills a batch for as long as a flush interval."""

    def drip() -> Iterator[tuple[int]]:
        for at in range(10_000):
            time.sleep(0.1 if at > 40 else 0)
            yield (at,)

    chunks = sw.encode(drip(), flush_interval=PATIENCE)
    assert next(chunks)
    reading = Thread(target=lambda: list(chunks))
    reading.start()
    time.sleep(0.1)
    left = time.monotonic()
    chunks.close()
    reading.join(PATIENCE)
    assert time.monotonic() - left < 1


@pytest.mark.parametrize("form", ["csv", "xml", "json", "ods"])
def test_an_export_leaves_nothing_to_the_garbage_collector(form: str) -> None:
    rows = list(orders(3))

    def made() -> None:
        assert b"".join(sw.encode(rows, form))

    made()  # what is kept for the next one
    gc.collect()
    gc.disable()
    try:
        made()
        assert gc.collect() == 0
    finally:
        gc.enable()
