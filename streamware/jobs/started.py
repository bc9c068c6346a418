"""Started: the answer to the request that started a job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from math import ceil
from time import monotonic, sleep
from typing import Final

from streamware.errors import Refused
from streamware.http.application import Application
from streamware.http.asgi import on_asyncio
from streamware.http.delivery import Answer, plain_answer
from streamware.http.headers import DEFAULT_HEADERS, Header
from streamware.http.request import Request
from streamware.jobs.application import RETRY_AFTER, JobKeeper, see, send_file, show, wants_page
from streamware.jobs.links import Links, mounted
from streamware.jobs.preference import preferences, wait_seconds
from streamware.jobs.record import JobState, Record

_FIRST, _LONGEST = 0.02, 0.5  # seconds between two looks at a record while a client waits


_VARY: Final[Header] = ("Vary", "Accept, Accept-Language, Prefer")


class Started(Application):
    """The answer to a request that started a job: where its status is, or even its file.

    A browser is sent to the page of the job.  Any other client gets 202 and the status, unless it
    prefers to wait for some seconds and the job is done by then (RFC 7240): it gets the file.

    Args:
        jobs: The jobs.
        record: The one that was started; or why none was.
    """

    __slots__ = ("_jobs", "_record", "_refused", "_used")

    def __init__(self, jobs: JobKeeper, record: Record | Refused) -> None:
        self._jobs = jobs
        self._refused = record if isinstance(record, Refused) else None
        self._record = record if isinstance(record, Record) else None
        self._used = False  # whether it was asked for its answer

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer; beside an event loop without waiting for the job."""
        self._used = True
        if not on_asyncio():
            for pause in _pauses(request):
                if self._is_over:
                    break
                sleep(pause)
                self._look()
        return self._answer(request)

    async def _aprepare_answer(self, request: Request) -> Answer:
        """Return the answer."""
        self._used = True
        for pause in _pauses(request):
            if self._is_over:
                break
            await asyncio.sleep(pause)
            await asyncio.to_thread(self._look)
        return await asyncio.to_thread(self._answer, request)

    @property
    def _is_over(self) -> bool:
        return self._record is None or not self._record.is_open

    def _look(self) -> None:
        if self._record is not None:
            self._record = self._jobs.get(self._record.id) or self._record

    def _answer(self, request: Request) -> Answer:
        if self._record is None:
            return _too_many(self._refused, request)
        links = Links(mounted(request, self._jobs.url), self._record.id)
        own: list[Header] = [
            ("Location", links.status),
            ("Vary", "Accept, Accept-Language, Prefer"),
        ]
        if wants_page(request):
            return see(links.status, own[1:])
        preferred = preferences(request.prefer)
        if self._record.state is JobState.DONE and wait_seconds(preferred):
            applied = ("Preference-Applied", f"wait={wait_seconds(preferred)}")
            sent = send_file(self._jobs, _of_file(request), self._record)
            return _with(sent, [*own[1:], ("Content-Location", links.file), applied])
        code = 500 if self._record.state is JobState.FAILED else 202
        if "respond-async" in preferred:
            own.append(("Preference-Applied", "respond-async"))
        return _with(show(request, self._record, links, code), own)


def started_headers() -> list[Header]:
    """Return the headers of an answer to `HEAD`, which starts nothing."""
    return [*DEFAULT_HEADERS, _VARY, ("Content-Type", "application/json")]


def _too_many(refused: Refused | None, request: Request) -> Answer:
    """Return the answer to a user who has as many open jobs as they may have."""
    seconds = ceil(getattr(refused, "retry_after", 0)) or RETRY_AFTER
    return plain_answer(
        HTTPStatus.TOO_MANY_REQUESTS,
        "As many exports as allowed are under way: wait until one has ended.",
        [("Retry-After", str(seconds)), _VARY],
        head_only=request.head_only,
    )


def _with(answer: Answer, headers: list[Header]) -> Answer:
    """Return an answer with these headers in place of its own of the same names."""
    names = {name for name, _ in headers}
    kept = [header for header in answer.headers if header[0] not in names]
    return replace(answer, headers=[*kept, *headers])


def _of_file(request: Request) -> Request:
    """Return the request for the whole file: conditions and ranges are not about a `POST`."""
    return Request(method="GET", accept=request.accept, language=request.language)


def _pauses(request: Request) -> Iterator[float]:
    """Yield the seconds to wait between two looks, for as long as the client prefers to wait."""
    if wants_page(request):
        return
    end = monotonic() + wait_seconds(preferences(request.prefer))
    pause = _FIRST
    while (left := end - monotonic()) > 0:
        yield min(pause, left)
        pause = min(2 * pause, _LONGEST)
