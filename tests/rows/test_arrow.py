import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import streamware as sw

pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")


def table() -> Any:
    days = [datetime.date(2024, 2, 29), None]
    return pyarrow.table({"id": [1, 2], "day": days, "name": ["a,b", "ü"]})


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
