"""Folder: a store of files, which needs no library."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from sys import maxsize
from typing import IO

from streamware.stores.new_file import PARTS, new_file, write_all
from streamware.stores.store import CHUNK, PART_SIZE, ObjectMeta, Upload, check_path


class Folder:
    """The files below a folder, which is made with the first of them.

    Files whose names begin with a dot are not listed; a file that is being written may have one.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).absolute()

    def __repr__(self) -> str:
        return f"Folder({str(self._root)!r})"

    @contextmanager
    def writer(
        self,
        path: str,
        *,
        overwrite: bool = True,
        content_type: str | None = None,
        content_disposition: str | None = None,
        metadata: Mapping[str, str] | None = None,
        part_size: int = PART_SIZE,
    ) -> Iterator[Upload]:
        """Yield an upload; see `Store.writer`."""
        place = self._place(path)
        self._root.mkdir(parents=True, exist_ok=True)
        with new_file(place, overwrite=overwrite, folder=self._root) as file:
            upload = _FileUpload(file)
            yield upload
            upload.meta = _meta(path, os.fstat(file.fileno()))

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield bytes; see `Store.read`."""
        with self._place(path).open("rb") as file:
            file.seek(start)
            left = maxsize if stop is None else stop - start
            while left > 0 and (data := file.read(min(left, CHUNK))):
                yield data
                left -= len(data)

    async def aread(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes, which are read on a thread; see `Store.aread`."""
        with self._place(path).open("rb") as file:
            file.seek(start)
            left = maxsize if stop is None else stop - start
            while left > 0 and (data := await asyncio.to_thread(file.read, min(left, CHUNK))):
                yield data
                left -= len(data)

    def head(self, path: str) -> ObjectMeta:
        """Return what is known of a file."""
        return _meta(path, self._place(path).stat())

    async def ahead(self, path: str) -> ObjectMeta:
        """Return what is known of a file."""
        return await asyncio.to_thread(self.head, path)

    def delete(self, path: str) -> None:
        """Remove a file, if it is there, and the folders that are empty without it."""
        place = self._place(path)
        with suppress(FileNotFoundError, NotADirectoryError):
            place.unlink()
        with suppress(OSError):  # one is not empty, or is gone
            for folder in place.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    async def adelete(self, path: str) -> None:
        """Remove a file, if it is there."""
        await asyncio.to_thread(self.delete, path)

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """Yield the files below a path, in order."""
        top = self._place(prefix) if prefix else self._root
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                place = Path(folder, name)
                with suppress(FileNotFoundError):  # it was removed meanwhile
                    found = place.stat()
                    if S_ISREG(found.st_mode) and not name.startswith("."):
                        yield _meta(place.relative_to(self._root).as_posix(), found)

    def tidy(self, before: float) -> int:
        """Remove what killed processes were writing; return how many files that were.

        There are some only where the system has no files without names.

        Args:
            before: The time of their last change, in seconds since the epoch.
        """
        removed = 0
        for part in self._root.glob(PARTS):
            with suppress(FileNotFoundError):  # it was removed meanwhile
                if part.stat().st_mtime < before:
                    part.unlink()
                    removed += 1
        return removed

    def signed_url(self, path: str, seconds: float) -> None:
        """Return None: files have no addresses."""

    async def asigned_url(self, path: str, seconds: float) -> None:
        """Return None: files have no addresses."""

    def _place(self, path: str) -> Path:
        return self._root.joinpath(*check_path(path.replace(os.sep, "/")).split("/"))


class _FileUpload:
    """The upload of a file, which is open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.meta: ObjectMeta | None = None

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""
        write_all(self._file, data)
        return len(data)


def _meta(path: str, found: os.stat_result) -> ObjectMeta:
    etag = f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"'
    return ObjectMeta(path, found.st_size, etag, found.st_mtime)
