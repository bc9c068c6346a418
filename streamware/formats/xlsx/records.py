"""Records: the links and notes of a sheet until its end, when its parts are written.

Every sheet of one pass stays open until the last row, so what waits must not stay in memory: only
the last few records of a sheet do.  The others are in blocks of one scratch file for all sheets.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

BLOCK = 8192  # bytes of memory that records may take before they are written to the file

_OBJECT = 57  # bytes of memory that a text takes beside its characters
_END = "\x1e"  # ends a record: no legal text contains it


class RecordFile:
    """A scratch file with blocks of bytes, opened with the first one.

    Args:
        open_spool: Opens a scratch file.
    """

    def __init__(self, open_spool: Callable[[], BinaryIO]) -> None:
        self._open_spool = open_spool
        self._file: BinaryIO | None = None
        self._size = 0  # bytes of all blocks
        self._at_end = True  # whether the next write follows the last block

    def put(self, block: bytes) -> int:
        """Append a block; return its offset."""
        if self._file is None:
            self._file = self._open_spool()
        if not self._at_end:
            self._file.seek(self._size)
            self._at_end = True
        self._file.write(block)
        self._size += len(block)
        return self._size - len(block)

    def get(self, offset: int, size: int) -> bytes:
        """Return a block that was put there."""
        if self._file is None:
            return b""
        self._at_end = False
        self._file.seek(offset)
        return self._file.read(size)

    def close(self) -> None:
        """Close the file.  Idempotent."""
        if self._file is not None:
            self._file.close()


class Mark(NamedTuple):
    """The state of `Records`, to which `rewind` returns."""

    length: int
    blocks: int
    recent: tuple[str, ...]


class Records:
    """Texts in the order in which they were added.

    Args:
        file: Takes all but the last ones; None to keep all of them in memory.
    """

    __slots__ = ("_blocks", "_count", "_file", "_memory", "_recent")

    def __init__(self, file: RecordFile | None = None) -> None:
        self._file = file
        self._blocks = array("Q")  # offset and size of each block in the file
        self._recent: list[str] = []  # those after the last block
        self._memory = 0  # bytes that they take, about
        self._count = 0  # of all

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        if self._file is not None:
            for at in range(0, len(self._blocks), 2):
                block = self._file.get(self._blocks[at], self._blocks[at + 1])
                yield from block.decode().split(_END)
        yield from self._recent

    def add(self, record: str) -> None:
        """Add a text that XML allows."""
        self._recent.append(record)
        self._count += 1
        self._memory += len(record) + _OBJECT
        if self._memory >= BLOCK and self._file is not None:
            block = _END.join(self._recent).encode()
            self._blocks.extend((self._file.put(block), len(block)))
            self._recent = []
            self._memory = 0

    def mark(self) -> Mark:
        """Return the state, for `rewind`."""
        return Mark(self._count, len(self._blocks), tuple(self._recent))

    def rewind(self, mark: Mark) -> None:
        """Remove what was added after `mark`."""
        self._count = mark.length
        del self._blocks[mark.blocks :]
        self._recent = list(mark.recent)
        self._memory = sum(map(len, self._recent)) + _OBJECT * len(self._recent)
