"""Ring: a queue of bytes between who makes them and who takes them, as long as need be.

In memory first, then in spools of one size each, so that what was taken is given back to the
disk at once.  Where the disk has no room it says so, and its giver waits: the download gets
slower, and nothing is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from errno import EDQUOT, EFBIG, EMFILE, ENFILE, ENOSPC
from threading import Lock

from streamware.errors import LimitError, Refused, ScratchError
from streamware.scratch.spool import Spool

SEGMENT = 2**22
"""Bytes of a spool; so many at the most are on disk that were taken already."""
_READ = 2**16
_NO_ROOM = (ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE)


class Ring:
    """Bytes in the order in which they were put, for one giver and one taker, on any threads.

    Calls block for the disk only.

    Args:
        open_spool: Opens a spool that waits for no room.
        memory: Bytes that are kept in memory before any goes to disk.

    Attributes:
        size: Bytes in it.
        peak: The most that were.
    """

    def __init__(self, open_spool: Callable[[], Spool], *, memory: int) -> None:
        self.size = 0
        self.peak = 0
        self._open_spool = open_spool
        self._memory = memory
        self._held: deque[bytes] = deque()  # older than everything in the segments
        self._segments: deque[_Segment] = deque()
        self._lock = Lock()
        self._closed = False

    @property
    def on_disk(self) -> bool:
        """Whether a call may have to wait for the disk."""
        return bool(self._segments)

    def keeps(self, chunk: bytes) -> bool:
        """Whether `put` would keep it in memory: one chunk always, or nothing would ever pass."""
        return not self._segments and (
            not self.size or self.size + len(chunk) <= self._memory or self._closed
        )

    def put(self, chunk: bytes) -> bool:
        """Put bytes at the end; False where there is no room for them now.

        Raises:
            ScratchError: The disk fails, or there is no safe directory.
        """
        with self._lock:
            if self._closed or not chunk:
                return True
            if self.keeps(chunk):
                self._held.append(chunk)
            elif not self._spooled(chunk):
                return False
            self.size += len(chunk)
            self.peak = max(self.peak, self.size)
            return True

    def get(self) -> bytes:
        """Some bytes from the beginning; none where it is empty.

        Raises:
            ScratchError: The disk fails.
        """
        with self._lock:
            if self._held:
                chunk = self._held.popleft()
            elif self._segments:
                chunk = self._read()
            else:
                return b""
            self.size -= len(chunk)
            return chunk

    def close(self) -> None:
        """Drop everything.  Idempotent."""
        with self._lock:
            self._closed = True
            self._held.clear()
            self.size = 0
            while self._segments:
                self._segments.pop().spool.close()

    def _spooled(self, chunk: bytes) -> bool:
        if not self._segments or self._segments[-1].written + len(chunk) > SEGMENT:
            segment = self._new(max(SEGMENT, len(chunk)))
            if segment is None:
                return False
            self._segments.append(segment)
        self._segments[-1].write(chunk)
        return True

    def _new(self, size: int) -> _Segment | None:
        spool = None
        try:
            spool = self._open_spool()
            spool.reserve(size)
            segment, spool = _Segment(spool), None
        except (LimitError, Refused, ScratchError) as error:
            if isinstance(error, ScratchError) and error.errno not in _NO_ROOM:
                raise
            return None
        finally:
            if spool is not None:
                spool.close()
        return segment

    def _read(self) -> bytes:
        segment = self._segments[0]
        chunk = segment.read()
        if segment.taken == segment.written:
            # The last one, too: the next bytes may stay in memory then.
            self._segments.popleft().spool.close()
        return chunk


class _Segment:
    """A spool that is written to its end, and read behind that."""

    __slots__ = ("spool", "taken", "written")

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.written = 0
        self.taken = 0

    def write(self, chunk: bytes) -> None:
        self.spool.seek(self.written)
        self.written += self.spool.write(chunk)

    def read(self) -> bytes:
        self.spool.seek(self.taken)
        chunk = self.spool.read(_READ)
        self.taken += len(chunk)
        return chunk
