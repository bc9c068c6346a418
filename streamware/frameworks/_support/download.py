"""Download: an answer as the body that a framework's response iterates and closes.

The answer is made together with the response, and so the response has its headers at once.  Rows
are opened later, by `start()`: when the framework is about to send the response and can still
send another in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from streamware.errors import StateError
from streamware.http.application import Application
from streamware.http.delivery import Answer, Job
from streamware.http.request import Request
from streamware.locks import generation

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class SettableHeaders(Protocol):
    """The headers of a framework's response, as far as they are changed here."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Set a header to one value."""

    def __delitem__(self, name: str, /) -> None:
        """Remove a header if it is there."""


class BaseDownload:
    """The base of `Download` and `AsyncDownload`: an answer that is started once.

    Attributes:
        status: Status code of the answer; after a start that was refused, of the refusal.
        headers: Headers; after the start they may give the length.
        started: Whether it was started, or closed before that.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer  # as made with the response
        self.status: int = answer.status
        self.headers = answer.headers
        self.started = False
        self._generation = generation()  # of the process that made it

    @property
    def refused(self) -> bool:
        """Whether it became another answer at the start, such as a 503 for lack of room."""
        return self.status != self._answer.status

    def update_headers(self, headers: SettableHeaders) -> None:
        """Change the headers of a response as the start has changed those of the answer."""
        if self.refused:
            for name, _ in self._answer.headers:
                del headers[name]
        known = {(name.lower(), value) for name, value in self._answer.headers}
        for name, value in self.headers:
            if self.refused or (name.lower(), value) not in known:
                headers[name] = value

    def _application(self, *, open_rows: bool) -> _FixedAnswer:
        """Return the application to start; without opening rows, it closes those passed open."""
        answer = self._answer
        if not open_rows and isinstance(answer.body, Job):
            answer = replace(answer, body=b"", discarded=answer.body)
        self.started = True
        return _FixedAnswer(answer)

    def _too_late(self) -> StateError:
        return StateError(
            f"the export was refused ({self.status}) after its response was started: return the"
            " response to the framework, which starts the export in time, and do not iterate it"
        )


class Download(BaseDownload):
    """The body of a WSGI response: an iterator of chunks, with an idempotent `close()`.

    Args:
        answer: The answer.
        environ: The request's.
        context: The context in which rows are read; by default that of the start.
    """

    def __init__(
        self, answer: Answer, environ: WSGIEnvironment, context: Context | None = None
    ) -> None:
        super().__init__(answer)
        self._context = context
        # The framework iterates the body itself, so a wrapped file would gain nothing.
        self._environ = {key: environ[key] for key in environ if key != "wsgi.file_wrapper"}
        self._body: Iterable[bytes] = ()  # to be closed
        self._chunks: Iterator[bytes] | None = None  # of the body, once it is iterated

    def start(self, *, open_rows: bool = True) -> None:
        """Make the first chunk.  Idempotent.

        Args:
            open_rows: If False, the body is empty, and rows that were passed open are closed.

        Raises:
            Exception: What the rows raise; everything is closed then.
        """
        if self.started:
            return

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            self.status, self.headers = int(status[:3]), headers

        respond: Any = self._application(open_rows=open_rows).wsgi
        if self._context is not None:
            respond = partial(self._context.run, respond)
        self._body = respond(self._environ, start_response)
        self._environ = {}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._chunks is None:
            late = not self.started
            self.start()
            if late and self.refused:
                raise self._too_late()
            self._chunks = iter(self._body)
        return next(self._chunks)

    def close(self) -> None:
        """Close the rows.  Idempotent; may raise only `KeyboardInterrupt` and the like."""
        with suppress(Exception):  # the rows are not wanted, so their errors do not matter
            self.start(open_rows=False)
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        self._body, self._chunks = (), iter(())
        if close is not None:
            close()

    def __del__(self) -> None:
        # A last resort, for a response that was never sent, because the view raised, for example.
        # What was started closes itself.
        if not getattr(self, "started", True) and self._generation == generation():
            self.close()


class _FixedAnswer(Application):
    """An application that always gives the same answer."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer."""
        return self._answer
