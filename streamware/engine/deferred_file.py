"""DeferredFile: a scratch file whose writes wait until the encoding gate is free again."""

from __future__ import annotations

import io
from io import SEEK_SET
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class DeferredFile(io.BufferedIOBase, BinaryIO):
    """A binary file whose writes wait for `write_pending`, or for the next read, seek or the like.

    Other exports wait for the gate while an encoder works; the disk must not make that longer.

    Args:
        file: The file.
        unwritten: The list to which it adds itself when it has something to write.

    Raises:
        ValueError: It is closed.
        OSError: Writing or reading the file failed.
    """

    mode = "rb+"
    name: Any = None

    def __init__(self, file: BinaryIO, unwritten: list[DeferredFile]) -> None:
        self._file = file
        self._unwritten = unwritten
        self._pending: list[bytes] = []

    def write_pending(self) -> None:
        """Write the pending data to the file."""
        if self._pending:
            data, self._pending = b"".join(self._pending), []
            self._file.write(data)

    def write(self, data: ReadableBuffer, /) -> int:
        """Take all of `data`, to be written later."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not self._pending:
            self._unwritten.append(self)
        self._pending.append(bytes(data))
        return len(self._pending[-1])

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end; all the rest for None and -1."""
        return self._written.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Move the position and return it."""
        return self._written.seek(offset, whence)

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._written.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend it to `size` bytes, by default the position."""
        return self._written.truncate(size)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._written.fileno()

    def flush(self) -> None:
        """Write the pending data to the file, unless it is closed."""
        if not self.closed:
            self._written.flush()

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def close(self) -> None:
        """Drop the pending data and close the file.  Idempotent."""
        self._pending.clear()
        self._file.close()

    @property
    def _written(self) -> BinaryIO:
        """The file, with the pending data written to it."""
        self.write_pending()
        return self._file
