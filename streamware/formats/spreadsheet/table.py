"""Tables: cells of a sheet that programs sort and filter together, by the names of columns.

Source: ECMA-376 Part 1 §18.5.1.3 (tableColumn); what Excel repairs.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamware.errors import EncodeError, LimitError
from streamware.model.utf16 import units

MAX_TITLE = 255  # UTF-16 units of the name of a column in a table


def table_name(number: int) -> str:
    """Return the name of the table of a sheet, by the sheet's number from 1."""
    return f"Table{number}"


def check_titles(sheet: str, titles: Sequence[str] | None) -> None:
    """Raise EncodeError if the columns of a table cannot have these titles.

    They must not be empty, too long, or equal ignoring case.
    """
    if not titles:
        raise EncodeError(
            f"sheet {sheet!r}: a table needs columns with titles; give them, or table=False"
        )
    seen: set[str] = set()
    for at, title in enumerate(titles, 1):
        if not title.strip():
            raise EncodeError(
                f"sheet {sheet!r}: column {at} of a table has no title; every column needs one"
            )
        if units(title) > MAX_TITLE:
            what = f"sheet {sheet!r}, column {at}: characters of a title in a table"
            raise LimitError(what, limit=MAX_TITLE, actual=units(title))
        if title.casefold() in seen:
            raise EncodeError(
                f"sheet {sheet!r}: the title {title!r} occurs twice in a table; titles must differ"
            )
        seen.add(title.casefold())
