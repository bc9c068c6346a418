"""The zip of a workbook, written forwards only.

Who can open a workbook is decided by the form of its zip.  This is the one form that every
reader tried opens: version 2.0, sizes in a 16-byte data descriptor behind the data, no extra
field, no ZIP64, a fixed date, made by MS-DOS.  The records are stateless functions, so that
each can be tested with invented offsets; `ZipWriter` only counts.

Source: APPNOTE.TXT 6.3.10 §4.3; ECMA-376 Part 2 annex B.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, Literal, Protocol

from streamware.errors import LimitError, StateError

isal_zlib: Any
try:
    from isal import isal_zlib
except ImportError:  # no wheel for this platform
    isal_zlib = None

Backend = Literal["auto", "isal", "zlib"]

BLOCK = 65_536  # bytes given to deflate at a time, whatever the batches were
MAX_SIZE = 0xFFFF_FFFE  # 0xFFFFFFFF says that the size stands in a ZIP64 field
MAX_ENTRIES = 0xFFFE

_VERSION = 20  # §4.4.3.2: deflate
_FLAGS = 0x0008  # §4.4.4 bit 3: crc and sizes follow the data
_STORED, _DEFLATED = 0, 8
_TIME, _DATE = 0, (1 << 5) | 1  # 1980-01-01 00:00, the first that MS-DOS can write

_LOCAL = Struct("<4s5H3L2H")
_DESCRIPTOR = Struct("<4s3L")
_CENTRAL = Struct("<4s6H3L5H2L")
_END = Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished entry, as the central directory lists it."""

    name: bytes
    crc: int
    compressed: int
    size: int
    offset: int
    stored: bool = False


def local_header(name: bytes) -> bytes:
    """§4.3.7: crc and sizes 0, for they come in the descriptor."""
    return (
        _LOCAL.pack(b"PK\3\4", _VERSION, _FLAGS, _DEFLATED, _TIME, _DATE, 0, 0, 0, len(name), 0)
        + name
    )


def stored_header(entry: Entry) -> bytes:
    """§4.3.7 for what is not deflated: with its figures, and nothing behind the data."""
    figures = (_VERSION, 0, _STORED, _TIME, _DATE, entry.crc, entry.size, entry.size)
    return _LOCAL.pack(b"PK\3\4", *figures, len(entry.name), 0) + entry.name


def descriptor(entry: Entry) -> bytes:
    """§4.3.9, with the signature."""
    return _DESCRIPTOR.pack(b"PK\7\x08", entry.crc, entry.compressed, entry.size)


def central_header(entry: Entry) -> bytes:
    """§4.3.12: as the local header, with the figures."""
    way = (0, _STORED) if entry.stored else (_FLAGS, _DEFLATED)
    fields = (_VERSION, _VERSION, *way, _TIME, _DATE)
    figures = (entry.crc, entry.compressed, entry.size)
    tail = (len(entry.name), 0, 0, 0, 0, 0, entry.offset)
    return _CENTRAL.pack(b"PK\1\2", *fields, *figures, *tail) + entry.name


def end_record(entries: int, size: int, offset: int) -> bytes:
    """§4.3.16: the central directory has `entries`, takes `size` bytes and stands at `offset`."""
    return _END.pack(b"PK\5\6", 0, 0, entries, entries, size, offset, 0)


class SpoolFile(Protocol):
    """A binary scratch file, as far as a spooled entry uses it."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""

    def seek(self, offset: int, /) -> object:
        """Move the position."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes from the position; none at the end."""

    def close(self) -> object:
        """Give everything back."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class Deflate:
    """A raw deflate stream and the crc of what went in.

    Args:
        small: Smaller and slower: zlib level 6, a fifth less at seven times the time.
        backend: "isal", "zlib", or isal where it is there.
    """

    def __init__(self, *, small: bool = False, backend: Backend = "auto") -> None:
        fast = isal_zlib is not None and backend != "zlib" and not small
        if backend == "isal" and isal_zlib is None:
            raise ValueError("isal is not installed; deflate='auto' takes zlib then")
        self._compressor: _Compressor
        self._crc: Callable[[bytes, int], int] = (
            zlib.crc32 if isal_zlib is None else isal_zlib.crc32
        )
        if fast:
            self._compressor = isal_zlib.compressobj(1, zlib.DEFLATED, -15)
        else:
            self._compressor = zlib.compressobj(6 if small else 1, zlib.DEFLATED, -15)
        self.crc = 0
        self.size = 0
        self._pending: list[bytes] = []
        self._held = 0

    def write(self, data: bytes) -> bytes:
        """Take `data`; what comes out, by whole blocks."""
        self.crc = self._crc(data, self.crc)
        self.size += len(data)
        if self.size > MAX_SIZE:
            raise LimitError("bytes of an entry of the zip", limit=MAX_SIZE, actual=self.size)
        self._pending.append(data)
        self._held += len(data)
        if self._held < BLOCK:
            return b""
        data = b"".join(self._pending)
        whole = len(data) - len(data) % BLOCK
        view = memoryview(data)
        self._pending = [data[whole:]]
        self._held = len(data) - whole
        return b"".join([self._block(view[at : at + BLOCK]) for at in range(0, whole, BLOCK)])

    def flush(self) -> bytes:
        """Everything taken so far, as far as a decoder can use it (a sync-flushed block)."""
        return self._rest() + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        """The rest of the stream."""
        return self._rest() + self._compressor.flush(zlib.Z_FINISH)

    def _rest(self) -> bytes:
        rest, self._pending, self._held = b"".join(self._pending), [], 0
        return self._block(rest) if rest else b""

    def _block(self, data: bytes | memoryview) -> bytes:
        out = self._compressor.compress(data)  # type: ignore[arg-type]  # takes any buffer
        # isal leaves the upper halves of AVX-512 registers dirty, which slows all Python code of
        # this thread by 10 to 24 % until other AVX code runs: this search does (172 ns).
        _CLEARS_VECTORS.find(b"x")
        return out


_CLEARS_VECTORS = bytes(1024)


class ZipWriter:
    """The entries of one zip, one after the other.

    Raises:
        LimitError: An entry or the archive would need ZIP64: 4 GiB, or 65,535 entries.
    """

    def __init__(self, *, small: bool = False, backend: Backend = "auto") -> None:
        self._small = small
        self._backend = backend
        self._entries: list[Entry] = []
        self._offset = 0
        self._spooled = 0  # bytes that wait to be copied
        self._name = b""
        self._begun = 0
        self._deflate: Deflate | None = None

    def open(self, name: str) -> bytes:
        """Begin an entry."""
        header = self._opened(name)
        self._deflate = Deflate(small=self._small, backend=self._backend)
        return header

    def write(self, data: bytes) -> bytes:
        """Go on with the open entry; what is ready of it."""
        return self._out(self._current.write(data))

    def flush(self) -> bytes:
        """All of the open entry that was written."""
        return b"" if self._deflate is None else self._out(self._deflate.flush())

    def close(self) -> bytes:
        """End the open entry."""
        stream = self._current
        rest = self._out(stream.finish())
        self._deflate = None
        return rest + self._ended(stream)

    def entry(self, name: str, data: bytes) -> bytes:
        """A whole entry at once."""
        return self.open(name) + self.write(data) + self.close()

    def stored(self, name: str, data: bytes) -> bytes:
        """A whole entry as it is, which tells what kind of file this is by its first bytes."""
        self._check_count()
        crc, size = zlib.crc32(data), len(data)
        entry = Entry(name.encode("ascii"), crc, size, size, self._offset, stored=True)
        self._entries.append(entry)
        return self._out(stored_header(entry) + data)

    def spooled(self, file: SpoolFile) -> SpooledEntry:
        """An entry that is deflated into `file` while others are written, for `copy`."""
        return SpooledEntry(self, Deflate(small=self._small, backend=self._backend), file)

    def copy(self, name: str, spooled: SpooledEntry) -> Iterator[bytes]:
        """The whole of an entry that was spooled, a block at a time; its file is closed then."""
        spooled.finish()
        yield self._opened(name)
        for block in spooled.blocks():
            self._spooled -= len(block)
            yield self._out(block)
        spooled.close()
        yield self._ended(spooled.stream)

    def finish(self) -> bytes:
        """The central directory; without it nothing is a zip."""
        directory = b"".join(map(central_header, self._entries))
        return directory + end_record(len(self._entries), len(directory), self._offset)

    def keep(self, size: int) -> None:
        """Take note that so many bytes were spooled.  Raises LimitError where they will not fit."""
        self._spooled += size
        self._check()

    @property
    def _current(self) -> Deflate:
        if self._deflate is None:
            raise StateError("no entry of the zip is open")
        return self._deflate

    def _check_count(self) -> None:
        if len(self._entries) >= MAX_ENTRIES:
            raise LimitError("entries in the zip", limit=MAX_ENTRIES, actual=len(self._entries) + 1)

    def _opened(self, name: str) -> bytes:
        self._check_count()
        self._name = name.encode("ascii")
        self._begun = self._offset
        return self._out(local_header(self._name))

    def _ended(self, stream: Deflate) -> bytes:
        compressed = self._offset - self._begun - _LOCAL.size - len(self._name)
        entry = Entry(self._name, stream.crc, compressed, stream.size, self._begun)
        self._entries.append(entry)
        return self._out(descriptor(entry))

    def _out(self, data: bytes) -> bytes:
        self._offset += len(data)
        self._check()
        return data

    def _check(self) -> None:
        size = self._offset + self._spooled
        if size > MAX_SIZE:
            raise LimitError("bytes of the zip", limit=MAX_SIZE, actual=size)


class SpooledEntry:
    """An entry of a zip that is deflated into a file; `ZipWriter.spooled` makes it.

    Attributes:
        stream: Its stream.
    """

    def __init__(self, zip_: ZipWriter, stream: Deflate, file: SpoolFile) -> None:
        self.stream = stream
        self._zip = zip_
        self._file = file
        self._finished = False

    def write(self, data: bytes) -> None:
        """Go on with it.  Raises what the file does, and LimitError as `ZipWriter` does."""
        self._keep(self.stream.write(data))

    def finish(self) -> None:
        """Nothing more is written: the stream's buffers are given back.  Idempotent."""
        if not self._finished:
            self._finished = True
            self._keep(self.stream.finish())

    def blocks(self) -> Iterator[bytes]:
        """What went into the file."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            yield block

    def close(self) -> None:
        """Close the file.  Idempotent."""
        self._file.close()

    def _keep(self, data: bytes) -> None:
        if data:
            self._zip.keep(len(data))
            self._file.write(data)
