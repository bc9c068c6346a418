"""BucketUpload: an object that is written in parts, and is not there before it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from errno import EEXIST, EIO
from secrets import token_hex
from time import time
from types import TracebackType
from typing import Any, Self

import obstore
from obstore.exceptions import BaseError

from streamware.errors import LimitError
from streamware.stores.problems import explained
from streamware.stores.store import ObjectMeta

PARTS = 10_000
"""Parts that an upload can have."""
COPIED = 5 * 2**30
"""Bytes that a store copies at most."""
_AT_ONCE = 2  # parts in memory: one is sent while the next one is filled


class BucketUpload:
    """An object that is being written; a context manager that publishes it or aborts.

    What fits into one part is sent by one request at the end.  Anything larger is sent in parts.
    Obstore cannot make the last step of that conditional: if no object may be replaced, the parts
    become an object with a name of its own, which is copied within the store on the condition that
    there is no other, and removed.  S3 loses the headers of such a copy; a second one, which
    replaces the first, has them.

    Args:
        store: A store of obstore.
        path: The name of the object in it.
        shown: The name that `meta` has.
        url: Names it in messages.
        overwrite: Whether it may replace another.
        attributes: Its headers and metadata.
        part_size: Bytes of a part.
        loses_headers: Whether a conditional copy loses them.

    Attributes:
        meta: What was published; None before.
    """

    def __init__(
        self,
        store: Any,
        path: str,
        *,
        shown: str,
        url: str,
        overwrite: bool,
        attributes: Mapping[str, str],
        part_size: int,
        loses_headers: bool,
    ) -> None:
        self.meta: ObjectMeta | None = None  # what was published
        self._store = store  # of obstore
        self._path = path  # the name of the object
        self._shown = shown  # the name that `meta` has
        self._url = url  # names it in messages
        self._overwrite = overwrite  # whether it may replace another
        self._attributes = dict(attributes)  # headers and metadata
        self._part_size = part_size  # bytes of a part
        self._loses_headers = loses_headers  # whether a conditional copy does
        self._pieces: list[bytes] = []  # what was written, while it fits into one part
        self._size = 0  # bytes that were written
        self._parts: Any = None  # takes what is written, once it does not
        self._name = path if overwrite else _beside(path)  # of what the parts become

    def __enter__(self) -> Self:
        if not self._overwrite and self._is_there():  # found now, not after hours
            raise FileExistsError(EEXIST, "there is an object already", self._url)
        return self

    def write(self, data: bytes, /) -> int:
        """Take all of `data`; return its size."""
        self._size += len(data)
        self._check_size()
        if self._parts is not None:
            with explained(self._url):
                self._parts.write(data)
            return len(data)
        self._pieces.append(bytes(data))
        if self._size > self._part_size:
            self._start()
        return len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._abort(kind, error, trace)
            return
        with explained(self._url):
            self.meta = self._put() if self._parts is None else self._complete()

    def _check_size(self) -> None:
        """Raise LimitError if the object would be larger than one can be."""
        size, parts = self._size, self._part_size * PARTS
        if size > parts:
            what = (
                f"bytes of an object of {PARTS:,} parts (a larger Remote(part_size=) allows more)"
            )
            raise LimitError(what, limit=parts, actual=size)
        if size > COPIED and not self._overwrite:
            what = "bytes of an object that replaces none (Remote(overwrite=True) allows more)"
            raise LimitError(what, limit=COPIED, actual=size)

    def _is_there(self) -> bool:
        """Return whether it is known that there is such an object."""
        try:
            with explained(self._url):
                obstore.head(self._store, self._path)
        except OSError:  # what else is wrong is seen when it is written
            return False
        return True

    def _start(self) -> None:
        """Send what was written so far as the first part."""
        pieces, self._pieces = self._pieces, []
        with explained(self._url):
            self._parts = obstore.open_writer(
                self._store,
                self._name,
                attributes=self._attributes,
                buffer_size=self._part_size,
                max_concurrency=_AT_ONCE,
            )
            pieces.reverse()
            while pieces:
                self._parts.write(pieces.pop())

    def _abort(self, *error: Any) -> None:
        """Give up the parts that were sent.  The error that ended the writing says more."""
        self._pieces.clear()
        if self._parts is not None:
            with suppress(BaseError, OSError):
                self._parts.__exit__(*error)

    def _put(self) -> ObjectMeta:
        """Send all of it by one request."""
        result = obstore.put(
            self._store,
            self._path,
            b"".join(self._pieces),
            attributes=self._attributes,
            mode="overwrite" if self._overwrite else "create",
            use_multipart=False,
        )
        return ObjectMeta(self._shown, self._size, result["e_tag"], time())

    def _complete(self) -> ObjectMeta:
        """Send the last part, and have the store make one object of all."""
        self._parts.close()
        if not self._overwrite:
            try:
                obstore.copy(self._store, self._name, self._path, overwrite=False)
                if self._loses_headers:
                    obstore.copy(self._store, self._name, self._path)
                return self._found()
            finally:
                with suppress(BaseError, OSError):
                    obstore.delete(self._store, self._name)
        return self._found()

    def _found(self) -> ObjectMeta:
        try:
            found = meta(obstore.head(self._store, self._path), self._shown)
        except FileNotFoundError:
            raise
        except (BaseError, OSError):  # it is there, but the store forbids to read it, or fails now
            return ObjectMeta(self._shown, self._size, None, time())
        if found.size != self._size:
            raise OSError(
                EIO,
                f"the store has {found.size:,} bytes of {self._size:,}; another program may have"
                " written there at the same time",
                self._url,
            )
        return found


def meta(found: Any, path: str) -> ObjectMeta:
    """Return what obstore knows of an object."""
    return ObjectMeta(path, found["size"], found["e_tag"], found["last_modified"].timestamp())


def _beside(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name[:40]}.{token_hex(8)}.part"
