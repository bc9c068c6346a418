import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import streamware as sw
from fakes import Connection, Message, orders, wsgi_get
from readers import csv_rows
from streamware.formats.zip import isal_zlib, zlib_ng
from streamware.http import coding
from streamware.http.coding import Gzip

CHUNKS = [b"a,b\r\n", b"1,2\r\n" * 10_000, b"3,4\r\n"]


@pytest.fixture(params=["isal", "zlib-ng", "zlib"], autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries = {"isal": isal_zlib, "zlib-ng": zlib_ng, "zlib": zlib}
    if libraries[request.param] is None:
        pytest.skip(f"needs {request.param}")
    if request.param != "isal":
        monkeypatch.setattr(coding, "isal_zlib", None)
    if request.param == "zlib":
        monkeypatch.setattr(coding, "zlib_ng", None)


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


# Middlewares that compress whatever has a `Content-Encoding`


class GzipEverything:
    """Compresses, and names its own coding only, as Litestar's and starlette-cramjam's do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        coder = zlib.compressobj(wbits=31)

        async def compressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(n, v) for n, v in message["headers"] if n not in REPLACED]
                message = {**message, "headers": [*kept, (b"content-encoding", b"gzip")]}
            else:
                more = message.get("more_body", False)
                last = zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH
                body = coder.compress(message["body"]) + coder.flush(last)
                message = {**message, "body": body}
            await send(message)

        await self.app(scope, receive, compressed)


REPLACED = (b"content-encoding", b"content-length")


def gzipping(app: Any) -> Any:
    """The same for WSGI, and a function."""

    def gzipped(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        def started(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            kept = [(n, v) for n, v in headers if n.lower().encode() not in REPLACED]
            return start_response(status, [*kept, ("Content-Encoding", "gzip")], *exc_info)

        coder = zlib.compressobj(wbits=31)
        body = app(environ, started)
        try:
            for chunk in body:
                yield coder.compress(chunk) + coder.flush(zlib.Z_SYNC_FLUSH)
            yield coder.flush()
        finally:
            body.close()

    return gzipped


class Passing:
    """Another middleware of Starlette's kind, between the two."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        base: Any = pytest.importorskip("starlette.middleware.base")
        if not hasattr(self, "inner"):
            self.inner: Any = base.BaseHTTPMiddleware(self.app, lambda r, call_next: call_next(r))
        await self.inner(scope, receive, send)


ACCEPTED = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
async def test_a_middleware_that_compresses_everything_does_so_alone(
    layers: int, delivery: Any
) -> None:
    app: Any = sw.Export(lambda: orders(3000), format="csv", delivery=delivery)
    for _ in range(layers):
        app = Passing(app)
    app = GzipEverything(app)
    for _ in range(2):  # what is outside of the layers is remembered
        reply = await Connection(headers=ACCEPTED).run(app)
        assert reply.headers["content-encoding"] == "gzip"
        assert len(csv_rows(gzip.decompress(reply.body))) == 3000
        assert reply.headers["vary"] == "Accept-Encoding"


async def test_without_one_it_is_compressed_below_those_layers() -> None:
    app = Passing(Passing(sw.Export(lambda: orders(3000), format="csv")))
    reply = await Connection(headers=ACCEPTED).run(app)
    assert reply.headers["content-encoding"] == "gzip"
    assert len(csv_rows(gzip.decompress(reply.body))) == 3000


@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
def test_one_of_wsgi_does_so_alone_too(delivery: Any) -> None:
    app = sw.Export(lambda: orders(3000), format="csv", delivery=delivery).wsgi
    reply = wsgi_get(gzipping(app), headers=ACCEPTED)
    assert reply.headers["content-encoding"] == "gzip"
    assert len(csv_rows(gzip.decompress(reply.body))) == 3000


@pytest.mark.parametrize(
    ("module", "attribute"),
    [("starlette.middleware.gzip", "GZipMiddleware"), ("starlette_compress", "CompressMiddleware")],
)
async def test_one_that_leaves_alone_what_is_compressed_changes_nothing(
    module: str, attribute: str
) -> None:
    middleware: Any = getattr(pytest.importorskip(module), attribute)
    app = middleware(sw.Export(lambda: orders(3000), format="csv", delivery="spool"))
    reply = await Connection(headers=ACCEPTED).run(app)
    assert reply.headers["content-encoding"] == "gzip"
    assert int(reply.headers["content-length"]) == len(reply.body)  # so it is ours
    assert len(csv_rows(gzip.decompress(reply.body))) == 3000


def test_a_function_that_is_no_middleware_may_be_called_anything() -> None:
    def gzip_it(rows: Any) -> Any:
        return wsgi_get(sw.Export(rows, format="csv").wsgi, headers=ACCEPTED)

    assert gzip_it(orders(10)).headers["content-encoding"] == "gzip"
