import gzip
import zlib

import pytest

from streamware.formats.zip import isal_zlib
from streamware.http import coding
from streamware.http.coding import Gzip

CHUNKS = [b"a,b\r\n", b"1,2\r\n" * 10_000, b"3,4\r\n"]


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(coding, "isal_zlib", None)
    elif isal_zlib is None:
        pytest.skip("needs isal")


def test_the_stream_decodes_to_the_chunks() -> None:
    coder = Gzip()
    coded = [coder(chunk, last=False, flush=False) for chunk in CHUNKS]
    coded.append(coder(b"", last=True, flush=False))
    assert gzip.decompress(b"".join(coded)) == b"".join(CHUNKS)


def test_the_last_chunk_may_hold_data() -> None:
    assert gzip.decompress(Gzip()(b"all of it", last=True, flush=True)) == b"all of it"


def test_no_data_is_a_stream_too() -> None:
    assert gzip.decompress(Gzip()(b"", last=True, flush=True)) == b""


def test_what_was_flushed_can_be_decoded() -> None:
    coder, decoder = Gzip(), zlib.decompressobj(31)
    for chunk in CHUNKS:
        assert decoder.decompress(coder(chunk, last=False, flush=True)) == chunk


def test_nothing_is_flushed_where_nothing_came() -> None:
    coder = Gzip()
    coder(b"a", last=False, flush=True)
    assert coder(b"", last=False, flush=True) == b""


def test_data_that_is_not_flushed_may_wait() -> None:
    coder = Gzip()
    early = coder(b"a" * 100, last=False, flush=False)
    assert len(early) < 20
    assert gzip.decompress(early + coder(b"", last=True, flush=False)) == b"a" * 100


def test_a_stream_is_much_smaller_than_text() -> None:
    coder = Gzip()
    assert len(coder(CHUNKS[1], last=True, flush=False)) < len(CHUNKS[1]) / 10
