"""Receipt: the figures of one export, and how it ended."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from streamware.errors import LimitError, Refused, StateError


class Conversion(NamedTuple):
    """A rule by which a value is changed when it is written.

    Attributes:
        formats: The formats that apply it.
        meaning: What is counted, once for each value.
    """

    formats: str
    meaning: str


_ALL, _SPREADSHEETS = "all", "XLSX, ODS"

CONVERSIONS = {
    "aware": Conversion(
        _ALL,
        "A date-time with a zone was written as ISO 8601 text: `Values(aware='text')` says so, or"
        " it is out of range in `Values.timezone`.  In XLSX and ODS a time with a zone, too.",
    ),
    "big_int": Conversion(
        "XLSX, ODS, JSON, NDJSON",
        "An integer or an integral Decimal beyond ±10^15 was written as text or, by"
        " `Values(big_int='number')`, as a rounded number; so was a Decimal beyond a double.  In"
        " JSON, by `Values(big_int='text')`, one beyond ±(2^53 - 1) was written as text, inside of"
        " nested values too.",
    ),
    "decimal": Conversion(
        _ALL,
        "A Decimal (XLSX, ODS), a fraction or another real number was rounded to a double; or a"
        " Decimal was written as text: by `Values(decimal='text')`, or in JSON because"
        " `Values(big_int='text')` keeps digits that a double would not hold.",
    ),
    "early_date": Conversion(
        _SPREADSHEETS,
        "A date before the format's calendar was written as text: in XLSX before 1 March 1900, in"
        " ODS before 15 October 1582.",
    ),
    "end_of_day": Conversion(
        _SPREADSHEETS,
        "A date-time in the last half second of a day, or in XLSX such a time, lost its fraction:"
        " programs round to the seconds that they show, and would show the next day.",
    ),
    "escape": Conversion("XLSX", "Text that looks like an escape, such as `_x0041_`, was escaped."),
    "forbidden": Conversion(
        _ALL,
        "Text with characters that XML forbids, or with lone surrogates, was written as"
        " `Values.forbidden` says.",
    ),
    "formula": Conversion(
        "CSV, TSV, XML, JSON, NDJSON, ODS",
        "A `Formula` was written as its text; in ODS only its value was written, because the"
        " formula has no translation, such as one with a whole column of a table.",
    ),
    "formula_text": Conversion(
        "CSV, TSV",
        "Text that a spreadsheet would take for a formula got an apostrophe; so did a negative"
        " duration and -Infinity.",
    ),
    "link": Conversion(
        _SPREADSHEETS,
        "The link of a `Cell` was left out: its url is not an address, the sheet has as many links"
        " as it can hold, or, in ODS, the cell is empty or a formula.",
    ),
    "long_duration": Conversion(
        _SPREADSHEETS, "A duration too long for the format was written as ISO 8601 text."
    ),
    "long_text": Conversion(
        _SPREADSHEETS, "Text over 32,767 UTF-16 units was cut, and ends in an ellipsis."
    ),
    "month": Conversion(
        _ALL, "A month of an interval of Arrow was taken for 30 days, as drivers of databases do."
    ),
    "nanosecond": Conversion(
        _ALL,
        "A time, or a duration in a column of that kind, lost what is finer than a microsecond.",
    ),
    "negative_duration": Conversion(
        _SPREADSHEETS,
        "A negative duration was written as ISO 8601 text or as a number of days: in XLSX any,"
        " unless `Values.negative_duration` is '1904'; in ODS as text, if it is too long.",
    ),
    "nested": Conversion(
        _ALL,
        "A list, a tuple, a set (sorted, if it can be), an array, a dict, a dataclass or a model"
        " was written as compact JSON.",
    ),
    "newline": Conversion(_SPREADSHEETS, "Text with CR or CRLF got LF."),
    "non_finite": Conversion(
        _ALL,
        "NaN or an infinity was left empty or written as text, as `Values.non_finite` says; or"
        " pandas' `NaT` was left empty in a column whose `kind` has no dates.",
    ),
    "note": Conversion("XLSX", "A note was left out: the sheet has as many as it can hold."),
    "offset": Conversion(
        "CSV, TSV", "The offset of a date-time with a zone was left out, in a localized document."
    ),
    "other": Conversion(
        _ALL, "A value of an unknown type was written as its `str`, by `Values(other='str')`."
    ),
    "property": Conversion(
        _SPREADSHEETS, "The text of a document property was cut after 255 characters."
    ),
    "sheet_name": Conversion(
        _SPREADSHEETS, "The name of a sheet was changed: it was too long, not allowed, or taken."
    ),
    "tab_color": Conversion(
        "ODS", "The colour of a sheet's tab was left out: the sheet came after the styles."
    ),
    "text_of_object": Conversion(
        _ALL,
        "A UUID, an Enum, a path, an IP address, bytes (as base64), a time zone, a Period or an"
        " Interval of pandas, a range or bits of PostgreSQL, an address or a secret (as asterisks)"
        " of pydantic, money, a telephone number, or a date beyond the years 1 to 9999 were written"
        " as text.",
    ),
    "timezone": Conversion(_ALL, "A date-time was converted to `Values.timezone`."),
    "url": Conversion(
        _SPREADSHEETS,
        "A cell of a column with `Column(url=…)` has no link: it is a formula, or its value gives"
        " no address, or one that is too long.",
    ),
    "validation": Conversion(
        "ODS", "The validation of a column was left out: the sheet came after the validations."
    ),
}
"""Every key of `Receipt.converted`; `docs/values.md` has them as a table."""


@dataclass(slots=True)
class Receipt:
    """The figures of one export, filled while it runs and final once it has ended.

    Attributes:
        format: Name of the format, such as "xlsx".
        rows: Data rows written, over all sheets, without headers.
        bytes: Bytes of the document so far: those that were taken, over HTTP by the server; with
            delivery "buffer" or "spool" those that were made, which are sent later.
        seconds: Seconds from the opening of the rows to the end of the document, which with
            delivery "buffer" or "spool" may be sent for longer.
        first_byte_seconds: Seconds from the opening of the rows to the first bytes that can be
            sent, whether or not the client takes them; for a spooled document, to its end.  None
            until then.
        sha256: Hex digest of the whole document; None unless it is complete.
        converted: How many values were changed when they were written, by the name of the rule;
            `docs/values.md` explains each.
        outcome: "running", and then one of
            "complete": all of it was taken, over HTTP by the server;
            "closed": it was closed before its end;
            "client gone": over HTTP, the client left before its end;
            "source error": the rows raised;
            "encode error": a row or a value that the format cannot hold;
            "limit": more than the format can hold, or than `Limits` allow;
            "expired": `Limits.seconds` was over;
            "no space": no room for scratch;
            "target error": the file or the store where it was saved has failed;
            "refused": over HTTP, too many exports at once, or a transport that
            `Settings.silent_transport` refuses; nothing was opened.
        problem: What ended it, in one line that can be logged: the limit that was exceeded, or the
            type of the error, never its text.  None if no error did.
        delivery: Over HTTP, how it was sent: "stream", "buffer" or "spool"; "save" if an `Export`
            or a `Bundle` was saved.
        delivery_reason: Why it was sent that way, if `delivery="auto"` made the choice.
        waited_seconds: Over HTTP, seconds for which it waited to be admitted.
        etag: The entity tag of the object, if it was saved to a store that gives one.
        scratch_peak_bytes: The most bytes it held on disk, with what was reserved ahead.
        id: A random name, by which a log can refer to the export.
    """

    format: str
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    first_byte_seconds: float | None = None
    sha256: str | None = None
    converted: Counter[str] = field(default_factory=Counter)
    outcome: str = "running"
    problem: str | None = None
    delivery: str | None = None
    delivery_reason: str | None = None
    waited_seconds: float = 0.0
    etag: str | None = None
    scratch_peak_bytes: int = 0
    id: str = field(default_factory=lambda: os.urandom(6).hex(), compare=False)


def check_complete(receipt: Receipt) -> None:
    """Raise StateError if the chunks have ended, but the document is not complete."""
    if receipt.outcome != "complete":
        raise StateError(f"the document was cut, and is not complete: {receipt.outcome}")


def problem_of(error: BaseException) -> str:
    """Return one line on what went wrong, with names of the library and counts, no user data."""
    kind = type(error).__name__
    if isinstance(error, Refused) and error.limit is not None:
        return f"Settings.{error.limit}"
    if isinstance(error, LimitError):
        # Its text may name a column or an entry, which are user data.
        what = "a limit of the format" if error.name is None else f"Limits.{error.name}"
        return f"{what}: {error.actual:,} is over {error.limit:,}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind}: {os.strerror(error.errno)}"
    return kind
