"""The contenders that only this benchmark installs, from `rivals.txt`; see `contenders`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from benchmarks.contender import (
    Contender,
    batches,
    polars_frame,
    record_batches,
)

if TYPE_CHECKING:
    import polars as pl

    from benchmarks.workloads import Row

DATE, DATE_TIME = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


def rustpy_csv(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write a generator of dictionaries; its guard against formulas costs nothing."""
    from rustpy_xlsxwriter import write_csv

    records = (dict(zip(titles, row, strict=True)) for row in rows)
    write_csv(records, str(path), sanitize_formulas=True)


def polars_csv(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write frames of 5,000 rows; the first one decides the types of the columns."""
    import polars as pl

    schema: Any = list(titles)
    for batch in batches(rows, 5000):
        frame = pl.DataFrame(batch, schema=schema, orient="row")
        yield from polars_csv_given(frame, titles, header=schema is not frame.schema)
        schema = frame.schema


def polars_csv_given(
    frame: pl.DataFrame, titles: Sequence[str], *, header: bool = True
) -> Iterator[bytes]:
    """Write a frame that is there."""
    sink = BytesIO()
    frame.write_csv(sink, include_header=header)
    yield sink.getvalue()


def duckdb_csv(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Copy from a reader of record batches."""
    _duckdb_copy(rows, titles, f"copy rows to '{path}' (format csv, header true)")


def duckdb_xlsx(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Copy by the extension, which has to be of the same version as DuckDB."""
    spec = find_spec("duckdb_extension_excel")
    assert spec is not None
    assert spec.origin is not None
    (extension,) = Path(spec.origin).parent.rglob("excel.duckdb_extension")
    copy = f"copy rows to '{path}' (format xlsx, header true)"
    _duckdb_copy(rows, titles, f"load '{extension}'", copy)


def _duckdb_copy(rows: Iterable[Row], titles: Sequence[str], *statements: str) -> None:
    import duckdb
    import pyarrow as pa

    made = record_batches(rows, titles, 5000)
    first = next(made)
    reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], made))
    with duckdb.connect() as connection:
        connection.register("rows", reader)
        for statement in statements:
            connection.execute(statement)


def rapidxlsx_columns(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write a dictionary of columns, which is faster for mixed cells than a frame."""
    import rapidxlsx

    columns = [list(column) for column in zip(*rows, strict=True)]
    rapidxlsx.write(str(path), dict(zip(titles, columns, strict=True)))


def rapidxlsx_polars(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write a frame, which is faster for numbers."""
    rapidxlsx_given(polars_frame(rows, titles), titles, path)


def rapidxlsx_given(frame: pl.DataFrame, titles: Sequence[str], path: Path) -> None:
    """Write a frame that is there."""
    import rapidxlsx

    rapidxlsx.write(str(path), frame)


def xlsxturbo_polars(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write a frame."""
    import xlsxturbo

    xlsxturbo.df_to_xlsx(polars_frame(rows, titles), str(path))


def fastxlsxio_batches(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write batches in its constant memory, with formats for dates."""
    from fastxlsxio import ColTypeHint, XIOWWorkbook

    book = XIOWWorkbook(str(path))
    book.add_format({"num_format": DATE}, ColTypeHint.Date)
    book.add_format({"num_format": DATE_TIME}, ColTypeHint.DateTime)
    sheet = book.add_worksheet("Sheet1")
    sheet.write_row(0, 0, titles)
    at = 1
    for batch in batches(rows, 1024):
        sheet.write_rows(at, 0, batch)
        at += len(batch)
    book.save()


def openexcel_append(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Append rows."""
    import openexcel

    book = openexcel.Workbook()
    sheet = book.create_sheet("Sheet1")
    sheet.append(list(titles))
    for row in rows:
        sheet.append(row)
    book.save(str(path))


def wolfxl_append(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Append rows to a workbook that is only written."""
    import wolfxl

    book = wolfxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append(titles)
    for row in rows:
        sheet.append(row)
    book.save(str(path))


def oxlsx_cells(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Set cells: the time of its `append` grows with the rows that are there."""
    import oxlsx

    book = oxlsx.Workbook()
    sheet = book.active
    letters = _letters(len(titles))
    for at, row in enumerate(chain([titles], rows), 1):
        number = str(at)
        for letter, value in zip(letters, row, strict=True):
            if value is not None:
                sheet[letter + number] = value
    book.save(str(path))


def turbo_xlsx_table(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write batches with one type for each column, and dates as text that it takes for dates."""
    import turbo_xlsx

    writer = turbo_xlsx.create_writer()
    writer.start_sheet({"name": "Sheet1"})
    writer.write_table([{"type": "string"}] * len(titles), [titles])
    types: list[type] = []
    for batch in batches(rows, 500):
        columns: list[Sequence[Any]] = list(zip(*batch, strict=True))
        types = types or [_type_of(column) for column in columns]
        for at, kind in enumerate(types):
            if issubclass(kind, date):
                columns[at] = [value and value.isoformat() for value in columns[at]]
        kinds = [{"type": _TURBO_TYPES[kind]} for kind in types]
        writer.write_table(kinds, list(zip(*columns, strict=True)))
    writer.end_sheet()
    yield writer.finish()[0]


_TURBO_TYPES: dict[type, str] = {
    **dict.fromkeys((int, float, Decimal), "number"),
    **dict.fromkeys((date, datetime), "date"),
    bool: "boolean",
    str: "string",
}


def _type_of(column: Sequence[object]) -> type:
    return next((type(value) for value in column if value is not None), str)


def duke_sheets_cells(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Set cells, with dates and Decimals as numbers, and give the columns of dates a format."""
    import duke_sheets

    book = duke_sheets.Workbook()
    sheet = book.get_sheet(0)
    letters = _letters(len(titles))
    formats: dict[str, str] = {}
    at = 0
    for at, row in enumerate(chain([titles], rows), 1):
        number = str(at)
        for letter, value in zip(letters, row, strict=True):
            number_of = _DUKE_NUMBERS.get(type(value))
            sheet.set_cell(letter + number, value if number_of is None else number_of(value))
            if isinstance(value, date):
                formats[letter] = DATE_TIME if isinstance(value, datetime) else DATE
    for letter, form in formats.items():
        style = {"number_format": {"format_type": "custom", "format_string": form}}
        sheet.set_range_style(f"{letter}2:{letter}{at}", style)
    book.save(str(path))


_EPOCH, _DAY = datetime.fromisoformat("1899-12-30"), timedelta(days=1)
_DUKE_NUMBERS: dict[type, Callable[[Any], float]] = {
    Decimal: float,
    date: lambda day: (day - _EPOCH.date()).days,
    datetime: lambda moment: (moment - _EPOCH) / _DAY,
}


def _letters(count: int) -> list[str]:
    """Return the names of the first columns; up to 702."""
    pairs = (first + second for first in ascii_uppercase for second in ascii_uppercase)
    return list(chain(ascii_uppercase, pairs))[:count]


_RAPIDXLSX, _XLSXTURBO = ("rapidxlsx", "polars"), ("xlsxturbo", "polars")
RIVALS = (
    Contender("rustpy write_csv", "csv", "iter", ("rustpy_xlsxwriter",), write=rustpy_csv),
    Contender("Polars write_csv", "csv", "batches", ("polars",), stream=polars_csv),
    Contender(
        "Polars write_csv, given Polars",
        "csv",
        "given",
        ("polars",),
        stream=polars_csv_given,
        prepare=polars_frame,
    ),
    Contender("DuckDB, CSV", "csv", "batches", ("duckdb", "pyarrow"), write=duckdb_csv),
    Contender(
        "DuckDB, XLSX", "xlsx", "batches", ("duckdb_extension_excel", "pyarrow"), write=duckdb_xlsx
    ),
    Contender("rapidxlsx, columns", "xlsx", "table", ("rapidxlsx",), write=rapidxlsx_columns),
    Contender("rapidxlsx, Polars", "xlsx", "table", _RAPIDXLSX, write=rapidxlsx_polars),
    Contender(
        "rapidxlsx, given Polars",
        "xlsx",
        "given",
        _RAPIDXLSX,
        write=rapidxlsx_given,
        prepare=polars_frame,
    ),
    Contender("xlsxturbo, Polars", "xlsx", "table", _XLSXTURBO, write=xlsxturbo_polars),
    Contender("fastxlsxio", "xlsx", "iter", ("fastxlsxio",), write=fastxlsxio_batches),
    Contender("openexcel", "xlsx", "iter", ("openexcel",), write=openexcel_append),
    Contender("wolfxl write-only", "xlsx", "iter", ("wolfxl",), write=wolfxl_append),
    Contender("oxlsx", "xlsx", "iter", ("oxlsx",), write=oxlsx_cells),
    Contender("turbo-xlsx", "xlsx", "iter", ("turbo_xlsx",), stream=turbo_xlsx_table),
    Contender("duke-sheets", "xlsx", "iter", ("duke_sheets",), write=duke_sheets_cells),
)
