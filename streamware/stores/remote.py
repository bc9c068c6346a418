"""Remote: a target of save, with the options of an object store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamware.model.style import expect
from streamware.stores.opening import local_path, open_store, split_url
from streamware.stores.store import PART_SIZE, Upload, check_path

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?|")
_LEAST, _MOST = 5 * 2**20, 5 * 2**30  # what S3 takes as a part


@dataclass(frozen=True, slots=True)
class Remote:
    """An object in a store, or a file, as the target of `save`, with its options.

    Attributes:
        target: A URL such as `s3://exports/orders.csv`; with `store`, the path of the object in
            it; or the path of a file.
        store: A store of obstore, which has options of its own.  By default it is made of the
            URL, and configured by the environment as the provider's own tools are.
        overwrite: Whether what is there may be replaced.  If not, it is a `FileExistsError`, also
            if it appears while the document is written.
        metadata: Names and values in ASCII that the store keeps with the object.  Names of
            headers, such as `Cache-Control`, are sent with it.
        part_size: Bytes of a part, 5 MiB to 5 GiB.  Two parts are in memory, and an object has at
            most 10,000: the default of 5 MiB is enough for 48.8 GiB.

    Raises:
        TypeError, ValueError: An argument is wrong.
    """

    target: str | os.PathLike[str]
    store: Any = field(default=None, kw_only=True)
    overwrite: bool = field(default=True, kw_only=True)
    metadata: Mapping[str, str] | None = field(default=None, kw_only=True)
    part_size: int = field(default=PART_SIZE, kw_only=True)

    def __post_init__(self) -> None:
        expect(self, "a URL or a path", str | os.PathLike, "target")
        expect(self, "a number", int, "part_size")
        expect(self, "True or False", bool, "overwrite")
        if not _LEAST <= self.part_size <= _MOST:
            raise ValueError(
                f"part_size must be {_LEAST:,} to {_MOST:,} bytes, not {self.part_size:,}"
            )
        for name, value in (self.metadata or {}).items():
            if not (_is(_NAME, name) and _is(_VALUE, value)):
                raise ValueError(
                    f"the metadata {name!r} cannot be sent; it must be visible ASCII, without"
                    " spaces in the name or around the value"
                )
        if self.store is not None:
            check_path(os.fspath(self.target))
        elif self.path is None:
            path = split_url(self.name)[1]
            if not path:
                raise ValueError(
                    f"{self.name!r} names no object; a path after the bucket is expected"
                )
            check_path(path)

    @property
    def name(self) -> str:
        """The target as text."""
        return os.fspath(self.target)

    @property
    def path(self) -> Path | None:
        """The path of the file; None for an object in a store."""
        return None if self.store is not None else local_path(self.target)

    def writer(
        self, *, content_type: str, content_disposition: str | None = None
    ) -> AbstractContextManager[Upload]:
        """Return a context manager that writes the object.

        Args:
            content_type: Its media type.
            content_disposition: The header with which the store sends it.
        """
        if self.store is not None:
            store, path = open_store(self.store), self.name
        else:
            bucket, path = split_url(self.name)
            store = open_store(bucket)
        return store.writer(
            path,
            overwrite=self.overwrite,
            content_type=content_type,
            content_disposition=content_disposition,
            metadata=self.metadata,
            part_size=self.part_size,
        )


def _is(pattern: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None
