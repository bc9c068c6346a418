"""How does a workbook become an ODS file, written forwards only?

ODS is OpenDocument, the native format of LibreOffice: a zip of XML parts.  All sheets are in one
part, one after another.  The parts with what the sheets used, such as styles, follow.

Source: OASIS OpenDocument 1.3 (ISO/IEC 26300) Part 2 (packages), Part 3 (schema).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from streamware.formats.ods import parts
from streamware.formats.ods.formula import open_formula
from streamware.formats.ods.workbook import OdsEncoder
from streamware.formats.protocol import Context
from streamware.formats.spreadsheet.options import WorkbookOptions, explained
from streamware.model.columns import Column


@explained
@dataclass(frozen=True, slots=True, kw_only=True)
class Ods(WorkbookOptions):
    """A spreadsheet of LibreOffice, with one or more sheets, one after another.

    A sheet that reaches 1,048,576 rows is continued in "Name (2)", where its header is repeated.
    All sheets together hold 4 GiB of XML, about six million rows of ten columns.

    Some things have to be known before the first row of the document.  So the later sheets lose two
    things, which are counted as "tab_color" and "validation": a tab's colour that is neither in
    these options nor in the first sheet's, and validations that the first sheet does not have.
    Their widths are rounded up to whole characters.

    Each cell has its value and the text that it shows, which some programs read instead: a number
    with all its digits, unless its format is a percentage or a currency.

    The header is not repeated on printed pages.  ODF says that by an element around the header,
    and several programs skip what is in it.

    `table` makes a database range with stripes, whatever style it names.  Conditional formats,
    stripes among them, are an extension of LibreOffice that other programs ignore.
    """

    name: ClassVar[str] = "ods"
    media_type: ClassVar[str] = parts.MEDIA_TYPE
    other_media_types: ClassVar[tuple[str, ...]] = (
        "application/x-vnd.oasis.opendocument.spreadsheet",
    )
    extension: ClassVar[str] = ".ods"
    interleaves: ClassVar[bool] = False

    def __post_init__(self) -> None:
        WorkbookOptions.__post_init__(self)  # super() does not work in a dataclass with slots
        for name, formula in (self.names or {}).items():
            if open_formula(formula) is None:
                raise ValueError(f"the formula of the name {name!r} has no translation for ODF")

    def encoder(self, columns: Sequence[Column], context: Context) -> OdsEncoder:
        """Return a new encoder."""
        return OdsEncoder(self, columns, context)
