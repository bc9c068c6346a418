"""Differences that are known, each with its reason: the reader's, or the price of streaming."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from conformance.views import Difference

if TYPE_CHECKING:
    from conformance.matrix import Place


class Known(NamedTuple):
    """A difference that is known.

    Attributes:
        readers: Whose, as a pattern of their names.
        features: In which workbooks, as a pattern.
        differs: What is seen, as a pattern of `str(Difference)`.
        reason: Why, in a sentence.
        form: The format, where only one has it.
        always: Whether it is there at every run.
    """

    readers: str
    features: str
    differs: str
    reason: str
    form: str = "xlsx|ods"
    always: bool = True


JS_STREAM = "exceljs, stream"
NO_NOTATION = "openpyxl.*|pandas, openpyxl|tablib|gnumeric|exceljs.*|xlsx-populate|roo|openxlsx"

KNOWN = [
    Known(
        NO_NOTATION,
        "text that looks like a notation|forbidden characters as notation",
        ".*_x.*",
        "It does not decode the notation `_xHHHH_` (ECMA-376 Part 1 §22.9.2.19) in a cell.",
        "xlsx",
    ),
    Known(
        "SheetJS.*",
        "text that looks like a notation",
        ".*'_X0041_'",
        "It decodes `_XHHHH_` with a capital X, too, which is no notation to Excel.",
        "xlsx",
    ),
    Known(
        "LibreOffice",
        "forbidden characters as notation",
        ".*",
        "It is asked by having it write XML, which cannot hold these characters.",
        "xlsx",
    ),
    Known(
        "LibreOffice", "text|strings=.*", r".*a taband a line.*", "It leaves tabs out of a cell."
    ),
    Known(
        "LibreOffice",
        "numbers|random mixture.*",
        r"[^:]*: number .*",
        "It writes numbers with 15 digits when asked.",
    ),
    Known(
        "LibreOffice",
        "fractions of a second|random mixture.*",
        r"[^:]*: moment .*",
        "It writes hundredths of a second when asked.",
    ),
    Known(
        "LibreOffice",
        "formulas.*",
        r".*: number [01]\.0 .*, not bool .*",
        "Its truth values are numbers that show as such, and a formula's shows as its format says.",
    ),
    Known(
        "gnumeric",
        "text|strings=.*",
        r".*, not text '\\x7f.*",
        "It leaves the character U+007F out.",
    ),
    Known(
        "SheetJS 0.20",
        ".*",
        r"[^:]*: moment \d\d?(\.\d+)?, not moment \d\d?(\.\d+(e-\d+)?)?",
        "With `cellDates` it counts times and short durations from 1899-12-31, a day too much.",
    ),
    Known(
        "SheetJS.*",
        "number formats",
        r".* shown L2: None, .*",
        "With `cellDates` it has no text for a date like 29.02.2024, which it could not read back.",
        "xlsx",
    ),
    Known(
        "exceljs.*",
        "formulas|random mixture.*",
        r".*: text '' .*, not (bool False|number 0\.0) .*",
        "It leaves the value of a formula out where that is FALSE or 0.",
        "xlsx",
    ),
    Known(
        JS_STREAM,
        "formulas.*",
        r".*: number 1 .*, not bool .*",
        "It does not read the type of a formula's value.",
        "xlsx",
    ),
    Known(
        JS_STREAM,
        ".*",
        r"sheets: .*|.*: number .*, not moment .*",
        "Now and then, in a race of its own, it loses parts that come after the sheets, as they do"
        " in a stream: their names, the styles. It does so with files that exceljs streamed, too,"
        " and the more often the more sheets there are; its reader of whole files does not.",
        "xlsx",
        always=False,
    ),
    Known(JS_STREAM, "text", r".*: text '<b>& .*", "It decodes `&amp;` twice.", "xlsx"),
    Known(
        JS_STREAM,
        "text|random mixture.*",
        r".* of 1638\d characters.*|.*\ufffd.*",
        "Now and then it breaks a character that lies across two of its blocks.",
        "xlsx",
        always=False,
    ),
    Known(
        "gnumeric|exceljs.*|Apache POI, events|xlsx-populate|openxlsx",
        "compact=True",
        ".*",
        "It needs the references that `compact=True` leaves out.",
        "xlsx",
    ),
    Known(
        "Apache POI",
        "date-times with a zone",
        r".*: number .*, not moment .*",
        "It takes a number for a moment only where the format is nothing but letters of dates; here"
        ' the format names the zone. `Column(format="datetime")` leaves the zone out.',
        "xlsx",
    ),
    Known(
        "Apache POI, events",
        "numbers|random mixture.*",
        r".*: shown .*E[+-].*",
        "It shows six digits of very large and very small numbers, as Excel does in a narrow cell.",
        "xlsx",
    ),
    Known(
        "Apache POI.*",
        ".*",
        r".*\[\$(EUR|JPY)\].*",
        "It shows `[$EUR]`, Excel's way to write a currency, as it stands.",
        "xlsx",
    ),
    Known(
        "LibreOffice|gnumeric",
        "native table with totals",
        r".* =(SUBTOTAL\(109,\$Sheet1\$C\$2:\$C\$4\)|error\(.*\)), not .*",
        "LibreOffice makes a range of a table's column; gnumeric knows no such references.",
        "xlsx",
    ),
    Known(
        "gnumeric",
        "conditional formats",
        ".* rules: .*",
        "It has no colour scales and no data bars.",
        "xlsx",
    ),
    Known(
        "gnumeric",
        "custom properties",
        ".* custom (Rate|At): None, .*",
        "It leaves fractions and dates among custom properties out.",
        "xlsx",
    ),
    Known(
        "gnumeric",
        "index sheet",
        ".* links .*",
        "It does not read a link to a sheet with an apostrophe in its name.",
        "xlsx",
    ),
    Known(
        "SheetJS.*",
        "custom properties",
        ".* custom Query: .*Ã¼.*",
        "It does not decode the UTF-8 of custom properties.",
        "xlsx",
    ),
    Known(
        "SheetJS 0.18",
        "links of cells",
        ".* links A3: .*&amp;.*",
        "It does not decode `&amp;` in the address of a link.",
        "xlsx",
    ),
    Known(
        "exceljs|xlsx-populate",
        "links of cells|index sheet",
        ".* links .*",
        "It leaves out what is behind the `#` of an address, so links within a workbook, too.",
        "xlsx",
    ),
    Known(
        "exceljs",
        "defined names",
        ".* names VAT: .*",
        "It reads names of ranges only.",
        "xlsx",
    ),
    Known(
        JS_STREAM,
        "index sheet",
        ".*",
        "It reads sheets in the order in which they were written; the index comes last.",
        "xlsx",
    ),
    Known(
        "gnumeric",
        "document properties",
        "workbook company: None.*",
        "It has no company among its properties.",
        "xlsx",
    ),
    Known(
        "calamine|pandas, calamine",
        ".*",
        r".*: text 'PT.*', not moment .*",
        "It reads durations of more than a day as their ISO 8601 text.",
        "ods",
    ),
    Known(
        "gnumeric|SheetJS 0.18",
        "fractions of a second",
        r".*: moment .*, not moment .*",
        "It cuts times and durations to whole seconds.",
        "ods",
    ),
    Known(
        "gnumeric",
        "number formats",
        ".* formats [JL]2: .*",
        "It quotes literals in its own way; the number shows the same.",
        "ods",
    ),
    Known(
        "gnumeric",
        ".*",
        r".* frozen: \[0, 0\], not \[\d, 0\]",
        "It reads what is frozen only where both rows and columns are.",
        "ods",
    ),
    Known(
        "gnumeric",
        "styles",
        ".* border A16: .*",
        "It has thick lines as medium.",
        "ods",
    ),
    Known(
        "gnumeric",
        "zebra rows|conditional formats",
        ".* rules: .*",
        "It reads no conditional formats of ODS.",
        "ods",
    ),
    Known("gnumeric", "protection", ".* protected: .*", "It reads no protection of ODS.", "ods"),
    Known(
        "LibreOffice|gnumeric",
        "sheets with options of their own",
        ".* Other tab: .*|Other tab: .*",
        "Colours of tabs stand before the rows: those of later sheets come too late.",
        "ods",
    ),
    Known(
        "LibreOffice|gnumeric",
        "print settings|sheets with options of their own",
        r".* repeat: None, not '\d:\d'",
        "What repeats a header in print is an element of ODF that several programs skip.",
        "ods",
    ),
    Known(
        "LibreOffice",
        "notes",
        ".* notes .*",
        "It leaves notes of ODS out when asked for one file of XML; saved as XLSX they are there.",
        "ods",
    ),
    Known(
        "SheetJS.*",
        "text",
        ".*B(8|9|21): text .*",
        "It takes tabs for blanks and trims what Unicode calls a blank.",
        "ods",
    ),
    Known(
        "SheetJS.*",
        "text that looks like a notation",
        ".*",
        "It decodes `_xHHHH_`, which is a notation of XLSX only.",
        "ods",
    ),
    Known(
        "SheetJS.*",
        "several sheets",
        "sheets: .*&amp;.*",
        "It does not decode `&amp;` in the name of a sheet.",
        "ods",
    ),
    Known(
        "pandas, odf",
        ".*",
        "workbook: error: DateParseError.*",
        "It opens no workbook with a duration of a day or more, whose text it takes for a time of"
        " day.",
        "ods",
    ),
    Known(
        "pandas, odf",
        "text",
        ".*: empty, not text '#N/A'",
        "It takes the text `#N/A` for an error.",
        "ods",
    ),
    Known(
        "tablib",
        ".*",
        "workbook: error: InvalidDimensions.*",
        "It opens no sheet whose first row is shorter than another, so none with title rows.",
    ),
    Known(
        "tablib",
        ".*",
        "workbook: error: ValueError: (unconverted data|time data).*",
        "It opens no workbook with fractions of a second, or with durations of a day or more.",
        "ods",
    ),
    Known(
        "tablib",
        "text|formulas",
        "[^:]*: (text|empty).*, not text .*",
        "It reads a text up to its first line break, or up to blanks that ODF has as an element.",
        "ods",
    ),
    Known(
        "tablib",
        "notes|random mixture.*",
        "[^:]*: text .*, not .*|workbook: error: ValueError: could not convert string.*",
        "It takes a note for the text of its cell.",
        "ods",
    ),
    Known(
        "xlsx-populate",
        ".*",
        "[^:]*: number .*, not text .*",
        "Its parser of XML takes text that looks like a number for one.",
        "xlsx",
    ),
    Known(
        "roo",
        "fractions of a second|random mixture.*",
        "[^:]*: moment .*, not moment .*",
        "It has whole seconds.",
    ),
    Known(
        "roo",
        "number formats",
        ".*D2: moment .*, not moment .*",
        "It leaves out the time of a date-time whose format shows none.",
        "xlsx",
    ),
    Known(
        "roo",
        "strings=.*",
        ".*: text '<html>.*",
        "It takes a shared string that starts with markup for HTML.",
        "xlsx",
    ),
    Known("roo", "text", ".*B10: text '<b>& .*", "It decodes `&amp;` twice.", "ods"),
    Known(
        "roo",
        "number formats",
        ".*: text .*, not number .*",
        "It has amounts of money as text.",
        "ods",
    ),
    Known(
        "roo",
        ".*",
        r"[^=]*=.*(\[\.|;).*, not .*",
        "It gives formulas of ODS as they are in the file.",
        "ods",
    ),
    Known(
        "roo",
        "formulas",
        r".*: text '(true|false)' .*",
        "It gives the truth value of a formula as text.",
        "ods",
    ),
    Known(
        "openxlsx",
        ".*",
        ".*: shown .*(&(amp|lt|gt);|xml:space).*",
        'It does not decode inline strings, and has `xml:space` in them; `strings="shared"` helps.',
        "xlsx",
    ),
    Known(
        "openxlsx",
        "strings=.*",
        ".*B8: shown .*",
        "It leaves out empty lines of a text.",
        "xlsx",
    ),
    Known(
        "readxl",
        ".*",
        "[^:]*: moment .*, not moment .*",
        "It counts the days before 1900-03-01 as Excel does: times and short durations get a day"
        " more.",
        "xlsx",
    ),
]


def known(reader: str, place: Place, difference: Difference) -> Known | None:
    for one in KNOWN:
        if (
            re.fullmatch(one.readers, reader)
            and re.fullmatch(one.form, place.form)
            and re.fullmatch(one.features, place.feature)
            and re.fullmatch(one.differs, str(difference), re.DOTALL)
        ):
            return one
    return None
