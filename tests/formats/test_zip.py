import importlib.util
import io
import random
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware.formats.zip
from readers import bsdtar_parts, unzip_complaints, zip_parts, zip_rules
from streamware import LimitError, StateError
from streamware.formats.zip import (
    BLOCK,
    Compression,
    Deflate,
    Entry,
    ZipWriter,
    central_file_header,
    data_descriptor,
    end_of_central_directory,
    local_file_header,
)

SHEET = "xl/worksheets/sheet1.xml"
ENTRY = Entry(
    b"a/b.xml",
    crc32=0x11223344,
    compressed_size=0x0A0B0C0D,
    uncompressed_size=0x55667788,
    offset=0xFEDCBA98,
)
NOISE = random.Random(7).randbytes(300_000)
TEXT = b"".join(b'<row r="%d"><c><v>%d</v></c></row>' % (n, n * n) for n in range(20_000))


def inflated(data: bytes) -> bytes:
    return zlib.decompress(data, wbits=-15)


@contextmanager
def without_isal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamware.formats.zip, "isal_zlib", None)
        yield


@contextmanager
def with_zlib_alone() -> Iterator[None]:
    with without_isal(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamware.formats.zip, "zlib_ng", None)
        yield


Backend = Callable[[], AbstractContextManager[None]]
backends = pytest.mark.parametrize(
    "backend",
    [nullcontext, without_isal, with_zlib_alone],
    ids=["auto", "without isal", "zlib"],
)
compressions = pytest.mark.parametrize("compression", ["fast", "small"])


def archive(parts: dict[str, bytes], compression: Compression = "fast") -> bytes:
    writer = ZipWriter(compression)
    entries = [writer.entry(name, data) for name, data in parts.items()]
    return b"".join(entries) + writer.finish()


# The records, field by field, as APPNOTE.TXT 4.3 lists them


def test_a_local_file_header_says_that_crc_and_sizes_follow() -> None:
    assert local_file_header(Entry(b"a/b.xml", offset=7)) == bytes.fromhex(
        "504b0304"  # signature
        "1400"  # version 2.0
        "0800"  # bit 3
        "0800"  # deflate
        "00002100"  # 1980-01-01 00:00
        "00000000 00000000 00000000"  # crc, sizes
        "0700 0000"  # lengths of name and extra field
    ) + (b"a/b.xml")


def test_a_descriptor_has_its_signature_and_four_bytes_a_figure() -> None:
    assert data_descriptor(ENTRY) == bytes.fromhex("504b0708 44332211 0d0c0b0a 88776655")


def test_a_central_file_header_is_made_by_msdos_and_has_the_figures() -> None:
    assert central_file_header(ENTRY) == bytes.fromhex(
        "504b0102"  # signature
        "1400 1400"  # made by 2.0 on MS-DOS, version 2.0
        "0800 0800"  # bit 3, deflate
        "00002100"  # 1980-01-01 00:00
        "44332211 0d0c0b0a 88776655"  # crc, sizes
        "0700 0000 0000"  # lengths of name, extra field and comment
        "0000 0000 00000000"  # disk, internal and external attributes
        "98badcfe"  # offset of the local header
    ) + (b"a/b.xml")


def test_the_end_record_has_the_figures_of_the_directory() -> None:
    assert end_of_central_directory(0x0203, 0x04050607, 0xF8090A0B) == bytes.fromhex(
        "504b0506 0000 0000 0302 0302 07060504 0b0a09f8 0000"
    )


def test_the_largest_figures_without_zip64_fit() -> None:
    greatest = Entry(b"a", 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFE)
    assert data_descriptor(greatest)[4:] == bytes.fromhex("ffffffff feffffff feffffff")
    assert central_file_header(greatest)[42:46] == bytes.fromhex("feffffff")


# What other programs read


PARTS = {"_rels/.rels": b"<r/>", "empty.xml": b"", SHEET: TEXT, "noise.bin": NOISE}


@compressions
@backends
def test_every_part_is_read_back(backend: Backend, compression: Compression) -> None:
    with backend():
        data = archive(PARTS, compression)
    zip_rules(data)
    assert zip_parts(data) == PARTS


def test_unzip_finds_no_errors(tmp_path: Path) -> None:
    assert unzip_complaints(archive(PARTS), tmp_path) == ""


def test_a_reader_that_cannot_seek_reads_it(tmp_path: Path) -> None:
    assert bsdtar_parts(archive(PARTS), tmp_path) == PARTS


def test_an_archive_without_entries_is_only_an_end_record() -> None:
    data = ZipWriter().finish()
    assert data == end_of_central_directory(0, 0, 0)
    assert zip_parts(data) == {}


@compressions
def test_all_libraries_give_the_same_parts(compression: Compression) -> None:
    pytest.importorskip("isal", reason="needs isal")
    pytest.importorskip("zlib_ng", reason="needs zlib-ng")
    made = [archive(PARTS, compression)]
    for backend in (without_isal, with_zlib_alone):
        with backend():
            made.append(archive(PARTS, compression))
    assert len(set(made)) == (3 if compression == "fast" else 2)
    assert all(zip_parts(each) == zip_parts(made[0]) for each in made)


def test_without_isal_documents_are_as_small() -> None:
    pytest.importorskip("isal", reason="needs isal")
    pytest.importorskip("zlib_ng", reason="needs zlib-ng")
    by_isal = archive({SHEET: TEXT})
    with without_isal():
        assert len(archive({SHEET: TEXT})) < 1.05 * len(by_isal)


def test_without_isal_zlib_gives_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "isal_zlib", None)
    data = archive(PARTS)
    zip_rules(data)
    assert zip_parts(data) == PARTS


def test_small_is_smaller() -> None:
    sheet = {SHEET: TEXT}
    with without_isal():
        assert len(archive(sheet, "small")) < len(archive(sheet))


def test_without_the_directory_the_bytes_are_not_a_zip() -> None:
    writer = ZipWriter()
    data = b"".join(writer.entry(name, part) for name, part in PARTS.items())
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(data))


def test_isal_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("isal", "zlib_ng"):  # as where nobody publishes a wheel
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.spec_from_file_location(
        "zip_without_isal", streamware.formats.zip.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    writer = module.ZipWriter()
    assert zip_parts(writer.entry(SHEET, TEXT) + writer.finish()) == {SHEET: TEXT}


def test_writing_without_an_open_entry_is_an_error() -> None:
    writer = ZipWriter()
    writer.entry(SHEET, TEXT)
    with pytest.raises(StateError, match="no entry of the zip is open"):
        writer.write(TEXT)


# Deflate is fed blocks


@backends
@given(cuts=st.lists(st.integers(0, len(NOISE)), max_size=8))
def test_the_bytes_do_not_depend_on_how_data_is_split(backend: Backend, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(NOISE)]
    pieces = [NOISE[start:stop] for start, stop in pairwise(edges)]
    with backend():
        whole, cut = Deflate("fast"), Deflate("fast")
    expected = whole.write(NOISE) + whole.finish()
    assert b"".join(map(cut.write, pieces)) + cut.finish() == expected
    assert (cut.crc32, cut.size) == (whole.crc32, whole.size)
    assert inflated(expected) == NOISE


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_a_stream_of_any_size_ends_well(size: int) -> None:
    stream = Deflate("fast")
    out = stream.write(NOISE[:size]) + stream.finish()
    assert inflated(out) == NOISE[:size]
    assert (stream.crc32, stream.size) == (zlib.crc32(NOISE[:size]), size)


def test_at_most_a_block_and_the_window_of_deflate_are_held_back() -> None:
    stream = Deflate("fast")
    assert stream.write(NOISE[: BLOCK - 1]) == b""
    assert len(stream.write(NOISE[BLOCK - 1 :])) > len(NOISE) - 2 * BLOCK


@backends
def test_flushed_data_can_be_inflated(backend: Backend) -> None:
    with backend():
        stream, reader = Deflate("fast"), zlib.decompressobj(-15)
    assert reader.decompress(stream.write(b"first") + stream.flush()) == b"first"
    assert reader.decompress(stream.write(TEXT) + stream.flush()) == TEXT
    assert reader.decompress(stream.flush()) == b""
    assert reader.decompress(stream.write(b"last") + stream.finish()) == b"last"
    assert reader.eof


def test_an_entry_with_flushes_is_valid(tmp_path: Path) -> None:
    writer = ZipWriter()
    data = writer.open(SHEET)
    for row in (b"one", b"two", b"three"):
        data += writer.write(row) + writer.flush()
    data += writer.close() + writer.finish()
    zip_rules(data)
    assert zip_parts(data) == {SHEET: b"onetwothree"}
    assert unzip_complaints(data, tmp_path) == ""


def test_between_entries_there_is_nothing_to_flush() -> None:
    writer = ZipWriter()
    assert writer.flush() == b""
    writer.entry(SHEET, TEXT)
    assert writer.flush() == b""


# What a zip without ZIP64 can hold


def test_the_limits_are_those_of_zip_without_zip64() -> None:
    assert streamware.formats.zip.MAX_SIZE == 2**32 - 2
    assert streamware.formats.zip.MAX_ENTRIES == 65_534


def test_an_entry_over_the_limit_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 1000)
    writer = ZipWriter()
    writer.open(SHEET)
    writer.write(b"a" * 600)
    with pytest.raises(LimitError, match="bytes of an entry of the zip") as raised:
        writer.write(b"a" * 600)
    assert (raised.value.limit, raised.value.actual) == (1000, 1200)


def test_an_entry_may_be_as_large_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 1000)
    assert zip_parts(archive({SHEET: b"a" * 1000})) == {SHEET: b"a" * 1000}


def test_a_zip_over_the_limit_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 70_000)
    writer = ZipWriter()
    writer.entry("first.bin", NOISE[:60_000])
    writer.open("second.bin")
    writer.write(NOISE[:10_000])
    with pytest.raises(LimitError, match="bytes of the zip") as raised:
        writer.flush()
    assert raised.value.limit == 70_000
    assert 70_000 < raised.value.actual < 71_000


def test_an_entry_over_four_gibibytes_is_an_error() -> None:
    writer = ZipWriter()
    writer.open(SHEET)
    assert writer._open is not None
    deflate = writer._open[1]
    deflate.size = 2**32 - 2 - 10  # as if so much had been written
    writer.write(b"0123456789")
    with pytest.raises(LimitError, match="4,294,967,295 is over the limit of 4,294,967,294"):
        writer.write(b"!")


def test_a_zip_over_four_gibibytes_is_an_error() -> None:
    writer = ZipWriter()
    writer._offset = 2**32 - 40
    with pytest.raises(LimitError, match="bytes of the zip"):
        writer.open(SHEET)


def test_too_many_entries_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_ENTRIES", 3)
    writer = ZipWriter()
    data = b"".join(writer.entry(f"{n}.xml", b"<a/>") for n in range(3))
    with pytest.raises(LimitError, match="entries in the zip: 4 is over the limit of 3"):
        writer.open("4.xml")
    assert len(zip_parts(data + writer.finish())) == 3


@pytest.mark.slow
def test_the_largest_number_of_entries_is_read_back() -> None:
    data = archive({f"{n}.xml": b"" for n in range(65_534)})
    assert len(zipfile.ZipFile(io.BytesIO(data)).namelist()) == 65_534
    assert b"PK\6\6" not in data[-100:]  # the end record of ZIP64


# Entries that are spooled while others are written


class Recorded(io.BytesIO):
    """A scratch file that says how it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads.append(-1 if size is None else size)
        return super().read(size)


@compressions
@pytest.mark.parametrize("isal", [True, False], ids=["auto", "zlib"])
def test_a_spooled_entry_is_the_same_as_one_that_was_written(
    monkeypatch: pytest.MonkeyPatch, *, isal: bool, compression: Compression
) -> None:
    if not isal:
        monkeypatch.setattr(streamware.formats.zip, "isal_zlib", None)
    writer = ZipWriter(compression)
    data = writer.open("first.bin")
    spooled = [writer.spooled_entry(io.BytesIO()) for _ in range(2)]
    for at in range(0, len(NOISE), 30_000):
        data += writer.write(NOISE[at : at + 30_000])
        spooled[0].write(TEXT[at : at + 30_000])
        spooled[1].write(NOISE[at : at + 30_000])
    spooled[0].write(TEXT[len(NOISE) :])
    data += writer.close()
    data += b"".join(writer.copy(SHEET, spooled[0])) + b"".join(writer.copy("b.bin", spooled[1]))
    data += writer.finish()
    zip_rules(data)
    expected = {"first.bin": NOISE, SHEET: TEXT, "b.bin": NOISE}
    assert data == archive(expected, compression)


def test_a_spool_is_read_in_blocks_and_closed_before_the_entry_ends() -> None:
    writer, file = ZipWriter(), Recorded()
    spooled = writer.spooled_entry(file)
    spooled.write(NOISE)
    pieces = []
    for piece in writer.copy("noise.bin", spooled):
        pieces.append((file.closed, len(piece)))
        assert len(piece) <= BLOCK
    assert [closed for closed, _ in pieces] == [False] * (len(pieces) - 1) + [True]
    assert set(file.reads) == {BLOCK}


def test_an_empty_entry_can_be_spooled() -> None:
    writer = ZipWriter()
    data = b"".join(writer.copy("empty", writer.spooled_entry(io.BytesIO()))) + writer.finish()
    zip_rules(data)
    assert zip_parts(data) == {"empty": b""}


def test_spooled_bytes_count_before_they_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 400_000)
    writer = ZipWriter()
    writer.open("first.bin")
    writer.write(NOISE[:BLOCK])
    spooled = writer.spooled_entry(io.BytesIO())
    spooled.write(NOISE[:BLOCK])
    writer.write(NOISE[:BLOCK])
    with pytest.raises(LimitError, match="bytes of the zip"):
        spooled.write(NOISE[:BLOCK])


def test_copied_bytes_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 100_000)
    writer = ZipWriter()
    spooled = writer.spooled_entry(io.BytesIO())
    spooled.write(NOISE[:90_000])
    data = b"".join(writer.copy("noise.bin", spooled)) + writer.entry("rest", b"x")
    assert zip_parts(data + writer.finish())["noise.bin"] == NOISE[:90_000]


def test_a_spooled_entry_has_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamware.formats.zip, "MAX_SIZE", 1000)
    spooled = ZipWriter().spooled_entry(io.BytesIO())
    spooled.write(b"a" * 1000)
    with pytest.raises(LimitError, match="bytes of an entry of the zip"):
        spooled.write(b"a")


def test_a_stored_entry_has_its_figures_in_the_local_header(tmp_path: Path) -> None:
    writer = ZipWriter()
    data = writer.stored_entry("mimetype", b"a/b") + writer.entry("c.xml", b"<c/>")
    data += writer.finish()
    assert data[:41] == bytes.fromhex(
        "504b0304 1400 0000 0000 00002100"  # version 2.0, no flags, stored
        "1c40f407 03000000 03000000 0800 0000"
    ) + (b"mimetypea/b")
    assert zip_parts(data) == {"mimetype": b"a/b", "c.xml": b"<c/>"}
    assert bsdtar_parts(data, tmp_path) == zip_parts(data)
    assert unzip_complaints(data, tmp_path) == ""
