"""XLSX: a workbook as a zip of XML parts, each written once and forwards.

That a workbook cannot be streamed is widely believed and wrong: no part needs to know what comes
after it, once the sheets come before the parts that list them.

Source: ECMA-376 Part 1 (SpreadsheetML), Part 2 (Open Packaging Conventions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.names import defined_names
from streamware.formats.spreadsheet.properties import Property, checked
from streamware.formats.xlsx.workbook import XlsxEncoder
from streamware.formats.zip import Backend
from streamware.model.columns import Column
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class Xlsx(SheetOptions):
    """An Excel workbook of one or more sheets, one after the other.

    A sheet that reaches 1,048,576 rows, or nears 4 GiB of XML, goes on in "Name (2)" with its
    header repeated.  Its `SheetOptions` hold for every sheet that has none of its own.

    Attributes:
        sheet: Name of the sheet where the rows come without one.
        compact: Leaves the cell references out: about 30 % less XML and a quarter less time,
            but exceljs, gnumeric and Microsoft Access do not read such files.
        strings: Texts stand "inline" in their cells; or "shared" in a table of their own, which
            programs of Apple want: the first 50,000 different ones, of 4 MiB together.
        compression: "fast", or "small" (a fifth less at several times the time).
        deflate: "isal", "zlib", or "auto": isal where it is installed.
        title: Document property.
        author: Document property.
        company: Document property.
        created: Document property; left out by default, so that equal rows give equal bytes.
        properties: More document properties: texts of up to 255 characters, numbers, bools, dates.
            A callable is called with the `Receipt` when all rows are there, so that
            `{"Rows": lambda receipt: receipt.rows}` tells how many.
        names: Names that stand for formulas in the whole workbook, such as
            `{"VAT": "0.19", "Amounts": "Orders!$C$2:$C$900"}`.
        index: A first sheet lists the others, with links and the number of their rows: True, or
            its name.
    """

    sheet: str = "Sheet1"
    compact: bool = False
    strings: Literal["inline", "shared"] = "inline"
    compression: Literal["fast", "small"] = "fast"
    deflate: Backend = "auto"
    title: str | None = None
    author: str | None = None
    company: str | None = None
    created: datetime | None = None
    properties: Mapping[str, Property] | None = field(default=None, hash=False)
    names: Mapping[str, str] | None = field(default=None, hash=False)
    index: bool | str = False

    name: ClassVar[str] = "xlsx"
    media_type: ClassVar[str] = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    extension: ClassVar[str] = ".xlsx"
    several_sheets: ClassVar[bool] = True
    interleaves: ClassVar[bool] = True
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        SheetOptions.__post_init__(self)  # super() finds no class in one with slots
        expect(self, "a text", str, "sheet")
        expect(self, "a text", str | None, "title", "author", "company")
        expect(self, "a datetime", datetime | None, "created")
        expect(self, "a mapping", Mapping | None, "properties", "names")
        expect(self, "True or False", bool, "compact")
        expect(self, "True, False or a name", bool | str, "index")
        if self.strings not in ("inline", "shared"):
            raise ValueError("strings is 'inline' or 'shared'")
        if self.compression not in ("fast", "small"):
            raise ValueError("compression is 'fast' or 'small'")
        if self.deflate not in ("auto", "isal", "zlib"):
            raise ValueError("deflate is 'auto', 'isal' or 'zlib'")
        if self.properties is not None:
            object.__setattr__(self, "properties", checked(self.properties))
        if self.names is not None:
            object.__setattr__(self, "names", defined_names(self.names))
        if self.deflate == "isal" and self.compression == "small":
            raise ValueError("isal has no small compression; take deflate='zlib' or 'auto'")

    def encoder(self, columns: Sequence[Column], context: Context) -> XlsxEncoder:
        """A fresh encoder."""
        return XlsxEncoder(self, columns, context)
