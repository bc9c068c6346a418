"""Cell: a value with a style, a link or a note of its own."""

from __future__ import annotations

from dataclasses import dataclass

from streamware.model.style import Style

MAX_NOTE = 32_767  # UTF-16 units


@dataclass(frozen=True, slots=True)
class Cell:
    r"""A value with a style, a link or a note of its own.

    Only spreadsheets show these; the other formats write just the value.

    Attributes:
        value: Any value that a row can have without a `Cell`.
        style: How it looks; what the style leaves out is taken from the column.
        url: Where it links to: an address; a place in the workbook such as "#'Other sheet'!A1", or
            "internal:Other!A1"; or a file, such as "../a b.pdf", which is looked for from the
            folder of the workbook, or "\\server\share\a.pdf".  A path of your site such as
            "/orders/5" is no address, as the workbook does not know the site: begin it with that,
            for example by Django's `request.build_absolute_uri()`.  A sheet has at most 65,530 of
            these links (Excel's limit), of 8 MiB together.  A cell beyond that, or whose url is not
            an address, has no link, and is counted.  `Column.url` has no such limit.
        note: A note on the cell: at most 32,767 UTF-16 units.  A sheet has at most 65,530 notes,
            of 4 MiB together; those beyond that are left out, and counted.
    """

    value: object
    style: Style | None = None
    url: str | None = None
    note: str | None = None
