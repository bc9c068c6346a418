"""open_store: a store from a URL, a folder, or a store of obstore."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import cast
from urllib.request import url2pathname

from streamware.stores.folder import Folder
from streamware.stores.store import Store

_BUCKETS = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
_SCHEMES = (*_BUCKETS, "memory", "file")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_COLLAPSED = re.compile(rf"(?:{'|'.join(_SCHEMES)}):/[^/]")


def open_store(where: object) -> Store:
    """Return a store.  No connection is made before it is used.

    Args:
        where: A URL such as `s3://exports/2026`, `gs://…`, `az://…` (a container and a prefix),
            `memory://` (of this process) or `file://…`; the path of a folder; a store of obstore;
            or a `Store`, which is returned.

    Raises:
        ImportError: The extra is not installed.
        TypeError, ValueError: It is none of these.
    """
    if isinstance(where, (str, os.PathLike)):
        path = local_path(where)
        return Folder(path) if path is not None else _open_bucket(*split_url(str(where)))
    if hasattr(where, "writer") and hasattr(where, "signed_url"):
        return cast(Store, where)
    if type(where).__module__.partition(".")[0] == "obstore":
        from streamware.stores.bucket import Bucket  # noqa: PLC0415 - it imports obstore

        return Bucket(where)
    raise TypeError(
        f"a store is a URL, the path of a folder or a store of obstore, not {type(where).__name__}"
    )


def local_path(target: str | os.PathLike[str]) -> Path | None:
    """Return the path that a target names; None if it is the URL of an object store.

    Raises:
        ValueError: It is a URL that no store has.
    """
    text = os.fspath(target)
    if not isinstance(target, str):
        if _COLLAPSED.match(text):
            raise ValueError(f"{text!r} was a URL before it became a Path; pass the URL as text")
        return Path(target)
    url = _URL.fullmatch(text)
    if url is None:
        return Path(text)
    scheme = url[1].lower()
    if scheme not in _SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise ValueError(f"no store has URLs with {scheme}://; the known ones are {known}")
    if scheme != "file":
        return None
    host, slash, path = url[2].partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise ValueError(f"a file URL has three slashes, such as file:///var/exports, not {text!r}")
    return Path(url2pathname(f"/{path}"))


def split_url(url: str) -> tuple[str, str]:
    """Return the URL of a bucket, and the path in it, as it is: nothing in it is decoded.

    Raises:
        ValueError: No bucket is named.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() == "memory":
        return "memory://", rest.removeprefix("/")
    bucket, _, path = rest.partition("/")
    if not bucket:
        raise ValueError(f"{url!r} names no bucket; {scheme}://bucket/path is expected")
    return f"{scheme.lower()}://{bucket}", path


def _open_bucket(bucket: str, prefix: str) -> Store:
    try:
        from streamware.stores.bucket import Bucket, connect  # noqa: PLC0415 - they import obstore
    except ImportError as error:
        raise ImportError(
            f"{bucket} is reached by obstore: pip install 'streamware-exports[stores]'"
        ) from error
    return Bucket(connect(bucket), prefix.strip("/"), bucket)
