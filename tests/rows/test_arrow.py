import datetime
from pathlib import Path
from typing import Any

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
