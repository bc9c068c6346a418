"""What an export answers, and the job behind it: the part that knows neither WSGI nor ASGI."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from streamware.aencoding import AsyncEncoding
from streamware.columns import Column
from streamware.encoder import Format
from streamware.encoding import CHUNK_SIZE, FLUSH_INTERVAL, Encoding
from streamware.http.coding import Gzip
from streamware.limits import Limits
from streamware.receipt import Receipt
from streamware.source import Rows
from streamware.values import Values

logger = logging.getLogger("streamware")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One export on its way: everything that is settled before rows are opened."""

    rows: Rows
    format: Format
    columns: Iterable[Column] | None
    values: Values | None
    limits: Limits | None
    gzip: bool
    cancel: Callable[[], object] | None
    on_done: Callable[[Receipt], object] | None

    def encoding(self) -> Encoding:
        """The document, for a thread to iterate."""
        return Encoding(
            self.rows,
            self.format,
            columns=self.columns,
            values=self.values,
            limits=self.limits,
            chunk_size=CHUNK_SIZE,
            flush_interval=FLUSH_INTERVAL,
            coder=Gzip() if self.gzip else None,
        )

    def aencoding(self) -> AsyncEncoding:
        """The document, for an event loop to iterate."""
        return AsyncEncoding(
            self.rows,
            self.format,
            columns=self.columns,
            values=self.values,
            limits=self.limits,
            chunk_size=CHUNK_SIZE,
            flush_interval=FLUSH_INTERVAL,
            cancel=self.cancel,
            coder=Gzip() if self.gzip else None,
        )

    def done(self, receipt: Receipt) -> None:
        """Tell who asked; what they raise is theirs, and logged."""
        if self.on_done is None:
            return
        try:
            self.on_done(receipt)
        except Exception:
            logger.exception("on_done of an export failed")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, and either a body that is there or a job that makes one."""

    status: HTTPStatus
    headers: list[tuple[str, str]]
    body: bytes | Job


class Answerer(Protocol):
    """What decides how a request is answered."""

    def __call__(
        self, *, head_only: bool, query: str | bytes, accept: str | None, coding: str | None
    ) -> Answer:
        """The answer; rows are not opened for it."""
