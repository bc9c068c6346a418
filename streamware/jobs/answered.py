"""Answered: the answer with an export, which is made at once if it is small, and else as a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from streamware.errors import Refused
from streamware.formats.protocol import media_types
from streamware.http import negotiation
from streamware.http.application import Application, aprepare_answer, prepare_answer
from streamware.http.bundle import Bundle
from streamware.http.delivery import Answer
from streamware.http.export import Export
from streamware.http.request import Request
from streamware.jobs.application import JobKeeper
from streamware.jobs.record import Record
from streamware.jobs.started import Started, started_headers
from streamware.rows.source import expected


class Answered(Application):
    """The answer with an export: the download itself, or a job that makes it.

    The format is chosen as that of the download would be.

    Args:
        jobs: The jobs.
        document: The export.
        direct_below: Below how many rows it is sent at once.
        create: Creates the job that makes the same in a format.
    """

    __slots__ = ("_create", "_direct", "_document", "_jobs", "_used")

    def __init__(
        self,
        jobs: JobKeeper,
        document: Export | Bundle,
        direct_below: int,
        create: Callable[[str | None], Record],
    ) -> None:
        total = expected(document._rows) if isinstance(document, Export) else None  # noqa: SLF001
        self._jobs = jobs
        self._document = document
        self._direct = total is not None and total < direct_below
        self._create = create
        self._used = False

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer; it blocks for the record of a job."""
        self._used = True
        started = self._started(request)
        return prepare_answer(started, request) if isinstance(started, Application) else started

    async def _aprepare_answer(self, request: Request) -> Answer:
        """Return the answer; a thread waits for the record of a job."""
        self._used = True
        started = await asyncio.to_thread(self._started, request)
        if isinstance(started, Application):
            return await aprepare_answer(started, request)
        return started

    def _started(self, request: Request) -> Application | Answer:
        """Return what answers: the export, a job that was started, or the reason for neither."""
        if self._direct:
            return self._document
        name = None
        if isinstance(self._document, Export):
            formats = self._document._formats  # noqa: SLF001 - private to users, not to us
            asked = negotiation.query_value(request.query, self._document._format_param)  # noqa: SLF001
            offers = [(format_.name, media_types(format_)) for format_ in formats]
            chosen = negotiation.choose(offers, query_value=asked, accept=request.accept)
            if chosen is None:
                return self._document  # which refuses it, and names what there is
            name = formats[chosen].name
        if request.head_only:  # nothing is started by it
            return Answer(HTTPStatus.ACCEPTED, started_headers(), b"")
        try:
            return Started(self._jobs, self._create(name))
        except Refused as error:
            return Started(self._jobs, error)
