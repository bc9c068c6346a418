import datetime
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from readers import json_rows
from streamware.rows import arrow

pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")


def table() -> Any:
    days = [datetime.date(2024, 2, 29), None]
    return pyarrow.table({"id": [1, 2], "day": days, "name": ["a,b", "ü"]})


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pyarrow.table({"a": [1]})
    monkeypatch.setattr(arrow, "native", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"^a Table is read by pyarrow: pip install pyarrow$"):
        b"".join(sw.encode(table))


def test_an_arrow_table_is_read_by_rows_under_its_own_names() -> None:
    expected = 'id,day,name\r\n1,2024-02-29,"a,b"\r\n2,,ü\r\n'
    assert b"".join(sw.encode(table(), "csv")).decode() == expected


def test_columns_are_chosen_by_name() -> None:
    assert (
        b"".join(sw.encode(table(), "csv", columns=["name"])).decode() == 'name\r\n"a,b"\r\nü\r\n'
    )


def test_a_callable_may_open_one() -> None:
    assert b"".join(sw.encode(table, "ndjson")).count(b"\n") == 2


def test_an_empty_one_has_its_header() -> None:
    assert b"".join(sw.encode(pyarrow.table({"a": []}), "csv")) == b"a\r\n"


def test_it_may_be_saved(tmp_path: Path) -> None:
    assert sw.save(table(), tmp_path / "t.xlsx").rows == 2


@pytest.mark.parametrize(
    ("made", "type_"),
    [
        (lambda: pyarrow.array([0, 5_000_000], pyarrow.date32()), "date32"),
        (lambda: pyarrow.array([0, None, 10**17], pyarrow.timestamp("s")), "timestamp"),
        (lambda: pyarrow.array([0, 10**17], pyarrow.duration("s")), "duration"),
    ],
    ids=["date", "timestamp", "duration"],
)
def test_a_value_that_python_cannot_hold_is_an_error_of_its_cell(made: Any, type_: str) -> None:
    cells = made()
    tables = pyarrow.concat_tables([pyarrow.table({"a": cells[:1]}), pyarrow.table({"a": cells})])
    row = 1 + len(cells)
    with pytest.raises(sw.CellError, match=f"row {row}, column a: a value of type {type_}"):
        b"".join(sw.encode(tables, "csv"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "+05:30"])
def test_a_timestamp_is_a_day_in_the_zone_of_the_document(unit: str, zone: str | None) -> None:
    evening = datetime.datetime(2024, 5, 5, 22, tzinfo=datetime.UTC)
    cells = pyarrow.array([evening.replace(tzinfo=None)], pyarrow.timestamp(unit)).cast(
        pyarrow.timestamp(unit, zone)
    )
    columns = [sw.Column("a", kind="date")]
    values = sw.Values(timezone=ZoneInfo("Europe/Berlin"))
    data = b"".join(sw.encode(pyarrow.table({"a": cells}), columns=columns, values=values))
    assert data.decode().split() == ["a", "2024-05-05" if zone is None else "2024-05-06"]


class Unregistered(pyarrow.ExtensionType):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__(pyarrow.int64(), "shop.state")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""


STATE = Unregistered()  # pyarrow keeps no reference to it


def extended(type_: Any, values: list[Any]) -> Any:
    return pyarrow.ExtensionArray.from_storage(type_, pyarrow.array(values, type_.storage_type))


def in_json(cells: Any) -> tuple[list[Any], dict[str, int]]:
    encoding = sw.encode(pyarrow.table({"a": cells}), "json")
    return [row["a"] for row in json_rows(b"".join(encoding))], dict(encoding.receipt.converted)


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        (pyarrow.uuid(), [bytes(16)], "00000000-0000-0000-0000-000000000000"),
        (pyarrow.json_(), ['{"b":1}'], '{"b":1}'),
        (pyarrow.bool8(), [1], True),
        (pyarrow.opaque(pyarrow.string(), "money", "PostgreSQL"), ["$1"], "$1"),
    ],
    ids=str,
)
def test_a_known_extension_type_is_its_value(type_: Any, values: Any, expected: object) -> None:
    assert in_json(extended(type_, values))[0] == [expected]


def unknown() -> dict[str, Any]:
    cells = extended(STATE, [1, 2])
    return {
        "plain": cells,
        "list": pyarrow.ListArray.from_arrays([0, 1, 2], cells),
        "struct": pyarrow.StructArray.from_arrays([cells], names=["x"]),
        "opaque": extended(pyarrow.opaque(pyarrow.binary(), "bignum", "DuckDB"), [b"x", b"y"]),
    }


@pytest.mark.parametrize("name", unknown())
def test_an_unknown_extension_type_is_refused_by_its_name(name: str) -> None:
    type_ = "arrow.opaque" if name == "opaque" else "shop.state"
    table = pyarrow.table({"id": [1, 2], "a": unknown()[name]})
    expected = (
        rf"row 1, column a: a value of type extension<{type_}> .*cast the column .*, or leave"
    )
    with pytest.raises(sw.CellError, match=expected):
        b"".join(sw.encode(table))
    assert b"".join(sw.encode(table.slice(0, 0))) == b"id,a\r\n"
    assert b"".join(sw.encode(table.select(["id"]))) == b"id\r\n1\r\n2\r\n"


def test_so_is_one_that_only_the_metadata_names() -> None:
    field = pyarrow.field("a", pyarrow.int64(), metadata={"ARROW:extension:name": "geo.point"})
    table = pyarrow.table([pyarrow.array([1])], schema=pyarrow.schema([field]))
    with pytest.raises(sw.CellError, match=r"extension<geo\.point>"):
        b"".join(sw.encode(table))


def test_periods_that_came_by_arrow_are_refused_and_not_numbers() -> None:
    pandas = pytest.importorskip("pandas", reason="skipped: needs pandas")
    frame = pandas.DataFrame({"m": pandas.period_range("2024-01", periods=1, freq="M")})
    with pytest.raises(sw.CellError, match=r"extension<pandas\.period>"):
        b"".join(sw.encode(pyarrow.Table.from_pandas(frame)))
    assert b"".join(sw.encode(frame)) == b"m\r\n2024-01\r\n"


def string_map(key: Any) -> Any:
    return pyarrow.map_(key, pyarrow.int8())


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pyarrow.array([[("k", 1)], None, []], string_map(pyarrow.string())), [{"k": 1}, None, {}]),
        (pyarrow.array([[(7, 1)]], string_map(pyarrow.int8())), [{"7": 1}]),
        (pyarrow.array([[[("k", 1)]]], pyarrow.list_(string_map(pyarrow.string()))), [[{"k": 1}]]),
        (
            pyarrow.array([[("k", 1), ("k", 2)]], string_map(pyarrow.string())),
            [[["k", 1], ["k", 2]]],
        ),
        (
            pyarrow.array([[(datetime.date(2024, 5, 6), 1)]], string_map(pyarrow.date32())),
            [[["2024-05-06", 1]]],
        ),
    ],
    ids=["text", "number", "nested", "a key twice", "date"],
)
def test_a_map_is_an_object_if_its_keys_are(cells: Any, expected: object) -> None:
    assert in_json(cells)[0] == expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (
            pyarrow.timestamp("ns"),
            ["1970-01-01T00:00:00", "1970-01-01T00:00:00.000001", "1969-12-31T23:59:59.999999"],
        ),
        (pyarrow.duration("ns"), ["PT0S", "PT0.000001S", "-PT0.000001S"]),
        (pyarrow.time64("ns"), ["00:00:00", "00:00:00.000001"]),
    ],
    ids=str,
)
def test_lost_nanoseconds_are_counted(type_: Any, expected: list[str]) -> None:
    numbers = [1, 1000, -1][: len(expected)]
    cells, converted = in_json(pyarrow.array([*numbers, None], type_))
    assert cells == [*expected, None]
    assert converted == {"nanosecond": len(expected) - 1}


def test_intervals_are_durations_in_what_is_nested_too() -> None:
    spans = pyarrow.array([[pyarrow.MonthDayNano([0, 2, 0])]])
    assert in_json(spans)[0] == [["P2D"]]
    inner = pyarrow.StructArray.from_arrays([spans], names=["s"])
    assert in_json(inner)[0] == [{"s": ["P2D"]}]


def kinds() -> dict[str, tuple[Any, list[Any]]]:
    array, keys = pyarrow.array, pyarrow.array([0, 1], pyarrow.int8())
    ends = pyarrow.RunEndEncodedArray.from_arrays([2, 3], ["x", "y"])
    union = [array([1, 2]), array(["x", "y"])]
    return {
        "null": (pyarrow.nulls(2), [None, None]),
        "run ends": (ends, ["x", "x", "y"]),
        "dictionary": (array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        "list view": (array([[1], [2, 3]], pyarrow.list_view(pyarrow.int8())), [[1], [2, 3]]),
        "string view": (array(["x" * 20, None], pyarrow.string_view()), ["x" * 20, None]),
        "large string": (array(["x"], pyarrow.large_string()), ["x"]),
        "decimal256": (array([Decimal("1.50")], pyarrow.decimal256(50, 2)), [1.5]),
        "half": (array([0.5], pyarrow.float16()), [0.5]),
        "uint64": (array([2**64 - 1], pyarrow.uint64()), [2**64 - 1]),
        "date64": (array([86_400_000], pyarrow.date64()), ["1970-01-02"]),
        "union": (pyarrow.UnionArray.from_sparse(keys, union), [1, "y"]),
        "chunks": (pyarrow.chunked_array([[1], [2, 3]]), [1, 2, 3]),
    }


@pytest.mark.parametrize("name", kinds())
def test_a_column_of_any_type_is_its_values(name: str) -> None:
    cells, expected = kinds()[name]
    assert in_json(cells)[0] == expected


def test_a_struct_with_two_fields_of_a_name_is_an_error_that_says_so() -> None:
    cells = pyarrow.StructArray.from_arrays([pyarrow.array([1])] * 2, names=["x", "x"])
    with pytest.raises(sw.CellError, match="do two of its fields have the same name"):
        in_json(cells)


def test_columns_of_one_name_are_both_written() -> None:
    table = pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    assert b"".join(sw.encode(table)) == b"a,a\r\n1,2\r\n"


def test_chunks_of_different_lengths_are_read_together() -> None:
    table = pyarrow.table(
        {"a": pyarrow.chunked_array([[1], [2, 3]]), "b": pyarrow.chunked_array([["x", "y"], ["z"]])}
    )
    assert b"".join(sw.encode(table)) == b"a,b\r\n1,x\r\n2,y\r\n3,z\r\n"


def test_a_table_without_columns_has_no_rows() -> None:
    assert b"".join(sw.encode(pyarrow.table({}))) == b""


def test_types_of_polars_that_arrow_lacks_are_read_all_the_same() -> None:
    polars = pytest.importorskip("polars", reason="skipped: needs polars")
    number = UUID(int=1)
    frame = polars.DataFrame(
        {
            "o": polars.Series([number], dtype=polars.Object),
            "i": polars.Series([2**100], dtype=polars.Int128),
            "e": polars.Series(["x"], dtype=polars.Enum(["x"])),
        }
    )
    expected = f"o,i,e\r\n{number},{2**100},x\r\n".encode()
    assert b"".join(sw.encode(frame)) == expected
    assert b"".join(sw.encode(iter([frame]))) == expected
