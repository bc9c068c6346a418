"""The kernel's `columns` reads named cells, and leaves to Python what is unlike the others."""

import gc
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from streamware.kernel import native

pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


class Slotted:
    __slots__ = ("a", "b")


A, B = vars(Slotted)["a"], vars(Slotted)["b"]


def slotted(**cells: object) -> Slotted:
    row = Slotted()
    for name, cell in cells.items():
        setattr(row, name, cell)
    return row


def columns(
    rows: Any,
    type_: Any = dict,
    keys: Any = ("a", "b"),
    *,
    all_: bool = True,
    lenient: bool = False,
) -> Any:
    assert native is not None
    return native.columns(rows, type_, keys, all_, lenient)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], [[], []]),
        ([{"a": 1, "b": 2}], [[1], [2]]),
        ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], [[1, 3], [2, 4]]),
        ([{"a": 1, "b": 2}, {"a": 1}], None),
        ([{"a": 1, "b": 2, "c": 3}], None),
        ([{"a": 1, "b": 2}, 5], None),
    ],
)
def test_a_dict_has_the_keys_in_any_order_and_no_others(rows: Any, expected: Any) -> None:
    assert columns(rows) == expected


def test_others_may_be_left_out_and_absent_cells_be_none() -> None:
    rows = [{"x": 0, "a": 1}, {"y": 0, "z": 0, "b": 2, "a": 1}]
    assert columns(rows, all_=False) is None
    assert columns(rows, all_=False, lenient=True) == [[1, 1], [None, 2]]
    assert columns(rows, lenient=True) is None


def test_cells_of_objects_are_in_their_dict_or_in_slots() -> None:
    rows = [SimpleNamespace(a=1, b=2), SimpleNamespace(b=4, a=3, c=5)]
    assert columns(rows, SimpleNamespace, ("b", "a"), all_=False) == [[2, 4], [1, 3]]
    assert columns([slotted(a=1, b=2)] * 2, Slotted, (B, A), all_=False) == [[2, 2], [1, 1]]
    assert columns([slotted(a=1)], Slotted, (A, B), all_=False) is None
    assert columns([slotted(a=1)], Slotted, ("a",), all_=False) is None
    assert columns([SimpleNamespace(a=1)], SimpleNamespace, (A,), all_=False) is None


class Hostile:
    """A key that does something when it is compared."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def __hash__(self) -> int:
        return hash("b")

    def __eq__(self, other: object) -> bool:
        self.action()
        return False


def test_a_row_may_change_while_it_is_read() -> None:
    row: dict[Any, Any] = {"a": 1}
    rows = [{"a": object(), "b": 2}, row, {"a": 1, "b": 2}]

    def clear() -> None:
        row.clear()
        rows.clear()
        gc.collect()

    row[Hostile(clear)] = 5
    assert columns(rows) is None
    assert rows == []


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_of_a_key_comes_through(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        columns([{"a": 1, Hostile(fail): 2}])


@pytest.mark.parametrize(
    "arguments",
    [((), dict, ("a",)), ([], 5, ("a",)), ([], dict, ["a"]), ([{}], dict, ({},)), ([{}], dict)],
)
def test_what_cannot_be_is_refused(arguments: Any) -> None:
    assert native is not None
    with pytest.raises(TypeError):
        native.columns(*arguments, *[True] * (5 - len(arguments)))


def test_no_cell_is_held_afterwards() -> None:
    cell = object()
    before = sys.getrefcount(cell)
    for rows in ([{"a": cell, "b": cell}] * 9, [{"a": cell, "b": cell}, {"a": cell}]):
        columns(rows)
    columns([SimpleNamespace(a=cell, b=cell)], SimpleNamespace, all_=False)
    columns([slotted(a=cell, b=cell)], Slotted, (A, B), all_=False)
    del rows
    assert sys.getrefcount(cell) == before


class Two(NamedTuple):
    a: int
    b: int


def test_rows_are_alike_if_they_are_of_one_type_and_width() -> None:
    assert native is not None
    rows: list[Any] = [(1, 2), (3, 4)]
    assert native.alike(rows, tuple, 2)
    assert native.alike([], tuple, 2)
    for other in ((1,), [1, 2], "ab", {1: 2, 2: 3}, 5, 2**70, Two(1, 2)):
        assert not native.alike([*rows, other], tuple, 2)
    for arguments in ((rows, dict, 2), (tuple(rows), tuple, 2), (rows, tuple)):
        with pytest.raises(TypeError):
            native.alike(*arguments)
