"""ODS: a spreadsheet of OpenDocument, which is LibreOffice's own form, as a zip of XML parts.

Its sheets stand in one part, one after the other; what they came to use is written behind it.

Source: OASIS OpenDocument 1.3 (ISO/IEC 26300) Part 2 (packages), Part 3 (schema).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from streamware.formats.ods import parts
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.workbook import OdsEncoder
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.options import WorkbookOptions
from streamware.model.columns import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Ods(WorkbookOptions):
    """A spreadsheet of LibreOffice, of one or more sheets, one after the other.

    A sheet that reaches 1,048,576 rows goes on in "Name (2)" with its header repeated.  All
    sheets are one entry of the zip, which holds 4 GiB of XML: about six million rows of ten
    columns.

    What stands before the first row of a document has to be known then: of later sheets, a tab's
    colour and what may be typed into columns that are not the export's are left out, and counted
    ("tab_color", "validation"); widths are rounded up to whole characters.  `table` is a named
    range with stripes, whatever style it names.  Conditional formats, stripes among them, are
    LibreOffice's own, and other programs leave them out.
    """

    name: ClassVar[str] = "ods"
    media_type: ClassVar[str] = parts.MEDIA_TYPE
    extension: ClassVar[str] = ".ods"
    interleaves: ClassVar[bool] = False

    def __post_init__(self) -> None:
        WorkbookOptions.__post_init__(self)  # super() does not work in a dataclass with slots
        if self.names is not None:
            _check_translatable(self.names)

    def encoder(self, columns: Sequence[Column], context: Context) -> OdsEncoder:
        """A fresh encoder."""
        return OdsEncoder(self, columns, context)


def _check_translatable(names: Mapping[str, str]) -> None:
    for name, formula in names.items():
        if open_formula(formula) is None:
            raise ValueError(f"the formula of the name {name!r} has no translation for ODF")
