"""Export: rows as a response, for WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, get_args

from streamware.engine.sync import CHUNK_SIZE, FLUSH_INTERVAL, Coder, Encoding
from streamware.engine.worker import GATE
from streamware.errors import StateError
from streamware.formats.protocol import Format, interleaves
from streamware.formats.registry import extensions, lookup
from streamware.http import headers as head
from streamware.http import negotiation
from streamware.http.application import Application
from streamware.http.coding import Gzip
from streamware.http.delivery import Answer, Delivery, Job
from streamware.http.request import Request
from streamware.limits import Limits
from streamware.model.columns import Column, Key, Sheet, Tagged, as_columns
from streamware.receipt import Receipt
from streamware.rows.source import Bridge, Rows, checked, open_sources
from streamware.scratch.quota import ExportQuota
from streamware.settings import Settings
from streamware.values import Values


class Export(Application):
    """Rows that answer a request with a download.  It is a WSGI and an ASGI application.

    Return it from a Flask or Starlette view, call it with what a server calls an application
    with, or mount `.wsgi` or `.asgi`.  Rows are opened when the request is answered, pulled as
    the client reads, and closed on every path; a `HEAD` request never opens them.  The first
    chunk is made before the status is sent, so that an early failure is a real 500; a later one
    breaks the transfer.  Where too many exports are under way already
    (`Settings.max_concurrent`), it waits for its turn, and answers 503 if none comes.

    Under WSGI rows are read on the server's thread.  Under ASGI ordinary rows are opened, read
    and closed on a thread of their own, asynchronous ones by a task of their own.  Either may
    use `current_scratch()`, with a middleware around the application or without.

    Args:
        rows: As `encode`.  Over a callable the export can be used again, over an iterator once.
        columns: As `encode`.
        sheet_by: As `encode`; formats that cannot hold several sheets are not offered then.
        format: The one format, by name or with its options; by default one of `formats`.
        formats: What the client can choose from; the first is the default.
        format_param: Name of the query parameter that chooses.
        filename: Name of the download; its known extension is replaced by the format's.
        delivery: "stream": rows are pulled as the client reads, and nothing is on disk.
            "buffer": rows are pulled as fast as they come, on a thread of their own, and closed
            after the last; what the client has not taken waits in memory, then on disk, and
            where there is no more room the rows wait.  "spool": the document is finished
            first; then it is sent with `Content-Length` and `Repr-Digest`, and whatever fails
            is a clean status.  "auto": "stream", but where the transport would hide that a
            document was cut whose end does not show, as `Settings.silent_transport` says.
        values: As `encode`.
        limits: As `encode`.
        compress: "auto": gzip for text formats and clients that accept it; or "off".
        headers: Further response headers, or other values for ours.
        status: Status code of the response.
        cancel: Called from another thread while a pull is blocked, when the export has taken
            longer than `Limits.seconds`, and under ASGI when the client has left: interrupts it,
            such as `sqlite3.Connection.interrupt`.  Under WSGI a thread waits for that time.
        on_done: Called once with the `Receipt`, when the export has ended, however it did.
        settings: What holds for it; by default what holds for the middleware around it, else
            for the process.  With others than the middleware's it has scratch of its own.

    Raises:
        TypeError, ValueError: The arguments are wrong: unknown formats, headers that cannot be
            sent, several sheets for formats that hold one.
    """

    __slots__ = (
        "_cancel",
        "_columns",
        "_compress",
        "_delivery",
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
        formats: Sequence[str | Format] = ("csv", "xlsx", "xml"),
        format_param: str = "format",
        filename: str = "export",
        delivery: Delivery = "auto",
        values: Values | None = None,
        limits: Limits | None = None,
        compress: Literal["auto", "off"] = "auto",
        headers: head.Headers = (),
        status: int = 200,
        cancel: Callable[[], object] | None = None,
        on_done: Callable[[Receipt], object] | None = None,
        settings: Settings | None = None,
    ) -> None:
        if delivery not in get_args(Delivery):
            known = ", ".join(get_args(Delivery))
            raise ValueError(f"unknown delivery {delivery!r}; there are {known}")
        if compress not in ("auto", "off"):
            raise ValueError("compress is 'auto' or 'off'")
        if isinstance(formats, str):
            raise TypeError("formats are a list of formats; for a single one there is format=")
        _check_kinds(values, limits, settings)
        for name, call in (("cancel", cancel), ("on_done", on_done)):
            if not (call is None or callable(call)):
                raise TypeError(f"{name}= is to be called, and a {type(call).__name__} cannot be")
        self._rows = checked(rows)
        self._columns = as_columns(columns)
        self._sheet_by = sheet_by
        self._formats = _offered(rows, sheet_by, [format] if format is not None else formats)
        self._format_param = format_param
        self._filename = filename
        self._values = values
        self._limits = limits
        self._compress = compress == "auto"
        self._headers = head.checked(headers)
        self._status = head.bodied(status)
        self._delivery: Delivery = delivery
        self._cancel = cancel
        self._on_done = on_done
        self._settings = settings
        self._used = False

    def _prepare_answer(self, request: Request) -> Answer:
        offers = [(format_.name, format_.media_type) for format_ in self._formats]
        asked = negotiation.query_value(request.query, self._format_param)
        chosen = negotiation.choose(offers, query_value=asked, accept=request.accept)
        if chosen is None:
            job = self._job(self._formats[0], gzip=False)
            return _not_acceptable([name for name, _ in offers], job, head_only=request.head_only)
        format_ = self._formats[chosen]
        gzip = self._compress and format_.compressible and negotiation.accepts_gzip(request.coding)
        locale = _locale(format_, request.language)
        headers = self._head(format_, gzip=gzip, locale=locale)
        job = self._job(format_, gzip=gzip, locale=locale)
        if request.head_only:
            return Answer(self._status, headers, b"", discarded=job)
        return Answer(self._status, headers, job)

    def _head(self, format_: Format, *, gzip: bool, locale: str | None) -> list[tuple[str, str]]:
        name = head.with_extension(self._filename, format_.extension, extensions())
        varies = ["Accept"] * (len(self._formats) > 1)
        varies += ["Accept-Encoding"] * (self._compress and format_.compressible)
        varies += ["Accept-Language"] * (_languages(format_) is not None)
        ours = [
            ("Content-Type", format_.media_type),
            ("Content-Disposition", head.disposition(name)),
            *head.DEFAULTS,
            *([("Vary", ", ".join(varies))] if varies else []),
            *([("Content-Language", locale)] if locale else []),
        ]
        return head.merged(ours, self._headers) + ([("Content-Encoding", "gzip")] if gzip else [])

    def _job(self, format_: Format, *, gzip: bool, locale: str | None = None) -> Job:
        if self._used and any(map(_used_up, open_sources(self._rows))):
            raise StateError(
                "this Export's rows are an iterator and were used before; hand over a callable"
                " that opens them, and it can be used again"
            )
        self._used = True
        return Job(
            make=lambda bridge, quota: self._encoding(
                format_, bridge, quota, Gzip() if gzip else None, locale
            ),
            cancel=self._cancel,
            on_done=self._on_done,
            settings=self._settings,
            limits=self._limits,
            delivery=self._delivery,
            self_terminating=format_.self_terminating,
        )

    def _encoding(
        self,
        format_: Format,
        bridge: Bridge | None,
        quota: ExportQuota | None,
        coder: Coder | None,
        locale: str | None,
    ) -> Encoding:
        settings = self._settings or (None if quota is None else quota.settings)
        values, limits = self._values, self._limits
        if settings is not None:
            values, limits = values or settings.values, limits or settings.limits
        return Encoding(
            self._rows,
            format_,
            columns=self._columns,
            sheet_by=self._sheet_by,
            values=values,
            limits=limits,
            chunk_size=CHUNK_SIZE,
            flush_interval=FLUSH_INTERVAL,
            gate=None if bridge is None else GATE,
            bridge=bridge,
            coder=coder,
            open_spool=None if quota is None else quota.spool,
            locale=locale,
            # Beside an event loop it is the loop that minds the time.
            cancel=self._cancel if bridge is None else None,
        )

    def _entry(self, name: str) -> Entry:
        ending = name.lower()
        named = (format_ for format_ in self._formats if ending.endswith(format_.extension))
        format_ = next(named, self._formats[0])
        return Entry(
            name=name if ending.endswith(format_.extension) else name + format_.extension,
            varies=_languages(format_) is not None,
            make_job=lambda accepted: self._job(
                format_, gzip=False, locale=_locale(format_, accepted)
            ),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An export as one entry of a bundle.

    Attributes:
        name: The name of the entry, which ends in the extension of its format.
        varies: Whether its bytes depend on the reader's language.
        make_job: Makes the job behind it, for an `Accept-Language` header.
    """

    name: str
    varies: bool
    make_job: Callable[[str | None], Job]


def entry_of(export: Export, name: str) -> Entry:
    """Return an export as an entry of a bundle.

    Args:
        export: What the entry is made from.
        name: A name.  Its extension chooses the format, if the export offers that one; otherwise
            the entry has the first format, and its extension is added.
    """
    return export._entry(name)  # noqa: SLF001 - private to users, not to us


def _languages(format_: Format) -> Container[str] | None:
    """The languages that a format's documents differ in; None where they do not."""
    languages: Container[str] | None = getattr(format_, "languages", None)
    return languages


def _locale(format_: Format, accepted: str | None) -> str | None:
    languages = _languages(format_)
    return None if languages is None else negotiation.preferred_language(accepted, languages)


def _check_kinds(values: object, limits: object, settings: object) -> None:
    for given, kind in ((values, Values), (limits, Limits), (settings, Settings)):
        if not isinstance(given, kind | None):
            name = kind.__name__
            raise TypeError(f"{name.lower()}= takes sw.{name}, not {type(given).__name__}")


def _offered(rows: Rows, sheet_by: Key | None, formats: Sequence[str | Format]) -> list[Format]:
    offered = [lookup(format_) for format_ in formats]
    if not offered:
        raise ValueError("there is no format to offer")
    if sheet_by is not None:
        Column(sheet_by)  # which refuses what is no key
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
        raise ValueError(f"{what} fit into none of the formats ({names}); xlsx holds them")
    return able


_ONCE = ("__next__", "__anext__", "__await__", "close", "aclose")


def _used_up(rows: object) -> bool:
    """Whether rows can be read but once: iterators, and what was closed when it was read."""
    return any(hasattr(rows, name) for name in _ONCE)


def _not_acceptable(names: Sequence[str], discarded: Job, *, head_only: bool) -> Answer:
    body = f"Not Acceptable. There are: {', '.join(names)}\n".encode()
    head_ = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    headers = [*head_, *head.DEFAULTS, ("Vary", "Accept")]
    sent = b"" if head_only else body
    return Answer(HTTPStatus.NOT_ACCEPTABLE, headers, sent, discarded=discarded)
