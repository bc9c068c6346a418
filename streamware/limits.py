"""Limits: the bounds of one export."""

from __future__ import annotations

from dataclasses import dataclass, fields
from http import HTTPStatus
from math import inf
from typing import Literal

from streamware.errors import LimitError

_FOREVER = 10**15  # seconds
_MEASURED = {
    "rows": "rows of the export",
    "bytes": "bytes of the document",
    "seconds": "seconds of the export",
    "stall_seconds": "seconds in which the client took nothing",
    "scratch_bytes": "scratch bytes of the export",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one export; None is no bound.  Passing one raises `LimitError`.

    Over HTTP that is a status if nothing was sent yet; later it breaks the transfer.  A streamed
    document is sent after at most 32 rows, so use `delivery="spool"` to get the status in any
    case.

    Attributes:
        rows: Data rows, over all sheets.
        bytes: Bytes of the document, as sent before any content coding.
        seconds: Seconds from the opening of the rows, checked before and after every pull.  A
            pull that is blocked when they are over is interrupted: asynchronous rows by a
            cancellation, others by `Export(cancel=)`.  So is, over HTTP, sending to a client that
            then has taken nothing for a second.
        stall_seconds: Over HTTP, seconds, above 0, in which the client takes no byte.  Then the
            connection is broken, and the outcome is "client gone".  While the client waits for
            rows, they do not count.
        cell_characters: Characters (code points) in one text cell.
        scratch_bytes: Bytes on disk that the export's own spools hold at a time, with what is
            reserved ahead for them; not what the rows take from `current_scratch()`.
        status: What an `Export` answers in place of an error, from 400 to 599: "auto" is 413, or
            503 with `Retry-After` for `seconds`.  None raises the error to the framework.
    """

    rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    stall_seconds: float | None = 120
    cell_characters: int | None = None
    scratch_bytes: int | None = None
    status: int | Literal["auto"] | None = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if field.name == "status" or bound is None:
                continue
            if isinstance(bound, bool) or not isinstance(bound, (int, float)):
                kind = type(bound).__name__
                raise TypeError(f"Limits({field.name}=…) must be a number or None, not {kind}")
            if not bound >= 0 or (field.name == "stall_seconds" and not bound):
                least = "above 0, or None" if field.name == "stall_seconds" else "0 or more"
                raise ValueError(f"Limits({field.name}=…) must be {least}, not {bound}")
            if field.name.endswith("seconds") and bound > _FOREVER:  # no float may be so large
                object.__setattr__(self, field.name, inf)
        status = self.status
        if status not in ("auto", None) and not (status in _STATUSES and 400 <= status <= 599):
            raise ValueError(
                f"Limits(status=…) must be a status from 400 to 599, 'auto' or None, not {status!r}"
            )

    def check(self, name: str, actual: float) -> None:
        """Raise `LimitError` if `actual` is over the bound of that name."""
        bound = getattr(self, name)
        if bound is not None and actual > bound:
            raise self.passed(name, actual)

    def passed(self, name: str, actual: float) -> LimitError:
        """Return the error of an export that passed the bound of that name."""
        bound = getattr(self, name)
        error = LimitError(_MEASURED[name], limit=bound, actual=round(actual, 3), name=name)
        error.status = self.status_of(error)
        return error

    def status_of(self, error: LimitError) -> int | None:
        """Return the status to answer with, if no byte was sent; None to raise `error` instead."""
        if error.name is None or self.status is None:
            return None
        if self.status != "auto":
            return self.status
        return 503 if error.name == "seconds" else 413


_STATUSES = frozenset(int(status) for status in HTTPStatus)
