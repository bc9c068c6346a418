"""Store: named objects that are whole or not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

CHUNK = 2**18
"""Bytes that are read at a time."""
PART_SIZE = 5 * 2**20
"""Bytes of a part of an upload; the least that S3 takes."""


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What a store knows of an object.

    Attributes:
        path: Its name in the store.
        size: Its bytes.
        etag: Its entity tag, with quotes, as HTTP sends it; None if the store gives none.
        modified: When it was written, in seconds since the epoch.
    """

    path: str
    size: int
    etag: str | None
    modified: float


class Upload(Protocol):
    """An object that is being written: published when the `with` block ends, unless by an error.

    Attributes:
        meta: What was published; None before.
    """

    meta: ObjectMeta | None

    def write(self, data: bytes, /) -> int:
        """Take all of `data`; return its size."""


class Store(Protocol):
    """Objects below one prefix of an object store, or files below one folder.

    Paths are relative, with slashes.  What is not there is a `FileNotFoundError`, what is there
    already a `FileExistsError`, what is forbidden a `PermissionError`, what cannot be reached a
    `ConnectionError`, and what else goes wrong an `OSError`.
    """

    def writer(
        self,
        path: str,
        *,
        overwrite: bool = True,
        content_type: str | None = None,
        content_disposition: str | None = None,
        metadata: Mapping[str, str] | None = None,
        part_size: int = PART_SIZE,
    ) -> AbstractContextManager[Upload]:
        """Return a context manager that writes an object.

        Args:
            path: Its name.
            overwrite: Whether it may replace an object; if not, one that is there at the end is
                an error, too.
            content_type: Its media type.  A folder keeps none of these three.
            content_disposition: The header with which the store sends it.
            metadata: Further names and values that are kept with it.
            part_size: Bytes of a part.  An upload has up to two of them in memory.
        """

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of an object from `start` up to `stop`, by default its end."""

    def aread(self, path: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of an object; the twin of `read` beside an event loop."""

    def head(self, path: str) -> ObjectMeta:
        """Return what the store knows of an object."""

    async def ahead(self, path: str) -> ObjectMeta:
        """Return what the store knows of an object; the twin of `head`."""

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""

    async def adelete(self, path: str) -> None:
        """Remove an object, if it is there; the twin of `delete`."""

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """Yield the objects below a path."""

    def signed_url(self, path: str, seconds: float) -> str | None:
        """Return an address that anybody can read for some time; None if the store has none."""

    async def asigned_url(self, path: str, seconds: float) -> str | None:
        """Return an address that anybody can read for some time; the twin of `signed_url`."""


def check_path(path: str) -> str:
    """Return the path of an object; raise ValueError if it could be another one than it says."""
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or any(char < " " or char == "\x7f" for char in path):
        raise ValueError(
            f"{path!r} is not the path of an object; it must be relative, without '..', empty"
            " parts and control characters"
        )
    return path
