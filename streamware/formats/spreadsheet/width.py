"""Estimates the widths of columns, because one too narrow for a number or a date shows ###.

Source: ECMA-376 Part 1 §18.3.1.13 (col: characters of the default font), §18.8.31 (numFmts);
Unicode Standard Annex 11 (East Asian width).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import repeat
from typing import Any
from unicodedata import east_asian_width

from streamware.formats.spreadsheet.column_style import ColumnStyle
from streamware.model.cell import Cell
from streamware.model.columns import Column
from streamware.model.number_format import code_of, shown_length
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import Style
from streamware.values import Formula
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind

SAMPLED_ROWS = 32  # of the first batch, which usually has as many

_NARROWEST, _WIDEST, _FILTER_BUTTON = 8.43, 60.0, 3.0
_AMOUNT = 15  # characters: 123,456,789.00 and a sign
_UNKNOWN = 10**8  # a number that must fit before the numbers of a column are known
_ROOM_OF_SUM = 4  # characters by which the sum of about a thousand cells is longer
_SAMPLED_BYTES = 1024  # of a text
_FONT, _BOLD = 11, 1.2  # points of the default font; factor for a bold one
_WIDE = frozenset("WF")
_LATIN = "\u036f"  # the last character before Greek; up to it none is wide
_LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\[\]]*\]|general', re.DOTALL | re.IGNORECASE)
_DATES = re.compile("[ymdhs]", re.IGNORECASE)
_PIECES = re.compile(r"d+|m+|h+|s+", re.IGNORECASE)
_MORE = {1: 1, 4: 5}  # characters: "d" may show two digits, "mmmm" may show September
_MONEY = re.compile(r"[€$£¥]")
_KINDS = frozenset({"date", "datetime", "time", "duration"})


def text_width(text: str) -> int:
    """Return the width of a text in characters; a wide East Asian character counts as two."""
    if text.isascii():
        return len(text)
    others = [character for character in text if character > _LATIN]
    return len(text) + sum(east_asian_width(character) in _WIDE for character in others)


def number_width(code: str, number: float = 0) -> int:
    """Return the width of a number, date or duration in this format, estimated in characters."""
    section = code.split(";", 1)[0]
    pattern = _LITERALS.sub("", section)
    if not _DATES.search(pattern):
        return shown_length(code, number)
    return len(section) + sum(_MORE.get(len(piece), 0) for piece in _PIECES.findall(pattern))


@lru_cache(256)
def _moment_width(code: str) -> int:
    """Return the width of any date or duration in this format, estimated in characters."""
    return number_width(code)


def least_width(column: Column) -> int:
    """Return the width that the cells of a column need by its options alone, in characters."""
    return _least_width(column.format or (code_of(column.kind) if column.kind in _KINDS else "@"))


@lru_cache(256)
def _least_width(code: str) -> int:
    pattern = _LITERALS.sub("", code.split(";", 1)[0])
    if _DATES.search(pattern):
        return number_width(code)
    if not re.search("[0#?]", pattern):
        return 0
    if "," in pattern or "[$" in code or _MONEY.search(code):
        return max(_AMOUNT, number_width(code, _UNKNOWN) if "%" not in pattern else 0)
    return number_width(code, 1 if "%" in pattern else _UNKNOWN)


def longest_cell(
    column: Column,
    style: ColumnStyle,
    formatted: FormattedColumn,
    *,
    text: Callable[[bytes], bytes] | None = None,
) -> int:
    """Return the width of the widest of the first cells, estimated in characters.

    Args:
        column: The column.
        style: The style of its cells.
        formatted: Its first cells.
        text: Returns the characters of a text from its markup; None if a text has none.
    """
    tokens = formatted.tokens[:SAMPLED_ROWS]
    if formatted.kind is not None and not formatted.styled:
        kind = formatted.kind
        longest = _widest(kind, [t for t in tokens if t is not None], style.code(kind), text)
    else:
        longest = 0
        kinds = formatted.kinds or repeat(formatted.kind or Kind.EMPTY)
        for at, (kind, token) in enumerate(zip(kinds, tokens, strict=False)):
            cell = (formatted.styled or {}).get(at)
            own = None if cell is None or cell.style is None else cell.style.format
            if token is not None:
                longest = max(longest, _widest(kind, [token], own or style.code(kind), text))
    if not longest and column.kind == "datetime" and column.format is None:
        return number_width(style.zoned)
    room = _ROOM_OF_SUM if column.total == "sum" and longest else 0
    return max(longest + room, least_width(column))


def _widest(
    kind: Kind, tokens: Sequence[bytes], code: str | None, text: Callable[[bytes], bytes] | None
) -> int:
    """Return the width of the widest of some cells of one kind and number format."""
    if not tokens or kind in (Kind.EMPTY, Kind.FORMULA, Kind.BOOL):
        return 0
    if kind is Kind.TEXT:
        starts = (token[:_SAMPLED_BYTES] for token in tokens)
        return max(map(_lines_width, starts if text is None else map(text, starts)))
    if code is None and kind in (Kind.NUMBER, Kind.NEGATIVE):
        return max(map(len, tokens))
    if kind is Kind.NUMBER:
        return max(number_width(code or "", float(token)) for token in tokens)
    return _moment_width(code or "")


def _lines_width(text: bytes) -> int:
    if text.isascii() and b"\n" not in text:
        return len(text)
    return max(map(text_width, text.decode("utf-8", "ignore").split("\n")))


def title_widths(rows: Sequence[str | Sequence[Any]], zone: tzinfo) -> dict[int, float]:
    """Return the widths of the dates and numbers in title rows, by their columns from 0.

    A text needs no room, because programs show it across the cells beside it.
    """
    widths: dict[int, float] = {}
    for row in rows:
        for at, cell in enumerate(() if isinstance(row, str) else row):
            value, style = (cell.value, cell.style) if isinstance(cell, Cell) else (cell, None)
            if isinstance(value, Formula):
                value = value.cached
            style = style or Style()
            shown = _shown(value, style.format, zone)
            width = shown * (style.size or _FONT) / _FONT * (_BOLD if style.bold else 1)
            widths[at] = max(widths.get(at, 0), width)
    return widths


def column_widths(
    columns: Sequence[Column],
    styles: Sequence[ColumnStyle],
    formatted: Sequence[FormattedColumn],
    options: SheetOptions,
    zone: tzinfo,
    *,
    text: Callable[[bytes], bytes] | None = None,
) -> list[float]:
    """Return the widths of the columns of a sheet: those given, or else estimated ones.

    Args:
        columns: The columns.
        styles: The style of the cells of each.
        formatted: The first cells of each.
        options: Options of the sheet.
        zone: Zone of aware date-times.
        text: Returns the characters of a text from its markup; None if a text has none.
    """
    above = title_widths(options.title_rows, zone)
    return [
        column.width
        or sampled_width(
            column.title,
            max(longest_cell(column, style, cells, text=text), above.get(at, 0)),
            button=options.autofilter,
        )
        for at, (column, style, cells) in enumerate(zip(columns, styles, formatted, strict=True))
    ]


def sampled_width(title: str | None, longest: float, *, button: bool) -> float:
    """Return the width of a column, not too narrow and not too wide.

    Args:
        title: Its title.
        longest: Width of its widest sampled cell.
        button: Whether a filter button is beside the title.
    """
    header = text_width(title) + (_FILTER_BUTTON if button else 0) if title else 0
    return min(max(header, longest + 1.0, _NARROWEST), _WIDEST)


def _shown(value: object, code: str | None, zone: tzinfo) -> int:
    if isinstance(value, (date, time, timedelta)):
        name = next(kind for type_, kind in _TYPES if isinstance(value, type_))
        width = number_width(code or code_of(name))
        aware = isinstance(value, datetime) and value.tzinfo is not None and code is None
        return width + (1 + len(str(zone)) if aware else 0)
    if code is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return number_width(code, value)


_TYPES = ((datetime, "datetime"), (date, "date"), (time, "time"), (timedelta, "duration"))
