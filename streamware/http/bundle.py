"""Bundle: several exports and files in one zip, as a response.

zipstream-ng writes the zip.  Two other distributions have the same import name, so the imported
module is checked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any, Final

from streamware.engine.driver import Driver
from streamware.engine.lifecycle import Lifecycle, State
from streamware.engine.target import Destination, Target, extension_of
from streamware.errors import LimitError, StateError
from streamware.http import saved
from streamware.http.application import Application
from streamware.http.delivery import Answer, Job
from streamware.http.export import Entry, Export
from streamware.http.headers import (
    DEFAULT_HEADERS,
    Headers,
    check_filename,
    content_disposition,
    merge_headers,
    validate_headers,
    with_extension,
)
from streamware.http.request import Request
from streamware.http.saved import Progress, Saving
from streamware.observe import Watch
from streamware.receipt import Receipt
from streamware.rows.source import Bridge, Cancelled, close, needs_loop
from streamware.scratch.disk_quota import ExportQuota
from streamware.settings import Settings

Content = Export | str | os.PathLike[str] | bytes | Iterable[bytes]
"""What an entry can be: an export, the path of a file, bytes, or an iterable of bytes."""
_Content = Entry | str | os.PathLike[str] | bytes | Iterable[bytes]
"""The same, once the name of the entry has chosen the format of an export."""

DEFAULT_FILENAME: Final = "bundle"
MAX_SIZE = 2**31 - 1  # bytes of an entry or of the archive; beyond them zipstream-ng writes ZIP64
_READ = 65_536
_DEFLATE = 8


class Bundle(Application):
    """Several exports and files in one zip.  It is a WSGI and an ASGI application, like `Export`.

    Entries are made one after the other while the client reads; memory does not grow with their
    sizes, and nothing is on disk.

    Args:
        members: Name and content of each entry.  The extension of the name chooses the format of
            an `Export`, if it offers that one; otherwise the entry has its first format, and the
            extension is added.
        filename: Name of the download.
        large: Allow ZIP64, for entries and archives beyond 2 GiB; not every reader opens those.
        headers: As for `Export`.
        on_done: Called once with the `Receipt` of the zip when it has ended, however it ended.
            Before that, the `on_done` of each export is called once; the outcome of one that was
            never started is "closed".
        settings: As for `Export`.  Its exports use the scratch of the bundle; of their own
            settings only `values` and `limits` count.

    Raises:
        TypeError, ValueError: An argument is wrong: contents of another type, names that are not
            safe paths, or a name twice.
    """

    __slots__ = ("_filename", "_headers", "_large", "_members", "_on_done", "_settings", "_used")

    def __init__(
        self,
        members: Iterable[tuple[str, Content]],
        *,
        filename: str = DEFAULT_FILENAME,
        large: bool = False,
        headers: Headers = (),
        on_done: Callable[[Receipt], object] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._members = _validate_members(members)  # names and contents, in order
        self._filename = check_filename(filename)  # its extension is replaced
        self._large = large  # whether ZIP64 is allowed
        self._headers = validate_headers(headers)  # they replace our own
        self._on_done = on_done  # called with the receipt of the zip
        self._settings = settings  # None: the middleware's, else the process's
        self._used = False  # whether it has answered a request

    def save(self, target: Target, *, progress: Progress | None = None) -> Receipt:
        """Write it to a file or an object in a store, without a request.

        Args:
            target: As for `save`; a name with an extension must end in `.zip`.
            progress: As for `Export.save`; it is called with the receipt of the zip.

        Returns:
            The receipt of the zip, with the entity tag of the object.

        Raises:
            TypeError, ValueError, ImportError, OSError: As for `save`.
            LimitError: It exceeds a limit of the zip or of an export, or 10,000 parts.
        """
        return saved.save(*self._saving(target), progress)

    async def asave(self, target: Target, *, progress: Progress | None = None) -> Receipt:
        """Write it to a file or an object, beside an event loop; the twin of `save`."""
        return await saved.asave(*self._saving(target), progress)

    def _saving(self, target: Target) -> tuple[Job, Destination]:
        """Return what makes the zip, and where it goes."""
        if extension_of(target) not in (None, "", ".zip"):
            raise ValueError(
                f"the extension of a bundle must be '.zip', not {extension_of(target)!r}"
            )
        name = with_extension(self._filename, ".zip", {".zip"})
        named = None if self._filename == DEFAULT_FILENAME else content_disposition(name)
        return self._job(Request()), Destination(target, "application/zip", named)

    def _saving_as(self, place: Callable[[str], Target], given: str | None) -> Saving:
        """Return what makes the zip, under the name that it has as a download.

        Args:
            place: Returns where a file of this name goes.
            given: "zip", or None.

        Raises:
            ValueError: It is another format.
        """
        if given not in (None, "zip"):
            raise ValueError(f"the format {given!r} is not offered; there are: zip")
        filename = with_extension(self._filename, ".zip", {".zip"})
        job, destination = self._saving(place(filename))
        rows = [content.rows for _, content in self._members if isinstance(content, Entry)]
        return Saving(
            job=job,
            destination=destination,
            filename=filename,
            media_type="application/zip",
            asynchronous=any(map(needs_loop, rows)),
        )

    def _prepare_answer(self, request: Request) -> Answer:
        name = with_extension(self._filename, ".zip", {".zip"})
        varies = any(entry.varies for _, entry in self._members if isinstance(entry, Entry))
        defaults = [
            ("Content-Type", "application/zip"),
            ("Content-Disposition", content_disposition(name)),
            *DEFAULT_HEADERS,
            *([("Vary", "Accept-Language")] if varies else []),
        ]
        headers = merge_headers(defaults, self._headers)
        job = self._job(request)
        if request.head_only:
            return Answer(HTTPStatus.OK, headers, b"", discarded=job)
        return Answer(HTTPStatus.OK, headers, job)

    def _job(self, request: Request) -> Job:
        if self._used and any(hasattr(content, "__next__") for _, content in self._members):
            raise StateError(
                "this Bundle has an iterator among its members that was used before; make a new"
                " Bundle for each request"
            )
        self._used = True
        members = [_member(*member, request) for member in self._members]
        driver = ZipDriver(members, large=self._large)
        return Job(
            make=driver.prepare,
            on_done=self._on_done,
            settings=self._settings,
        )


@dataclass(kw_only=True)
class Member:
    """One entry of a zip: its name, and its content or the job that makes it.

    Attributes:
        name: The path in the zip.
        content: The bytes; for a job, its document once that is made.
        job: Makes the content; None if that was given.
        started: Whether the content is being read, or was.
        reported: Whether to call the `on_done` of the job; False for a `HEAD` request.
    """

    name: str
    content: Iterable[bytes] = ()
    job: Job | None = None
    started: bool = False
    reported: bool = False

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        return iter(self.content)

    def close(self, *, client_left: bool) -> None:
        """Close its content, and call `on_done`."""
        try:
            close(self.content)
        finally:
            if self.job is not None and self.reported and isinstance(self.content, Driver):
                lifecycle = self.content.lifecycle
                if client_left and self.started and lifecycle.state is State.CLOSED:
                    lifecycle.leave()
                Watch(lifecycle.receipt, on_done=self.job.on_done).done()


class ZipDriver:
    """The chunks of one zip, each made when it is asked for; has the methods of a `Driver`.

    Attributes:
        receipt: The figures so far.
        lifecycle: The state of the zip.
        lock: Locks nothing: each entry has a lock of its own.
        asynchronous: As for `Driver`, from the entries that were closed.
        has_pending: Always False: no bytes wait for a flush.
    """

    has_pending = False

    def __init__(self, members: list[Member], *, large: bool) -> None:
        self.receipt = Receipt("zip")  # of the zip; each export has one of its own
        # The clock starts here, so that a zip that is refused shows how long it waited.
        self.lifecycle = Lifecycle(self.receipt, monotonic())
        self.lock: AbstractContextManager[Any] = nullcontext()  # entries have their own
        self.asynchronous: list[object] = []  # rows that only an event loop can close
        self._members = members  # those that are not closed; the first is being read
        self._large = large  # whether ZIP64 is allowed
        self._expired: LimitError | None = None  # the time limit of an entry, if that passed
        self._chunks = self._run()  # makes the zip, a chunk at a time
        self._ready = b""  # the chunk that was made and not taken
        self._digest = sha256()  # of the chunks that were taken

    def prepare(self, bridge: Bridge | None, quota: ExportQuota | None) -> ZipDriver:
        """Make the documents of the entries; return itself.

        Args:
            bridge: With it, entries can read asynchronous rows.
            quota: The quota of the bundle; None for a `HEAD` request.
        """
        for member in self._members:
            if member.job is not None:
                own = quota and quota.other(member.job.bounds(quota.settings))
                member.content = member.job.make(bridge, own)
                member.reported = quota is not None
        return self

    @property
    def interruptible(self) -> bool:
        """Whether the rows of the current entry have a `cancel`."""
        current = self._current
        return current is not None and current.interruptible

    def interrupt(self) -> None:
        """Interrupt a blocked pull of the current entry; from another thread."""
        if (current := self._current) is not None:
            current.interrupt()

    def __iter__(self) -> ZipDriver:
        return self

    def __next__(self) -> bytes:
        if self.advance():
            return self.take()
        raise StopIteration

    def advance(self) -> bool:
        """Make the next chunk; return False after the last."""
        try:
            for chunk in self._chunks:
                self._ready = chunk
                return True
        except BaseException as error:
            self._end(self._expired or error)
            self.close()
            raise
        self.lifecycle.finish()
        self.lifecycle.complete(self._digest.hexdigest())
        return False

    def take(self) -> bytes:
        """Return the chunk that is ready; empty if there is none."""
        chunk, self._ready = self._ready, b""
        self._digest.update(chunk)
        self.receipt.bytes += len(chunk)
        if chunk and self.receipt.first_byte_seconds is None:
            self.receipt.first_byte_seconds = self.lifecycle.seconds
        return chunk

    def flush_pending(self) -> None:
        """Do nothing: no bytes wait for a flush."""

    def cancel(self) -> None:
        """Make the pull in flight the last; from any thread."""
        self.lifecycle.cancel()
        for member in self._members[:1]:
            if isinstance(member.content, Driver):
                member.content.cancel()

    @property
    def time_left(self) -> float:
        """Seconds that the current entry may still take."""
        current = self._current
        return inf if current is None else current.time_left

    def expire(self) -> LimitError | None:
        """Cancel the current entry if its time is over; return the error."""
        current = self._current
        self._expired = None if current is None else current.expire()
        return self._expired

    @property
    def _current(self) -> Driver | None:
        """The document that is being read, if the current entry is one."""
        contents = (member.content for member in self._members[:1] if member.started)
        return next((content for content in contents if isinstance(content, Driver)), None)

    def close(self) -> None:
        """Close the content of every entry.

        Idempotent; may raise only KeyboardInterrupt and the like, once all is closed.
        """
        self._end(self._expired)
        self._expired = None  # its traceback refers to this object
        with ExitStack() as closing:  # last to first; each runs even if an earlier one failed
            for _ in self._members:
                closing.callback(self._close_member)
            closing.callback(close, self._chunks)

    def _close_member(self) -> None:
        try:
            member = self._members.pop(0)
        except IndexError:  # another thread was faster
            return
        if isinstance(member.content, Driver):
            self.asynchronous += member.content.asynchronous
            self.receipt.rows += member.content.receipt.rows
        member.close(client_left=self.lifecycle.state is State.CLOSED)

    def _run(self) -> Iterator[bytes]:
        self.lifecycle.start()
        archive = _import_zipstream().ZipStream(compress_type=_DEFLATE, compress_level=1)
        while self._members:
            member = self._members[0]
            size = None if self._large else _UnknownSize()
            archive.add(self._counted(member.name, member), member.name, size=size)
            yield from self._limited(archive.file())
            self._close_member()
        yield from self._limited(archive.finalize())

    def _counted(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in content:
            if self.lifecycle.state is State.CANCELLED:
                raise Cancelled
            size += len(chunk)
            if size > MAX_SIZE and not self._large:
                what = f"bytes of {name!r} in the bundle (large=True allows more)"
                raise LimitError(what, limit=MAX_SIZE, actual=size)
            yield chunk

    def _limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in filter(None, chunks):  # most are empty, because deflate collects its input
            if self.receipt.bytes + len(chunk) > MAX_SIZE and not self._large:
                what = "bytes of the bundle (large=True allows more)"
                raise LimitError(what, limit=MAX_SIZE, actual=self.receipt.bytes + len(chunk))
            yield chunk

    def _end(self, error: BaseException | None) -> None:
        """Record how the zip ended, if it is not over: with an error, or closed."""
        lifecycle = self.lifecycle
        if lifecycle.is_over:
            return
        if lifecycle.state is State.CANCELLED and self._expired is None:
            error = None
        foreign = False
        if isinstance(error, LimitError) and self._is_foreign(error):
            error.status, foreign = None, True
        lifecycle.close(error, foreign=foreign)

    def _is_foreign(self, error: LimitError) -> bool:
        """Return whether an entry's rows or iterable raised it, not the bundle itself."""
        if error is self._expired:
            return False
        content = self._members[0].content if self._members else None
        if isinstance(content, Driver):
            return content.receipt.outcome == "source error"
        return error.name is not None


class _UnknownSize(int):
    """A size of zero that equals every size.

    zipstream-ng writes ZIP64 headers unless `size` is given and small.  Later it compares `size`
    with what it has counted, and would log a warning.
    """

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


def _read(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, which is opened when the first are asked for."""
    with path.open("rb") as file:
        while chunk := file.read(_READ):
            yield chunk


def _member(name: str, content: _Content, request: Request) -> Member:
    if isinstance(content, Entry):
        return Member(name=name, job=content.make_job(request.language, request.zone))
    if isinstance(content, (bytes, bytearray, memoryview)):
        return Member(name=name, content=(bytes(content),))
    if isinstance(content, (str, os.PathLike)):
        return Member(name=name, content=_read(Path(content)))
    return Member(name=name, content=content)


def _validate_members(members: Iterable[tuple[str, Content]]) -> list[tuple[str, _Content]]:
    checked: list[tuple[str, _Content]] = []
    seen: set[str] = set()
    if isinstance(members, Mapping):
        kind = type(members).__name__
        raise TypeError(f"members must be a list of (name, content), not {kind}: pass its items()")
    for name, content in members:
        known = isinstance(content, (Export, str, os.PathLike)) or hasattr(content, "__iter__")
        if not known:
            kind = type(content).__name__
            raise TypeError(
                f"{name!r} must be an Export, a path, bytes or an iterable of bytes, not {kind}"
            )
        path = name.replace("\\", "/")
        if not _is_safe(path):
            raise ValueError(
                f"{name!r} is not a safe name for an entry of a zip; it must be a relative path"
                " without '..'"
            )
        # `_entry` is private to users, not to us.
        entry = content._entry(path) if isinstance(content, Export) else content  # noqa: SLF001
        full = entry.name if isinstance(entry, Entry) else path
        if full.casefold() in seen:
            raise ValueError(f"the name {full!r} is given twice; each entry needs its own")
        seen.add(full.casefold())
        checked.append((full, entry))
    return checked


def _is_safe(path: str) -> bool:
    """Return whether a path names a file within the folder where a zip is unpacked."""
    parts = path.split("/")
    odd = any(char < " " or "\ud800" <= char <= "\udfff" for char in path)
    return not odd and ":" not in parts[0] and not {"", ".", ".."} & set(parts)


def _import_zipstream() -> Any:
    import zipstream  # noqa: PLC0415 - needed by bundles only

    if not hasattr(getattr(zipstream, "ZipStream", None), "finalize"):
        raise ImportError(
            "the installed module zipstream is of another distribution; bundles need zipstream-ng:"
            " uninstall the other one (zipstream, zipstream-new) and reinstall zipstream-ng"
        )
    return zipstream
