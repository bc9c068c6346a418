"""Workbooks made for tests: the zip of every one is held to its rules."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import openpyxl.cell

import readers
import streamware as sw

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Workbook(NamedTuple):
    """A finished document and what became of it."""

    data: bytes
    receipt: sw.Receipt

    @property
    def parts(self) -> dict[str, bytes]:
        return readers.zip_parts(self.data)

    @property
    def converted(self) -> dict[str, int]:
        return dict(self.receipt.converted)

    def rows(self, sheet: str | None = None) -> list[list[Any]]:
        """What calamine reads."""
        return readers.calamine_rows(self.data, sheet)

    def cell(self, reference: str = "A1") -> openpyxl.cell.Cell:
        """What openpyxl reads."""
        found: openpyxl.cell.Cell = readers.openpyxl_book(self.data).worksheets[0][reference]
        return found

    def sheet(self, number: int = 1) -> ET.Element:
        return ET.fromstring(self.parts[f"xl/worksheets/sheet{number}.xml"])

    def number(self, reference: str = "A1") -> float:
        """The number that is written in a cell, whatever its format shows."""
        cell = self.sheet().find(f".//{MAIN}c[@r='{reference}']/{MAIN}v")
        assert cell is not None, f"{reference} has no number"
        assert cell.text is not None, f"{reference} is empty"
        return float(cell.text)

    @property
    def names(self) -> list[str]:
        found: list[str] = readers.openpyxl_book(self.data).sheetnames
        return found


def workbook(rows: Any, format: str | sw.Format = "xlsx", **options: Any) -> Workbook:  # noqa: A002
    with sw.encode(rows, format, **options) as encoding:
        data = b"".join(encoding)
    readers.zip_rules(data)
    return Workbook(data, encoding.receipt)


def one(value: object, format: str | sw.Format = "xlsx", **values: Any) -> Workbook:  # noqa: A002
    """A workbook of this one cell."""
    return workbook([(value,)], format, values=sw.Values(**values))


def days(serial: float) -> timedelta:
    """A serial as a span, to the microsecond."""
    return timedelta(microseconds=round(Fraction(serial) * 86_400_000_000))
