"""Formats by name: the built-in ones, and those of other packages.

A package adds a format with an entry point in the group `streamware.formats`.  The name of the
entry point is that of the format, and its object returns a `Format` when it is called without
arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points

from streamware.formats.csv import Csv, Tsv
from streamware.formats.json import Json, Ndjson
from streamware.formats.ods import Ods
from streamware.formats.protocol import Format
from streamware.formats.xlsx import Xlsx
from streamware.formats.xml import Xml

GROUP = "streamware.formats"
_BUILT_IN: dict[str, Format] = {
    f.name: f for f in (Csv(), Tsv(), Xml(), Xlsx(), Json(), Ndjson(), Ods())
}


def lookup(format: str | Format) -> Format:  # noqa: A002 - the contract's name
    """Return the format of a name, or the format itself if it is given.

    Raises:
        ValueError: No format has that name.
        TypeError: It is neither a name nor a format.
    """
    if not isinstance(format, str):
        if isinstance(format, type) or not hasattr(format, "encoder"):
            raise TypeError(f"format must be a name or a Format such as sw.Csv(), not {format!r}")
        return format
    name = format.lower()
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for entry in entry_points(group=GROUP):
        if entry.name != name:
            continue
        try:
            found: Format = entry.load()()
        except Exception as error:
            error.add_note(f"while loading the format {name!r} from its entry point {entry.value}")
            raise
        return found
    raise ValueError(f"unknown format {format!r}; known formats: {', '.join(available())}")


def lookup_all(formats: Sequence[str | Format]) -> list[Format]:
    """Return the formats of a list of names and formats.

    Raises:
        TypeError: `formats` is a single name, or holds anything but names and formats.
        ValueError: It is empty, or has a name that no format has.
    """
    if isinstance(formats, str):
        raise TypeError("formats must be a list of formats, not str; format= takes a single one")
    offered = [lookup(format_) for format_ in formats]
    if not offered:
        raise ValueError("formats must offer at least one format")
    return offered


def available() -> list[str]:
    """Return the names of all formats."""
    return [*_BUILT_IN, *(e.name for e in entry_points(group=GROUP) if e.name not in _BUILT_IN)]


@cache
def extensions() -> frozenset[str]:
    """Return the file name extensions of all formats, with the dot."""
    return frozenset(lookup(name).extension for name in available())
