"""What became of an export."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

from streamware.errors import LimitError, Refused, StateError


@dataclass(slots=True)
class Receipt:
    """Figures of one export, filled while it runs and final once it has ended.

    Attributes:
        format: Name of the format, such as "xlsx".
        rows: Data rows written, over all sheets, headers not counted.
        bytes: Bytes of the document handed out so far.
        seconds: Seconds from the opening of the rows to the end.
        first_byte_seconds: Seconds from the opening to the first bytes that can be handed out:
            of a document that is spooled, to its end; None before them.
        sha256: Hex digest of the whole document; None unless it is complete.
        converted: How often a value was written otherwise than it came, by the name of the rule
            (the fields of `Values`, and "text_cut", "newline", "escape", "text_of_object", …).
        outcome: "running", and then one of
            "complete": all of it was handed out, over HTTP to the server;
            "client gone": over HTTP, closed before its end; elsewhere that is "closed";
            "source error": the rows raised;
            "encode error": a row or a value that the format cannot hold;
            "limit": more than the format holds or `Limits` allow; of seconds, "expired";
            "no space": no room for scratch;
            "refused": over HTTP, too many exports at once; nothing was opened.
        problem: What ended it, in one line that can be logged: the limit that was passed, or the
            type of the error, never its text; None where nothing did.
        delivery: Over HTTP, how it was sent: "stream", "buffer" or "spool".
        delivery_reason: Why so, where `delivery="auto"` had the choice.
        waited_seconds: Over HTTP, seconds it waited for its turn among those at once.
        scratch_peak_bytes: The most it held on disk, with what was reserved ahead.
        id: Tells it from others in a log.
    """

    format: str
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    first_byte_seconds: float | None = None
    sha256: str | None = None
    converted: Counter[str] = field(default_factory=Counter)
    outcome: str = "running"
    problem: str | None = None
    delivery: str | None = None
    delivery_reason: str | None = None
    waited_seconds: float = 0.0
    scratch_peak_bytes: int = 0
    id: str = field(default_factory=lambda: os.urandom(6).hex(), compare=False)


def check_complete(receipt: Receipt) -> None:
    """Raises StateError where the chunks of a document have an end, and the document has none."""
    if receipt.outcome != "complete":
        raise StateError(f"the document was cut, and is not complete: {receipt.outcome}")


def problem_of(error: BaseException) -> str:
    """One line on what went wrong, with names of ours and counts, and with nobody's data."""
    kind = type(error).__name__
    if isinstance(error, Refused) and error.limit is not None:
        return f"Settings.{error.limit}"
    if isinstance(error, LimitError):
        # Its text may name a column or an entry: those are not ours.
        what = "a limit of the format" if error.name is None else f"Limits.{error.name}"
        return f"{what}: {error.actual:,} is over {error.limit:,}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind}: {os.strerror(error.errno)}"
    return kind
