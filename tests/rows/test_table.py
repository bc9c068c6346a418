"""The rows of one sheet, as batches."""

import pytest

import streamware as sw
from streamware.errors import EncodeError
from streamware.rows.table import Table


def table(columns: list[str] | None = None, names: list[str] | None = None) -> Table:
    chosen = None if columns is None else tuple(map(sw.Column, columns))
    options = sw.Xlsx(zoom=50)
    return Table(chosen, names, extra="error", name="Orders", options=options)


def test_rows_are_numbered_from_batch_to_batch() -> None:
    made = table(["a", "b"])
    first, second = made.batch([(1, 2), (3, 4)]), made.batch([(5, 6)])
    assert (first.first, first.count, [list(cells) for cells in first.columns]) == (
        *(1, 2),
        [[1, 3], [2, 4]],
    )
    assert (second.first, second.count) == (3, 1)
    assert first.head is second.head
    assert made.layout is not None


def test_the_head_has_the_name_and_the_options_of_the_sheet() -> None:
    head = table(["a"]).batch([(1,)]).head
    assert (head.name, head.titles) == ("Orders", ["a"])
    assert head.options is not None
    assert head.options.zoom == 50


def test_without_rows_there_are_the_columns_that_are_known() -> None:
    batch = table(names=["a", "b"]).empty()
    assert (batch.count, batch.head.titles, batch.columns) == (0, ["a", "b"], [(), ()])


def test_a_row_that_does_not_fit_is_named_by_its_number() -> None:
    made = table(["a"])
    made.batch([(1,), (2,)])
    with pytest.raises(EncodeError, match="row 4 must have at most 1 cell, not 2"):
        made.batch([(3,), (4, 5)])


def test_the_keys_whose_length_counts_are_those_of_text() -> None:
    made = table(["a", "b"])
    assert made.heavy_keys is None
    made.batch([("text", 1)])
    assert made.heavy_keys == [0]
