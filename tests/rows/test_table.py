"""The rows of one sheet, as batches."""

from collections.abc import Callable
from typing import Any

import pytest

import streamware as sw
from streamware.errors import EncodeError
from streamware.model.columns import Batch
from streamware.rows.table import Table
from streamware.rows.weighing import MOST_CHARACTERS


def table(columns: list[str] | None = None, names: list[str] | None = None) -> Table:
    chosen = None if columns is None else tuple(map(sw.Column, columns))
    options = sw.Xlsx(zoom=50)
    return Table(chosen, names, extra="error", name="Orders", options=options)


def only(made: Table, rows: list[Any]) -> Batch:
    (batch,) = made.batches(rows)
    return batch


def test_rows_are_numbered_from_batch_to_batch() -> None:
    made = table(["a", "b"])
    first, second = only(made, [(1, 2), (3, 4)]), only(made, [(5, 6)])
    assert (first.first, first.count, [list(cells) for cells in first.columns]) == (
        *(1, 2),
        [[1, 3], [2, 4]],
    )
    assert (second.first, second.count) == (3, 1)
    assert first.head is second.head
    assert made.layout is not None


def test_the_head_has_the_name_and_the_options_of_the_sheet() -> None:
    head = only(table(["a"]), [(1,)]).head
    assert (head.name, head.titles) == ("Orders", ["a"])
    assert head.options is not None
    assert head.options.zoom == 50


def test_without_rows_there_are_the_columns_that_are_known() -> None:
    batch = table(names=["a", "b"]).empty()
    assert (batch.count, batch.head.titles, batch.columns) == (0, ["a", "b"], [(), ()])


def test_a_row_that_does_not_fit_is_named_by_its_number() -> None:
    made = table(["a"])
    only(made, [(1,), (2,)])
    with pytest.raises(EncodeError, match="row 4 must have at most 1 cell, not 2"):
        only(made, [(3,), (4, 5)])


def counts(convert: Callable[[Any], object], rows: int) -> list[int]:
    made = Table((sw.Column(0, "a", convert=convert),), None, extra="error")
    batches = list(made.batches([(at,) for at in range(rows)]))
    cells = [cell for batch in batches for cell in batch.columns[0]]
    assert cells == [convert(at) for at in range(rows)]
    starts = [1 + sum(batch.count for batch in batches[:at]) for at in range(len(batches))]
    assert [batch.first for batch in batches] == starts
    return [batch.count for batch in batches]


def test_cells_that_are_made_are_one_batch_unless_they_are_long() -> None:
    assert counts(str, 100) == [100]
    assert counts(lambda at: "x" * (MOST_CHARACTERS // 20), 100) == [16, 16, 16, 16, 16, 20]


def test_long_cells_that_are_made_are_encoded_one_by_one() -> None:
    assert counts(lambda at: "x" * (MOST_CHARACTERS if at >= 21 else 1), 24) == [16, 5, 1, 1, 1]
    assert counts(lambda at: ["x" * MOST_CHARACTERS], 3) == [1, 1, 1]
