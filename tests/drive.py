# ruff: noqa: DTZ001, RUF001 - date-times without a zone, and odd characters, are what is tested
"""Ways to have a document written, and values to write."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, cast

from hypothesis import strategies as st

import readers
import streamware as sw
from streamware.engine.async_driver import AsyncDriver
from streamware.engine.driver import Driver
from streamware.engine.options import EncodeOptions, resolve
from streamware.formats.protocol import pieces
from streamware.formats.registry import lookup
from streamware.model.columns import Batch, Head


class Document(NamedTuple):
    """What came of an export that was read to its end."""

    data: bytes
    receipt: sw.Receipt

    @property
    def converted(self) -> dict[str, int]:
        """What was converted, and how often."""
        return dict(self.receipt.converted)


def document(rows: Any, form: str | sw.Format = "csv", **options: Any) -> Document:
    """The whole document of `rows`."""
    encoding = sw.encode(rows, form, **options)
    return Document(b"".join(encoding), encoding.receipt)


def driver(rows: Any, form: str | sw.Format = "csv", **options: Any) -> Driver:
    """What drives the document of `rows`, for a thread."""
    return Driver(rows, lookup(form), resolve(cast(EncodeOptions, options)))


def async_driver(rows: Any, form: str | sw.Format = "csv", **options: Any) -> AsyncDriver:
    """What drives the document of `rows`, for an event loop."""
    resolved = resolve(cast(EncodeOptions, options))
    return AsyncDriver(
        lambda bridge: Driver(rows, lookup(form), resolved, bridge=bridge),
        flush_interval=resolved.flush_interval,
    )


def column(cells: Iterable[object], form: str | sw.Format = "csv", **values: Any) -> Document:
    """A document of one column, called "a"."""
    return document([(cell,) for cell in cells], form, columns=["a"], values=sw.Values(**values))


class Written(NamedTuple):
    """What an encoder made of its batches, in a form that can be compared."""

    parts: object
    converted: Counter[str]
    error: str | None = None


def written(
    form: sw.Format,
    columns: Sequence[sw.Column],
    rows: Sequence[Sequence[object]],
    sizes: Iterable[int],
    values: sw.Values,
) -> Written:
    """Drive the encoder of `form` with batches of these sizes; the last takes what is left."""
    context = sw.Context(values=values, limits=sw.Limits(), receipt=sw.Receipt(form.name))
    converted = context.receipt.converted
    head = Head(None, tuple(columns))
    encoder = form.encoder(columns, context)
    try:
        data = encoder.start()
        first = 0
        for size in (*sizes, len(rows)):
            batch = rows[first : first + size]
            if batch:
                data += encoder.feed(
                    Batch(head, first + 1, len(batch), list(zip(*batch, strict=True)))
                )
            first += size
        data += encoder.flush() + b"".join(pieces(encoder.finish()))
    except sw.EncodeError as error:
        return Written(b"", Counter(), str(error))
    return Written(readers.zip_parts(data) if form.name == "xlsx" else data, converted)


# Values that rivals get wrong, as `field` reports tell them, and everything hypothesis thinks of.

AWKWARD = (
    *("", " ", " x ", "\t", "\n", "\r", "\r\n", "a\r\nb", '"', '""', ",", ";", "'", "\\", "a\tb"),
    *("=1+1", "@x", "+1", "-1", "+1+1", "-", "+", "+49 (170) 12-3", "-1,5", "-x", "\t=1", "\r=1"),
    *("&", "<b>", "]]>", "&amp;", "_", "_x0041_", "_x0041", "_X0041_", "_x005F_", "\x07", "\x1f"),
    *("\x00", "\x7f", "\x85", "\u2028", "\ud800", "\udfff", "\ufeff", "\ufffd", "\ufffe", "\uffff"),
    *("，", "ä", "€", "😀", "a_x0041\x07x0042_"),
)
LONG = ("x" * 40_000, "😀" * 16_384, "\x07" * 33_000, "\ud800" * 33_000, "&\r" * 20_000)


class Unhashable(tzinfo):
    """A zone that cannot be in a set, as dateutil's cannot."""

    __hash__ = None  # type: ignore[assignment]  # the point of it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=2)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return "two"


ZONES = (UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30)), Unhashable())

TEXTS = st.text(st.characters(), max_size=9) | st.sampled_from(AWKWARD)
FINITE_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal("1E+20"), Decimal("-0"), Decimal("1E-9"), Decimal("0.1"), Decimal(10**15 + 1)]
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "int": st.integers() | st.sampled_from([10**15, -(10**15) - 1, 2**64, -(2**63) - 1, 10**5000]),
    "float": st.floats() | st.sampled_from([1e16, 1e15, 1e-5, 1e22, 5e-324, -0.0, 123456789e9]),
    "decimal": FINITE_DECIMALS | st.sampled_from([Decimal("NaN"), Decimal("-Inf")]),
    "bool": st.booleans(),
    "date": st.dates() | st.sampled_from([date(1900, 2, 28), date(1900, 3, 1)]),
    "datetime": st.datetimes() | st.sampled_from([datetime(1900, 3, 1), datetime(1900, 2, 28, 23)]),
    "aware": st.datetimes(timezones=st.sampled_from(ZONES)),
    "any datetime": st.datetimes(timezones=st.none() | st.sampled_from(ZONES)),
    "time": st.times() | st.just(time(1, 2, tzinfo=UTC)),
    "duration": st.timedeltas() | st.sampled_from([timedelta(0), -timedelta.resolution]),
    "uuid": st.uuids(),
    "bytes": st.binary(max_size=5),
    "nested": st.lists(st.floats() | TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=2),
}
KINDS["mixed"] = st.one_of(*KINDS.values())

VALUES = st.builds(
    sw.Values,
    timezone=st.sampled_from(ZONES),
    aware=st.sampled_from(["convert", "text"]),
    formula_text=st.sampled_from(["guard", "off"]),
    big_int=st.sampled_from(["text", "number"]),
    decimal=st.sampled_from(["number", "text"]),
    non_finite=st.sampled_from(["empty", "text"]),
    forbidden=st.sampled_from(["replace", "drop", "escape"]),
)

FORMATS: dict[str, sw.Format] = {
    "csv": sw.Csv(),
    "excel-de": sw.Csv.profile("excel-de"),
    "machine": sw.Csv.profile("machine"),
    "csv, text quoted": sw.Csv(quoting="text", null="NULL"),
    "csv, all quoted": sw.Csv(quoting="all", delimiter="|", decimal=","),
    "csv, german": sw.Csv(language="de", localized=True),
    "tsv": sw.Tsv(),
    "xml": sw.Xml(),
    "xml, nil": sw.Xml(null="nil"),
    "xml, absent": sw.Xml(null="absent"),
    "xml, attributes": sw.Xml(attributes=["cell"]),
    "xml, absent attributes": sw.Xml(attributes=["cell"], null="absent"),
    "json": sw.Json(),
    "ndjson": sw.Ndjson(),
    "xlsx": sw.Xlsx(),
    "xlsx, compact": sw.Xlsx(compact=True),
}

# Text that every format can hold as it is.
FORBIDDEN = [*map(chr, set(range(32)) - {9, 10, 13}), "\ufffe", "\uffff"]
XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters=FORBIDDEN)
    | st.sampled_from("\"'<>&,;\r\n\t =-+@]")
)


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, row: Any) -> Any:
        """The row, once so many seconds have passed."""
        self.now += seconds
        return row
