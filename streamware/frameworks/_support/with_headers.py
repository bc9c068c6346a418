"""WithHeaders: an application that answers with a framework response's status and headers.

They go with the download.  What is answered in place of one (406, 413, 503) has its own.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from streamware.http import headers as head
from streamware.http.application import Application, prepare_answer
from streamware.http.delivery import Answer
from streamware.http.headers import Headers
from streamware.http.request import Request


class WithHeaders(Application):
    """An application, and what its response is to have.

    Args:
        inner: The application.
        status: Status code of the download; None: what `inner` says.
        headers: Further headers of the download, or other values for ours.

    Raises:
        ValueError: Headers that cannot be sent, or no status.
    """

    __slots__ = ("_headers", "_inner", "_status")

    def __init__(self, inner: Application, status: int | None, headers: Headers) -> None:
        self._inner = inner
        self._status = None if status is None else head.bodied(status)
        self._headers = head.checked(headers)

    def _prepare_answer(self, request: Request) -> Answer:
        answer = prepare_answer(self._inner, request)
        if answer.status == HTTPStatus.NOT_ACCEPTABLE:
            return answer
        headers = head.merged(answer.headers, self._headers)
        return replace(answer, status=self._status or answer.status, headers=headers)
