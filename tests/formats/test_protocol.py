"""The property that the speed rests on: however rows come, the document is the same."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamware as sw
from drive import AWKWARD, FORMATS, KINDS, LONG, VALUES, written
from streamware.formats.protocol import interleave

# The widths of a workbook's columns are sampled from the first batch, so here they are given.
COLUMNS = [sw.Column(0, "number", width=9), sw.Column(1, "cell", width=9)]
ERRORS = {
    "formula_text": sw.Values(formula_text="error"),
    "non_finite": sw.Values(non_finite="error"),
    "nested": sw.Values(nested="error"),
    "forbidden": sw.Values(forbidden="error"),
    "long_text": sw.Values(long_text="error"),
}


def stranger(kind: str) -> object:
    """A value of a type that is not in the column, which therefore goes cell by cell."""
    return 0 if kind == "text" else "x"


def rows_of(cells: Sequence[object]) -> list[tuple[object, ...]]:
    return list(enumerate(cells))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(data=st.data(), values=VALUES)
def test_a_column_at_a_time_gives_the_same_as_cell_by_cell(
    name: str, data: st.DataObject, values: sw.Values
) -> None:
    kind = data.draw(st.sampled_from(list(KINDS)))
    cells = data.draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=9))
    rows = rows_of([stranger(kind), *cells])
    apart = written(FORMATS[name], COLUMNS, rows, [1], values)
    assert apart.error is None
    assert apart == written(FORMATS[name], COLUMNS, rows, [], values)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(data=st.data(), choice=st.sampled_from(sorted(ERRORS)))
def test_both_ways_find_the_same_error(name: str, data: st.DataObject, choice: str) -> None:
    kind = data.draw(st.sampled_from(["text", "float", "decimal", "nested", "mixed"]))
    cells = data.draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=5))
    rows = rows_of([stranger(kind), *cells])
    apart = written(FORMATS[name], COLUMNS, rows, [1], ERRORS[choice])
    assert apart == written(FORMATS[name], COLUMNS, rows, [], ERRORS[choice])


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(data=st.data(), values=VALUES)
def test_any_batches_give_the_same_document(
    name: str, data: st.DataObject, values: sw.Values
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=3))
    row = st.tuples(*(st.none() | KINDS[kind] for kind in kinds))
    rows = data.draw(st.lists(row, max_size=9))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=5))
    columns = [sw.Column(at, "cell" if at == 0 else f"c{at}", width=9) for at in range(len(kinds))]
    together = written(FORMATS[name], columns, rows, [], values)
    assert together.error is None
    assert together == written(FORMATS[name], columns, rows, sizes, values)
    assert together == written(FORMATS[name], columns, rows, [1] * 9, values)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(data=st.data(), values=VALUES)
def test_without_orjson_the_document_is_the_same(
    name: str, data: st.DataObject, values: sw.Values
) -> None:
    kind = data.draw(st.sampled_from(["int", "float", "date", "datetime", "aware"]))
    rows = rows_of(data.draw(st.lists(st.none() | KINDS[kind], max_size=9)))
    fast = written(FORMATS[name], COLUMNS, rows, [], values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamware.values.numbers.orjson", None)
        assert written(FORMATS[name], COLUMNS, rows, [], values) == fast


@given(cells=st.lists(KINDS["text"], max_size=9))
def test_without_isal_the_parts_of_a_workbook_are_the_same(cells: list[Any]) -> None:
    fast = written(sw.Xlsx(), COLUMNS, rows_of(cells), [], sw.Values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamware.formats.zip.isal_zlib", None)
        assert written(sw.Xlsx(), COLUMNS, rows_of(cells), [], sw.Values()) == fast
    small = sw.Xlsx(compression="small")
    assert written(small, COLUMNS, rows_of(cells), [], sw.Values()) == fast


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("choice", ["replace", "drop", "escape"])
def test_awkward_texts_are_the_same_either_way(name: str, choice: Any) -> None:
    values = sw.Values(forbidden=choice)
    rows = rows_of([0, *AWKWARD, *LONG])
    alone = written(FORMATS[name], COLUMNS, rows, [1] * len(rows), values)
    assert alone.error is None
    assert alone == written(FORMATS[name], COLUMNS, rows, [], values)
    assert alone == written(FORMATS[name], COLUMNS, rows, [1], values)


def test_literals_and_columns_are_interleaved_row_by_row() -> None:
    assert interleave([b"<", [b"1", b"2"], b"|", b"|", [b"a", b"b"], b">"], 2) == b"<1||a><2||b>"


def test_literals_alone_are_repeated() -> None:
    assert interleave([b"<", b">"], 3) == b"<><><>"
    assert interleave([], 3) == b""


def test_no_rows_are_no_bytes() -> None:
    assert interleave([b"<", [], b">"], 0) == b""
