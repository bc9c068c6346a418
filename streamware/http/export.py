"""Export: rows as the response to a request, over WSGI and ASGI."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from http import HTTPStatus
from math import inf
from typing import Final, Literal, get_args

from streamware.engine.driver import Coder, Driver
from streamware.engine.options import FLUSH_INTERVAL, resolve
from streamware.engine.target import Destination, Target, resolve_format
from streamware.engine.worker import GATE
from streamware.errors import StateError
from streamware.formats.protocol import Format, interleaves, media_types
from streamware.formats.registry import extensions, lookup_all
from streamware.http import negotiation, saved
from streamware.http.application import Application
from streamware.http.beginnings import Recorder
from streamware.http.coding import Gzip, codes_parts, compresses, recodes
from streamware.http.conditional import Selected, asks_for_part, decide
from streamware.http.delivery import (
    Answer,
    Conditions,
    Delivery,
    Job,
    conditional_answer,
    plain_answer,
)
from streamware.http.entity_tag import entity_tag, weak_tag
from streamware.http.headers import (
    DEFAULT_HEADERS,
    REVALIDATED_HEADERS,
    Headers,
    check_filename,
    check_status,
    content_disposition,
    merge_headers,
    validate_headers,
    with_extension,
)
from streamware.http.relay import is_below
from streamware.http.request import Request
from streamware.http.saved import Progress, Saving
from streamware.http.state import State, astate_of, checked_state, state_of
from streamware.limits import Limits
from streamware.model.columns import Column, Key, Sheet, Tagged, as_columns
from streamware.receipt import Receipt
from streamware.rows.source import Bridge, Rows, checked, expected, needs_loop, open_sources
from streamware.scratch.disk_quota import ExportQuota
from streamware.scratch.ledger import CURRENT
from streamware.settings import Settings
from streamware.values import Values, in_default_zone

DEFAULT_FORMATS: Final = ("csv", "xlsx", "xml")
DEFAULT_FILENAME: Final = "export"


class Export(Application):
    """Rows that answer a request with a download.  It is a WSGI and an ASGI application.

    Return it from a Flask or Starlette view, call it as a server calls an application, or mount
    `.wsgi` or `.asgi`.  Rows are opened when the request is answered, pulled as the client reads,
    and closed on every path; a `HEAD` request never opens them.  The first chunk is made before
    the status is sent, so that an early failure becomes a real 500; a later one breaks the
    transfer.  If too many exports are running already (`Settings.max_concurrent`), it waits
    for a slot, and answers 503 if none becomes free in time.

    Under WSGI rows are read on the server's thread.  Under ASGI synchronous rows are opened, read
    and closed on a thread of their own, asynchronous ones by a task of their own.  Both can use
    `current_scratch()`, with or without a middleware around the application.

    Args:
        rows: As for `encode`.  An export of a callable can be used again, one of an iterator only
            once.
        columns: As for `encode`.
        sheet_by: As for `encode`; formats that cannot hold several sheets are then not offered.
        format: The only format, by name or with its options; by default one of `formats`.
        formats: The formats that the client can choose from; the first is the default.
        format_param: The query parameter by which the client chooses.
        filename: Name of the download; a known extension is replaced by the format's.
        delivery: "stream": rows are pulled as the client reads, and nothing is on disk.
            "buffer": rows are pulled as fast as they come, on a thread of their own, and closed
            after the last.  What the client has not read waits in memory, then on disk; when
            both are full, the rows wait.  "spool": the document is finished first, then sent
            with `Content-Length` and `Repr-Digest`; any failure is a clean status.  "auto":
            "stream", unless neither the transport nor the format would show that a document was
            cut short; then what `Settings.silent_transport` says.
        values: As for `encode`.
        limits: As for `encode`.
        compress: "auto": gzip for text formats, if the client accepts it; or "off".
        headers: Further response headers, as a mapping or pairs; they replace the defaults of the
            same name.
        status: Status code of the response.
        cancel: Interrupts a pull that blocks, such as `sqlite3.Connection.interrupt`.  It is
            called from another thread, when the export has taken longer than `Limits.seconds`,
            and under ASGI also when the client has left.  Under WSGI one more thread watches the
            time if it is given.
        on_done: Called once with the `Receipt` when the export has ended, however it ended.
        etag: Names a state of the rows: a text that changes whenever they do, such as the id of a
            snapshot or the newest `updated_at` with the filter, or a callable that returns one,
            or None if there is none.  It is called once a request, before rows are opened; in an
            ASGI application on a thread of its own, unless it is a coroutine function.  The
            download then has an `ETag`, of it and all that decides the bytes; a client that has
            the document gets a 304, and one that has a part of it gets the rest, without being
            sent what it has (`docs/resume.md`).  So that bytes are equal, no clock flushes the
            rows of a slow source.
        settings: Its settings; by default those of the middleware around it, else those of the
            environment.  If they differ from the middleware's, the export has its own scratch.

    Raises:
        TypeError, ValueError: An argument is wrong: unknown formats, headers that cannot be sent,
            several sheets for formats that hold one.
    """

    __slots__ = (
        "_cancel",
        "_columns",
        "_compress",
        "_delivery",
        "_etag",
        "_filename",
        "_format_param",
        "_formats",
        "_headers",
        "_limits",
        "_on_done",
        "_rows",
        "_settings",
        "_sheet_by",
        "_status",
        "_used",
        "_values",
    )

    def __init__(
        self,
        rows: Rows,
        *,
        columns: Iterable[Column | Key] | None = None,
        sheet_by: Key | None = None,
        format: str | Format | None = None,  # noqa: A002 - the contract's name
        formats: Sequence[str | Format] = DEFAULT_FORMATS,
        format_param: str = "format",
        filename: str = DEFAULT_FILENAME,
        delivery: Delivery = "auto",
        values: Values | None = None,
        limits: Limits | None = None,
        compress: Literal["auto", "off"] = "auto",
        headers: Headers = (),
        status: int = 200,
        cancel: Callable[[], object] | None = None,
        on_done: Callable[[Receipt], object] | None = None,
        etag: State = None,
        settings: Settings | None = None,
    ) -> None:
        _check_choices(delivery=delivery, compress=compress)
        _check_types(
            values=values, limits=limits, settings=settings, cancel=cancel, on_done=on_done
        )
        self._rows = checked(rows)  # as given: an iterable, or a callable that opens one
        self._columns = as_columns(columns)  # None: the rows name them
        self._sheet_by = sheet_by  # the key whose value names the sheet of a row
        # Those that can hold these rows; the first is the default.
        self._formats = _offered(rows, sheet_by, formats if format is None else [format])
        self._format_param = format_param  # in the query
        self._filename = check_filename(filename)  # its extension is replaced
        self._values, self._limits = values, limits  # None: those of the settings
        self._compress = compress == "auto"  # whether gzip may be used
        self._headers = validate_headers(headers)  # they replace our own
        self._status = check_status(status)  # of the download, not of a refusal
        self._delivery: Delivery = delivery  # "auto" is resolved for each request
        # Called to interrupt a blocked pull, and with the receipt.
        self._cancel, self._on_done = cancel, on_done
        self._etag = checked_state(etag, self._headers)  # names a state of the rows
        self._settings = settings  # None: the middleware's, else the process's
        self._used = False  # whether it has answered a request

    def save(
        self,
        target: Target,
        *,
        format: str | Format | None = None,  # noqa: A002 - the contract's name
        progress: Progress | None = None,
    ) -> Receipt:
        """Write it to a file or an object in a store, without a request.

        Observers and `on_done` hear of it as of a download.  It waits for no slot, and what
        concerns responses alone (`delivery`, `compress`, `headers`, `status`) does not apply.

        Args:
            target: As for `save`.
            format: The format; by default that of the target's extension, or the first one that
                is offered, if the target has none.
            progress: Called with the `Receipt` once a second, between two chunks.  What it raises
                ends the export, and nothing is published.

        Returns:
            The receipt, with the entity tag of the object.

        Raises:
            TypeError, ValueError, ImportError, OSError: As for `save`.
            LimitError: It exceeds its limits, or 10,000 parts.
        """
        return saved.save(*self._saving(target, format), progress)

    async def asave(
        self,
        target: Target,
        *,
        format: str | Format | None = None,  # noqa: A002 - the contract's name
        progress: Progress | None = None,
    ) -> Receipt:
        """Write it to a file or an object, beside an event loop; the twin of `save`.

        A cancellation ends it, and nothing is published.
        """
        return await saved.asave(*self._saving(target, format), progress)

    def _saving(self, target: Target, given: str | Format | None) -> tuple[Job, Destination]:
        """Return what makes the document, and where it goes."""
        format_ = resolve_format(target, given, self._formats)
        if given is not None:
            _offered(self._rows, self._sheet_by, [format_])
        name = str(self._filename)
        named = None if name == DEFAULT_FILENAME else _disposition(name, format_.extension)
        destination = Destination(target, format_.media_type, named)
        return self._job(format_, locale=_locale(format_, None)), destination

    def _saving_as(self, place: Callable[[str], Target], given: str | None) -> Saving:
        """Return what makes the document, under the name that it has as a download.

        Args:
            place: Returns where a file of this name goes.
            given: The name of one of the formats that are offered; None: the first.

        Raises:
            ValueError: That one is not offered.
        """
        names = [format_.name for format_ in self._formats]
        if given is not None and given not in names:
            raise ValueError(f"the format {given!r} is not offered; there are: {', '.join(names)}")
        format_ = self._formats[names.index(given) if given is not None else 0]
        filename = with_extension(str(self._filename), format_.extension, extensions())
        job, destination = self._saving(place(filename), format_)
        return Saving(
            job=job,
            destination=destination,
            filename=filename,
            media_type=format_.media_type,
            total=expected(self._rows),
            asynchronous=needs_loop(self._rows),
        )

    def _prepare_answer(self, request: Request) -> Answer:
        try:
            state = state_of(self._etag) if self._is_conditional(request) else None
        except BaseException:
            self._job(self._formats[0]).chunks().close()
            raise
        return self._answer(request, state)

    async def _aprepare_answer(self, request: Request) -> Answer:
        try:
            state = await astate_of(self._etag) if self._is_conditional(request) else None
        except BaseException:
            await self._job(self._formats[0]).achunks().aclose()
            raise
        return self._answer(request, state)

    def _is_conditional(self, request: Request) -> bool:
        """Return whether a client may have what this request asks for, or a part of it."""
        return request.method in ("GET", "HEAD") and self._status == HTTPStatus.OK

    def _answer(self, request: Request, state: str | None) -> Answer:
        offers = [(format_.name, media_types(format_)) for format_ in self._formats]
        asked = negotiation.query_value(request.query, self._format_param)
        chosen = negotiation.choose(offers, query_value=asked, accept=request.accept)
        if chosen is None:
            text = f"There are: {', '.join(name for name, _ in offers)}"
            refused = plain_answer(HTTPStatus.NOT_ACCEPTABLE, text, head_only=request.head_only)
            headers = [*refused.headers, ("Vary", "Accept")]
            return replace(refused, headers=headers, discarded=self._job(self._formats[0]))
        format_ = self._formats[chosen]
        locale = _locale(format_, request.language)
        tag = None if state is None else self._tag(state, format_, locale, request.zone)
        coding = self._coding(format_, request, tag)
        headers = self._response_headers(format_, gzip=coding == "gzip", locale=locale)
        conditions = None if coding else self._conditions(request, tag)
        job = self._job(format_, coding, locale, request.zone, conditions)
        answer = Answer(self._status, headers, job)
        if tag is not None:
            selected = Selected(etag=weak_tag(tag, coding) if coding else tag)
            decision = decide(replace(request, range=None), selected)
            answer = conditional_answer(answer, decision, selected, in_parts=not coding)
        elif self._delivery == "spool" and not coding and self._is_conditional(request):
            answer = replace(answer, headers=merge_headers(headers, [("Accept-Ranges", "bytes")]))
        if request.head_only and answer.body is job:
            return replace(answer, body=b"", discarded=job)
        return answer

    def _tag(self, state: str, format_: Format, locale: str | None, zone: tzinfo | None) -> str:
        """Return the entity tag of a document without a content coding."""
        around = CURRENT.get(None)
        settings = self._settings or (None if around is None else around.settings)
        values = self._values or (None if settings is None else settings.values)
        return entity_tag(state, self._columns, self._sheet_by, format_, values, locale, str(zone))

    def _coding(self, format_: Format, request: Request, tag: str | None) -> str:
        """Return the content coding: "gzip", none, or "coded" if a middleware may choose one.

        Only for a document with a tag or a known length it matters what middlewares do.
        """
        matters = self._is_conditional(request) and (tag is not None or self._delivery == "spool")
        in_part = matters and asks_for_part(request, Selected(etag=tag))
        if (
            self._compress
            and format_.compressible
            and negotiation.accepts_gzip(request.coding)
            and not in_part
            and not is_below(recodes)
        ):
            return "gzip"
        if matters and negotiation.accepts_coding(request.coding):
            return "coded" if is_below(codes_parts if in_part else compresses) else ""
        return ""

    def _conditions(self, request: Request, tag: str | None) -> Conditions | None:
        """Return what a spooled document is compared with; None if all of it is to be sent."""
        own = any(name.lower() == "etag" for name, _ in self._headers)
        coded = self._delivery == "auto" and negotiation.accepts_coding(request.coding)
        if request.method != "GET" or not self._is_conditional(request) or own:
            return None
        if tag is None:
            # If it is spooled, a middleware may still compress it: that was not looked up.
            return None if coded else Conditions(request=request)
        in_part = asks_for_part(request, Selected(etag=tag))
        name = f"{tag} {request.mount}{request.path}?{request.query}"
        return Conditions(request=request, etag=tag, name=name, in_part=in_part)

    def _response_headers(
        self, format_: Format, *, gzip: bool, locale: str | None
    ) -> list[tuple[str, str]]:
        depends_on = {
            "Accept": len(self._formats) > 1,
            "Accept-Encoding": self._compress and format_.compressible,
            "Accept-Language": _languages(format_) is not None,
        }
        varies = [field for field, depends in depends_on.items() if depends]
        defaults = [
            ("Content-Type", format_.media_type),
            ("Content-Disposition", _disposition(str(self._filename), format_.extension)),
            *(DEFAULT_HEADERS if self._etag is None else REVALIDATED_HEADERS),
            *([("Vary", ", ".join(varies))] if varies else []),
            *([("Content-Language", locale)] if locale else []),
        ]
        coding = [("Content-Encoding", "gzip")] if gzip else []
        return merge_headers(defaults, self._headers) + coding

    def _job(
        self,
        format_: Format,
        coding: str = "",
        locale: str | None = None,
        zone: tzinfo | None = None,
        conditions: Conditions | None = None,
    ) -> Job:
        if self._used and any(
            hasattr(rows, name) for rows in open_sources(self._rows) for name in _ONCE
        ):
            raise StateError(
                "the rows of this Export are an iterator that was used before; pass a callable"
                " that opens them, and the Export can be used again"
            )
        self._used = True
        return Job(
            make=lambda bridge, quota: self._driver(
                format_, bridge, quota, self._coder(coding, conditions), locale=locale, zone=zone
            ),
            on_done=self._on_done,
            settings=self._settings,
            limits=self._limits,
            delivery=self._delivery,
            self_terminating=format_.self_terminating,
            conditions=conditions,
        )

    def _coder(self, coding: str, conditions: Conditions | None) -> Coder | None:
        """Return what changes or records the bytes that are sent."""
        if coding == "gzip":
            return Gzip()
        if conditions is None or conditions.name is None or conditions.in_part:
            return None
        return None if self._delivery == "spool" else Recorder(conditions.name)

    def _driver(
        self,
        format_: Format,
        bridge: Bridge | None,
        quota: ExportQuota | None,
        coder: Coder | None,
        *,
        locale: str | None,
        zone: tzinfo | None,
    ) -> Driver:
        settings = self._settings or (None if quota is None else quota.settings)
        values, limits = self._values, self._limits
        if settings is not None:
            values, limits = values or settings.values, limits or settings.limits
        if zone is not None:
            values = in_default_zone(values or Values(), zone)
        return Driver(
            self._rows,
            format_,
            resolve(
                {
                    "columns": self._columns,
                    "sheet_by": self._sheet_by,
                    "values": values,
                    "limits": limits,
                    # Where a clock flushes rows, equal rows have unequal bytes.
                    "flush_interval": inf if self._is_clockless else FLUSH_INTERVAL,
                }
            ),
            gate=None if bridge is None else GATE,
            bridge=bridge,
            coder=coder,
            open_spool=None if quota is None else quota.spool,
            locale=locale,
            cancel=self._cancel,
            steady=self._etag is not None,
        )

    @property
    def _is_clockless(self) -> bool:
        """Whether its bytes do not depend on when its rows come."""
        return self._etag is not None or self._delivery == "spool"

    def _entry(self, name: str) -> Entry:
        """Return this export as an entry of a bundle.

        Args:
            name: A name.  Its extension chooses the format, if the export offers that one;
                otherwise the entry has the first format, and its extension is added.
        """
        ending = name.lower()
        named = (format_ for format_ in self._formats if ending.endswith(format_.extension))
        format_ = next(named, self._formats[0])
        return Entry(
            name=name if ending.endswith(format_.extension) else name + format_.extension,
            varies=_languages(format_) is not None,
            rows=self._rows,
            make_job=lambda accepted, zone: self._job(
                format_, locale=_locale(format_, accepted), zone=zone
            ),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An export as one entry of a bundle.

    Attributes:
        name: The name of the entry, which ends in the extension of its format.
        varies: Whether its bytes depend on the reader's language.
        rows: As they were given.
        make_job: Makes the job behind it, for an `Accept-Language` header and a time zone.
    """

    name: str
    varies: bool
    rows: Rows
    make_job: Callable[[str | None, tzinfo | None], Job]


@lru_cache(256)
def _disposition(filename: str, extension: str) -> str:
    """Return the `Content-Disposition` of a document that has this extension."""
    return content_disposition(with_extension(filename, extension, extensions()))


def _languages(format_: Format) -> Container[str] | None:
    """Return the languages that a format knows; None if its documents do not depend on one."""
    languages: Container[str] | None = getattr(format_, "languages", None)
    return languages


def _locale(format_: Format, accepted: str | None) -> str | None:
    languages = _languages(format_)
    return None if languages is None else negotiation.preferred_language(accepted, languages)


_DELIVERIES = get_args(Delivery)


def _check_choices(delivery: str, compress: str) -> None:
    for name, given, choices in (
        ("delivery", delivery, _DELIVERIES),
        ("compress", compress, ("auto", "off")),
    ):
        if given not in choices:
            known = ", ".join(map(repr, choices))
            raise ValueError(f"{name} must be one of {known}, not {given!r}")


def _check_types(*, values: object, limits: object, settings: object, **callables: object) -> None:
    for given, kind in ((values, Values), (limits, Limits), (settings, Settings)):
        if given is not None and not isinstance(given, kind):
            name = kind.__name__
            raise TypeError(f"{name.lower()} must be sw.{name}(…), not {type(given).__name__}")
    for name, call in callables.items():
        if not (call is None or callable(call)):
            raise TypeError(f"{name} must be callable, not {type(call).__name__}")


def _offered(rows: Rows, sheet_by: Key | None, formats: Sequence[str | Format]) -> list[Format]:
    offered = lookup_all(formats)
    if sheet_by is not None:
        Column(sheet_by)  # raises TypeError for anything but a key
    first = rows[0] if isinstance(rows, (list, tuple)) and rows else None
    if sheet_by is not None or isinstance(first, Tagged):
        return _several(offered, interleaves, "several sheets from one pass")
    if isinstance(first, Sheet):
        return _several(offered, lambda format_: format_.several_sheets, "several sheets")
    return offered


def _several(offered: Sequence[Format], can: Callable[[Format], bool], what: str) -> list[Format]:
    able = list(filter(can, offered))
    if not able:
        names = ", ".join(format_.name for format_ in offered)
        raise ValueError(f"none of the formats ({names}) can hold {what}; xlsx can")
    return able


_ONCE = ("__next__", "__anext__", "__await__", "close", "aclose")
"""What iterators have, and what is closed when it has been read."""
