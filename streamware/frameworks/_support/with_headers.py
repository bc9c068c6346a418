"""WithHeaders: an application that gives its download the status and headers of a response.

An answer in place of the download (406, 413, 503) keeps its own status and headers.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from streamware.http.application import Application, aprepare_answer, prepare_answer
from streamware.http.delivery import Answer
from streamware.http.headers import Headers, check_status, merge_headers, validate_headers
from streamware.http.request import Request


class WithHeaders(Application):
    """An application that answers as another one does, but with other status and headers.

    Args:
        inner: The other application.
        status: Status code of the download; None keeps that of `inner`.
        headers: Headers of the download, which replace those of `inner` of the same name.

    Raises:
        ValueError: A header cannot be sent, or the status is not one of a response with a body.
    """

    __slots__ = ("_headers", "_inner", "_status")

    def __init__(self, inner: Application, status: int | None, headers: Headers) -> None:
        self._inner = inner
        self._status = None if status is None else check_status(status)
        self._headers = validate_headers(headers)

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer of `inner` with the status and headers, without opening rows."""
        return self._with_headers(prepare_answer(self._inner, self._asked(request)))

    async def _aprepare_answer(self, request: Request) -> Answer:
        """Return the same, beside an event loop."""
        return self._with_headers(await aprepare_answer(self._inner, self._asked(request)))

    def _asked(self, request: Request) -> Request:
        """Return the request; without conditions, if nothing but the download has this status."""
        return request if self._status in (None, HTTPStatus.OK) else request.unconditional()

    def _with_headers(self, answer: Answer) -> Answer:
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return answer
        headers = merge_headers(answer.headers, self._headers)
        given = None if answer.status in _OF_CONDITIONS else self._status
        return replace(answer, status=given or answer.status, headers=headers)


_OF_CONDITIONS = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED)
"""The statuses that a request has by what its client has already."""
