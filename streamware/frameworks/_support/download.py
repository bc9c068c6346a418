"""Download: an answer as the body that a framework's response object iterates and closes.

The answer is made with the response, so that whoever looks at the response finds its headers.
Rows are opened when it is begun: when the framework is about to send it, and can still send
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from streamware.errors import StateError
from streamware.http.application import Application
from streamware.http.delivery import Answer, Job
from streamware.http.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class SettableHeaders(Protocol):
    """The headers of a framework's response."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Set the one value of a header."""

    def __delitem__(self, name: str, /) -> None:
        """Remove a header, if it is there."""


class Beginning:
    """An answer that was made and may be begun, once; what WSGI and ASGI have in common.

    Attributes:
        status: Status code: the answer's, until it is begun.
        headers: The headers; a download that is begun may know its length.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status: int = answer.status
        self.headers = answer.headers
        self.begun = False

    @property
    def refused(self) -> bool:
        """Whether there is something else in its place: it was begun, and there was no room."""
        return self.status != self._answer.status

    def update(self, headers: SettableHeaders) -> None:
        """Bring headers that a response holds up to what was begun."""
        if self.refused:
            for name, _ in self._answer.headers:
                del headers[name]
        known = {(name.lower(), value) for name, value in self._answer.headers}
        for name, value in self.headers:
            if self.refused or (name.lower(), value) not in known:
                headers[name] = value

    def _application(self, *, wanted: bool = True) -> _Answered:
        """What gives the answer; where it is not wanted, rows handed over open are closed."""
        answer = self._answer
        if not wanted and isinstance(answer.body, Job):
            answer = replace(answer, body=b"", discarded=answer.body)
        self.begun = True
        return _Answered(answer)

    def _too_late(self) -> StateError:
        return StateError(
            f"the export was refused ({self.status}), after its response was started:"
            " have the framework send the response, which begins it in time"
        )


class Download(Beginning):
    """The body of a WSGI response: an iterator of chunks, with an idempotent `close()`.

    Args:
        answer: What is answered.
        environ: Of the request.
    """

    def __init__(self, answer: Answer, environ: WSGIEnvironment) -> None:
        super().__init__(answer)
        # The framework iterates the body itself, so that a wrapped file would win nothing.
        self._environ = {key: environ[key] for key in environ if key != "wsgi.file_wrapper"}
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] | None = None

    def begin(self, *, wanted: bool = True) -> None:
        """Make the first chunk; idempotent.  Where it is not wanted, open nothing, and end.

        Raises:
            Exception: What rows raise; nothing is left open then.
        """
        if self.begun:
            return

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            self.status, self.headers = int(status[:3]), headers

        application = self._application(wanted=wanted)
        self._body = application.wsgi(self._environ, start_response)
        self._environ = {}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._chunks is None:
            late = not self.begun
            self.begin()
            if late and self.refused:
                raise self._too_late()
            self._chunks = iter(self._body)
        return next(self._chunks)

    def close(self) -> None:
        """Close the rows, however far they are.  Raises nothing but what is no `Exception`."""
        with suppress(Exception):  # of rows that are wrong, and are not wanted
            self.begin(wanted=False)
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        self._body, self._chunks = (), iter(())
        if close is not None:
            close()

    def __del__(self) -> None:
        # A last resort, for a response that was never sent: the view raised, say.  What was begun
        # closes itself.
        if not getattr(self, "begun", True):
            self.close()


class _Answered(Application):
    """An application whose answer was made before."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def _prepare_answer(self, request: Request) -> Answer:
        return self._answer
