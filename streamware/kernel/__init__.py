"""Is the compiled kernel there?

`native` is the extension module that writes rows of ordinary values straight into bytes, or None:
where it was not compiled, was compiled from other sources than these, or is switched off by
`STREAMWARE_PURE=1` in the environment.  Without it everything is written by Python, slower, with
the same result.
"""

from __future__ import annotations

import os
from types import ModuleType

VERSION = 1
"""That of what passes between Python and the extension; `module.cpp` has the same."""

absent: str
"""Why there is no `native`; empty if there is."""


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("STREAMWARE_PURE", "").strip() not in ("", "0"):
        return None, "STREAMWARE_PURE is set"
    try:
        from streamware.kernel import _native  # noqa: PLC0415 - it may be absent
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        return None, "it was not compiled" if missing else str(error)
    if _native.VERSION != VERSION:
        return None, "it was compiled from other sources: install streamware again"
    return _native, ""


native, absent = _load()
