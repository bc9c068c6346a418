"""The demo's table: orders, in ten columns of every kind that SQLite has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from streamware.model.columns import Column

COLUMNS = (
    Column("id", "No."),
    Column("number", "Number"),
    Column("customer", "Customer"),
    Column("weight", "Weight", format="0.000"),
    Column("total", "Total", kind="number", format="#,##0.00"),
    Column("paid", "Paid", kind="bool"),
    Column("due", "Due", kind="date"),
    Column("placed_at", "Placed", kind="datetime"),
    Column("pieces", "Pieces"),
    Column("note", "Note"),
)
_CUSTOMERS = (
    "Müller & Söhne",
    "O'Brien <Import>",
    "小林商店",
    "Łukasz, Dvořák & Co.",
    "Ødegård AS",
)
_NOTES = (
    'Leave at the "{}" door,\nring twice',
    "Call {} first, then deliver, please",
    "Gift, wrapped, and no bill inside: {}",
)
_FIRST = datetime(2024, 1, 1, 8)  # noqa: DTZ001 - SQLite has no time zones
_HASH = 0x9E3779B97F4A7C15F39CC0605CEDC835
_MASK = (1 << 128) - 1
_STEP = 20_000


def make(database: Path, rows: int, show: Callable[[str, int, int], object]) -> None:
    """Create the table `orders`, of about 180 bytes a row.

    Args:
        database: Path of the file, which must not exist yet.
        rows: How many rows.
        show: Called as `show("table", rows so far, rows)`.
    """
    names = ", ".join(str(column.key) for column in COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("pragma journal_mode = off; pragma synchronous = off")
        connection.execute(f"create table orders ({names})")
        for start in range(0, rows, _STEP):
            show("table", start, rows)
            numbers = range(start, min(start + _STEP, rows))
            connection.executemany(f"insert into orders values ({marks})", map(_order, numbers))  # noqa: S608
        connection.commit()


def _order(at: int) -> tuple[object, ...]:
    placed = _FIRST + timedelta(seconds=37 * at)
    return (
        at + 1,
        f"{at * _HASH & _MASK:032x}",
        f"{_CUSTOMERS[at % 5]} {at % 997}",
        (at * 7919 % 1_000_003 + 1) / 7,
        f"{at * 31 % 99_991}.{at % 100:02}",
        at % 3 == 0,
        (placed + timedelta(days=30)).date().isoformat(),
        placed.isoformat(" "),
        at % 900 if at % 5 else None,
        _NOTES[at % 3].format(at % 1009),
    )
