"""Coding: gzip as a content coding, flushed with each chunk that the clock wants out.

Middlewares that compress leave alone what has a `Content-Encoding`, but for Litestar's.

Source: RFC 9110 §8.4.1.3; RFC 1952.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from streamware.formats.zip import isal_zlib

_GZIP_WINDOW = 31


class Gzip:
    """One gzip stream over the chunks of a document."""

    def __init__(self) -> None:
        module = zlib if isal_zlib is None else isal_zlib
        self._compressor = module.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW)

    def __call__(self, chunk: bytes, *, last: bool, flush: bool) -> bytes:
        """Return the compressed bytes that are ready."""
        out: bytes = self._compressor.compress(chunk) if chunk else b""
        if last:
            out += self._compressor.flush(zlib.Z_FINISH)
        elif flush and chunk:
            out += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return out


def is_recoded(scope: Mapping[str, Any]) -> bool:
    """Return whether the application around compresses every body, even one that is compressed.

    A Litestar application with a `compression_config` does, and names only its own coding.
    """
    applications = (scope.get("litestar_app"), scope.get("app"))
    return any(getattr(each, "compression_config", None) is not None for each in applications)
