"""The contenders: libraries that write XLSX, CSV or XML, each called in its fastest fair way.

Fair means: all get an iterator of tuples and write the same cells, dates as dates with a number
format, and text as text, even if it looks like a formula.  If a contender needs dictionaries or
Arrow tables instead, making them counts, unless it is compared with others that are "given" a
table.  What a contender cannot write in this way, `losses` finds by trying.  Contenders are
imported when they run, so that those that are not installed do not matter.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from benchmarks import paths
from benchmarks.contender import (
    BATCH,
    Contender,
    arrow_table,
    batches,
    polars_frame,
    record_batches,
)
from benchmarks.rivals import RIVALS

if TYPE_CHECKING:
    import pyarrow as pa
    from lxml import etree
    from rustypyxl import CellValue

    import streamware
    from benchmarks.workloads import Row


def _streamware(
    rows: Iterable[Row], titles: Sequence[str], form: streamware.Format
) -> Iterator[bytes]:
    import streamware as sw

    return sw.encode(rows, form, columns=[sw.Column(at, title) for at, title in enumerate(titles)])


def streamware_xlsx(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode with the defaults: with cell references."""
    import streamware as sw

    return _streamware(rows, titles, sw.Xlsx())


def streamware_zlib(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode as if neither isal nor zlib-ng were installed."""
    import streamware as sw
    from streamware.formats import zip as sw_zip

    with patch.object(sw_zip, "isal_zlib", None), patch.object(sw_zip, "zlib_ng", None):
        yield from _streamware(rows, titles, sw.Xlsx())


def streamware_compact(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode without cell references."""
    import streamware as sw

    return _streamware(rows, titles, sw.Xlsx(compact=True))


def streamware_csv(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode with the defaults: guarded against formulas."""
    import streamware as sw

    return _streamware(rows, titles, sw.Csv())


def streamware_xml(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode with the defaults."""
    import streamware as sw

    return _streamware(rows, titles, sw.Xml())


def streamware_json(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Encode with the defaults."""
    import streamware as sw

    return _streamware(rows, titles, sw.Json())


def streamware_given(format_name: str) -> Callable[[object, Sequence[str]], Iterator[bytes]]:
    """Return what encodes a table that is there, with the names that it has."""

    def stream(table: Any, titles: Sequence[str]) -> Iterator[bytes]:
        import streamware as sw

        return sw.encode(table, format_name)

    return stream


def xlsxwriter_constant(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Call `write_row`, as its manual does; typed calls such as `write_number` are not faster."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, titles)
        for at, row in enumerate(rows, 1):
            sheet.write_row(at, 0, row)


def openpyxl_write_only(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Append rows; it uses lxml, which is installed."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(titles)
    for row in rows:
        sheet.append(row)
    book.save(path)


def rustpy_xlsxwriter(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Write a generator of dictionaries, because it refuses tuples."""
    from rustpy_xlsxwriter import write_worksheet

    write_worksheet((dict(zip(titles, row, strict=True)) for row in rows), str(path))


def rustypyxl_write_only(rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
    """Append batches, which its manual calls the fast path."""
    from rustypyxl import WriteOnlyWorkbook

    book = WriteOnlyWorkbook(str(path))
    book.create_sheet("Sheet1")
    book.append_row(list(titles))
    for batch in batches(rows, BATCH):
        book.append_rows(cast("list[list[CellValue]]", batch))  # it takes tuples, too
    book.close()


def jetxl_arrow(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write one Arrow table."""
    return jetxl_given(table_for_jetxl(rows, titles), titles)


def table_for_jetxl(rows: Iterable[Row], titles: Sequence[str]) -> pa.Table:
    """Return a table with Decimals as doubles, because jetxl refuses decimal columns."""
    import pyarrow as pa

    table = arrow_table(rows, titles)
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
    return table


def jetxl_given(table: pa.Table, titles: Sequence[str]) -> Iterator[bytes]:
    """Write a table that is there."""
    import jetxl

    yield jetxl.write_sheet_arrow_to_bytes(table)


def csv_batched(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write 500 rows per chunk with the standard library."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(titles)
    for batch in batches(rows, BATCH):
        writer.writerows(batch)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def pyarrow_csv(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write record batches of 2,000 rows; larger ones are not faster."""
    return _pyarrow_csv(record_batches(rows, titles, 2000))


def pyarrow_csv_given(table: pa.Table, titles: Sequence[str]) -> Iterator[bytes]:
    """Write the batches of a table that is there."""
    return _pyarrow_csv(table.to_batches())


def _pyarrow_csv(found: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    import pyarrow.csv

    sink, writer = BytesIO(), None
    for batch in found:
        if writer is None:
            writer = pyarrow.csv.CSVWriter(sink, batch.schema)
        writer.write_batch(batch)
        yield sink.getvalue()
        sink.seek(0)
        sink.truncate()


def json_batched(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write 500 objects per chunk with the standard library, and Decimals as text."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
    return _json(rows, titles, lambda batch: encode(batch)[1:-1].encode())


def orjson_batched(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write 500 objects per chunk with orjson, and Decimals as text."""
    import orjson

    return _json(rows, titles, lambda batch: orjson.dumps(batch, default=str)[1:-1])


def _json(
    rows: Iterable[Row], titles: Sequence[str], dump: Callable[[list[dict[str, object]]], bytes]
) -> Iterator[bytes]:
    before = b"["
    for batch in batches(rows, BATCH):
        yield before + dump([dict(zip(titles, row, strict=True)) for row in batch])
        before = b","
    yield b"]"


def xmlfile_events(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write with a context manager for each row and each cell."""

    def write_row(out: etree._IncrementalFileWriter, row: Row) -> None:
        with out.element("row"):
            for title, value in zip(titles, row, strict=True):
                with out.element(title):
                    out.write(_text(value))

    return _xmlfile(rows, write_row)


def xmlfile_elements(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write with a tree of elements for each row."""
    from lxml import etree

    element, child = etree.Element, etree.SubElement

    def write_row(out: etree._IncrementalFileWriter, row: Row) -> None:
        branch = element("row")
        for title, value in zip(titles, row, strict=True):
            child(branch, title).text = _text(value)
        out.write(branch)

    return _xmlfile(rows, write_row)


def _xmlfile(
    rows: Iterable[Row], write_row: Callable[[etree._IncrementalFileWriter, Row], None]
) -> Iterator[bytes]:
    from lxml import etree

    sink = _Sink()
    with etree.xmlfile(sink, encoding="UTF-8", buffered=True) as out:
        out.write_declaration()
        with out.element("rows"):
            for batch in batches(rows, BATCH):
                for row in batch:
                    write_row(out, row)
                out.flush()
                yield sink.take()
    yield sink.take()


def _text(value: object) -> str:
    return _TEXTS[type(value)](value)


# Each function is called only with values of its type.
_TEXTS: dict[type, Callable[[Any], str]] = {
    str: lambda text: text,
    int: int.__repr__,
    float: float.__repr__,
    Decimal: str,
    bool: ("false", "true").__getitem__,
    type(None): lambda _: "",
    date: date.isoformat,
    datetime: datetime.isoformat,
}


class _Sink:
    """A binary file in memory, whose content can be taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


_STREAMWARE = ("streamware",)
_ARROW, _POLARS = ("streamware", "pyarrow"), ("streamware", "polars")
_OURS = {
    "xlsx": streamware_xlsx,
    "csv": streamware_csv,
    "xml": streamware_xml,
    "json": streamware_json,
}


def _ours() -> Iterator[Contender]:
    """Yield streamware in each format, on the path that is there and on the pure one."""
    for suffix, path in (("", None), (", pure", paths.PURE)):
        for name, stream in _OURS.items():
            ours = f"streamware {name}{suffix}"
            yield Contender(ours, name, "iter", _STREAMWARE, stream=stream, path=path)
        for name in ("xlsx", "csv"):
            yield Contender(
                f"streamware {name}, given Arrow{suffix}",
                name,
                "given",
                _ARROW,
                stream=streamware_given(name),
                prepare=arrow_table,
                path=path,
            )
    for name in ("xlsx", "csv"):
        yield Contender(
            f"streamware {name}, given Polars",
            name,
            "given",
            _POLARS,
            stream=streamware_given(name),
            prepare=polars_frame,
        )


CONTENDERS = {
    contender.name: contender
    for contender in (
        *_ours(),
        Contender("streamware zlib", "xlsx", "iter", _STREAMWARE, stream=streamware_zlib),
        Contender("streamware compact", "xlsx", "iter", _STREAMWARE, stream=streamware_compact),
        Contender(
            "XlsxWriter constant_memory", "xlsx", "iter", ("xlsxwriter",), write=xlsxwriter_constant
        ),
        Contender("openpyxl write-only", "xlsx", "iter", ("openpyxl",), write=openpyxl_write_only),
        Contender(
            "rustpy-xlsxwriter", "xlsx", "iter", ("rustpy_xlsxwriter",), write=rustpy_xlsxwriter
        ),
        Contender(
            "rustypyxl write-only", "xlsx", "iter", ("rustypyxl",), write=rustypyxl_write_only
        ),
        Contender("jetxl", "xlsx", "table", ("jetxl", "pyarrow"), stream=jetxl_arrow),
        Contender(
            "jetxl, given Arrow",
            "xlsx",
            "given",
            ("jetxl", "pyarrow"),
            stream=jetxl_given,
            prepare=table_for_jetxl,
        ),
        Contender("csv.writer batched", "csv", "iter", stream=csv_batched),
        Contender("pyarrow.csv", "csv", "batches", ("pyarrow",), stream=pyarrow_csv),
        Contender(
            "pyarrow.csv, given Arrow",
            "csv",
            "given",
            ("pyarrow",),
            stream=pyarrow_csv_given,
            prepare=arrow_table,
        ),
        Contender("lxml xmlfile events", "xml", "iter", ("lxml",), stream=xmlfile_events),
        Contender("lxml xmlfile elements", "xml", "iter", ("lxml",), stream=xmlfile_elements),
        Contender("json batched", "json", "iter", stream=json_batched),
        Contender("orjson batched", "json", "iter", ("orjson",), stream=orjson_batched),
        *RIVALS,
    )
}


def reference(contender: Contender) -> str:
    """Return the name of the contender that another is compared with: ours with what it takes."""
    given = ", given Arrow" if contender.takes == "given" else ""
    return f"streamware {contender.format}{given}"
