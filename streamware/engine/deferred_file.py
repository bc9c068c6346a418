"""DeferredFile: a scratch file that is written to once nobody is kept waiting by it."""

from __future__ import annotations

import io
from io import SEEK_SET
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class DeferredFile(io.BufferedIOBase, BinaryIO):
    """A binary file whose writes wait until `settle`, or until it is used otherwise.

    An encoder works while others wait for their turn; the disk must not add to that.

    Args:
        file: The file.
        changed: Where it enters itself when something waits to be written.

    Raises:
        ValueError: It is closed.
        Exception: Whatever the file does.
    """

    mode = "rb+"
    name: Any = None

    def __init__(self, file: BinaryIO, changed: list[DeferredFile]) -> None:
        self._file = file
        self._changed = changed
        self._waiting: list[bytes] = []

    def settle(self) -> None:
        """Write what waits."""
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self._file.write(data)

    def write(self, data: ReadableBuffer, /) -> int:
        """Take all of `data`."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not self._waiting:
            self._changed.append(self)
        self._waiting.append(bytes(data))
        return len(self._waiting[-1])

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes from the position, fewer only at the end; None and -1: the rest."""
        return self._settled.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Move the position."""
        return self._settled.seek(offset, whence)

    def tell(self) -> int:
        """The position, in bytes from the start."""
        return self._settled.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend it to `size` bytes, by default the position."""
        return self._settled.truncate(size)

    def fileno(self) -> int:
        """The descriptor of the file."""
        return self._settled.fileno()

    def flush(self) -> None:
        """Nothing waits after it."""
        if not self.closed:
            self._settled.flush()

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def close(self) -> None:
        """Close the file; what waits is not wanted any more.  Idempotent."""
        self._waiting.clear()
        self._file.close()

    @property
    def _settled(self) -> BinaryIO:
        self.settle()
        return self._file
