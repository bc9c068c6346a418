"""Rows in, bytes out, without any loop."""

from io import BytesIO
from typing import Any

import pytest

import streamware as sw
from drive import Clock
from readers import csv_rows
from streamware.engine.document import DocumentWriter
from streamware.engine.options import resolve


def document(columns: Any = None, **limits: Any) -> DocumentWriter:
    """A document whose only sheet was started."""
    options = resolve({"columns": columns, "limits": sw.Limits(**limits)})
    made = DocumentWriter(sw.Csv(), options, open_spool=BytesIO)
    made.start_sheet(None, None)
    return made


def test_rows_become_bytes_that_are_taken() -> None:
    made = document(["a", "b"])
    made.feed([(1, 2), (3, 4)])
    made.feed([])
    assert made.size == len(b"a,b\r\n1,2\r\n3,4\r\n")
    assert made.take() == b"a,b\r\n1,2\r\n3,4\r\n"
    assert (made.size, made.take()) == (0, b"")
    assert (made.receipt.rows, made.receipt.bytes) == (2, 15)


def test_what_was_fed_counts_as_unflushed_until_it_is_flushed() -> None:
    made = document()
    made.flush()
    made.feed([(1,)])
    assert made.unflushed
    made.flush()
    assert not made.unflushed


@pytest.mark.parametrize("started", [True, False])
def test_a_document_without_rows_has_its_header(started: bool) -> None:
    made = DocumentWriter(sw.Csv(), resolve({"columns": ["a"]}), open_spool=BytesIO)
    if started:
        made.start_sheet(None, None)
        made.end_sheet()
    made.finish()
    assert csv_rows(made.take()) == [["a"]]


def test_only_the_first_outcome_counts() -> None:
    made = document()
    made.feed([(1,)])
    made.close()
    made.close(ValueError())
    assert (made.receipt.outcome, made.receipt.sha256, made.size) == ("closed", None, 0)


def test_the_time_counts_from_the_first_pull(clock: Clock) -> None:
    options = resolve({"limits": sw.Limits(seconds=10)})
    made = DocumentWriter(sw.Csv(), options, open_spool=BytesIO)
    clock.now += 100
    made.check_time()
    made.start_sheet(None, None)
    clock.now += 10
    made.check_time()
    clock.now += 1
    with pytest.raises(sw.LimitError):
        made.check_time()


@pytest.mark.parametrize(
    ("columns", "row", "any_thread"),
    [
        (None, (1,), True),
        (None, [1], True),
        (None, {"a": 1}, True),
        (["a", 1], (1, 2), True),
        (None, object(), False),
        ([sw.Column("a", convert=str)], (1,), False),
        ([len], (1,), False),
    ],
)
def test_cells_that_only_their_own_thread_may_reach_stay_there(
    columns: Any, row: object, any_thread: bool
) -> None:
    assert document(columns).any_thread(row) is any_thread
