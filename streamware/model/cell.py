"""Cell: a value that looks otherwise than its column, leads somewhere, or has a note."""

from __future__ import annotations

from dataclasses import dataclass

from streamware.model.style import Style

MAX_NOTE = 32_767  # UTF-16 units


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that looks otherwise than its column, leads somewhere, or has a note.

    Only spreadsheets show that; the other formats write the value.

    Attributes:
        value: The value, of any kind that can stand without.
        style: How it looks; what that leaves open is as in its column.
        url: Where it leads, if anywhere: an address, or a place in the workbook such as
            "#'Other sheet'!A1".  A sheet has at most 65,530 of these links (Excel's limit), of
            8 MiB together; past that, and where it is no address, it is plain text, and counted.
            `Column.url` has no such limit.
        note: A note on the cell, if any: at most 32,767 UTF-16 units.  A sheet has at most
            65,530 notes, of 4 MiB together; those past that are counted.
    """

    value: object
    style: Style | None = None
    url: str | None = None
    note: str | None = None
