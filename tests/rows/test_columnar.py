"""The kernel writes an Arrow table as Python writes its rows, without pyarrow."""

import datetime as dt
import errno
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import streamware as sw
from streamware.formats import kernel_rows
from streamware.kernel import native
from streamware.rows import arrow

pa = pytest.importorskip("pyarrow", reason="skipped: needs pyarrow")
pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


def outcome(table: Any, form: Any, options: dict[str, Any]) -> tuple[bytes, str, dict[str, int]]:
    encoding = sw.encode(table, form, **options)
    chunks, error = list[bytes](), ""
    try:
        chunks.extend(encoding)
    except sw.StreamwareError as failed:
        error = f"{type(failed).__name__}: {failed}"
    return b"" if error else b"".join(chunks), error, dict(encoding.receipt.converted)


def all_ways(table: Any, form: Any = "csv", **options: Any) -> tuple[bytes, str, dict[str, int]]:
    """Write a table from its buffers, from rows by the kernel, and without it."""
    found = outcome(table, form, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow, "native", None)
        assert outcome(table, form, options) == found
        patch.setattr(kernel_rows, "native", None)
        assert outcome(table, form, options) == found
    return found


DAY, MOMENT = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 23, 59, 59, 500_000)  # noqa: DTZ001
TEXTS = ["", "plain", "ü€😀", "=1+1", "-x", 'a,b"c\n', " edge ", "_x0041_", "\x01", "\ufffe", None]
LONG = ["x" * 40_000, "ü" * 20_000, "é" * 17_000]


def numbers(type_: Any, *values: Any) -> Any:
    return pa.array([*values, None], type_)


def raw(type_: Any, *values: int) -> Any:
    """Make values that pyarrow does not make of Python's."""
    width = pa.int32() if type_.bit_width == 32 else pa.int64()
    return pa.Array.from_buffers(type_, len(values), [None, pa.array(values, width).buffers()[1]])


DECIMALS = [
    Decimal(text)
    for text in ("0", "-1.50", "123456789012345.67", "-0.00000001", "99999999999999999999.99")
]
STAMPS = [MOMENT, dt.datetime(1900, 1, 1), dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)]  # noqa: DTZ001
COLUMNS: dict[str, Any] = {
    f"int{bits}": numbers(
        pa.type_for_alias(f"int{bits}"), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0
    )
    for bits in (8, 16, 32, 64)
}
COLUMNS |= {
    f"uint{bits}": numbers(pa.type_for_alias(f"uint{bits}"), 2**bits - 1, 0, 7)
    for bits in (8, 16, 32, 64)
}
COLUMNS |= {
    "half": pa.array([0.5, -0.0, 65504, 6e-8, float("inf"), float("nan"), None], pa.float16()),
    "float": numbers(pa.float32(), 0.1, 1e30, -1e-30, float("nan")),
    "double": numbers(pa.float64(), 0.1, 1e16, 1e15, 1e-5, 5e-324, -0.0, 1.5e300, float("inf")),
    "decimal32": numbers(pa.decimal32(9, 2), Decimal("-1234567.89"), Decimal(0)),
    "decimal64": numbers(pa.decimal64(18, 3), Decimal("-123456789012345.678")),
    "decimal128": numbers(pa.decimal128(38, 8), *DECIMALS),
    "decimal256": numbers(pa.decimal256(76, 8), *DECIMALS, Decimal(-(10**60))),
    "scale": numbers(pa.decimal128(9, -3), Decimal("12E+3"), Decimal("-7E+5")),
    "bool": pa.array([True, False, None]),
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array([*TEXTS, "y" * 13], pa.string_view()),
    "long": pa.array(LONG),
    "binary": pa.array([b"", b"x\xff", None]),
    "large_binary": pa.array([b"", b"x\xff", None], pa.large_binary()),
    "binary_view": pa.array([b"", b"x\xff" * 9, None], pa.binary_view()),
    "fixed": pa.array([b"ab", None], pa.binary(2)),
    "date32": pa.array([DAY, dt.date(1899, 12, 31), dt.date(1, 1, 1), None]),
    "date64": raw(pa.date64(), 86_400_005, -1),
    "time32[s]": raw(pa.time32("s"), 0, 86_399, 86_400, -1),
    "time32[ms]": raw(pa.time32("ms"), 1, 86_399_999),
    "time64[us]": raw(pa.time64("us"), 1, 43_200_000_000),
    "time64[ns]": raw(pa.time64("ns"), 1, 1000),
    "null": pa.nulls(3),
    "dictionary": pa.array(["x", "=y", None, "x"]).dictionary_encode(),
    "uint8 dictionary": pa.DictionaryArray.from_arrays(
        pa.array([200, 0, None], pa.uint8()), pa.array([str(n) for n in range(201)])
    ),
    "moment dictionary": pa.array(STAMPS).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 5], ["x", None]),
    "list": pa.array([[1, None], [], None, [3]]),
    "large_list": pa.array([["x", "=y"], None], pa.large_list(pa.string())),
    "fixed list": pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
    "list_view": pa.array([[1], None, [2, 3]], pa.list_view(pa.int8())),
    "large_list_view": pa.array([[1], None, [2, 3]], pa.large_list_view(pa.int8())),
    "struct": pa.array([{"a": 1, "b": [DAY]}, None, {"a": None, "b": []}]),
    "map": pa.array([[("k", DAY)], None, []], pa.map_(pa.string(), pa.date32())),
    "map twice": pa.array([[("k", 1), ("k", 2)], [("a", 1)]], pa.map_(pa.string(), pa.int8())),
    "map of dates": pa.array([[(DAY, 1)]], pa.map_(pa.date32(), pa.int8())),
    "interval": pa.array([pa.MonthDayNano([1, -2, 1500]), pa.MonthDayNano([0, 1, 0]), None]),
    "intervals": pa.array([[pa.MonthDayNano([1, 2, 1500])], None]),
    "union": pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]
    ),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16))),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"b":1}'])),
    "fine list": pa.array([[1]], pa.list_(pa.duration("ns"))),
}  # fmt: skip
for unit in ("s", "ms", "us", "ns"):
    COLUMNS[f"duration[{unit}]"] = raw(pa.duration(unit), 0, 1, -1, 10**9, 86_400)
    for zone in (None, "UTC", "+00:00", "+05:30", "Europe/Berlin"):
        moments = raw(pa.timestamp(unit), 0, 1, -1, 1_709_251_199, -2_208_988_800)
        COLUMNS[f"timestamp[{unit}, {zone}]"] = moments.cast(pa.timestamp(unit, zone))
COLUMNS["days"] = raw(pa.duration("s"), 10**13)
COLUMNS["moments"] = pa.array(STAMPS, pa.timestamp("us"))
for name, bad in (
    ("date", pa.date32()),
    ("moment", pa.timestamp("s")),
    ("span", pa.duration("s")),
):
    COLUMNS[f"beyond {name}"] = raw(bad, 0, 2**31 - 1 if name == "date" else 2**62)
COLUMNS["no text"] = pa.Array.from_buffers(
    pa.string(),
    2,
    [None, pa.array([0, 1, 3], pa.int32()).buffers()[1], pa.py_buffer(b"x\xff\xfe")],
)


FORMATS = [
    "csv",
    sw.Csv(decimal=",", delimiter=";", quoting="text"),
    "xml",
    "json",
    "ndjson",
    "xlsx",
    "ods",
]
VALUES = [
    sw.Values(),
    sw.Values(formula_text="error", non_finite="error", forbidden="error", big_int="text"),
    sw.Values(
        aware="text", decimal="text", formula_text="off", non_finite="text", big_int="number"
    ),
    sw.Values(timezone=dt.timezone(dt.timedelta(hours=-3)), negative_duration="1904"),
]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_written_as_its_values_are(name: str) -> None:
    cells = COLUMNS[name]
    table = pa.table({"first": pa.array(range(len(cells))), "a": cells})
    for form in FORMATS:
        for values in VALUES[:1] if form in FORMATS[1:] else VALUES:
            all_ways(table, form, values=values)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_part_of_a_column_is_written_as_its_values_are(name: str) -> None:
    cells = COLUMNS[name]
    table = pa.table({"a": cells}).slice(1)
    all_ways(table, values=VALUES[1])
    twice = pa.table({"a": pa.chunked_array([cells[1:], cells])})
    all_ways(twice)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RuntimeError("no connection"), errno.EINVAL),
        (OSError(errno.ENOENT, "no connection"), errno.EIO),
        (pa.ArrowNotImplementedError("no connection"), errno.ENOSYS),
        (pa.ArrowMemoryError("no connection"), errno.ENOMEM),
    ],
)
def test_a_stream_that_fails_is_an_error(raised: Exception, code: int) -> None:
    def batches() -> Iterator[Any]:
        yield pa.record_batch({"a": [1]})
        raise raised

    def reader() -> Any:
        return pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())

    def failed() -> None:
        encoding = sw.encode(reader(), "csv")
        with pytest.raises(OSError, match=r"the Arrow stream failed: .*no connection") as error:
            list(encoding)
        assert error.value.errno == code
        assert encoding.receipt.outcome == "source error"

    failed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow, "native", None)
        failed()


@pytest.mark.parametrize("columns", [["b", "a"], ["a"], [sw.Column("a", convert=str), "b"], [-1]])
def test_columns_may_be_chosen(columns: list[Any]) -> None:
    all_ways(pa.table({"a": [1, 2], "b": ["x", None]}), columns=columns)


@pytest.mark.parametrize("kind", ["text", "number", "bool", "date", "datetime", "duration"])
def test_a_column_may_have_a_kind(kind: Any) -> None:
    cells = {"date": "2024-05-06", "datetime": "2024-05-06T07:08:09", "text": "=x"}
    table = pa.table({"a": [cells.get(kind, "1"), None], "b": [1, 0]})
    all_ways(table, "xlsx", columns=[sw.Column("a", kind=kind), sw.Column("b", total="sum")])
    all_ways(table, columns=[sw.Column("a", kind=kind), "b"])


def test_sheets_may_be_told_by_a_column() -> None:
    table = pa.table({"a": list("xyx") * 300, "b": range(900)})
    all_ways(table, "xlsx", sheet_by="a")


def test_tables_may_come_one_after_the_other() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    assert b"".join(sw.encode(iter([table, table]))) == b"a,b\r\n1,x\r\n2,\r\n1,x\r\n2,\r\n"


def test_wide_and_long_rows_are_bounded() -> None:
    wide = pa.table({f"c{at}": [at] * 70 for at in range(1000)})
    all_ways(wide)
    all_ways(pa.table({"a": ["x" * 200_000] * 5, "b": range(5)}))
