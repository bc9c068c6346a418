"""Spool: a binary scratch file, first in memory, then on disk without a name.

`tempfile.SpooledTemporaryFile` replaces its file before it copies the content.  If the disk is full
at that moment, the content is lost without an error, and the file takes further writes.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from copy import copy
from errno import EDQUOT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, ENOSYS, EOPNOTSUPP
from io import SEEK_CUR, SEEK_END, SEEK_SET, BytesIO
from operator import index
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol

from streamware.errors import Refused, ScratchError, StreamwareError
from streamware.scratch.descriptor import Descriptor
from streamware.settings import setting

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STEP = 2**18
"""Bytes reserved ahead at least; an eighth of the size if that is more."""
MAX_STEP = 2**23
"""Bytes reserved ahead at most."""
_KEPT = 2**27  # bytes left in the page cache: most spools end before a disk has to write
_WINDOW = 2**25  # bytes beyond them that are dropped from it at a time
_TRIMS = 8  # premature trims after which growth is awaited
_PEEK = 8192  # bytes that `read1` and `peek` give without a size
_NO_ROOM = (ENOSPC, EDQUOT, EFBIG)  # an allocation failed for lack of room
_CANNOT_RESERVE = (EOPNOTSUPP, EINVAL, ENOSYS)  # the file system cannot allocate


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


class Spool(io.BufferedIOBase, BinaryIO):
    """A binary file for reading and writing that has no name and cannot be left behind.

    `Scratch.spool()` makes it.  It stays in memory up to `Settings.spool_memory` bytes.  Then all
    of it moves to an unnamed file, which the kernel removes when its descriptor is closed, even if
    the process is killed.  It serves wherever a binary file is expected: `zipfile`, XlsxWriter,
    openpyxl, `wsgi.file_wrapper`, `os.sendfile`.

    Accepted bytes can be read; a call that fails changes nothing that can be read.  The first
    error spoils the spool: every later call but `close` raises one like it, with the same errno,
    so that half a file is never mistaken for a whole one.

    Space is reserved ahead of the writes, so that "no space left" comes before bytes are sent.
    `flush` and the first read after a write release what was not needed; if reads and writes
    alternate, not each time.

    Calls block for the disk, and for up to `Settings.wait_seconds` for room in the budgets, but
    never wait for room on the thread of an event loop.  One thread at a time may use it.  `close`
    may be called from any thread at any time; an operation under way then closes the descriptor.

    Args:
        quota: What its file and its bytes are charged to.
        memory: Bytes that it keeps in memory at most.
        waits: Whether it waits for room.
        export: The `ExportQuota` of its export, passed on to `quota`.

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
        self._quota = quota  # is charged for the file and its bytes
        self._waits = waits  # whether charges wait for room
        self._export = export  # the quota of the export, charged too
        self._threshold = memory  # bytes that may stay in memory
        self._memory: BytesIO | None = BytesIO()  # the content, until it moves to disk
        self._file: Descriptor | None = None  # the content, once it is on disk
        self._position = 0  # where the next read or write starts
        self._size = 0  # bytes that can be read
        self._reserved = 0  # bytes on disk that are charged, and allocated if possible
        self._asked = 0  # how many of them `reserve` was asked to keep
        self._ahead = False  # whether bytes may be reserved beyond those written or asked for
        self._trims = 0  # how often such bytes were released
        self._grown = 0  # the size from which they are released again, after too many times
        self._reserving = hasattr(os, "posix_fallocate")  # whether the file system can allocate
        self._shared = False  # whether `fileno` gave the descriptor to other code
        self._cached = _KEPT  # the offset up to which the page cache was dropped
        self._fault: StreamwareError | None = None  # what every later call raises
        self._is_closed = False  # whether `close` was called

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
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
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
        """Return up to `size` bytes from the position, fewer only at the end; None is all."""
        data = self._read(self._position, self._count(size))
        self._position += len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        """Return what `read` does, but only a few kilobytes if no size is given."""
        return self.read(_PEEK if size < 0 else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line with its end, but at most `size` bytes."""
        # The inherited method returns too much if `size` is larger than what `peek` gives.
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
        """Return some bytes from the position without moving it."""
        return self._read(self._position, self._count(max(size, _PEEK)))

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend it to `size` bytes (default: the position) without moving the position."""
        self._check()
        size = self._position if size is None else index(size)
        if not 0 <= size <= sys.maxsize:
            raise OSError(EINVAL, f"there is no size {size}")
        self._resize(size)
        self._size = size
        return size

    def reserve(self, size: int) -> None:
        """Move it to disk with room for `size` bytes; if that fails, raise and stay usable."""
        self._check()
        try:
            file = self._file or self._move(max(size, self._size))
            with file as descriptor:
                self._reserve(descriptor, size)
                self._asked = max(self._asked, size)
        except OSError as error:
            self._fail(error, f"a reservation of {size:,} bytes")

    def flush(self) -> None:
        """Release what was reserved ahead; written bytes are in memory or with the system."""
        self._check()
        file = self._file
        if file is not None and self._ahead:
            with file as descriptor:
                self._trim_ahead(descriptor)

    def fileno(self) -> int:
        """Move it to disk and return the descriptor of the file, valid until `close`.

        The file then has its true size and the descriptor the position, as `sendfile` expects;
        later calls of the spool do not move it.  Only read from it: the spool does not notice
        what is written through it.  If there is no room this raises and the spool stays usable,
        in memory.  The error is always a `ScratchError`: servers fall back to reading a file
        whose `fileno` raises an `OSError`.
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
        """Release everything.  Idempotent, from any thread; does not wait for a write under way."""
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
        except BaseException as error:  # noqa: BLE001 - `_spoil` raises it again
            self._spoil(error, f"a write of {view.nbytes:,} bytes")

    def _count(self, size: int | None) -> int:
        """Return how many bytes a read of `size` gives."""
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
            pread = getattr(os, "pread", _seek_read)
            data: bytes = pread(descriptor, size, position)
            while len(data) < size:
                more = pread(descriptor, size - len(data), position + len(data))
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
                self._release(self._reserved - size)
                self._asked = min(self._asked, size)
                self._cached = max(min(self._cached, size), _KEPT)
        except BaseException as error:  # noqa: BLE001 - `_spoil` raises it again
            self._spoil(error, f"a change of its size to {size:,} bytes")

    def _move(self, end: int) -> Descriptor:
        """Copy the content to a new file with room for `end` bytes; all of it or nothing."""
        memory = self._memory
        if memory is None:
            raise ValueError("I/O operation on closed file")
        self._quota.take_file(waits=self._waits)
        try:
            file = Descriptor(self._quota.open_unnamed, self._release_all)
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
        # This stores the file and then checks for a close; `close` sets its flag and then checks
        # for a file.  So one of the two notices the other without a lock, which a signal handler
        # or a forked child might find taken.
        self._file, self._memory = file, None
        if self._is_closed:
            self._file = None
            raise ValueError("I/O operation on closed file")

    def _release_all(self) -> None:
        """Uncharge everything: the descriptor is closed, and the kernel has freed the space."""
        self._release(self._reserved)
        self._quota.release_file()

    # Room on the disk

    def _reserve(self, descriptor: int, end: int) -> None:
        """Charge all bytes up to `end`, and allocate them if the file system can."""
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
        """Allocate what was granted from `start`; on failure only what is needed, up to `end`."""
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
            self._release(self._reserved - end)
            self._allocate(descriptor, start, end)

    def _cut(self, descriptor: int, size: int) -> bool:
        """Cut off what a failed allocation left (ext4 does); return whether that succeeded."""
        try:
            os.ftruncate(descriptor, size)
        except OSError:  # the first error is the one to raise
            return False
        return True

    def _trim(self, descriptor: int, size: int) -> None:
        """Cut the file at `size` and release what is reserved beyond."""
        if self._reserved > size:
            os.ftruncate(descriptor, size)
            self._release(self._reserved - size)

    def _trim_ahead(self, descriptor: int) -> None:
        """Release what was reserved ahead, now that the writing seems to be over.

        After eight premature trims, wait until the spool has grown by an eighth: a trim costs
        ten times as much as a small write.
        """
        if self._trims >= _TRIMS and self._size < self._grown:
            return
        self._trims += 1
        self._grown = self._size + self._size // 8
        self._ahead = False
        with suppress(OSError):  # the spool is still usable, and keeps what it has
            self._trim(descriptor, max(self._size, self._asked))

    def _release(self, size: int) -> None:
        self._reserved -= size
        self._quota.release(size, export=self._export)

    def _uncache(self, descriptor: int, end: int) -> None:
        """Keep a large spool from displacing everything else in the page cache.

        The call starts to write back dirty pages and drops clean ones, so each range is given
        again once the disk had time for it (Linux, mm/fadvise.c).  Because the writing starts
        early, the kernel does not have to block the writer later.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        start = max(self._cached - 4 * _WINDOW, _KEPT)
        with suppress(OSError):  # it only saves memory
            os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
        self._cached = end

    # Errors

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file")
        if self._fault is not None:
            raise copy(self._fault)  # one error would collect the tracebacks of all calls

    def _spoil(self, error: BaseException, doing: str) -> NoReturn:
        """Raise `error`, and make every later call raise one like it."""
        if not self._is_closed:
            self._fault = self._lasting(error, doing)
        self._fail(error, doing)

    def _lasting(self, error: BaseException, doing: str) -> StreamwareError:
        """Return what later calls raise: it repeats the first error, which may be lost."""
        if isinstance(error, Refused):  # as an OSError, as files raise
            return ScratchError(ENOSPC, f"this spool is spoilt by an earlier error: {error}")
        if isinstance(error, OSError):
            named = self._named(error, doing)
            text = f"this spool is spoilt by an earlier error: {named.strerror}"
            return ScratchError(named.errno or EIO, text)
        if isinstance(error, StreamwareError):
            return copy(error)
        return ScratchError(EINTR, f"this spool is spoilt: {doing} ended by {type(error).__name__}")

    def _fail(self, error: BaseException, doing: str) -> NoReturn:
        """Raise `error`, as a `ScratchError` if it is an OSError."""
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
    """Return the bytes of any buffer."""
    try:
        return view.cast("B")
    except TypeError:  # not contiguous, or of an unusual format
        return memoryview(view.tobytes())


def write_all(descriptor: int, view: memoryview, offset: int) -> None:
    """Write all of it: on an almost full disk `pwrite` may write a part (tmpfs, btrfs)."""
    pwrite = getattr(os, "pwrite", _seek_write)
    written = 0
    while written < view.nbytes:
        # The slice is released even while a traceback lives: it would pin the caller's buffer.
        with view[written:] as rest:
            count = pwrite(descriptor, rest, offset + written)
        if not count:
            raise OSError(EIO, "the disk accepted no bytes")
        written += count


def _seek_write(descriptor: int, data: memoryview, offset: int, /) -> int:
    os.lseek(descriptor, offset, SEEK_SET)
    return os.write(descriptor, data)


def _seek_read(descriptor: int, size: int, offset: int, /) -> bytes:
    os.lseek(descriptor, offset, SEEK_SET)
    return os.read(descriptor, size)
