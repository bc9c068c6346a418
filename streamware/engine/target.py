"""Target: where `save` writes to, and in which format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import ENOENT
from io import TextIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from streamware.errors import LimitError
from streamware.formats.protocol import Format
from streamware.formats.registry import available, extensions, lookup
from streamware.receipt import problem_of
from streamware.stores.new_file import Writable, new_file, write_all
from streamware.stores.remote import Remote

_DESCRIPTOR_FOLDERS = (Path("/dev"), Path("/dev/fd"))

Target = str | os.PathLike[str] | Writable | Remote


class Destination:
    """A target that is open: a context manager that publishes what is written, or drops it.

    One thread at a time uses it.

    Args:
        target: As in `save`.
        content_type: The media type of what is written.
        content_disposition: The header with which a store sends it.

    Attributes:
        failure: The outcome and the problem for a receipt if the file or the store has failed.
        etag: The entity tag of the object, once it is there; None for a file.
        in_store: Whether it is an object in a store.
    """

    def __init__(
        self, target: Target, content_type: str, content_disposition: str | None = None
    ) -> None:
        # Not the error itself, whose traceback refers to this object.
        self.failure: tuple[str, str] | None = None
        self.etag: str | None = None  # of the object
        self._headers = (content_type, content_disposition)  # with which a store sends it
        # A Remote or a file object.
        self._target = Remote(target) if isinstance(target, (str, os.PathLike)) else target
        self.in_store = isinstance(self._target, Remote) and self._target.path is None  # no file
        self._opened = self._open()  # what is written to; not an ExitStack, which keeps errors

    def __enter__(self) -> Self:
        with self._noted():
            self._file = self._opened.__enter__()
        return self

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        with self._noted():
            write_all(self._file, data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._opened.__exit__(kind, error, trace)
            return
        with self._noted():
            self._opened.__exit__(None, None, None)
        meta = getattr(self._file, "meta", None) if self.in_store else None
        self.etag = None if meta is None else meta.etag

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            limit = isinstance(error, LimitError)
            self.failure = ("limit" if limit else "target error", problem_of(error))
            raise

    @contextmanager
    def _open(self) -> Iterator[Writable]:
        """Yield what is written to."""
        target = self._target
        if not isinstance(target, Remote):
            yield target
            return
        path = target.path
        if path is None:
            kind, disposition = self._headers
            with target.writer(content_type=kind, content_disposition=disposition) as upload:
                yield upload
            return
        folder = path.parent.resolve()
        descriptor = folder in _DESCRIPTOR_FOLDERS or Path("/proc") in folder.parents  # /dev/stdout
        if descriptor or (path.exists() and not path.is_file()):
            # Append, because other output may go to the same file.
            with path.open("ab", buffering=0) as file:
                yield file
            return
        place = path.resolve()
        if not place.parent.exists():
            raise FileNotFoundError(
                ENOENT, "there is no such directory to write to", str(place.parent)
            )
        with new_file(place, overwrite=target.overwrite) as file:
            yield file


def resolve_format(
    target: Target, given: str | Format | None, offered: Sequence[Format] | None = None
) -> Format:
    """Return the format given, or that of the target's extension.

    Args:
        target: As in `save`.
        given: A format or its name; None if the target decides.
        offered: Formats with their options, of which the first is the default; None for `save`,
            which has no default.

    Raises:
        TypeError: The target is of another type.
        ValueError: The two disagree, or none names a format.
    """
    extension = extension_of(target)
    known = list(map(lookup, available())) if offered is None else offered
    if given is not None:
        named = (format_ for format_ in known if format_.name == given)
        format_ = next(named, None) or lookup(given)
        if extension not in (None, format_.extension) and extension in extensions():
            raise ValueError(
                f"the extension of a {format_.name} file must be {format_.extension!r}, not"
                f" {extension!r}, which is another format's"
            )
        return format_
    found = next((format_ for format_ in known if format_.extension == extension), None)
    if found is None and offered is not None and not extension:
        return offered[0]
    if extension is None:
        raise ValueError("format= must be given for a file object")
    if found is None:
        names = ", ".join(format_.name for format_ in known)
        raise ValueError(f"no format has the extension {extension!r}; give format=, one of {names}")
    return found


def extension_of(target: object) -> str | None:
    """Return the extension of a target, in lower case; None for a file object.

    Raises:
        TypeError: The target is of another type.
    """
    if isinstance(target, Remote):
        return Path(target.name).suffix.lower()
    if isinstance(target, (str, os.PathLike)):
        return Path(target).suffix.lower()
    if isinstance(target, TextIOBase) or not hasattr(target, "write"):
        kind = type(target).__name__
        raise TypeError(f"the target must be a path or a file opened in binary mode, not {kind}")
    return None
