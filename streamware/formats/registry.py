"""Formats by name: the built-in ones, and those that other packages bring.

A package adds a format through the entry-point group `streamware.formats`: the entry's name is
the format's, its object is called without arguments and gives a `Format`.
"""

from __future__ import annotations

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
    """The format of that name; a format is itself.

    Raises:
        ValueError: There is none of that name; the message lists those there are.
        TypeError: It is neither a name nor a format.
    """
    if not isinstance(format, str):
        if isinstance(format, type) or not hasattr(format, "encoder"):
            raise TypeError(f"a format is a name or a format such as sw.Csv(), not {format!r}")
        return format
    name = format.lower()
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            brought: Format = entry.load()()
            return brought
    raise ValueError(f"unknown format {format!r}; there are: {', '.join(available())}")


def available() -> list[str]:
    """Names of all formats."""
    return [*_BUILT_IN, *(e.name for e in entry_points(group=GROUP) if e.name not in _BUILT_IN)]


@cache
def extensions() -> frozenset[str]:
    """File name extensions of all formats, with the dot."""
    return frozenset(lookup(name).extension for name in available())
