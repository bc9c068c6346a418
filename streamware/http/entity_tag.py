"""Entity tag: a name for the bytes of an export, made before its rows are read.

The caller names the state of the data.  What else decides the bytes is described here: columns,
format, values, language and zone, and the versions of what writes them.  Every process describes
equal options equally.  What cannot be described makes a tag that no other process makes, so that
at worst a client gets the whole document again.

Source: RFC 9110 §8.8.3.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from streamware.formats.zip import Deflate
from streamware.values.lazy_text import is_lazy_text

_LIBRARIES = ("babel", "isal", "orjson", "zlib-ng")
"""The distributions on whose versions the bytes depend, if they are installed."""
_DEPTH, _MOST = 10, 5000
"""How deep objects within objects are described, and by how many texts."""
_PROBE = b"".join(b"%d,%d;" % (number, number * number % 9973) for number in range(9000))
"""What compilers and processors make of one version of a library shows in how this is deflated."""


def entity_tag(state: str, *options: object) -> str:
    """Return a strong entity tag, quotes included.

    Args:
        state: The state of the data.
        options: What else decides the bytes.
    """
    digest = hashlib.sha256(_versions())
    texts = _described((state, options), _DEPTH)
    for text in islice(texts, _MOST):
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
    if next(texts, None) is not None:
        digest.update(os.urandom(8))
    return f'"{base64.urlsafe_b64encode(digest.digest()[:18]).decode()}"'


def weak_tag(tag: str, coding: str) -> str:
    """Return the tag of a document whose bytes a content coding changes on the way.

    Args:
        tag: The strong tag of its bytes without the coding.
        coding: The coding; empty if it is not known.
    """
    return f'W/{tag[:-1]}-{coding or "coded"}"'


@cache
def _versions() -> bytes:
    """Return what the programs that write documents are."""
    known = [sys.modules["streamware"].__version__, *map(_version, _LIBRARIES)]
    probes = []
    for compression in ("fast", "small"):
        deflate = Deflate(compression)
        probes.append(zlib.crc32(deflate.write(_PROBE) + deflate.finish()))
    return repr((known, zlib.ZLIB_RUNTIME_VERSION, probes)).encode()


def _version(name: str) -> str:
    """Return the version of a distribution; not that of its module, which may be loaded later."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _described(value: object, depth: int) -> Iterator[str]:
    """Yield texts that are the same for equal options only."""
    yield type(value).__qualname__
    if value is None or isinstance(value, (str, bytes, int, float)):
        yield repr(value)
    elif is_lazy_text(value):
        yield str(value)
    elif depth == 0:
        yield os.urandom(8).hex()
    elif isinstance(value, CodeType):
        yield from _described((value.co_code, value.co_names, value.co_consts), depth - 1)
    elif isinstance(value, _NAMED):
        yield from _described_callable(value, depth - 1)
    else:
        parts = list(_parts(value, depth - 1))
        yield str(len(parts))
        for part in parts:
            yield from _described(part, depth - 1)


def _described_callable(call: Any, depth: int) -> Iterator[str]:
    """Yield texts of a class by its name, and of a function by its code and what it refers to."""
    yield from (str(getattr(call, name, "")) for name in ("__module__", "__qualname__", "__name__"))
    if isinstance(call, FunctionType):
        cells = [_content(cell) for cell in call.__closure__ or ()]
        parts = (call.__code__, call.__defaults__, call.__kwdefaults__, cells)
        yield from _described(parts, depth)
    elif isinstance(call, MethodType):
        yield from _described((call.__func__, call.__self__), depth)
    elif isinstance(call, partial):
        yield from _described((call.func, call.args, call.keywords), depth)


_NAMED = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, partial)


def _content(cell: Any) -> object:
    """Return what a function refers to; None if that is not set yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _parts(value: Any, depth: int) -> Iterator[object]:
    """Yield what an object consists of."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (set, frozenset)):
        yield from sorted("\0".join(islice(_described(each, depth), _MOST)) for each in value)
    elif isinstance(value, (list, tuple)):
        yield from value
    elif is_dataclass(value):
        yield from (getattr(value, each.name, None) for each in fields(value))
    elif hasattr(value, "__dict__") and not hasattr(type(value), "utcoffset"):
        yield from vars(value).items()
    else:  # a date, a number, a time zone …; of what has no other, its address in this process
        plain = getattr(type(value), "__repr__", None) is object.__repr__
        slots = object.__getstate__(value) if plain else None
        yield repr(value) if slots is None else slots
