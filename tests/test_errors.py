"""The tree of errors, and what each tells."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import streamware as sw


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (sw.EncodeError, (sw.StreamwareError, ValueError)),
        (sw.CellError, (sw.EncodeError,)),
        (sw.LimitError, (sw.EncodeError, OverflowError)),
        (sw.StateError, (sw.StreamwareError, RuntimeError)),
        (sw.ScratchError, (sw.StreamwareError, OSError)),
        (sw.Refused, (sw.StreamwareError,)),
    ],
)
def test_an_error_can_be_caught_as_its_parents(error: type, parents: tuple[type, ...]) -> None:
    assert error.__bases__ == parents
    assert issubclass(sw.StreamwareError, Exception)


ERRORS = [
    sw.EncodeError("no"),
    sw.CellError(7, "Price", "complex", "has no place"),
    sw.CellError(7, "Price", "complex", "has no place", sheet="Orders"),
    sw.LimitError("rows", limit=1000, actual=1001),
    sw.StateError("no"),
    sw.ScratchError(28, "no space"),
    sw.Refused("busy", retry_after=2.5),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_an_error_survives_the_way_to_another_process(
    error: sw.StreamwareError, again: Callable[[Any], Any]
) -> None:
    came = again(error)
    assert (type(came), str(came), vars(came)) == (type(error), str(error), vars(error))


def test_a_cell_error_tells_the_place_and_the_type() -> None:
    error = sw.CellError(7, "Price", "complex", "has no place")
    assert str(error) == "row 7, column Price: a value of type complex has no place"
    assert (error.row, error.column, error.type) == (7, "Price", "complex")
    assert error.sheet is None


def test_a_cell_error_tells_the_sheet_where_that_has_a_name() -> None:
    error = sw.CellError(7, "Price", "complex", "has no place", sheet="It's")
    assert str(error) == 'sheet "It\'s", row 7, column Price: a value of type complex has no place'
    assert error.sheet == "It's"
    assert sw.CellError(7, "Price", "complex", "has no place", sheet="").sheet is None


def test_a_limit_error_tells_both_figures() -> None:
    error = sw.LimitError("rows of the export", limit=1000, actual=1001)
    assert str(error) == "rows of the export: 1,001 is over the limit of 1,000"
    assert (error.limit, error.actual) == (1000, 1001)


def test_a_refusal_tells_when_to_ask_again() -> None:
    assert sw.Refused("busy", retry_after=2.5).retry_after == 2.5
