"""What does a contender lose?  `python -m benchmarks.losses NAME …` finds out by trying.

- Values: a document with one value of a kind is read by foreign readers: python-calamine and
  openpyxl, or the standard library's csv, json and ElementTree.  A value that they give back as
  another, or as text instead of a number or a date, is lost, and so is one that the contender
  refuses or that makes the document unreadable.
- The stream: whether most bytes come before the last row was pulled.
- Memory: whether it grows with the rows.

Each contender is tried in a process of its own, in which it may fail as it likes.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.child import peak_memory
from benchmarks.contender import Contender
from benchmarks.contenders import CONTENDERS
from benchmarks.paths import ROOT
from benchmarks.table import conditions, table
from benchmarks.workloads import ALL, Row

KEPT, TEXT, CHANGED, LIVE = "kept", "as text", "changed", "live"
REFUSED, UNREADABLE = "refused", "unreadable"
FEW, MANY = 20_000, 80_000
"""Rows between which memory is compared."""
BYTES = 150
"""Bytes of memory a row from which on everything is in memory; in CSV a row has 168 bytes."""
STREAM = 0.5
"""The part of the bytes that a stream has sent before the last row was pulled."""
READERS = ("python_calamine", "openpyxl")

VALUES: dict[str, object] = {
    "integers beyond 2^53": 2**60 + 1,
    "integers beyond 2^64": 2**70,
    "Decimals": Decimal("1.10"),
    "long Decimals": Decimal("12345678901234567890.12"),
    "floats": 0.1 + 0.2,
    "NaN": float("nan"),
    "infinities": float("-inf"),
    "booleans": True,
    "dates": date(2024, 5, 6),
    "date-times": datetime.fromisoformat("2024-05-06T07:08:09"),
    "formula texts": "=1+1",
    "digits as text": "007",
    "blanks at edges": " a ",
    "control characters": "a\x01b",
    "escapes in text": "_x0041_",
}


@dataclass(frozen=True, slots=True)
class Losses:
    """What was found.

    Attributes:
        values: What became of each kind of value.
        streams: Whether bytes come before the last row was pulled.
        growth: Bytes of memory a row.
        file: Whether it writes to a path.
    """

    values: dict[str, str]
    streams: bool
    growth: float
    file: bool

    def __str__(self) -> str:
        return "; ".join([*self._of_values(), *self._of_delivery()])

    @property
    def brief(self) -> str:
        """The same, with the number of kinds of values instead of their names."""
        count = len(VALUES) - list(self.values.values()).count(KEPT)
        values = [f"{count} of {len(VALUES)} kinds of values"] if count else []
        return "; ".join([*values, *self._of_delivery()])

    def _of_values(self) -> Iterator[str]:
        for outcome in (CHANGED, TEXT, LIVE, REFUSED, UNREADABLE):
            names = [name for name, found in self.values.items() if found == outcome]
            if names:
                yield f"{outcome}: {', '.join(names)}"

    def _of_delivery(self) -> Iterator[str]:
        if self.growth > BYTES:
            yield "all in memory"
        if self.file:
            yield "a file"
        elif not self.streams:
            yield "no stream"


# Reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that a spreadsheet computes."""


def read_xlsx(path: Path) -> object:
    """Return the second cell of the second row, as both readers see it."""
    import openpyxl
    import python_calamine

    sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses styles
        cell = openpyxl.load_workbook(path).worksheets[0].cell(2, 2)
    if cell.data_type == "f":
        return Formula()
    found: object = sheet.to_python(skip_empty_area=False)[1][1]
    return found


def read_csv(path: Path) -> object:
    """Return the second cell of the second row."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        cell = list(csv.reader(file))[1][1]
    return Formula() if cell.startswith(("=", "+", "@")) else cell


def read_xml(path: Path) -> object:
    """Return the second cell of the first row."""
    return ET.parse(path).getroot()[0][1].text or ""


def read_json(path: Path) -> object:
    """Return the second value of the first object."""
    (row,) = json.loads(path.read_bytes(), parse_float=Decimal)
    return list(row.values())[1]


READ: dict[str, Callable[[Path], object]] = {
    "xlsx": read_xlsx,
    "csv": read_csv,
    "xml": read_xml,
    "json": read_json,
}


# Judging ------------------------------------------------------------------------------------


def judged(value: object, cell: object, format_name: str) -> str:
    """Return what became of a value, of which a reader has found `cell`."""
    if isinstance(cell, Formula):
        return LIVE
    if format_name == "xlsx" and isinstance(cell, float) and not isfinite(cell):
        return UNREADABLE  # by Excel: calamine takes "NaN" for a number
    return _JUDGES[type(value)](value, cell, format_name == "xlsx")


def _judged_text(value: str, cell: object, _: bool) -> str:
    if value == VALUES["control characters"]:  # XML has no such character
        return KEPT if str(cell)[:1] + str(cell)[-1:] == "ab" else CHANGED
    guarded = value == VALUES["formula texts"] and cell == f"'{value}"
    return KEPT if cell == value or guarded else CHANGED


def _judged_integer(value: int, cell: object, _: bool) -> str:
    exact = int(cell) if isinstance(cell, float) else cell  # as text it is exact, too
    return KEPT if str(exact) == str(value) else CHANGED


def _judged_decimal(value: Decimal, cell: object, typed: bool) -> str:
    if isinstance(cell, str):
        return TEXT if typed else _same(cell == str(value))
    return _same(cell == float(value) if typed else cell == value)


def _judged_float(value: float, cell: object, typed: bool) -> str:
    if not isfinite(value):  # empty or as text it is no wrong number
        with suppress(ValueError, TypeError):
            return CHANGED if isfinite(float(str(cell))) else KEPT
        return KEPT
    if typed and isinstance(cell, str):
        return TEXT
    return _same(float(str(cell)) == value)


def _judged_boolean(_: bool, cell: object, typed: bool) -> str:
    if typed and cell is not True:
        return TEXT if isinstance(cell, str) else CHANGED
    return _same(str(cell).lower() in ("true", "1"))


def _judged_moment(value: date, cell: object, typed: bool) -> str:
    if typed:
        at_midnight = datetime.combine(value, time()) if type(value) is date else value
        return TEXT if isinstance(cell, str) else _same(cell in (value, at_midnight))
    return _same(type(value).fromisoformat(str(cell)) == value)


def _same(kept: bool) -> str:
    return KEPT if kept else CHANGED


_JUDGES: dict[type, Callable[[Any, object, bool], str]] = {
    str: _judged_text,
    int: _judged_integer,
    Decimal: _judged_decimal,
    float: _judged_float,
    bool: _judged_boolean,
    date: _judged_moment,
    datetime: _judged_moment,
}


# Trying -------------------------------------------------------------------------------------


def became(contender: Contender, value: object, folder: Path) -> str:
    """Return what becomes of a value."""
    path, titles, row = folder / f"value.{contender.format}", ("id", "value"), (1, value)
    if contender.prepare is not None:
        try:
            contender.prepare(iter([row]), titles)
        except Exception:  # noqa: BLE001 - no such table can be given
            return KEPT
    try:
        contender.save(iter([row]), titles, path)
    except BaseException:  # noqa: BLE001 - a panic of Rust is no Exception
        return REFUSED
    try:
        cell = READ[contender.format](path)
    except Exception:  # noqa: BLE001 - whatever a reader raises
        return UNREADABLE
    try:
        return judged(value, cell, contender.format)
    except ValueError:  # it is no number, no date
        return CHANGED


def streams(contender: Contender, rows: int) -> bool:
    """Return whether most bytes come before the last row was pulled.

    A table that is given is there as a whole: then several chunks have to come.
    """
    if contender.stream is None:
        return False
    pulled, early, size, chunks = 0, 0, 0, 0

    def source() -> Iterator[Row]:
        nonlocal pulled
        for row in ALL["orders"].rows(rows):
            pulled += 1
            yield row

    titles = ALL["orders"].titles
    for chunk in contender.stream(contender.source(source(), titles), titles):
        size += len(chunk)
        chunks += 1
        if pulled < rows:
            early = size
    return chunks > 2 if contender.prepare is not None else early > STREAM * size


def growth(contender: Contender, few: int, many: int, folder: Path) -> float:
    """Return the bytes of memory that a further row takes."""
    if contender.prepare is not None:  # the table is in memory anyway
        return 0.0
    path, workload = folder / f"rows.{contender.format}", ALL["orders"]
    peaks = []
    for rows in (few, many):
        contender.save(workload.rows(rows), workload.titles, path)
        peaks.append(peak_memory())
    return (peaks[1] - peaks[0]) / (many - few)


def tried(contender: Contender, few: int = FEW, many: int = MANY) -> Losses:
    """Return what a contender loses, by trying it in this process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grows = growth(contender, few, many, folder)
        values = {kind: became(contender, value, folder) for kind, value in VALUES.items()}
        return Losses(values, streams(contender, few), grows, contender.write is not None)


def found(name: str) -> Losses | None:
    """Return what a contender loses, by trying it in a new process; None if that failed."""
    command = [sys.executable, "-m", "benchmarks.losses", "--child", name]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    return None if done.returncode else Losses(**json.loads(done.stdout))


def missing() -> str | None:
    """Return the first of the foreign readers that is not installed, or None."""
    return next((name for name in READERS if find_spec(name) is None), None)


def said(losses: Losses | None) -> str:
    """Return what the table of losses says about a contender."""
    return "it failed" if losses is None else str(losses) or "nothing"


def briefly(losses: Losses | None) -> str:
    """Return what another table says."""
    return "it failed" if losses is None else losses.brief or "nothing"


def report(losses: dict[str, Losses | None]) -> str:
    """Return the table of losses."""
    titles = ("contender", "loses")
    return table(titles, ([name, said(one)] for name, one in losses.items()), titles)


def main() -> None:
    """Try those that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        json.dump(asdict(tried(CONTENDERS[options.names[0]])), sys.stdout)
        return
    print(conditions("benchmarks.losses", ("streamware", *READERS)))
    here: Iterable[str] = (name for name, one in CONTENDERS.items() if one.missing is None)
    print(report({name: found(name) for name in options.names or here}))


if __name__ == "__main__":
    main()
