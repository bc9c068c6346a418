"""Preferences: how a client would like to be answered, by `Prefer` (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

LONGEST_WAIT: Final = 30
"""Seconds that a request waits for a job at most: proxies give up after 60, and threads are few."""

_PREFERENCE = re.compile(
    r"""\s*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)"""
    r"""\s*(?:=\s*(?P<value>[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"[^"\\]*")\s*)?(?:;.*)?""",
    re.DOTALL,
)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


def preferences(header: str | None) -> Mapping[str, str]:
    """Return the preferences by their names in lower case; what cannot be parsed is skipped.

    If one is stated several times, the first counts (§2).
    """
    found: dict[str, str] = {}
    for element in (header or "").split(","):
        if matched := _PREFERENCE.fullmatch(element):
            found.setdefault(matched["name"].lower(), (matched["value"] or "").strip('"'))
    return found


def wait_seconds(preferred: Mapping[str, str]) -> int:
    """Return for how many seconds a client would wait for the file itself, up to `LONGEST_WAIT`."""
    stated = preferred.get("wait", "")
    return min(int(stated), LONGEST_WAIT) if _SECONDS.fullmatch(stated) else 0
