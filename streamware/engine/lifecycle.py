"""Lifecycle: the states of a document, and what its receipt says of its end.

Theory of operation
===================

Every document has one `Lifecycle`, from before its rows are opened until its response is over.
It holds the state, and it alone writes the figures of the end into the receipt: `outcome`,
`problem`, `sha256` and `seconds`.  All other code reports events to it and reads the state.

    IDLE ──start──> READING ──finish──> WRITTEN ──complete──> COMPLETE
    IDLE, READING, WRITTEN ──cancel──> CANCELLED
    IDLE, READING, WRITTEN, CANCELLED ──fail──> FAILED
    IDLE, READING, WRITTEN, CANCELLED ──close──> CLOSED

IDLE, READING, WRITTEN and CANCELLED are live: the receipt says "running".  In the other states
the document is over, and the first of them counts.  What the engine reports after it (an error of
a pull, while another thread has closed the document; a second `close`) changes nothing.

Sometimes the reason of an end is known only when the document is over, so five events may follow:

- `drop`: the last chunks of a COMPLETE document were still waiting when its reader closed it.
- `refuse`, `explain`: the document is CLOSED, and only HTTP knows why.  The export was refused, or
  an error outside the document ended it.
- `leave`: the same, and the client left.  It may also leave a COMPLETE document, whose last bytes
  were taken and not sent.
- `lose`: the file or the store where the document was saved has failed, perhaps after its last
  bytes were taken.

All but the first may even come before the close, which a pull in flight delays.  Whoever reports
one of the five has looked at the state before.  If another thread has failed or dropped the
document since then, the event changes nothing.

An event that the table does not have for a state is a bug in the caller, and raises `StateError`.

`cancel` may come from any thread at any moment, even after the encoding thread has looked at the
state and before it reports its next event.  So a lock guards every transition, and a CANCELLED
document ignores what the encoding thread still reports, until it is closed.
"""

from __future__ import annotations

from enum import Enum, auto
from threading import RLock
from time import monotonic

from streamware.errors import EncodeError, LimitError, Refused, ScratchError, StateError
from streamware.locks import fork_safe
from streamware.receipt import Receipt, problem_of
from streamware.rows.source import Cancelled


class State(Enum):
    """Where a document is in its life."""

    IDLE = auto()  # nothing is opened
    READING = auto()  # rows are opened, pulled and encoded
    WRITTEN = auto()  # the last byte is made, and not yet taken
    CANCELLED = auto()  # no longer wanted; a pull may still be in flight
    COMPLETE = auto()  # the last byte was taken
    FAILED = auto()  # an error ended it
    CLOSED = auto()  # closed before its end
    REFUSED = auto()  # over HTTP: nothing was opened, because the settings forbid it
    LEFT = auto()  # over HTTP: the client left before its end

    __hash__ = object.__hash__  # Enum.__hash__ is Python code, and slow


class Event(Enum):
    """What can happen to a document."""

    START = auto()  # rows are about to be opened
    FINISH = auto()  # the last byte was made
    COMPLETE = auto()  # the last byte was taken
    CANCEL = auto()  # the pull in flight shall be the last
    FAIL = auto()  # an error ended it
    CLOSE = auto()  # it was closed before its end
    DROP = auto()  # it was complete, but the last chunks were not taken
    REFUSE = auto()  # it was closed because the export was refused
    EXPLAIN = auto()  # it was closed because of an error outside the document
    LEAVE = auto()  # it was closed because the client left
    LOSE = auto()  # what it was written to has failed

    __hash__ = object.__hash__


_ENDS = {
    Event.FAIL: State.FAILED,
    Event.CLOSE: State.CLOSED,
    Event.REFUSE: State.REFUSED,
    Event.EXPLAIN: State.FAILED,
    Event.LEAVE: State.LEFT,
    Event.LOSE: State.FAILED,
}

_IGNORED = dict.fromkeys(
    (Event.START, Event.FINISH, Event.COMPLETE, Event.CANCEL, Event.FAIL, Event.CLOSE)
)

TRANSITIONS: dict[State, dict[Event, State | None]] = {
    State.IDLE: {Event.START: State.READING, Event.CANCEL: State.CANCELLED, **_ENDS},
    State.READING: {
        Event.FINISH: State.WRITTEN,
        Event.CANCEL: State.CANCELLED,
        **_ENDS,
    },
    State.WRITTEN: {Event.COMPLETE: State.COMPLETE, Event.CANCEL: State.CANCELLED, **_ENDS},
    State.CANCELLED: {
        Event.START: State.CANCELLED,
        Event.FINISH: State.CANCELLED,
        Event.COMPLETE: State.CANCELLED,
        Event.CANCEL: State.CANCELLED,
        **_ENDS,
    },
    State.COMPLETE: {
        **_IGNORED,
        Event.DROP: State.CLOSED,
        Event.LEAVE: State.LEFT,
        Event.LOSE: State.FAILED,
    },
    State.FAILED: {**_IGNORED, Event.EXPLAIN: None, Event.LEAVE: None, Event.LOSE: None},
    State.CLOSED: {
        **_IGNORED,
        Event.DROP: None,
        Event.REFUSE: State.REFUSED,
        Event.EXPLAIN: State.FAILED,
        Event.LEAVE: State.LEFT,
        Event.LOSE: State.FAILED,
    },
    State.REFUSED: {**_IGNORED},
    State.LEFT: {**_IGNORED},
}
"""The next state for each event; None if the event no longer changes anything."""

_LIVE = frozenset({State.IDLE, State.READING, State.WRITTEN, State.CANCELLED})

_OUTCOMES = {
    State.COMPLETE: "complete",
    State.CLOSED: "closed",
    State.REFUSED: "refused",
    State.LEFT: "client gone",
}
"""`Receipt.outcome` in each state in which a document is over; for FAILED see `outcome_of`."""


class Lifecycle:
    """The life of one document; nothing else writes into its receipt how it ended.

    Args:
        receipt: The receipt of the document.
        started: The time from which seconds count before `start`; None if they do not.

    Attributes:
        receipt: The receipt of the document.
        state: Where the document is.
        is_over: Whether an outcome is recorded.
    """

    __slots__ = ("_lock", "_started", "is_over", "receipt", "state")

    def __init__(self, receipt: Receipt, started: float | None = None) -> None:
        self.receipt = receipt
        self.state = State.IDLE
        self.is_over = False  # an attribute: a finalizer at exit finds no globals
        self._started = started
        # Re-entrant: a finalizer that closes the document may run while this thread is in here.
        self._lock = fork_safe(RLock())

    @property
    def seconds(self) -> float:
        """Seconds since the start; 0.0 before it."""
        return 0.0 if self._started is None else monotonic() - self._started

    def start(self) -> None:
        """Start the clock: rows are about to be opened."""
        self._started = monotonic()
        self._move(Event.START)

    def finish(self) -> None:
        """Record that the last byte was made."""
        self._move(Event.FINISH)

    def complete(self, sha256: str | None) -> bool:
        """Record that the last byte was taken; return False if the document was cancelled before.

        Args:
            sha256: Hex digest of all bytes; None if it is not needed.
        """
        self._move(Event.COMPLETE, sha256=sha256)
        return self.state is State.COMPLETE

    def cancel(self) -> None:
        """Make the pull in flight the last; any thread may call this."""
        self._move(Event.CANCEL)

    def close(self, error: BaseException | None = None, *, foreign: bool = False) -> None:
        """Record how the document ended, if it was not over: with an error, or closed.

        Args:
            error: The error that ended it; None or `Cancelled` if it was closed before its end.
            foreign: Whether the error is a `LimitError` of another document that the caller's
                rows made.  If so, it is an error of the source like any other.
        """
        if error is None or isinstance(error, Cancelled):
            self._move(Event.CLOSE)
        elif foreign:
            self._move(Event.FAIL, "source error", type(error).__name__)
        else:
            self._move(Event.FAIL, outcome_of(error), problem_of(error))

    def drop(self) -> None:
        """Record that the last chunks of a complete document were not taken."""
        self._move(Event.DROP)

    def leave(self, error: LimitError | None = None) -> None:
        """Record that the client left, or that it was left because of `error`."""
        self._move(Event.LEAVE, problem=None if error is None else problem_of(error))

    def refuse(self, error: Refused) -> None:
        """Record that the export was refused."""
        self._move(Event.REFUSE, problem=problem_of(error))

    def explain(self, error: BaseException) -> None:
        """Record the error outside the document that had it closed."""
        self._move(Event.EXPLAIN, outcome_of(error), problem_of(error))

    def lose(self, outcome: str, problem: str) -> None:
        """Record how the file or the store failed to which the document was written."""
        self._move(Event.LOSE, outcome, problem)

    def _move(
        self,
        event: Event,
        outcome: str | None = None,
        problem: str | None = None,
        sha256: str | None = None,
    ) -> None:
        """Go to the next state; if that is an end, write it into the receipt."""
        with self._lock:
            before = self.state
            if event not in TRANSITIONS[before]:
                raise StateError(
                    f"{event.name} is not possible for a document that is {before.name}"
                )
            after = TRANSITIONS[before][event]
            if after is None:
                return
            self.state = after
            if after in _LIVE:
                return
            receipt = self.receipt
            receipt.outcome = outcome or _OUTCOMES[after]
            receipt.problem, receipt.sha256 = problem, sha256
            if not self.is_over:
                receipt.seconds = self.seconds
                self.is_over = True


def outcome_of(error: BaseException) -> str:
    """Return what a receipt says of a document that ended with `error`."""
    if isinstance(error, LimitError):
        return "expired" if error.name == "seconds" else "limit"
    if isinstance(error, (Refused, ScratchError)):
        return "no space"
    return "encode error" if isinstance(error, EncodeError) else "source error"
