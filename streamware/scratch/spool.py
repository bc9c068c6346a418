"""Spool: a binary scratch file, first in memory, then on disk without a name.

It is no `tempfile.SpooledTemporaryFile`, which swaps its file before it copies into it: a disk
that is full at that moment leaves a file that is short, says nothing, and takes further writes.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from errno import EDQUOT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, ENOSYS, EOPNOTSUPP
from io import SEEK_CUR, SEEK_END, SEEK_SET, BytesIO
from operator import index
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol

from streamware.errors import Refused, ScratchError, StreamwareError
from streamware.scratch.forks import ForkSafeFd, watch
from streamware.settings import setting

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STEP = 2**18
"""Bytes reserved ahead at the least; an eighth of what there is, where that is more."""
MAX_STEP = 2**23
"""And at the most."""
_KEPT = 2**27  # bytes left in the page cache: most spools are gone before a disk has to move
_WINDOW = 2**25  # bytes behind them that are dropped at a time
_TRIMS = 8
_PEEK = 8192
_NO_ROOM = (ENOSPC, EDQUOT, EFBIG)
_CANNOT_RESERVE = (EOPNOTSUPP, EINVAL, ENOSYS)


class Quota(Protocol):
    """What a spool charges for its file and its bytes: a `RequestQuota`.

    Attributes:
        path: Of the directory, for messages.
    """

    path: str

    def take_file(self, *, waits: bool) -> None:
        """Charge one more file on disk.  Raises `ScratchError`, `Refused`."""

    def open_unnamed(self) -> int:
        """Return the descriptor of a new file without a name.  Raises `ScratchError`."""

    def release_file(self) -> None:
        """Uncharge a file that was closed, or not made."""

    def take(self, size: int, *, up_to: int, waits: bool, export: Any) -> int:
        """Charge `size` to `up_to` bytes and return how many.  Raises `ScratchError`, `Refused`."""

    def release(self, size: int, *, export: Any) -> None:
        """Uncharge `size` bytes."""

    def forget(self, spool: Spool) -> None:
        """Remove a closed spool; twice, if two threads close it."""


class Descriptor:
    """A file descriptor that its last user closes.

    A write that is under way in another thread while the file is closed would otherwise land in
    whatever file is given the same number next: in somebody else's download.

    Args:
        open_: Opens it.
        closed: Told once it is closed.
    """

    __slots__ = ("__weakref__", "_closed", "_closing", "_gone", "_kept", "_lock", "_users")

    def __init__(self, open_: Callable[[], int], closed: Callable[[], object]) -> None:
        self._kept = ForkSafeFd(open_)
        self._closed = closed
        self._closing = False
        self._gone = False
        self._users = 0
        # Re-entrant: a signal handler or a finaliser may close it while this thread is in here.
        self._lock = threading.RLock()
        watch(self)

    def __enter__(self) -> int:
        with self._lock:
            self._users += 1
            if not self._closing:
                return self._kept.number
        self.__exit__()
        raise ValueError("I/O operation on closed file")

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users or not self._closing:
                return
        self._close()

    def close(self) -> None:
        """Close it now, or let the last one who uses it do so.  Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            if self._users:
                return
        self._close()

    def forked(self) -> None:
        """Close the copy that a child inherited, which would hold the space."""
        self._closing = self._gone = True
        self._closed = _nobody
        self._lock = threading.RLock()
        self._kept.forked()

    def _close(self) -> None:
        with self._lock:
            if self._gone:
                return
            self._gone = True
        try:
            self._kept.close()
        finally:
            self._closed()


def _nobody() -> None:
    """Nobody is told."""


class Spool(io.BufferedIOBase, BinaryIO):
    """A binary file for reading and writing that has no name and cannot be left behind.

    `Scratch.spool()` makes it.  It stays in memory up to `Settings.spool_memory` bytes; then all
    of it moves to an unnamed file, which the kernel removes when its descriptor is closed, by
    whatever end of the process.  It is good wherever a binary file is asked for: by `zipfile`,
    XlsxWriter, openpyxl, `wsgi.file_wrapper`, `os.sendfile`.

    Bytes that were accepted are there; a call that fails has changed nothing that can be read.
    The first error spoils the spool: every later call but `close` raises one like it, with the
    same errno, so that half a file is never taken for a whole one.  Space
    is reserved ahead of the writes, so that "no space left" comes before bytes are sent, and what
    is not needed of it is given back by `flush` and by the first read after a write (where these
    alternate, not each time).  Calls
    block for the disk, and for up to `Settings.wait_seconds` for room in the budgets, though not
    on the thread of an event loop.  One thread at a time may use it; `close` may come from any,
    at any time, and the last operation under way then closes the descriptor.

    Raises:
        ScratchError: The disk is full or fails, or the request holds as much as it may.
        Refused: The budgets have no room now.
        ValueError: It is closed.
    """

    mode = "rb+"
    name: Any = None

    def __init__(
        self,
        quota: Quota,
        *,
        memory: int,
        waits: bool = True,
        export: Any = None,
    ) -> None:
        self._quota = quota
        self._waits = waits
        self._export = export
        self._threshold = memory
        self._memory: BytesIO | None = BytesIO()
        self._file: Descriptor | None = None
        self._position = 0
        self._size = 0
        self._reserved = 0  # bytes on disk that are ours: charged, and allocated where possible
        self._asked = 0  # so many of them are to stay, as `reserve` was asked
        self._ahead = False  # whether some may be there that nobody asked for
        self._trims = 0  # how often they were given back
        self._grown = 0  # the size at which they are again, once that was too often
        self._reserving = hasattr(os, "posix_fallocate")
        self._shared = False  # whether somebody was given the descriptor
        self._cached = _KEPT  # where the part begins that is to leave the page cache
        self._fault: StreamwareError | None = None
        self._is_closed = False

    # The file object

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    @property
    def on_disk(self) -> bool:
        """Whether it has left memory."""
        return self._file is not None

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position, in bytes from the start."""
        self._check()
        return self._position

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Move the position; past the end too, where a write fills the gap with zeros."""
        self._check()
        bases = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self._size}
        if whence not in bases:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        position = bases[whence] + index(offset)
        if not 0 <= position <= sys.maxsize:
            # An OSError, as of any file: `zipfile` relies on it when it looks for a zip's end.
            raise OSError(EINVAL, f"there is no position {position}")
        self._position = position
        return position

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it at the position; returns how many bytes that are."""
        self._check()
        with memoryview(data) as whole, _flat(whole) as view:
            if view.nbytes:
                end = self._position + view.nbytes
                self._write(view, end)
                self._position = end
                self._size = max(self._size, end)
            return view.nbytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes from the position, fewer only at the end; None and -1: the rest."""
        data = self._read(self._position, self._count(size))
        self._position += len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        """As `read`, but no more than some kilobytes where no size is given."""
        return self.read(_PEEK if size < 0 else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Up to the next end of a line, and with it; no more than `size` bytes."""
        # The inherited one exceeds `size` where it is larger than what `peek` gives.
        left = self._count(size)
        position = self._position
        pieces: list[bytes] = []
        while left and not (pieces and pieces[-1].endswith(b"\n")):
            piece = self._read(position, min(left, _PEEK))
            piece = piece[: piece.find(b"\n") + 1 or None]
            pieces.append(piece)
            position += len(piece)
            left -= len(piece)
        self._position = position
        return b"".join(pieces)

    def peek(self, size: int = 0, /) -> bytes:
        """Some bytes from the position, which stays."""
        return self._read(self._position, self._count(max(size, _PEEK)))

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend it to `size` bytes (by default the position), which stays where it is."""
        self._check()
        size = self._position if size is None else index(size)
        if not 0 <= size <= sys.maxsize:
            raise OSError(EINVAL, f"there is no size {size}")
        self._resize(size)
        self._size = size
        return size

    def reserve(self, size: int) -> None:
        """Have it on disk with room for `size` bytes in all; raises, and stays good, if not."""
        self._check()
        try:
            file = self._file or self._move(max(size, self._size))
            with file as descriptor:
                self._reserve(descriptor, size)
                self._asked = max(self._asked, size)
        except OSError as error:
            self._fail(error, f"a reservation of {size:,} bytes")

    def flush(self) -> None:
        """Give back what was reserved ahead; what was written is in memory, or with the system."""
        self._check()
        file = self._file
        if file is not None and self._ahead:
            with file as descriptor:
                self._trim_ahead(descriptor)

    def fileno(self) -> int:
        """The descriptor of the file, which moves to disk for it; valid until `close`.

        The file has its true size then and the descriptor the position, as `sendfile` and its
        like expect; later calls of the spool do not move it.  It is for reading: the spool would
        not know of what is written through it.  Where there is no room this raises and the spool
        stays good, in memory: a `ScratchError` at any rate, for servers read a file whose
        `fileno` fails with an `OSError`.
        """
        self._check()
        try:
            file = self._file or self._move(self._size)
        except Refused as error:
            raise ScratchError(ENOSPC, str(error)) from error
        except OSError as error:
            self._fail(error, "the move to disk")
        try:
            with file as descriptor:
                self._shared = True
                self._asked = 0
                self._trim(descriptor, self._size)
                os.lseek(descriptor, min(self._position, self._size), SEEK_SET)
        except OSError as error:
            self._spoil(error, "a change of its size")
        return descriptor

    def close(self) -> None:
        """Give everything back.  Idempotent, from any thread; never blocks on a write under way."""
        if self._is_closed:
            return
        self._is_closed = True
        file, self._file, self._memory = self._file, None, None  # see `_adopt`
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self._fail(error, "the close")
        finally:
            self._quota.forget(self)

    # Memory, and the move to disk

    def _write(self, view: memoryview, end: int) -> None:
        memory = self._memory
        if memory is not None and end <= self._threshold:
            memory.seek(self._position)
            memory.write(view)
            return
        try:
            file = self._file or self._move(end)
            with file as descriptor:
                if end > self._reserved:
                    self._reserve(descriptor, end)
                write_all(descriptor, view, self._position)
                if end - self._cached >= _WINDOW:
                    self._uncache(descriptor, end)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            self._spoil(error, f"a write of {view.nbytes:,} bytes")

    def _count(self, size: int | None) -> int:
        """How many bytes there are to be read where so many are asked for."""
        self._check()
        left = max(self._size - self._position, 0)
        size = -1 if size is None else index(size)
        return left if size < 0 else min(size, left)

    def _read(self, position: int, size: int) -> bytes:
        memory = self._memory
        if memory is not None:
            memory.seek(position)
            return memory.read(size)
        if not size:
            return b""
        try:
            return self._read_file(position, size)
        except OSError as error:
            self._spoil(error, f"a read of {size:,} bytes")

    def _read_file(self, position: int, size: int) -> bytes:
        file = self._file
        if file is None:
            raise ValueError("I/O operation on closed file")
        with file as descriptor:
            if self._ahead:
                self._trim_ahead(descriptor)
            data = _pread(descriptor, size, position)
            while len(data) < size:
                more = _pread(descriptor, size - len(data), position + len(data))
                if not more:
                    raise OSError(EIO, "the file is shorter than what was written to it")
                data += more
            return data

    def _resize(self, size: int) -> None:
        memory = self._memory
        if memory is not None and size <= self._threshold:
            memory.truncate(size)
            memory.seek(0, SEEK_END)
            memory.write(bytes(size - memory.tell()))
            return
        try:
            file = self._file or self._move(size)
            with file as descriptor:
                self._reserve(descriptor, size)
                os.ftruncate(descriptor, size)
                self._give(self._reserved - size)
                self._asked = min(self._asked, size)
                self._cached = max(min(self._cached, size), _KEPT)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            self._spoil(error, f"a change of its size to {size:,} bytes")

    def _move(self, end: int) -> Descriptor:
        """Copy what is in memory to a file that is to take `end` bytes; all of it or nothing."""
        memory = self._memory
        if memory is None:
            raise ValueError("I/O operation on closed file")
        self._quota.take_file(waits=self._waits)
        try:
            file = Descriptor(self._quota.open_unnamed, self._gone)
        except BaseException:
            self._quota.release_file()
            raise
        try:
            with file as descriptor, memory.getbuffer() as view:
                self._reserve(descriptor, end)
                write_all(descriptor, view, 0)
            self._adopt(file)
        except BaseException:
            file.close()
            raise
        return file

    def _adopt(self, file: Descriptor) -> None:
        # First kept, then looked whether it was closed meanwhile; `close` says that it is and
        # then looks what was kept.  So one of the two finds the other, and no lock is needed that
        # a signal handler or a forked child could find taken.
        self._file, self._memory = file, None
        if self._is_closed:
            self._file = None
            raise ValueError("I/O operation on closed file")

    def _gone(self) -> None:
        """The descriptor is closed, and the kernel has the space back."""
        self._give(self._reserved)
        self._quota.release_file()

    # Room on the disk

    def _reserve(self, descriptor: int, end: int) -> None:
        """Have all bytes up to `end` charged, and allocated if the file system can."""
        size = end - self._reserved
        if size <= 0:
            return
        ahead = 0 if self._shared else min(max(self._reserved // 8, STEP), MAX_STEP)
        self._ahead = not self._shared
        start = self._reserved
        self._reserved += self._quota.take(
            size, up_to=max(size, ahead), waits=self._waits, export=self._export
        )
        if self._reserving:
            self._allocate(descriptor, start, end)

    def _allocate(self, descriptor: int, start: int, end: int) -> None:
        """Allocate what was granted from `start`; no more than up to `end` where it must be."""
        try:
            os.posix_fallocate(descriptor, start, self._reserved - start)
        except OSError as error:
            if error.errno in _CANNOT_RESERVE:
                self._reserving = False
                return
            if not self._cut(descriptor, start):
                raise
            if error.errno not in _NO_ROOM or self._reserved == end:
                raise
            self._give(self._reserved - end)
            self._allocate(descriptor, start, end)

    def _cut(self, descriptor: int, size: int) -> bool:
        """Cut off what an allocation that failed left (ext4 does); whether that could be done."""
        try:
            os.ftruncate(descriptor, size)
        except OSError:  # the first error is the one to tell
            return False
        return True

    def _trim(self, descriptor: int, size: int) -> None:
        """Give back what is reserved beyond `size`, where the file ends then."""
        if self._reserved > size:
            os.ftruncate(descriptor, size)
            self._give(self._reserved - size)

    def _trim_ahead(self, descriptor: int) -> None:
        """Give back what was reserved ahead, now that the writing seems over.

        Where it seemed so again and again, and was not, it is not believed before there is an
        eighth more: this costs ten times as much as a small write.
        """
        if self._trims >= _TRIMS and self._size < self._grown:
            return
        self._trims += 1
        self._grown = self._size + self._size // 8
        self._ahead = False
        with suppress(OSError):  # the spool is good all the same, and keeps what it has
            self._trim(descriptor, max(self._size, self._asked))

    def _give(self, size: int) -> None:
        self._reserved -= size
        self._quota.release(size, export=self._export)

    def _uncache(self, descriptor: int, end: int) -> None:
        """Keep a large spool from pushing everything else out of the page cache.

        The call starts to write back what is dirty and drops what is clean, so a range is named
        again when the disk had time for it (Linux, mm/fadvise.c).  That the writing begins early
        also keeps the kernel from holding up the writer later.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        start = max(self._cached - 4 * _WINDOW, _KEPT)
        with suppress(OSError):  # it is a courtesy
            os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
        self._cached = end

    # Errors

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file")
        if self._fault is not None:
            raise copy(self._fault)  # the same one would gather the tracebacks of all calls

    def _spoil(self, error: BaseException, doing: str) -> NoReturn:
        """Raise it, and have every later call raise one like it."""
        if not self._is_closed:
            self._fault = self._lasting(error, doing)
        self._fail(error, doing)

    def _lasting(self, error: BaseException, doing: str) -> StreamwareError:
        """What later calls raise: who ignores the first error must not lose what it said."""
        if isinstance(error, Refused):  # as an OSError, which is what a file raises
            return ScratchError(ENOSPC, f"this spool is spoilt by an earlier error: {error}")
        if isinstance(error, OSError):
            named = self._named(error, doing)
            text = f"this spool is spoilt by an earlier error: {named.strerror}"
            return ScratchError(named.errno or EIO, text)
        if isinstance(error, StreamwareError):
            return copy(error)
        return ScratchError(EINTR, f"this spool is spoilt: {doing} ended by {type(error).__name__}")

    def _fail(self, error: BaseException, doing: str) -> NoReturn:
        """Raise it, as an error of ours if it is one of the disk."""
        if not isinstance(error, OSError) or isinstance(error, ScratchError):
            raise error
        raise self._named(error, doing) from error

    def _named(self, error: OSError, doing: str) -> ScratchError:
        if isinstance(error, ScratchError):
            return error
        return ScratchError(
            error.errno,
            f"{error.strerror}: {doing}, of a spool of {self._size:,} bytes in {self._quota.path},"
            f" {setting('scratch_dir')}",
        )


def _flat(view: memoryview) -> memoryview:
    """The bytes of any buffer."""
    try:
        return view.cast("B")
    except TypeError:  # not contiguous, or of a format that only its maker knows
        return memoryview(view.tobytes())


def write_all(descriptor: int, view: memoryview, offset: int) -> None:
    """Write all of it: close to a full disk, `pwrite` takes a part and says so (tmpfs, btrfs)."""
    pwrite = getattr(os, "pwrite", _seek_write)
    written = 0
    while written < view.nbytes:
        # Released even if the error's traceback lives on: it would pin the caller's buffer.
        with view[written:] as rest:
            count = pwrite(descriptor, rest, offset + written)
        if not count:
            raise OSError(EIO, "the disk took no byte")
        written += count


def _seek_write(descriptor: int, data: memoryview, offset: int, /) -> int:
    os.lseek(descriptor, offset, SEEK_SET)
    return os.write(descriptor, data)


def _seek_read(descriptor: int, size: int, offset: int, /) -> bytes:
    os.lseek(descriptor, offset, SEEK_SET)
    return os.read(descriptor, size)


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    data: bytes = getattr(os, "pread", _seek_read)(descriptor, size, offset)
    return data
