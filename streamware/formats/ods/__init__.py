"""ODS: a spreadsheet of OpenDocument, which is LibreOffice's own form, as a zip of XML parts.

Its sheets stand in one part, one after the other; what they came to use is written behind it.

Source: OASIS OpenDocument 1.3 (ISO/IEC 26300) Part 2 (packages), Part 3 (schema).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from streamware.formats.ods import parts
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.workbook import OdsEncoder
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.names import defined_names
from streamware.formats.spreadsheet.properties import Property, checked
from streamware.formats.zip import Backend
from streamware.model.columns import Column
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class Ods(SheetOptions):
    """A spreadsheet of LibreOffice, of one or more sheets, one after the other.

    A sheet that reaches 1,048,576 rows goes on in "Name (2)" with its header repeated.  Its
    `SheetOptions` hold for every sheet that has none of its own.  All sheets are one entry of the
    zip, which holds 4 GiB of XML: about six million rows of ten columns.

    What stands before the first row of a document has to be known then: of later sheets, a tab's
    colour and what may be typed into columns that are not the export's are left out, and counted
    ("tab_color", "validation"); widths are rounded up to whole characters.  `table` is a named
    range with stripes, whatever style it names.  Conditional formats, stripes among them, are
    LibreOffice's own, and other programs leave them out.

    Attributes:
        sheet: Name of the sheet where the rows come without one.
        compression: "fast", or "small" (a fifth less at several times the time).
        deflate: "isal", "zlib", or "auto": isal where it is installed.
        title: Document property.
        author: Document property.
        company: Document property.
        created: Document property; left out by default, so that equal rows give equal bytes.
        properties: More document properties: texts of up to 255 characters, numbers, bools, dates.
            A callable is called with the `Receipt` when all rows are there.
        names: Names that stand for formulas in the whole document, as in `Xlsx`.
    """

    sheet: str = "Sheet1"
    compression: Literal["fast", "small"] = "fast"
    deflate: Backend = "auto"
    title: str | None = None
    author: str | None = None
    company: str | None = None
    created: datetime | None = None
    properties: Mapping[str, Property] | None = field(default=None, hash=False)
    names: Mapping[str, str] | None = field(default=None, hash=False)

    name: ClassVar[str] = "ods"
    media_type: ClassVar[str] = parts.MEDIA_TYPE
    extension: ClassVar[str] = ".ods"
    several_sheets: ClassVar[bool] = True
    interleaves: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        SheetOptions.__post_init__(self)  # super() finds no class in one with slots
        expect(self, "a text", str, "sheet")
        expect(self, "a text", str | None, "title", "author", "company")
        expect(self, "a datetime", datetime | None, "created")
        expect(self, "a mapping", Mapping | None, "properties", "names")
        if self.compression not in ("fast", "small"):
            raise ValueError("compression is 'fast' or 'small'")
        if self.deflate not in ("auto", "isal", "zlib"):
            raise ValueError("deflate is 'auto', 'isal' or 'zlib'")
        if self.properties is not None:
            object.__setattr__(self, "properties", checked(self.properties))
        if self.names is not None:
            object.__setattr__(self, "names", _translatable(defined_names(self.names)))
        if self.deflate == "isal" and self.compression == "small":
            raise ValueError("isal has no small compression; take deflate='zlib' or 'auto'")

    def encoder(self, columns: Sequence[Column], context: Context) -> OdsEncoder:
        """A fresh encoder."""
        return OdsEncoder(self, columns, context)


def _translatable(names: Mapping[str, str]) -> Mapping[str, str]:
    for name, formula in names.items():
        if open_formula(formula) is None:
            raise ValueError(f"the formula of the name {name!r} has no translation for ODF")
    return names
