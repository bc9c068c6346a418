"""The application of the jobs: their status, their files, and what cancels them, over HTTP.

    GET, HEAD, DELETE  /{id}          the status, as JSON or as a page; a DELETE cancels
    GET, HEAD          /{id}/file     the file
    POST               /{id}/cancel   cancels, for the form of the page

It is mounted anywhere (`jobs.wsgi`, `jobs.asgi`), or returned from a view of Flask or Starlette.
Whoever may not see a job gets the same 404 as for one that does not exist.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from time import time
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from streamware.http import asgi, negotiation, wsgi
from streamware.http.application import Application
from streamware.http.coding import codes_parts
from streamware.http.delivery import Answer
from streamware.http.disconnect import Receive, Scope, Send
from streamware.http.headers import DEFAULT_HEADERS, Header
from streamware.http.relay import is_below
from streamware.http.request import Request
from streamware.jobs import file, page, status, words
from streamware.jobs.links import Links
from streamware.jobs.record import JobState, Record
from streamware.stores.store import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Action = Literal["status", "file", "cancel"]
LinkKind = Literal["streamed", "signed"]
"""Who sends the files: this application, or the store itself by signed links."""
Authorize = Callable[[Any, Record, str], bool | Awaitable[bool]]
"""Says whether a request may do something with a job.

It is given the environ or the scope (in Django, its request), the record, and the action.
"""

RETRY_AFTER: Final = 2
"""Seconds after which a status is worth another look."""
FAILED_AFTER: Final = 30
"""Seconds after which a store that failed is worth another try."""
SIGNED_SECONDS: Final = 300.0
"""Seconds for which a signed link is valid; each click makes a new one."""

_PATH = re.compile(r"/(?P<id>[A-Za-z0-9_-]{8,64})(?P<rest>/file|/cancel)?", re.ASCII)
logger = logging.getLogger("streamware")

_STEP = r"(?:(?![/?#])[!-~])+"
_MOUNTED = re.compile(rf"(?:https?://{_STEP}|(?=/))(?:/{_STEP})*/?")
_ACTIONS: Final[Mapping[str | None, Action]] = {
    None: "status",
    "/file": "file",
    "/cancel": "cancel",
}
_METHODS: Final[Mapping[Action, tuple[str, ...]]] = {
    "status": ("GET", "HEAD", "DELETE", "OPTIONS"),
    "file": ("GET", "HEAD", "OPTIONS"),
    "cancel": ("POST", "OPTIONS"),
}
_VARY: Final[Header] = ("Vary", "Accept, Accept-Language")
_PRIVATE = [header for header in DEFAULT_HEADERS if header[0] != "Accept-Ranges"]


class JobKeeper(Protocol):
    """What is asked here of `Jobs`."""

    url: str
    store: Store
    links: LinkKind
    authorize: Authorize | None

    def get(self, id: str, /) -> Record | None:  # noqa: A002 - the contract's name
        """Return a record; None if there is none."""

    def cancel(self, id: str, /) -> object:  # noqa: A002 - the contract's name
        """Cancel a job that has not ended."""


class JobApplication(Application):
    """Answers with what is known of jobs.  It is a WSGI and an ASGI application.

    Args:
        jobs: The jobs.
        given: What `authorize` gets instead of the environ or the scope.
    """

    __slots__ = ("_given", "_jobs")

    def __init__(self, jobs: JobKeeper, given: object = None) -> None:
        self._jobs = jobs
        self._given = given

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application (PEP 3333)."""
        bound = JobApplication(self._jobs, environ if self._given is None else self._given)
        return wsgi.respond(bound._prepare_answer, environ, start_response)

    @property
    def asgi(self) -> Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]:
        """An ASGI application (ASGI 3, HTTP)."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            bound = JobApplication(self._jobs, scope if self._given is None else self._given)
            await asgi.respond(bound._aprepare_answer, scope, receive, send)

        return application

    def _prepare_answer(self, request: Request) -> Answer:
        """Return the answer to one request; it blocks for the records and the store."""
        request = _uncoded(request)
        found = _find(self._jobs, request)
        if isinstance(found, Answer):
            return found
        allowed = _permit(self._jobs, self._given, found)
        if isawaitable(allowed):
            if iscoroutine(allowed):
                allowed.close()
            raise TypeError("authorize= must not be a coroutine function where WSGI answers")
        return _act(self._jobs, request, found) if allowed else _missing(request)

    async def _aprepare_answer(self, request: Request) -> Answer:
        """Return the answer to one request; threads wait for the records and the store."""
        jobs = self._jobs
        request = _uncoded(request)  # here, where the middlewares are around
        if jobs.authorize is None or not _is_async(jobs.authorize):
            return await asyncio.to_thread(self._prepare_answer, request)
        found = await asyncio.to_thread(_find, jobs, request)
        if isinstance(found, Answer):
            return found
        allowed = _permit(jobs, self._given, found)
        if isawaitable(allowed):
            allowed = await allowed
        return await asyncio.to_thread(_act, jobs, request, found) if allowed else _missing(request)


@dataclass(frozen=True, slots=True)
class Found:
    """What a request is about.

    Attributes:
        record: The job.
        action: What is to be done.
        links: The addresses of the job.
    """

    record: Record
    action: Action
    links: Links


def _uncoded(request: Request) -> Request:
    """Return the request for all of a file, if a middleware around would compress a part of it.

    A client that puts such a part behind what it has would have neither.
    """
    if request.range is None or not negotiation.accepts_coding(request.coding):
        return request
    return replace(request, range=None) if is_below(codes_parts) else request


def _is_async(authorize: Authorize) -> bool:
    return iscoroutinefunction(authorize) or iscoroutinefunction(
        getattr(authorize, "__call__", None)  # noqa: B004 - of an object
    )


def _find(jobs: JobKeeper, request: Request) -> Found | Answer:
    """Return what a request is about, or the answer if it is about nothing."""
    mounted = urlsplit(jobs.url).path
    # A view that returns this application is asked for the whole path.
    inner = "" if _PATH.fullmatch(request.path) else mounted
    matched = _PATH.fullmatch(request.path.removeprefix(inner))
    if matched is None:
        return _missing(request)
    action = _ACTIONS[matched["rest"]]
    if request.method not in _METHODS[action] or request.method == "OPTIONS":
        is_asked = request.method == "OPTIONS"
        return _plain(
            HTTPStatus.NO_CONTENT if is_asked else HTTPStatus.METHOD_NOT_ALLOWED,
            [("Allow", ", ".join(_METHODS[action]))],
        )
    record = jobs.get(matched["id"])
    if record is None:
        return _missing(request)
    base = request.mount + inner if jobs.url[:1] in ("", "/") else jobs.url
    return Found(record, "cancel" if request.method == "DELETE" else action, Links(base, record.id))


def _permit(jobs: JobKeeper, given: object, found: Found) -> bool | Awaitable[bool]:
    """Return whether the request may do what it wants: anybody may who has the link, by default."""
    if jobs.authorize is None:
        return True
    return jobs.authorize(given, found.record, found.action)


def _act(jobs: JobKeeper, request: Request, found: Found) -> Answer:
    if found.action == "cancel":
        return _cancel(jobs, request, found)
    if found.action == "file":
        return send_file(jobs, request, found.record)
    record = found.record
    if record.state is JobState.DONE and wants_page(request) and not _is_watched(request):
        return see(f"{record.id}/file", [_VARY])
    return show(request, record, found.links)


def show(request: Request, record: Record, links: Links, code: int = 200) -> Answer:
    """Return the answer with the status of a job, as JSON or as a page.

    Args:
        request: Says which of them, and in which language.
        record: The job.
        links: Its addresses.
        code: The status code.
    """
    now = time()
    headers = [*_PRIVATE, _VARY]
    if record.is_open:
        headers.append(("Retry-After", str(RETRY_AFTER)))
    if wants_page(request):
        spoken = words.choose(request.language)
        own = [*page.HEADERS, ("Content-Language", spoken.language)]
        return _whole(request, HTTPStatus(code), [*own, *headers], page.page(record, spoken, now))
    headers = [("Content-Type", "application/json"), *headers]
    return _whole(request, HTTPStatus(code), headers, status.as_json(record, links, now))


def send_file(jobs: JobKeeper, request: Request, record: Record) -> Answer:
    """Return the answer with the file of a job, or with the reason why there is none."""
    if record.state is JobState.EXPIRED:
        return _nothing(request, HTTPStatus.GONE, "gone")
    if record.state is not JobState.DONE:
        retry = [("Retry-After", str(RETRY_AFTER))] if record.is_open else []
        return _nothing(request, HTTPStatus.CONFLICT, "conflict", retry)
    try:
        sent = _signed(jobs, request, record) or file.answer(request, record, jobs.store)
    except OSError as error:
        logger.warning("the file of job %s cannot be sent: %s", record.id, error)
        retry = [("Retry-After", str(FAILED_AFTER))]
        return _nothing(request, HTTPStatus.SERVICE_UNAVAILABLE, "down", retry)
    return sent or _nothing(request, HTTPStatus.GONE, "gone")


def _signed(jobs: JobKeeper, request: Request, record: Record) -> Answer | None:
    """Return the answer that leads to an address of the store; None if the file is sent by us."""
    if jobs.links != "signed" or request.head_only or record.object is None:
        return None
    signed = jobs.store.signed_url(record.object, SIGNED_SECONDS)
    return None if signed is None else _plain(HTTPStatus.SEE_OTHER, [("Location", signed)])


def _cancel(jobs: JobKeeper, request: Request, found: Found) -> Answer:
    """Cancel a job; one that has ended otherwise is a conflict."""
    if request.method == "POST" and _is_foreign(request):
        return _nothing(request, HTTPStatus.FORBIDDEN, "forbidden")
    if status.is_cancellable(found.record):
        jobs.cancel(found.record.id)
    record = jobs.get(found.record.id) or found.record
    if request.method == "POST" and wants_page(request):
        return see(f"../{record.id}?{page.WATCHED}", [_VARY])
    code = _AFTER_CANCEL.get(record.state, HTTPStatus.CONFLICT)
    return show(request, record, found.links, code)


_AFTER_CANCEL = {
    JobState.CANCELLED: HTTPStatus.OK,
    JobState.CANCELLING: HTTPStatus.ACCEPTED,
}


def _is_foreign(request: Request) -> bool:
    """Return whether a form or a script of another site sent the request.

    A browser says so itself.  A program that is no browser sends neither field, and no cookies
    that were not given to it.
    """
    if request.fetch_site is not None:
        return request.fetch_site not in {"same-origin", "none"}
    if request.origin is None:
        return False
    _, _, host = request.origin.partition("://")
    return not host or _bare(host) != _bare(request.host or "")


def _bare(host: str) -> str:
    return host.lower().removesuffix(":80").removesuffix(":443")


def wants_page(request: Request) -> bool:
    """Return whether a client prefers a page to JSON, as browsers do."""
    ranges = negotiation.media_ranges(request.accept or "")
    return ranges.get("text/html", 0.0) > ranges.get("application/json", 0.0)


def _is_watched(request: Request) -> bool:
    return page.WATCHED in request.query.split("&")


def see(location: str, headers: list[Header]) -> Answer:
    """Return the answer that sends a client elsewhere, to be read by `GET`."""
    return _plain(HTTPStatus.SEE_OTHER, [("Location", location), *headers])


def _missing(request: Request) -> Answer:
    """Return the answer for what does not exist, and for what one may not see."""
    return _nothing(request, HTTPStatus.NOT_FOUND, "missing")


def _nothing(
    request: Request, code: HTTPStatus, kind: str, headers: Iterable[Header] = ()
) -> Answer:
    """Return an answer that says why there is nothing, as a page or as JSON."""
    spoken = words.choose(request.language)
    if wants_page(request):
        own = [*page.HEADERS, ("Content-Language", spoken.language)]
        body = page.notice(spoken, kind)
    else:
        own = [("Content-Type", "application/json")]
        body = status.problem_json(code.phrase, words.ENGLISH.labels[f"{kind} text"])
    return _whole(request, code, [*own, *_PRIVATE, _VARY, *headers], body)


def _plain(code: HTTPStatus, headers: Iterable[Header]) -> Answer:
    """Return an answer without a body."""
    own = [("Content-Type", "text/plain"), ("Content-Length", "0")]
    return Answer(code, [*headers, *_PRIVATE, *(own if code != HTTPStatus.NO_CONTENT else [])], b"")


def _whole(request: Request, code: HTTPStatus, headers: list[Header], body: bytes) -> Answer:
    answered = Answer(code, [*headers, ("Content-Length", str(len(body)))], body)
    return replace(answered, body=b"") if request.head_only else answered


def check_url(url: object) -> str:
    """Return where the jobs are mounted, without a slash at its end.

    Raises:
        TypeError, ValueError: It is neither a path nor the address of one.
    """
    if not isinstance(url, str):
        raise TypeError(f"url= must be a str, not {type(url).__name__}")
    if not _MOUNTED.fullmatch(url):
        raise ValueError(
            "url= must be a path such as '/exports', or an address such as"
            f" 'https://example.org/exports', not {url!r}"
        )
    return url.rstrip("/")


def check_authorize(authorize: Authorize | None) -> Authorize | None:
    """Return it; raise TypeError if it cannot be called."""
    if not (authorize is None or callable(authorize)):
        raise TypeError(f"authorize= must be callable, not {type(authorize).__name__}")
    return authorize


def check_links(links: LinkKind) -> LinkKind:
    """Return it; raise ValueError if it is neither of both."""
    if links not in ("streamed", "signed"):
        raise ValueError(f"links= must be 'streamed' or 'signed', not {links!r}")
    return links
