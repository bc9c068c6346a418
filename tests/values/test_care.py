# ruff: noqa: DTZ001, DTZ901 - date-times without a zone are what is tested
"""Columns in which a few cells need care: these are written one by one, the others together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.csv import CsvEscape
from streamware.formats.json import JsonEscape
from streamware.formats.ods.white_space import TEXT_RULES as ODS
from streamware.formats.xlsx.cells import TEXT_RULES as XLSX
from streamware.model.columns import Column
from streamware.values.cell_formatter import CellFormatter, TextRules
from streamware.values.column_formatter import ColumnFormatter
from streamware.values.kinds import Kind


class Text(str):
    """A text of a subclass, whose methods must not be asked."""

    __slots__ = ()

    def __getitem__(self, key: object) -> str:
        return "="

    def __len__(self) -> int:
        return 0


EAST = timezone(timedelta(hours=9))
# Cells that can be written together, and cells that need care, by what they are.
CELLS: dict[str, tuple[list[Any], list[Any]]] = {
    "text": (
        ["abc", "a,b", 'a"b', "a-b; c", "äöü", "a\nb", "a & b", ""],
        [
            "=1+1",
            "-a",
            " =1",
            "\nx",
            "\uff0ba",
            "a \uff1d b",
            "a\x01b",
            "a\x1fb",
            "\ufffe",
            "\ud800",
            "a;=1",
        ],
    ),
    "text of a subclass": (
        [Text("abc"), Text("a-b"), Text("äöü")],
        [Text("=1+1"), Text("a\x1fb"), Text("\ud800")],
    ),
    "int": ([1, -7, 10**15], [10**15 + 1, -(2**63) - 1, 2**64, 10**30]),
    "float": ([1.5, -0.0, 1e300], [float("nan"), float("inf"), float("-inf")]),
    "Decimal": (
        [Decimal("1.50"), Decimal("-12345678.9")],
        [Decimal("1E+5"), Decimal("NaN"), Decimal("0.1234567890123456789"), Decimal(10**20)],
    ),
    "date": ([date(2024, 5, 17), date(1999, 12, 31)], [date(1850, 1, 1), date.min]),
    "datetime": (
        [datetime(2024, 5, 17, 8, 30), datetime(1999, 12, 31, 23, 59, 59)],
        [datetime(1850, 1, 1), datetime.min, datetime(2024, 5, 17, tzinfo=EAST)],
    ),
    "datetime with a zone": (
        [datetime(2024, 5, 17, 8, 30, tzinfo=UTC), datetime(1999, 12, 31, 23, tzinfo=EAST)],
        [
            datetime.min.replace(tzinfo=EAST),
            datetime.max.replace(tzinfo=timezone(-timedelta(hours=9))),
            datetime(1900, 2, 28, 23, tzinfo=UTC),
            datetime(2024, 5, 17),
        ],
    ),
}
RULES = {
    "csv": TextRules(escape=CsvEscape(",", always=False), formulas=True, delimiter=","),
    "json": TextRules(escape=JsonEscape(), json=True),
    "xlsx": XLSX,
    "ods": ODS,
}
CHOICES = {
    "default": sw.Values(),
    "text": sw.Values(non_finite="text", forbidden="drop", big_int="text", aware="text"),
    "off": sw.Values(formula_text="off", decimal="text", big_int="number"),
}


def written(
    cells: Sequence[Any], rules: TextRules, values: sw.Values
) -> tuple[list[tuple[Kind | None, bytes | None]], Counter[str]]:
    """Return the kind and the text of each cell of a column, and what was converted."""
    converted: Counter[str] = Counter()
    formatter = ColumnFormatter(
        Column("a"),
        "a",
        values=values,
        text_rules=rules,
        converted=converted,
        cell_characters=None,
        sheet=None,
    )
    formatted = formatter.format(cells, 1)
    kinds: Sequence[Kind | None] = formatted.kinds or [formatted.kind] * len(cells)
    pairs = zip(kinds, formatted.tokens, strict=True)
    return [(None if token is None else kind, token) for kind, token in pairs], converted


def alone(
    cells: Sequence[Any], rules: TextRules, values: sw.Values
) -> tuple[list[tuple[Kind | None, bytes | None]], Counter[str]]:
    """Return the same of columns that have only one of the cells each."""
    found, converted = [], Counter[str]()
    for cell in cells:
        ((one,), counted) = written([cell], rules, values)
        found.append(one)
        converted += counted
    return found, converted


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("kind", CELLS)
def test_cells_that_need_care_are_written_as_if_they_were_alone(
    kind: str, rules: str, choice: str
) -> None:
    ordinary, careful = CELLS[kind]
    for odd in careful:
        cells = [*ordinary * 4, odd, None, *ordinary]
        context = RULES[rules], CHOICES[choice]
        assert written(cells, *context) == alone(cells, *context)


@settings(max_examples=60)
@given(st.data())
def test_any_mixture_is_written_as_if_its_cells_were_alone(data: st.DataObject) -> None:
    rules = data.draw(st.sampled_from(list(RULES.values())))
    values = data.draw(st.sampled_from(list(CHOICES.values())))
    every = [cell for both in CELLS.values() for cells in both for cell in cells]
    cells = data.draw(st.lists(st.sampled_from(every) | st.text() | st.none(), min_size=8))
    assert written(cells, rules, values) == alone(cells, rules, values)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("kind", CELLS)
def test_the_cells_beside_them_are_not_written_one_by_one(
    kind: str, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    write: Callable[[CellFormatter, object], tuple[Kind, bytes]] = CellFormatter.cell

    def recorded(self: CellFormatter, value: object) -> tuple[Kind, bytes]:
        asked.append(value)
        return write(self, value)

    monkeypatch.setattr(CellFormatter, "cell", recorded)
    ordinary, careful = CELLS[kind]
    written([*ordinary * 4, *careful, None], RULES[rules], sw.Values())
    assert set(map(id, asked)) <= set(map(id, careful))


def test_an_error_names_the_first_cell_that_cannot_be_written() -> None:
    cells = ["abc"] * 10 + ["=1", "abc", "-a"]
    with pytest.raises(sw.CellError, match="row 11"):
        written(cells, RULES["csv"], sw.Values(formula_text="error"))
