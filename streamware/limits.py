"""How much one export may be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Literal

from streamware.errors import LimitError

_WHAT = {
    "rows": "rows of the export",
    "bytes": "bytes of the document",
    "seconds": "seconds of the export",
    "scratch_bytes": "scratch bytes of the export",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one export; None is no bound.  Passing one raises `LimitError`.

    Over HTTP that is a status, as long as nothing was sent; later it breaks the transfer.  What
    is streamed is sent after its first rows, 32 at the most: who wants the status, whatever is
    passed, takes `delivery="spool"`.

    Attributes:
        rows: Data rows, over all sheets.
        bytes: Bytes of the document, as sent before any content coding.
        seconds: Seconds from the opening of the rows; looked at before and after every pull.  A
            pull that is blocked then is interrupted: of asynchronous rows by a cancellation, of
            others by `Export(cancel=)`.
        cell_characters: Characters (code points) in one text cell.
        scratch_bytes: Bytes on disk that the export's own spools hold at a time, with what is
            reserved ahead for them; not what the rows take from `current_scratch()`.
        status: What an `Export` answers instead of an error, from 400 to 599: "auto" is 413, or
            503 with `Retry-After` for `seconds`.  None lets the error pass, to the framework.
    """

    rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
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
                raise TypeError(f"Limits({field.name}=…) is a number or None, not {kind}")
            if not bound >= 0:
                raise ValueError(f"Limits({field.name}=…) must not be negative")
        status = self.status
        if status not in ("auto", None) and not (status in _STATUSES and 400 <= status <= 599):
            raise ValueError("Limits(status=…) is the code of an error, 'auto' or None")

    def check(self, name: str, actual: float) -> None:
        """Raises `LimitError` when `actual` is over the bound of that name."""
        bound = getattr(self, name)
        if bound is not None and actual > bound:
            raise self.passed(name, actual)

    def passed(self, name: str, actual: float) -> LimitError:
        """The error that says so."""
        bound = getattr(self, name)
        error = LimitError(_WHAT[name], limit=bound, actual=round(actual, 3), name=name)
        error.status = self.status_of(error)
        return error

    def status_of(self, error: LimitError) -> int | None:
        """What is answered where `error` comes before the first byte; None: it is raised."""
        if error.name is None or self.status is None:
            return None
        if self.status != "auto":
            return self.status
        return 503 if error.name == "seconds" else 413


_STATUSES = frozenset(int(status) for status in HTTPStatus)
