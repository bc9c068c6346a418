"""Bundle: several exports and files in one zip, as a response.

By zipstream-ng, which is made for just that.  Its import name is shared by two other
distributions, so it is checked to be the right one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from streamware.engine.driver import Driver
from streamware.engine.lifecycle import Lifecycle, State
from streamware.errors import LimitError, StateError
from streamware.http.application import Application
from streamware.http.delivery import Answer, Job
from streamware.http.export import Entry, Export, entry_of
from streamware.http.headers import (
    DEFAULT_HEADERS,
    Headers,
    content_disposition,
    merge_headers,
    validate_headers,
    with_extension,
)
from streamware.http.request import Request
from streamware.observe import Watch
from streamware.receipt import Receipt
from streamware.rows.source import Bridge, Cancelled, close
from streamware.scratch.quota import ExportQuota
from streamware.settings import Settings

Content = Export | str | os.PathLike[str] | bytes | Iterable[bytes]
"""What an entry can be: an export, the path of a file, bytes, or an iterable of bytes."""

_Content = Entry | str | os.PathLike[str] | bytes | Iterable[bytes]

MAX_SIZE = 2**31 - 1  # of an entry and of the archive: past it zipstream-ng turns to ZIP64
_READ = 65_536
_DEFLATE = 8


class Bundle(Application):
    """Several exports and files in one zip.  It is a WSGI and an ASGI application, as `Export`.

    Entries are made one after the other while the client reads; memory does not grow with their
    sizes, and nothing is on disk.

    Args:
        members: Name and content of each entry.  An `Export` is written in the format that its
            name's extension tells, if it offers that, else in its first, whose extension is
            then added.
        filename: Name of the download.
        large: Allow ZIP64, for entries and archives past 2 GiB; not every reader opens those.
        headers: Further response headers.
        on_done: Called once with the `Receipt` of the zip, when it has ended, however it did;
            before that those of its exports, once each, "closed" where one was never begun.
        settings: As `Export`.  Its exports have scratch of the bundle's; of settings of their
            own only `values` and `limits` count.

    Raises:
        TypeError, ValueError: The arguments are wrong: contents of another kind, names that are
            no safe path, or that repeat.
    """

    __slots__ = ("_filename", "_headers", "_large", "_members", "_on_done", "_settings", "_used")

    def __init__(
        self,
        members: Iterable[tuple[str, Content]],
        *,
        filename: str = "bundle",
        large: bool = False,
        headers: Headers = (),
        on_done: Callable[[Receipt], object] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._members = _checked(members)
        self._filename = filename
        self._large = large
        self._headers = validate_headers(headers)
        self._on_done = on_done
        self._settings = settings
        self._used = False

    @property
    def _varies(self) -> bool:
        """Whether an entry depends on the reader's language."""
        return any(content.varies for _, content in self._members if isinstance(content, Entry))

    def _prepare_answer(self, request: Request) -> Answer:
        name = with_extension(self._filename, ".zip", {".zip"})
        ours = [
            ("Content-Type", "application/zip"),
            ("Content-Disposition", content_disposition(name)),
            *DEFAULT_HEADERS,
            *([("Vary", "Accept-Language")] if self._varies else []),
        ]
        headers = merge_headers(ours, self._headers)
        job = self._job(request.language)
        return (
            Answer(HTTPStatus.OK, headers, b"", job)
            if request.head_only
            else Answer(HTTPStatus.OK, headers, job)
        )

    def _job(self, language: str | None) -> Job:
        if self._used and any(hasattr(content, "__next__") for _, content in self._members):
            raise StateError("this Bundle has an iterator among its members that was used before")
        self._used = True
        zipping = Zipping(
            [_member(*member, language) for member in self._members], large=self._large
        )
        return Job(
            make=zipping.fed_by,
            cancel=zipping.interrupt,
            on_done=self._on_done,
            settings=self._settings,
        )


@dataclass(kw_only=True)
class Member:
    """One entry of a zip: its name, and its content or the job that makes it.

    Attributes:
        told: Whether the job's `on_done` is to be called: not for a `HEAD` request.
    """

    name: str
    content: Iterable[bytes] = ()
    job: Job | None = None
    begun: bool = False
    told: bool = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        return iter(self.content)

    @property
    def rows(self) -> int:
        """Rows it has written so far."""
        return self.content.receipt.rows if isinstance(self.content, Driver) else 0

    @property
    def asynchronous(self) -> Sequence[object]:
        """As of `Driver`."""
        return self.content.asynchronous if isinstance(self.content, Driver) else ()

    def close(self, *, given_up: bool) -> None:
        """Close its content, and tell who asked; over HTTP it is the client who gives up."""
        try:
            close(self.content)
        finally:
            self._tell(given_up=given_up)

    def _tell(self, *, given_up: bool) -> None:
        if self.job is None or not self.told or not isinstance(self.content, Driver):
            return
        lifecycle = self.content.lifecycle
        if given_up and self.begun and lifecycle.state is State.CLOSED:
            lifecycle.leave()
        Watch(lifecycle.receipt, on_done=self.job.on_done).done()


class Zipping:
    """The chunks of one zip, made while they are asked for.

    Attributes:
        receipt: Its figures so far.
    """

    has_pending = False

    def __init__(self, members: list[Member], *, large: bool) -> None:
        self.receipt = Receipt("zip")
        # The seconds of a zip that never gets its turn are those of its wait.
        self.lifecycle = Lifecycle(self.receipt, monotonic())
        self.lock: AbstractContextManager[Any] = nullcontext()
        self.asynchronous: list[object] = []
        self._members = members
        self._large = large
        self._expired: LimitError | None = None
        self._chunks = self._run()
        self._ready = b""
        self._digest = sha256()

    def fed_by(self, bridge: Bridge | None, quota: ExportQuota | None) -> Zipping:
        """The same, ready to begin; given a bridge, it can read asynchronous rows."""
        for member in self._members:
            if member.job is not None:
                own = quota and quota.other(member.job.bounds(quota.settings))
                member.content = member.job.make(bridge, own)
                member.told = quota is not None
        return self

    def interrupt(self) -> None:
        """Interrupt the entry that is being made, if it knows how; from any thread."""
        for member in self._members[:1]:
            if member.begun and member.job is not None and member.job.cancel is not None:
                member.job.cancel()

    def __iter__(self) -> Zipping:
        return self

    def __next__(self) -> bytes:
        if self.advance():
            return self.take()
        raise StopIteration

    def advance(self) -> bool:
        """Make the next chunk; False after the last."""
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
        """The chunk that is ready; possibly none."""
        chunk, self._ready = self._ready, b""
        self._digest.update(chunk)
        self.receipt.bytes += len(chunk)
        if chunk and self.receipt.first_byte_seconds is None:
            self.receipt.first_byte_seconds = self.lifecycle.seconds
        return chunk

    def flush_pending(self) -> None:
        """Nothing is held back."""

    def cancel(self) -> None:
        """As `Driver.cancel`."""
        self.lifecycle.cancel()
        for member in self._members[:1]:
            if isinstance(member.content, Driver):
                member.content.cancel()

    @property
    def time_left(self) -> float:
        """Seconds that the entry that is being made may still take."""
        encoding = self._under_way
        return inf if encoding is None else encoding.time_left

    def expire(self) -> LimitError | None:
        """As `Driver.expire`, of that entry."""
        encoding = self._under_way
        self._expired = None if encoding is None else encoding.expire()
        return self._expired

    @property
    def _under_way(self) -> Driver | None:
        contents = (member.content for member in self._members[:1] if member.begun)
        return next((content for content in contents if isinstance(content, Driver)), None)

    def close(self) -> None:
        """Close every entry's content.

        Idempotent; raises nothing but what is no `Exception`, when all is closed.
        """
        self._end(self._expired)
        self._expired = None  # its traceback holds us
        with ExitStack() as closing:  # from last to first, each whatever became of the one before
            for _ in self._members:
                closing.callback(self._end_member)
            closing.callback(close, self._chunks)

    def _end_member(self) -> None:
        member = self._members.pop(0)
        self.asynchronous += member.asynchronous
        self.receipt.rows += member.rows
        member.close(given_up=self.lifecycle.state is State.CLOSED)

    def _run(self) -> Iterator[bytes]:
        self.lifecycle.start()
        archive = _library().ZipStream(compress_type=_DEFLATE, compress_level=1)
        while self._members:
            member = self._members[0]
            size = None if self._large else _Unknown()
            archive.add(self._counted(member.name, member), member.name, size=size)
            yield from self._limited(archive.file())
            self._end_member()
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
        for chunk in filter(None, chunks):  # most are empty: deflate holds back
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
        if isinstance(error, LimitError) and self._is_theirs(error):
            error.status, foreign = None, True
        lifecycle.close(error, foreign=foreign)

    def _is_theirs(self, error: LimitError) -> bool:
        """Whether it came from the rows of an entry, or from what gives its bytes."""
        if error is self._expired:
            return False
        content = self._members[0].content if self._members else None
        if isinstance(content, Driver):
            return content.receipt.outcome == "source error"
        return error.name is not None


class _Unknown(int):
    """A size that keeps zipstream-ng from ZIP64 headers, and that it never finds to be wrong.

    It decides by `size` alone, and later compares it with what it counted, to log a warning.
    """

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


class _File:
    """The bytes of a file, opened when the first are asked for."""

    def __init__(self, path: Path) -> None:
        self._chunks = _read(path)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Close the file."""
        close(self._chunks)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_READ):
            yield chunk


def _member(name: str, content: _Content, language: str | None) -> Member:
    if isinstance(content, Entry):
        return Member(name=name, job=content.make_job(language))
    if isinstance(content, (bytes, bytearray, memoryview)):
        return Member(name=name, content=(bytes(content),))
    if isinstance(content, (str, os.PathLike)):
        return Member(name=name, content=_File(Path(content)))
    return Member(name=name, content=content)


def _checked(members: Iterable[tuple[str, Content]]) -> list[tuple[str, _Content]]:
    checked: list[tuple[str, _Content]] = []
    seen: set[str] = set()
    for name, content in members:
        known = isinstance(content, (Export, str, os.PathLike)) or hasattr(content, "__iter__")
        if not known:
            kind = type(content).__name__
            raise TypeError(
                f"{name!r} is an Export, a path, bytes or an iterable of bytes, not {kind}"
            )
        path = name.replace("\\", "/")
        if not _is_safe(path):
            raise ValueError(f"{name!r} is no safe name for an entry of a zip")
        entry = entry_of(content, path) if isinstance(content, Export) else content
        full = entry.name if isinstance(entry, Entry) else path
        if full.casefold() in seen:
            raise ValueError(f"the name {full!r} is there twice")
        seen.add(full.casefold())
        checked.append((full, entry))
    return checked


def _is_safe(path: str) -> bool:
    """Whether it names a file, wherever it is unpacked, and that within the folder."""
    parts = path.split("/")
    odd = any(char < " " or "\ud800" <= char <= "\udfff" for char in path)
    return not odd and ":" not in parts[0] and not {"", ".", ".."} & set(parts)


def _library() -> Any:
    import zipstream  # noqa: PLC0415 - needed by bundles only

    if not hasattr(getattr(zipstream, "ZipStream", None), "finalize"):
        raise ImportError(
            "the module zipstream belongs to another distribution here; bundles need zipstream-ng:"
            " uninstall the other one (zipstream, zipstream-new) and reinstall zipstream-ng"
        )
    return zipstream
