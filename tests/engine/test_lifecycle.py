"""The states of a document, and what its receipt says of its end."""

from collections.abc import Callable

import pytest

import streamware as sw
from streamware.engine.lifecycle import TRANSITIONS, Event, Lifecycle, State
from streamware.rows.source import Cancelled

Step = Callable[[Lifecycle], object]


def begun() -> Lifecycle:
    made = Lifecycle(sw.Receipt("csv"))
    made.start()
    return made


def completed() -> Lifecycle:
    made = begun()
    made.finish()
    assert made.complete("abc")
    return made


def said(lifecycle: Lifecycle) -> tuple[str, str | None, str | None]:
    receipt = lifecycle.receipt
    return receipt.outcome, receipt.problem, receipt.sha256


def test_every_state_has_a_row_in_the_table_and_every_event_a_use() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {event for events in TRANSITIONS.values() for event in events} == set(Event)


def test_every_state_can_be_reached() -> None:
    reached = {after for events in TRANSITIONS.values() for after in events.values()}
    assert reached - {None} == set(State) - {State.IDLE}


def test_a_document_that_is_taken_to_its_end_is_complete() -> None:
    assert said(completed()) == ("complete", None, "abc")


@pytest.mark.parametrize(
    ("error", "outcome", "problem"),
    [
        (None, "closed", None),
        (Cancelled(), "closed", None),
        (KeyError("data"), "source error", "KeyError"),
        (sw.EncodeError("data"), "encode error", "EncodeError"),
        (
            sw.LimitError("rows", limit=1, actual=2, name="rows"),
            "limit",
            "Limits.rows: 2 is over 1",
        ),
        (
            sw.LimitError("s", limit=1, actual=2, name="seconds"),
            "expired",
            "Limits.seconds: 2 is over 1",
        ),
        (sw.ScratchError(28, "data"), "no space", "ScratchError: No space left on device"),
    ],
)
def test_an_end_before_its_time_has_the_outcome_of_its_error(
    error: BaseException | None, outcome: str, problem: str | None
) -> None:
    made = begun()
    made.close(error)
    assert said(made) == (outcome, problem, None)


def test_a_limit_of_a_document_within_the_rows_is_an_error_of_the_source() -> None:
    made = begun()
    made.close(sw.LimitError("rows", limit=1, actual=2, name="rows"), foreign=True)
    assert said(made) == ("source error", "LimitError", None)


@pytest.mark.parametrize(
    "late",
    [Lifecycle.start, Lifecycle.finish, Lifecycle.cancel, Lifecycle.close],
)
@pytest.mark.parametrize("error", [None, KeyError("data")])
def test_what_comes_after_the_end_changes_nothing(late: Step, error: Exception | None) -> None:
    made = begun()
    made.close(error)
    before = said(made), made.state
    late(made)
    assert not made.complete("abc")
    assert (said(made), made.state) == before


def test_a_cancelled_document_is_not_complete_though_its_last_byte_was_made() -> None:
    made = begun()
    made.cancel()
    made.finish()
    assert not made.complete("abc")
    assert not made.is_over
    assert made.receipt.outcome == "running"
    made.close()
    assert said(made) == ("closed", None, None)


@pytest.mark.parametrize(
    ("why", "outcome"),
    [
        (Lifecycle.leave, ("client gone", None, None)),
        (lambda made: made.explain(sw.ScratchError("data")), ("no space", "ScratchError", None)),
        (
            lambda made: made.refuse(sw.Refused("", retry_after=1, limit="max_concurrent")),
            ("refused", "Settings.max_concurrent", None),
        ),
    ],
)
def test_why_a_document_was_closed_may_be_known_later(
    why: Step, outcome: tuple[str, str | None, str | None]
) -> None:
    made = begun()
    made.close()
    why(made)
    assert said(made) == outcome


@pytest.mark.parametrize(
    ("step", "outcome"), [(Lifecycle.drop, "closed"), (Lifecycle.leave, "client gone")]
)
def test_a_complete_document_may_never_reach_its_reader(step: Step, outcome: str) -> None:
    made = completed()
    step(made)
    assert said(made) == (outcome, None, None)


@pytest.mark.parametrize("late", [Lifecycle.leave, lambda made: made.explain(KeyError("data"))])
def test_a_document_that_failed_since_its_state_was_looked_at_stays_failed(late: Step) -> None:
    made = begun()
    made.close(sw.LimitError("s", limit=1, actual=2, name="seconds"))
    late(made)
    assert said(made) == ("expired", "Limits.seconds: 2 is over 1", None)


def test_two_threads_may_drop_the_last_chunks_of_a_document() -> None:
    made = completed()
    made.drop()
    made.drop()
    assert said(made) == ("closed", None, None)


@pytest.mark.parametrize(
    ("made", "step"),
    [
        (begun, Lifecycle.start),
        (begun, Lifecycle.drop),
        (begun, lambda made: made.complete("abc")),
        (completed, lambda made: made.explain(KeyError())),
    ],
)
def test_an_impossible_transition_is_an_error(made: Callable[[], Lifecycle], step: Step) -> None:
    with pytest.raises(sw.StateError, match=r"\w+ is not possible for a document that is \w+"):
        step(made())


def test_seconds_count_from_the_start_to_the_first_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([1.0, 3.0])
    monkeypatch.setattr("streamware.engine.lifecycle.monotonic", lambda: next(now))
    made = Lifecycle(sw.Receipt("csv"))
    assert made.seconds == 0.0
    made.start()
    made.close()
    made.leave()
    assert made.receipt.seconds == 2.0


@pytest.mark.parametrize("before", [begun, completed])
def test_a_document_whose_target_fails_is_lost_even_when_it_was_complete(
    before: Callable[[], Lifecycle],
) -> None:
    made = before()
    made.lose("target error", "OSError")
    assert said(made) == ("target error", "OSError", None)


def test_an_error_of_the_rows_counts_more_than_one_of_the_target() -> None:
    made = begun()
    made.close(KeyError("data"))
    made.lose("target error", "OSError")
    assert said(made) == ("source error", "KeyError", None)
