"""Bucket: a store of objects, by obstore."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store, from_url

from streamware.stores.problems import explained
from streamware.stores.store import CHUNK, PART_SIZE, ObjectMeta, check_path
from streamware.stores.upload import BucketUpload, meta

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_RETRY: RetryConfig = {"retry_timeout": timedelta(seconds=60)}
# How long a request is tried again; obstore's own three minutes are long if a store is down.


class Bucket:
    """The objects below a prefix of a store of obstore.

    Args:
        store: The store of obstore.
        prefix: A path without slashes around it; empty for all objects.
        url: Names the store in messages.
    """

    def __init__(self, store: Any, prefix: str = "", url: str | None = None) -> None:
        self._store = _conditional(store)
        self._prefix = prefix and f"{check_path(prefix)}/"
        self._url = "memory://" if url == "memory://" else f"{url or _name_of(store)}/"

    def __repr__(self) -> str:
        return f"Bucket({self._url + self._prefix!r})"

    def writer(
        self,
        path: str,
        *,
        overwrite: bool = True,
        content_type: str | None = None,
        content_disposition: str | None = None,
        metadata: Mapping[str, str] | None = None,
        part_size: int = PART_SIZE,
    ) -> BucketUpload:
        """Return an upload; see `Store.writer`."""
        headers = {"Content-Type": content_type, "Content-Disposition": content_disposition}
        attributes = {name: value for name, value in headers.items() if value is not None}
        name = self._name(path)
        return BucketUpload(
            self._store,
            name,
            shown=path,
            url=self._where(name),
            overwrite=overwrite,
            attributes={**attributes, **(metadata or {})},
            part_size=part_size,
            loses_headers=isinstance(self._store, S3Store)
            and self._store.config.get("copy_if_not_exists") == "multipart",
        )

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield bytes; see `Store.read`."""
        if stop is not None and stop <= start:
            return
        name = self._name(path)
        with explained(self._where(name)):
            found = obstore.get(self._store, name, options=_range(start, stop))
            for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

    async def aread(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield bytes; see `Store.aread`."""
        if stop is not None and stop <= start:
            return
        name = self._name(path)
        with explained(self._where(name)):
            found = await obstore.get_async(self._store, name, options=_range(start, stop))
            async for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

    def head(self, path: str) -> ObjectMeta:
        """Return what the store knows of an object."""
        name = self._name(path)
        with explained(self._where(name)):
            return meta(obstore.head(self._store, name), path)

    async def ahead(self, path: str) -> ObjectMeta:
        """Return what the store knows of an object."""
        name = self._name(path)
        with explained(self._where(name)):
            return meta(await obstore.head_async(self._store, name), path)

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""
        name = self._name(path)
        with suppress(FileNotFoundError), explained(self._where(name)):
            obstore.delete(self._store, name)

    async def adelete(self, path: str) -> None:
        """Remove an object, if it is there."""
        name = self._name(path)
        with suppress(FileNotFoundError), explained(self._where(name)):
            await obstore.delete_async(self._store, name)

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """Yield the objects below a path."""
        name = self._name(prefix) if prefix else self._prefix.rstrip("/")
        with explained(self._where(name)):
            for found in obstore.list(self._store, name or None):
                for each in found:
                    yield meta(each, each["path"].removeprefix(self._prefix))

    def signed_url(self, path: str, seconds: float) -> str | None:
        """Return an address that anybody can read for some time; see `Store.signed_url`."""
        if not isinstance(self._store, _SIGNING):
            return None
        name = self._name(path)
        with explained(self._where(name)):
            return obstore.sign(self._store, "GET", name, timedelta(seconds=seconds))

    async def asigned_url(self, path: str, seconds: float) -> str | None:
        """Return an address that anybody can read for some time; see `Store.signed_url`."""
        if not isinstance(self._store, _SIGNING):
            return None
        name = self._name(path)
        with explained(self._where(name)):
            return await obstore.sign_async(self._store, "GET", name, timedelta(seconds=seconds))

    def _name(self, path: str) -> str:
        return self._prefix + check_path(path)

    def _where(self, name: str) -> str:
        return self._url + name


_SIGNING = (AzureStore, GCSStore, S3Store)


def connect(url: str) -> Any:
    """Return the store of obstore for the URL of a bucket, with what the environment configures.

    There is one for `memory://` in a process.

    Raises:
        ValueError: Its configuration is not complete.
    """
    if url == "memory://":
        return _memory()
    try:
        return from_url(url, retry_config=_RETRY, **_options(url))
    except (BaseError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(f"{url} cannot be opened as it is configured: {said}") from error


def _options(url: str) -> Any:
    """Return the options of a store that its provider's own tools would choose, too.

    A digest of every part, which S3's signature can include, would cost more than all else that
    sending takes.  As the tools of AWS do, we leave it out where TLS has one of its own.
    """
    insecure = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
    if not url.startswith("s3") or insecure or "AWS_UNSIGNED_PAYLOAD" in os.environ:
        return {}
    return {"unsigned_payload": True}


_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3")


@lru_cache(1)
def _memory() -> MemoryStore:
    return MemoryStore()


def _name_of(store: Any) -> str:
    """Return how messages name a store of the user's own; its `repr` may fail or show more."""
    config: dict[str, str] = getattr(store, "config", None) or {}
    bucket = config.get("bucket") or config.get("container_name") or ""
    return f"{type(store).__name__}({bucket})"


def _conditional(store: Any) -> Any:
    """Return a store that can copy on a condition: S3's has to be told how."""
    if not isinstance(store, S3Store) or "copy_if_not_exists" in store.config:
        return store
    return S3Store(
        config={**store.config, "copy_if_not_exists": "multipart"},
        prefix=store.prefix,
        client_options=store.client_options,
        retry_config=store.retry_config,
        credential_provider=store.credential_provider,
    )


def _range(start: int, stop: int | None) -> Any:
    if stop is not None:
        return {"range": (start, stop)}
    return {"range": {"offset": start}} if start else {}
