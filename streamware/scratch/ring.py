"""Ring: a queue of bytes between a producer and a consumer, in memory first, then on disk.

On disk it is a series of spools of the same size, so that the space of consumed bytes is soon
free again.  If the disk has no room, `put` returns False and the producer waits: the download gets
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
"""Bytes of a spool; bounds the consumed bytes still on disk."""
_READ = 2**16  # bytes that one `get` reads from disk
_NO_ROOM = (ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE)  # the producer waits; other errors raise


class Ring:
    """A queue of bytes for one producer and one consumer, on any threads.

    Calls block for the disk only.

    Args:
        open_spool: Opens a spool that does not wait for room.
        memory: Bytes that are kept in memory before any go to disk.
    """

    def __init__(self, open_spool: Callable[[], Spool], *, memory: int) -> None:
        self.size = 0  # bytes in it
        self._open_spool = open_spool  # for the next segment
        self._memory = memory  # bytes that `_chunks` may hold
        self._chunks: deque[bytes] = deque()  # in memory, older than everything in the segments
        self._segments: deque[_Segment] = deque()  # on disk
        self._lock = Lock()  # held by each call, also while it waits for the disk
        self._closed = False  # whether further bytes are dropped

    @property
    def on_disk(self) -> bool:
        """Whether a call may wait for the disk."""
        return bool(self._segments)

    def keeps(self, chunk: bytes) -> bool:
        """Return whether `put` would keep it in memory: a first chunk always, of any size."""
        return not self._segments and (
            not self.size or self.size + len(chunk) <= self._memory or self._closed
        )

    def put(self, chunk: bytes) -> bool:
        """Add bytes at the end; return False if there is no room for them now.

        Raises:
            ScratchError: The disk fails, or there is no safe directory.
        """
        with self._lock:
            if self._closed or not chunk:
                return True
            if self.keeps(chunk):
                self._chunks.append(chunk)
            else:
                if not self._segments or self._segments[-1].written + len(chunk) > SEGMENT:
                    segment = self._new_segment(max(SEGMENT, len(chunk)))
                    if segment is None:
                        return False
                    self._segments.append(segment)
                self._segments[-1].write(chunk)
            self.size += len(chunk)
            return True

    def get(self) -> bytes:
        """Remove and return bytes from the beginning; none if it is empty.

        Raises:
            ScratchError: The disk fails.
        """
        with self._lock:
            if self._chunks:
                chunk = self._chunks.popleft()
            elif self._segments:
                segment = self._segments[0]
                chunk = segment.read()
                if segment.consumed == segment.written:
                    # The last one too, so that the next bytes may stay in memory.
                    self._segments.popleft().spool.close()
            else:
                return b""
            self.size -= len(chunk)
            return chunk

    def close(self) -> None:
        """Drop everything.  Idempotent."""
        with self._lock:
            self._closed = True
            self._chunks.clear()
            self.size = 0
            while self._segments:
                self._segments.pop().spool.close()

    def _new_segment(self, size: int) -> _Segment | None:
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


class _Segment:
    """A spool with a position for writing and one for reading."""

    __slots__ = ("consumed", "spool", "written")

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.written = 0
        self.consumed = 0

    def write(self, chunk: bytes) -> None:
        self.spool.seek(self.written)
        self.written += self.spool.write(chunk)

    def read(self) -> bytes:
        self.spool.seek(self.consumed)
        chunk = self.spool.read(_READ)
        self.consumed += len(chunk)
        return chunk
