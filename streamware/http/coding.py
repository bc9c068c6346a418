"""Coding: gzip as a content coding, flushed with each chunk that the clock wants out.

Most middlewares that compress leave alone what has a `Content-Encoding`.  Litestar's,
starlette-cramjam and brotli-asgi before 1.4 do not, so where they are around, they alone compress.

Source: RFC 9110 §8.4.1.3; RFC 1952.
"""

from __future__ import annotations

import re
import zlib
from types import FrameType

from streamware.formats.zip import isal_zlib, zlib_ng

_GZIP_WINDOW = 31
_INTERFACES = (("scope", "receive", "send"), ("environ", "start_response"))
"""The arguments of an application, and so of a middleware."""
_COMPRESSION = re.compile("compress|gzip|brotli|zstd|zstandard|deflate|cramjam", re.IGNORECASE)
# Modules, by the beginnings of their names.
_CONSIDERATE = ("streamware.", "starlette.", "starlette_compress", "zstd_asgi", "asgi_gzip")


class Gzip:
    """One gzip stream over the chunks of a document."""

    def __init__(self) -> None:
        module = isal_zlib or zlib_ng or zlib
        self._compressor = module.compressobj(
            2 if module is zlib_ng else 1, zlib.DEFLATED, _GZIP_WINDOW
        )

    def __call__(self, chunk: bytes, *, last: bool, flush: bool) -> bytes:
        """Return the compressed bytes that are ready."""
        out: bytes = self._compressor.compress(chunk) if chunk else b""
        if last:
            out += self._compressor.flush(zlib.Z_FINISH)
        elif flush and chunk:
            out += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return out


def recodes(frame: FrameType) -> bool:
    """Return whether a frame is a middleware that compresses what has a `Content-Encoding` already.

    There is no way to ask it.  So every middleware counts that is named after a compression, unless
    it is known to leave compressed bodies alone.
    """
    return compresses(frame) and not _module(frame).startswith(_CONSIDERATE)


def compresses(frame: FrameType) -> bool:
    """Return whether a frame is a middleware that compresses, by its name."""
    code = frame.f_code
    arguments = code.co_varnames[: code.co_argcount]
    if arguments[:1] == ("self",):
        arguments = arguments[1:]
    if arguments not in _INTERFACES or _module(frame).startswith("streamware."):
        return False
    return is_compression(f"{_module(frame)}.{code.co_qualname}")


def is_compression(name: str) -> bool:
    """Return whether a module or what is in it is named after a compression."""
    return _COMPRESSION.search(name) is not None


def codes_parts(frame: FrameType) -> bool:
    """Return whether a frame is a middleware that compresses a part of a document, too (a 206)."""
    if not compresses(frame):
        return False
    module = _module(frame)
    if module == "starlette.middleware.gzip":  # since 1.0 it asks whether it has a part
        return (
            "partial_response"
            not in frame.f_globals["IdentityResponder"].__init__.__code__.co_names
        )
    return not module.startswith("starlette_compress")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
