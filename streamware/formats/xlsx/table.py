"""Writes the part that makes cells of a sheet a table.

Source: ECMA-376 Part 1 §18.5.1.2 (table), §18.5.1.3 (tableColumn).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr, unescape

from streamware.formats.spreadsheet.table import table_name
from streamware.formats.xlsx.area import Area

STYLE = "TableStyleMedium2"  # Excel's default

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
)
_BREAKS = {"\n": "_x000a_", "\t": "_x0009_", '"': "&quot;"}


def shown_title(title: bytes) -> str:
    """Return a title as it is shown, given the text of its cell in the header."""
    return unescape(title.decode())


def table(
    number: int,
    area: Area,
    titles: Sequence[str],
    *,
    style: str,
    buttons: bool,
    totals: Mapping[int, str] | None = None,
) -> bytes:
    """Return the part of a table.

    Args:
        number: Its number, from 1.
        area: Its header and its rows; a row of totals is below them.
        titles: The titles of its columns, as they are shown.
        style: Name of its style.
        buttons: Whether its header has filter buttons.
        totals: "sum", "average" or "count" by the position of the column, from 0; None if there
            is no row of totals.
    """
    shown = ' totalsRowShown="0"' if totals is None else ' totalsRowCount="1"'
    whole = area._replace(last=area.last + (totals is not None)).reference()
    functions = totals or {}
    filtered = f'<autoFilter ref="{area.reference()}"/>' if buttons else ""
    columns = ""
    for at, title in enumerate(titles):
        total = f' totalsRowFunction="{functions[at]}"' if at in functions else ""
        columns += f'<tableColumn id="{at + 1}" name="{escape(title, _BREAKS)}"{total}/>'
    name = table_name(number)
    return (
        f'{_HEAD} id="{number}" name="{name}" displayName="{name}" ref="{whole}"{shown}>{filtered}'
        f'<tableColumns count="{len(titles)}">{columns}</tableColumns>'
        f'<tableStyleInfo name={quoteattr(style)} showFirstColumn="0" showLastColumn="0"'
        ' showRowStripes="1" showColumnStripes="0"/></table>'
    ).encode()


def column_reference(number: int, title: str) -> str:
    """Return a column of a table as formulas refer to it: `Table1[Amount]`."""
    for mark in "'[]#@":
        title = title.replace(mark, "'" + mark)
    return f"{table_name(number)}[{title}]"
