"""A zip archive written forwards only, in the one form that every spreadsheet reader opens.

An entry is sent while its data is made, so its CRC-32 and sizes are known only at its end.  They
follow the data in a data descriptor, and the central directory at the end repeats them:

    local file header    30 bytes and the file name   CRC-32 and sizes are 0: see the descriptor
    file data            deflated
    data descriptor      16 bytes                     CRC-32 and sizes
    ... more entries ...
    central directory    46 bytes and a file name for each entry
    end of central directory record                   22 bytes

Only the first entry of an ODS file is stored instead.  It is a constant, so its local file header
has the CRC-32 and the sizes, and it has no descriptor.

Why no ZIP64.  ZIP64 allows for more than 4 GiB, but a writer that cannot seek has to announce it
in a local file header, before it knows whether it is needed.  Of twenty readers tried with every
way to announce it, these fail on some or all: LibreOffice 7.4, two versions of SheetJS (one way
gives no rows and no error), Java's ZipInputStream, and three streaming readers for Node.js.  Users
report the same of Excel and Google Sheets.  So an entry or an archive that would need ZIP64 is a
`LimitError` as soon as that is known.  4 GiB of XML are about 90 million cells; XLSX starts a new
sheet before one has as many.

Why the descriptor has 16 bytes.  §4.3.9 leaves the signature optional and has sizes of 4 or, for
ZIP64, 8 bytes, so there are descriptors of 12, 16, 20 and 24 bytes, and a reader can only guess.
With 16 (signature and 4-byte sizes) every reader tried guesses right.  24 bytes break Java's
ZipInputStream, and 12 bytes the streaming readers for Node.js.

The rest follows Excel's own files: version 2.0, "made by" MS-DOS, no attributes, no extra fields,
ASCII names.  The date is fixed, so that equal rows give equal bytes.

The records are pure functions, so that a test can give them any figures; `ZipWriter` counts.

Source: PKWARE APPNOTE.TXT 6.3.10, whose names the fields have; all § refer to it.  ECMA-376 Part 2
annex B has what a workbook may use of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct
from typing import Any, Literal, Protocol

from streamware.errors import LimitError, StateError

isal_zlib: Any
try:
    from isal import isal_zlib
except ImportError:  # no wheel for this platform
    isal_zlib = None
zlib_ng: Any
try:
    from zlib_ng import zlib_ng
except ImportError:
    zlib_ng = None

Compression = Literal["fast", "small"]

BLOCK = 131_072  # bytes given to deflate at a time, whatever the size of the batches
MAX_SIZE = 0xFFFF_FFFE  # §4.4.1.4: 0xFFFFFFFF says that the figure is in a ZIP64 record
MAX_ENTRIES = 0xFFFE  # §4.4.1.4: 0xFFFF says the same of the number of entries

_VERSION = 20  # §4.4.3.2: 2.0 has deflate.  As "made by" (§4.4.2) its upper byte, 0, is MS-DOS.
_SIZES_FOLLOW = 0x0008  # §4.4.4 bit 3: CRC-32 and sizes are in the data descriptor
_STORED, _DEFLATED = 0, 8  # §4.4.5
_TIME, _DATE = 0, (1 << 5) | 1  # §4.4.6: 1980-01-01 00:00, the first that MS-DOS can write

# The records, a field a line.  All numbers are unsigned and little-endian (§4.4.1.1).
_LOCAL_FILE_HEADER = Struct(  # §4.3.7, 30 bytes; the file name and the extra field follow
    "<"
    "4s"  # local file header signature, 4 bytes
    "H"  # version needed to extract, 2 bytes
    "H"  # general purpose bit flag, 2 bytes
    "H"  # compression method, 2 bytes
    "H"  # last mod file time, 2 bytes
    "H"  # last mod file date, 2 bytes
    "L"  # crc-32, 4 bytes
    "L"  # compressed size, 4 bytes
    "L"  # uncompressed size, 4 bytes
    "H"  # file name length, 2 bytes
    "H"  # extra field length, 2 bytes
)
_DATA_DESCRIPTOR = Struct(  # §4.3.9, 16 bytes
    "<"
    "4s"  # signature (§4.3.9.3), 4 bytes
    "L"  # crc-32, 4 bytes
    "L"  # compressed size, 4 bytes
    "L"  # uncompressed size, 4 bytes
)
_CENTRAL_FILE_HEADER = Struct(  # §4.3.12, 46 bytes; file name, extra field and comment follow
    "<"
    "4s"  # central file header signature, 4 bytes
    "H"  # version made by, 2 bytes
    "H"  # version needed to extract, 2 bytes
    "H"  # general purpose bit flag, 2 bytes
    "H"  # compression method, 2 bytes
    "H"  # last mod file time, 2 bytes
    "H"  # last mod file date, 2 bytes
    "L"  # crc-32, 4 bytes
    "L"  # compressed size, 4 bytes
    "L"  # uncompressed size, 4 bytes
    "H"  # file name length, 2 bytes
    "H"  # extra field length, 2 bytes
    "H"  # file comment length, 2 bytes
    "H"  # disk number start, 2 bytes
    "H"  # internal file attributes, 2 bytes
    "L"  # external file attributes, 4 bytes
    "L"  # relative offset of local header, 4 bytes
)
_END_OF_CENTRAL_DIRECTORY = Struct(  # §4.3.16, 22 bytes; the comment follows
    "<"
    "4s"  # end of central dir signature, 4 bytes
    "H"  # number of this disk, 2 bytes
    "H"  # number of the disk with the start of the central directory, 2 bytes
    "H"  # total number of entries in the central directory on this disk, 2 bytes
    "H"  # total number of entries in the central directory, 2 bytes
    "L"  # size of the central directory, 4 bytes
    "L"  # offset of start of central directory, 4 bytes
    "H"  # .ZIP file comment length, 2 bytes
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The figures of one entry that its headers contain.

    Attributes:
        name: File name.
        offset: Relative offset of the local file header.
        crc32: CRC-32 of the uncompressed data; like the sizes, it is 0 until the data is complete.
        compressed_size: Bytes of data in the archive.
        uncompressed_size: Bytes of data once it is inflated.
        stored: Whether the data is stored as it is, instead of deflated.
    """

    name: bytes
    offset: int
    crc32: int = 0
    compressed_size: int = 0
    uncompressed_size: int = 0
    stored: bool = False


def local_file_header(entry: Entry) -> bytes:
    """Return a local file header (§4.3.7), with CRC-32 and sizes only if the entry is stored."""
    return (
        _LOCAL_FILE_HEADER.pack(b"PK\3\4", _VERSION, *_common_fields(entry), len(entry.name), 0)
        + entry.name
    )


def data_descriptor(entry: Entry) -> bytes:
    """Return a data descriptor (§4.3.9), with the signature."""
    return _DATA_DESCRIPTOR.pack(
        b"PK\7\x08", entry.crc32, entry.compressed_size, entry.uncompressed_size
    )


def central_file_header(entry: Entry) -> bytes:
    """Return the file header of an entry in the central directory (§4.3.12)."""
    return (
        _CENTRAL_FILE_HEADER.pack(
            b"PK\1\2",
            _VERSION,
            _VERSION,
            *_common_fields(entry),
            len(entry.name),
            *(0, 0),  # lengths of extra field and comment
            *(0, 0, 0),  # disk, internal and external attributes
            entry.offset,
        )
        + entry.name
    )


def end_of_central_directory(entries: int, size: int, offset: int) -> bytes:
    """Return the end of central directory record (§4.3.16).

    Args:
        entries: The number of entries.
        size: Bytes of the central directory.
        offset: Where the central directory starts.
    """
    return _END_OF_CENTRAL_DIRECTORY.pack(b"PK\5\6", 0, 0, entries, entries, size, offset, 0)


def _common_fields(entry: Entry) -> tuple[int, ...]:
    """Return the fields that both headers have, from the bit flag to the uncompressed size."""
    flag, method = (0, _STORED) if entry.stored else (_SIZES_FOLLOW, _DEFLATED)
    return flag, method, _TIME, _DATE, entry.crc32, entry.compressed_size, entry.uncompressed_size


class SpoolFile(Protocol):
    """A binary scratch file, as far as a spooled entry uses it."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""

    def seek(self, offset: int, /) -> object:
        """Move the position."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes from the position; none at the end."""

    def close(self) -> object:
        """Release the file."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class Deflate:
    """A raw deflate stream (RFC 1951) that counts what is written to it.

    The compressor gets blocks of one size, whatever the sizes written, so that equal data gives
    equal bytes.  It takes 360 KiB, so it is made with the first block: of 250 sheets that are open
    together, most are small.

    Args:
        compression: "fast" is isal at level 1; "small" is zlib-ng at level 6, a sixth smaller in
            seven times the time.  What is not installed is replaced by the next of isal, zlib-ng
            and zlib.

    Attributes:
        crc32: CRC-32 of what was written.
        size: Bytes that were written.
    """

    def __init__(self, compression: Compression) -> None:
        self._small = compression == "small"  # whether it has to be as small as it can
        self._made: _Compressor | None = None  # of isal, zlib-ng or zlib
        # The CRC-32 of data appended to that of earlier data.
        self._update_crc32: Callable[[bytes, int], int] = (isal_zlib or zlib_ng or zlib).crc32
        self.crc32 = 0  # of all that was written
        self.size = 0  # bytes that were written
        self._pending: list[bytes] = []  # written, but less than a block
        self._pending_size = 0  # bytes in `_pending`

    def write(self, data: bytes) -> bytes:
        """Write `data`; return what is ready."""
        self.crc32 = self._update_crc32(data, self.crc32)
        self.size += len(data)
        if self.size > MAX_SIZE:
            raise LimitError("bytes of an entry of the zip", limit=MAX_SIZE, actual=self.size)
        missing = BLOCK - self._pending_size
        if len(data) < missing:
            self._pending.append(data)
            self._pending_size += len(data)
            return b""
        view, ready, at = memoryview(data), list[bytes](), 0
        if self._pending:
            ready.append(self._compress(b"".join([*self._pending, view[:missing]])))
            at = missing
        while len(data) - at >= BLOCK:
            ready.append(self._compress(view[at : at + BLOCK]))
            at += BLOCK
        self._pending = [data[at:]] if at < len(data) else []
        self._pending_size = len(data) - at
        return b"".join(ready)

    def flush(self) -> bytes:
        """Return all that was written so far, so that a reader can inflate it (Z_SYNC_FLUSH)."""
        return self._compress_pending() + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        """Return the rest of the stream, and release the compressor."""
        rest = self._compress_pending() + self._compressor.flush(zlib.Z_FINISH)
        self._made = None
        return rest

    @property
    def _compressor(self) -> _Compressor:
        if self._made is None:
            library, level = self._library()
            self._made = library.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)  # raw
        return self._made

    def _library(self) -> tuple[Any, int]:
        """Return the library that deflates, and its level."""
        if self._small:
            return zlib_ng or zlib, 6
        if isal_zlib is not None or zlib_ng is None:
            return isal_zlib or zlib, 1
        return zlib_ng, 2  # at level 1 the output would be a third larger

    def _compress_pending(self) -> bytes:
        rest, self._pending, self._pending_size = b"".join(self._pending), [], 0
        return self._compress(rest) if rest else b""

    def _compress(self, data: bytes | memoryview) -> bytes:
        out = self._compressor.compress(data)  # type: ignore[arg-type]  # takes any buffer
        # isal leaves the upper halves of AVX-512 registers dirty, which slows all Python code of
        # this thread by 10 to 24 % until other AVX code runs.  This search does, in 172 ns.
        _CLEARS_VECTORS.find(b"x")
        return out


_CLEARS_VECTORS = bytes(1024)
_SMALL_ENTRY = 4096  # bytes of an entry that is kept deflated


@lru_cache(64)
def _small_entry(data: bytes, compression: Compression) -> tuple[int, bytes]:
    """Return the CRC-32 of the data, and the data deflated.

    Most parts of a workbook are small, and those of one table are the same each time.
    """
    stream = Deflate(compression)
    deflated = stream.write(data) + stream.finish()
    return stream.crc32, deflated


class ZipWriter:
    """Writes the entries of one archive, one after another.

    The methods that write return the bytes that are ready, which the caller sends.

    Args:
        compression: As in `Deflate`.

    Raises:
        LimitError: An entry or the archive would need ZIP64: 4 GiB, or 65,535 entries.
    """

    def __init__(self, compression: Compression = "fast") -> None:
        self._compression: Compression = compression  # of the stream of each entry
        self._entries: list[Entry] = []  # those that are complete
        self._offset = 0  # bytes returned so far
        self._spooled = 0  # bytes in scratch files, which `copy` will return
        self._open: tuple[Entry, Deflate] | None = None  # the open entry and its stream

    def open(self, name: str) -> bytes:
        """Start an entry."""
        entry = self._next_entry(name)
        self._open = entry, Deflate(self._compression)
        return self._sent(local_file_header(entry))

    def write(self, data: bytes) -> bytes:
        """Write to the open entry.

        Raises:
            StateError: No entry is open.
        """
        return self._sent(self._opened[1].write(data))

    def flush(self) -> bytes:
        """Return all that was written to the open entry, if one is open."""
        return b"" if self._open is None else self._sent(self._open[1].flush())

    def close(self) -> bytes:
        """End the open entry.

        Raises:
            StateError: No entry is open.
        """
        entry, stream = self._opened
        rest = self._sent(stream.finish())
        self._open = None
        size = self._offset - entry.offset - _LOCAL_FILE_HEADER.size - len(entry.name)
        return rest + self._ended(entry, stream.crc32, size, stream.size)

    def entry(self, name: str, data: bytes) -> bytes:
        """Write a whole entry at once."""
        if len(data) > _SMALL_ENTRY:
            return self.open(name) + self.write(data) + self.close()
        crc32, deflated = _small_entry(data, self._compression)
        entry = self._next_entry(name)
        started = self._sent(local_file_header(entry) + deflated)
        return started + self._ended(entry, crc32, len(deflated), len(data))

    def stored_entry(self, name: str, data: bytes) -> bytes:
        """Write a whole entry uncompressed, so that programs find `data` at a fixed offset."""
        entry = replace(
            self._next_entry(name),
            crc32=zlib.crc32(data),
            compressed_size=len(data),
            uncompressed_size=len(data),
            stored=True,
        )
        self._entries.append(entry)
        return self._sent(local_file_header(entry) + data)

    def spooled_entry(self, file: SpoolFile) -> SpooledEntry:
        """Return an entry that is deflated into `file` while others are written; see `copy`."""
        return SpooledEntry(self, Deflate(self._compression), file)

    def copy(self, name: str, spooled: SpooledEntry) -> Iterator[bytes]:
        """Yield the whole of a spooled entry, a block at a time, and close its file."""
        spooled.finish()
        entry = self._next_entry(name)
        yield self._sent(local_file_header(entry))
        size = 0
        for block in spooled.blocks():
            self._spooled -= len(block)
            size += len(block)
            yield self._sent(block)
        spooled.close()
        yield self._ended(entry, spooled.stream.crc32, size, spooled.stream.size)

    def finish(self) -> bytes:
        """Return the central directory, without which no program takes the bytes for a zip."""
        directory = b"".join(map(central_file_header, self._entries))
        return directory + end_of_central_directory(
            len(self._entries), len(directory), self._offset
        )

    def reserve(self, size: int) -> None:
        """Count bytes that were spooled and will be copied.

        Raises:
            LimitError: The archive will be too large with them.
        """
        self._spooled += size
        self._check_size()

    @property
    def _opened(self) -> tuple[Entry, Deflate]:
        if self._open is None:
            raise StateError("no entry of the zip is open")
        return self._open

    def _next_entry(self, name: str) -> Entry:
        if len(self._entries) >= MAX_ENTRIES:
            raise LimitError("entries in the zip", limit=MAX_ENTRIES, actual=len(self._entries) + 1)
        return Entry(name.encode("ascii"), self._offset)

    def _ended(self, entry: Entry, crc32: int, compressed_size: int, size: int) -> bytes:
        ended = Entry(entry.name, entry.offset, crc32, compressed_size, size)
        self._entries.append(ended)
        return self._sent(data_descriptor(ended))

    def _sent(self, data: bytes) -> bytes:
        """Count `data` and return it."""
        self._offset += len(data)
        self._check_size()
        return data

    def _check_size(self) -> None:
        size = self._offset + self._spooled
        if size > MAX_SIZE:
            raise LimitError("bytes of the zip", limit=MAX_SIZE, actual=size)


class SpooledEntry:
    """An entry that is deflated into a scratch file; made by `ZipWriter.spooled_entry`.

    Attributes:
        stream: Its deflate stream.
    """

    def __init__(self, archive: ZipWriter, stream: Deflate, file: SpoolFile) -> None:
        self.stream = stream
        self._archive = archive
        self._file = file
        self._finished = False

    def write(self, data: bytes) -> None:
        """Write to the entry.

        Raises:
            LimitError: The entry or the archive is too large for a zip.
            OSError: The file cannot be written.
        """
        self._spool(self.stream.write(data))

    def finish(self) -> None:
        """End the stream, which releases its buffers.  Idempotent."""
        if not self._finished:
            self._finished = True
            self._spool(self.stream.finish())

    def blocks(self) -> Iterator[bytes]:
        """Yield what is in the file."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            yield block

    def close(self) -> None:
        """Close the file.  Idempotent."""
        self._file.close()

    def _spool(self, data: bytes) -> None:
        if data:
            self._archive.reserve(len(data))
            self._file.write(data)
