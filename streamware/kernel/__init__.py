"""Is the compiled kernel there?

`native` is the extension module that writes rows of ordinary values straight into bytes, or None:
where it was not compiled, was compiled from other sources than these, or is switched off by
`STREAMWARE_PURE=1` in the environment.  Without it everything is written by Python, slower, with
the same result.
"""

from __future__ import annotations

import os
import sys
import zlib
from importlib import import_module
from pathlib import Path
from types import ModuleType

VERSION = 13
"""That of what passes between Python and the extension; `module.cpp` has the same."""

absent: str
"""Why there is no `native`; empty if there is."""


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("STREAMWARE_PURE", "").strip() not in ("", "0"):
        return None, "STREAMWARE_PURE is set"
    sources = _checksum()
    if sources:
        # A checkout is imported from its own folder, but `pip install .` compiles into another.
        __path__.extend(str(Path(folder, "streamware", "kernel")) for folder in sys.path)
    try:
        loaded = import_module("streamware.kernel._native")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        return None, "no kernel was compiled" if missing else str(error)
    # A module that was compiled by hand has 0, and a wheel is without sources.
    changed = sources and getattr(loaded, "SOURCES", -1) not in (0, sources)
    if changed or loaded.VERSION != VERSION:
        return None, f"{loaded.__file__} is of other sources: install streamware again"
    return loaded, ""


def path() -> str:
    """Return who writes rows, and why it is Python alone."""
    return f"pure Python ({absent})" if absent else "compiled kernel"


def _checksum() -> int:
    """Return that of the sources beside this file, made as in `hatch_build.py`; 0 without any."""
    sources = sorted(Path(__file__).parent.glob("*.[ch]pp"))
    return zlib.crc32(b"".join(path.read_bytes() for path in sources)) >> 1


native, absent = _load()
