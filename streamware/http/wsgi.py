"""An export as a WSGI response.

Source: PEP 3333.  What 15 servers make of it: a class with `close()`, never a generator, because
a generator that was not started runs no `finally`; and `close()` never raises, because some
servers then leave out the end of a body that was sent whole.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING

from streamware.http.delivery import Answerer, Chunks, Job

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger("streamware")

# A framework that takes down around the view what rows need until they are closed, and the
# module of ours that keeps it.  Imported only where the framework is in use.
_KEEPERS = {"flask": "streamware.frameworks.flask"}


def respond(
    answer: Answerer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer one request; the first chunk is made before `start_response` is called."""
    answered = answer(
        head_only=environ["REQUEST_METHOD"] == "HEAD",
        query=environ.get("QUERY_STRING", ""),
        accept=environ.get("HTTP_ACCEPT"),
        coding=environ.get("HTTP_ACCEPT_ENCODING"),
    )
    status = f"{answered.status.value} {answered.status.phrase}"
    if not isinstance(answered.body, Job):
        if answered.discarded is not None:
            answered.discarded.chunks().close()
        start_response(status, answered.headers)
        return [answered.body] if answered.body else []
    body = Body(answered.body)
    try:
        body.begin()
        start_response(status, answered.headers)
    except BaseException:
        body.close()
        raise
    return body


class Body:
    """The iterable that a server takes the chunks from, and closes."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._encoding: Chunks | None = job.chunks()
        self._release = _kept()
        # Rows are opened, pulled and closed in it, whatever the server's thread has by then.
        self._context = copy_context()
        self._first = b""

    def begin(self) -> None:
        """Make the first chunk: what fails now can still become a status."""
        if self._encoding is not None:
            self._first = self._context.run(next, self._encoding, b"")

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._encoding is None:
            raise StopIteration
        try:
            chunk = self._context.run(next, self._encoding, b"")
        except BaseException:
            self.close()
            raise
        if not chunk:  # the end, and no error: Flask hands a teardown what is being handled
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Close the rows, then what they needed.  Idempotent; never raises."""
        encoding, self._encoding = self._encoding, None
        if encoding is None:
            return
        try:
            self._context.run(encoding.close)
        except RuntimeError:  # another thread is pulling in it, and closes the rows after that
            encoding.close()
        for release in self._release:
            try:
                self._context.run(release)
            except Exception:
                logger.warning("what the rows of an export needed was not released", exc_info=True)
        self._job.done(encoding.receipt)

    def __del__(self) -> None:
        # A last resort: a middleware forgot close(), or dropped the response.
        if getattr(self, "_encoding", None) is not None:
            self.close()


def _kept() -> list[Callable[[], object]]:
    modules = [module for framework, module in _KEEPERS.items() if framework in sys.modules]
    releases = [importlib.import_module(module).keep() for module in modules]
    return [release for release in releases if release is not None]
