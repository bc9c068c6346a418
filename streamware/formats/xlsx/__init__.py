"""How does a workbook become an XLSX file, written forwards only?

A workbook is a zip of XML parts.  It can be streamed because no part needs anything that a later
part decides, if the sheets come before the parts that list them.

Source: ECMA-376 Part 1 (SpreadsheetML), Part 2 (Open Packaging Conventions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.options import WorkbookOptions, explained
from streamware.formats.xlsx.workbook import XlsxEncoder
from streamware.model.columns import Column
from streamware.model.style import expect


@explained
@dataclass(frozen=True, slots=True, kw_only=True)
class Xlsx(WorkbookOptions):
    """An Excel workbook of one or more sheets.

    A sheet that reaches 1,048,576 rows, or almost 4 GiB of XML, is continued in "Name (2)", where
    its header is repeated.

    Attributes:
        compact: Whether cell references are left out.  This saves about 30 % of the XML and some of
            the time.  Use it only for readers that are known to cope: exceljs, gnumeric, Microsoft
            Access, xlsx2csv, xlsx-populate, R's openxlsx and many others do not, some of them
            without an error, and Apache POI takes repetitive rows for a zip bomb.  The page
            "Readers" of the documentation lists them.
        strings: Where texts are: "inline" in their cells; or "shared" in one table, for the first
            50,000 different texts, of 4 MiB in total.  Apple's programs, R's openxlsx, pylightxl,
            Perl's Spreadsheet::XLSX and npm's excel lose or spoil inline texts.
        index: Whether a first sheet lists the others, with links and the number of their rows:
            True, or the name of that sheet.
    """

    compact: bool = False
    strings: Literal["inline", "shared"] = "inline"
    index: bool | str = False

    name: ClassVar[str] = "xlsx"
    media_type: ClassVar[str] = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    other_media_types: ClassVar[tuple[str, ...]] = ("application/vnd.ms-excel",)
    extension: ClassVar[str] = ".xlsx"
    interleaves: ClassVar[bool] = True

    def __post_init__(self) -> None:
        WorkbookOptions.__post_init__(self)  # super() does not work in a dataclass with slots
        expect(self, "True or False", bool, "compact")
        expect(self, "True, False or a name", bool | str, "index")
        if self.strings not in ("inline", "shared"):
            raise ValueError(f"strings must be 'inline' or 'shared', not {self.strings!r}")

    def encoder(self, columns: Sequence[Column], context: Context) -> XlsxEncoder:
        """Return a new encoder."""
        return XlsxEncoder(self, columns, context)
