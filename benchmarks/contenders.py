"""The contenders: libraries that write XLSX, CSV or XML, each called in its fastest fair way.

Fair means: all get an iterator of tuples and write the same cells, dates as dates with a number
format, and text as text, even if it looks like a formula.  If a contender needs dictionaries or
Arrow tables instead, making them counts.  Contenders are imported when they run, so that those
that are not installed do not matter.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.util import find_spec
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from unittest.mock import patch

if TYPE_CHECKING:
    import pyarrow as pa
    from lxml import etree
    from rustypyxl import CellValue

    import streamware
    from benchmarks.workloads import Row

Stream: TypeAlias = "Callable[[Iterable[Row], Sequence[str]], Iterator[bytes]]"
Write: TypeAlias = "Callable[[Iterable[Row], Sequence[str], Path], None]"

BATCH = 500


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to write a document.

    Attributes:
        name: Its name in the tables.
        format: "xlsx", "csv" or "xml".
        takes: What its interface takes: an iterator ("iter") or a whole "table".
        needs: The modules that it imports.
        stream: Yields the document in chunks; None if it cannot.
        write: Writes the document to a path; None if it can be streamed.
    """

    name: str
    format: str
    takes: str
    needs: tuple[str, ...] = ()
    stream: Stream | None = None
    write: Write | None = None

    @property
    def missing(self) -> str | None:
        """The first of the modules it needs that is not installed, or None."""
        return next((name for name in self.needs if find_spec(name) is None), None)

    def save(self, rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
        """Write the document to `path`, streamed or not."""
        if self.stream is None:
            assert self.write is not None
            self.write(rows, titles, path)
        else:
            with path.open("wb") as file:
                file.writelines(self.stream(rows, titles))


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows in lists of `size`; the last one may be shorter."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


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
    """Encode as if isal were not installed."""
    import streamware as sw
    from streamware.formats import zip as sw_zip

    with patch.object(sw_zip, "isal_zlib", None):
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


def _record_batches(
    rows: Iterable[Row], titles: Sequence[str], size: int
) -> Iterator[pa.RecordBatch]:
    """Yield Arrow record batches; the first one decides the types of the columns."""
    import pyarrow as pa

    schema = None
    for batch in batches(rows, size):
        columns = list(zip(*batch, strict=True))
        if schema is None:
            arrays = [pa.array(column) for column in columns]
            schema = pa.schema(zip(titles, (array.type for array in arrays), strict=True))
        else:
            arrays = [pa.array(*pair) for pair in zip(columns, schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def jetxl_arrow(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    """Write one Arrow table, with Decimals as doubles, because it refuses decimal columns."""
    import jetxl
    import pyarrow as pa

    table = pa.Table.from_batches(list(_record_batches(rows, titles, 5000)))
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
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
    import pyarrow.csv

    sink, writer = BytesIO(), None
    for batch in _record_batches(rows, titles, 2000):
        if writer is None:
            writer = pyarrow.csv.CSVWriter(sink, batch.schema)
        writer.write_batch(batch)
        yield sink.getvalue()
        sink.seek(0)
        sink.truncate()


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
CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("streamware xlsx", "xlsx", "iter", _STREAMWARE, stream=streamware_xlsx),
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
        Contender("streamware csv", "csv", "iter", _STREAMWARE, stream=streamware_csv),
        Contender("csv.writer batched", "csv", "iter", stream=csv_batched),
        Contender("pyarrow.csv", "csv", "iter", ("pyarrow",), stream=pyarrow_csv),
        Contender("streamware xml", "xml", "iter", _STREAMWARE, stream=streamware_xml),
        Contender("lxml xmlfile events", "xml", "iter", ("lxml",), stream=xmlfile_events),
        Contender("lxml xmlfile elements", "xml", "iter", ("lxml",), stream=xmlfile_elements),
    )
}


def reference(format_name: str) -> str:
    """Return the name of the contender that the others of a format are compared with."""
    return f"streamware {format_name}"
