"""What the kernel's `pull` was not made for, it refuses; what others raise, comes through."""

import sqlite3
from collections import UserDict, UserList, deque
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import Broken
from streamware.kernel import native
from streamware.rows.weighing import SMALL, Sizer, places_of

pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


def fails() -> Any:
    raise Broken


class Both:
    """An object with slots and a `__dict__`."""

    __slots__ = ("__dict__", "_hidden", "a", "empty")


class Deeper(Both):
    __slots__ = ("b",)


def pull(rows: Any = None, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "rows": iter([(1, object()), (2,)]) if rows is None else rows,
        "most": 10,
        "pending": [],
        "room": 100,
        "due": [5.0],
        "clock": lambda: 1.0,
        "weightless": (float,),
        "cell_size": lambda cell: 7,
        "row_size": lambda row: 8,
        "objects": None,
    }
    assert native is not None
    return native.pull(*(given | changes).values())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"rows": [(1,)]}, TypeError),
        ({"rows": 5}, TypeError),
        ({"most": None}, TypeError),
        ({"pending": ()}, TypeError),
        ({"room": 1 << 80}, OverflowError),
        ({"due": 5.0}, TypeError),
        ({"due": []}, ValueError),
        ({"due": [5]}, ValueError),
        ({"clock": None}, TypeError),
        ({"clock": lambda: "late"}, TypeError),
        ({"clock": fails}, Broken),
        ({"weightless": [float]}, TypeError),
        ({"objects": ()}, TypeError),
        ({"objects": (5, ())}, TypeError),
        ({"objects": (Both, [])}, TypeError),
        ({"objects": (Both, (5,))}, TypeError),
        ({"objects": (object, (vars(Both)["a"],))}, TypeError),
        ({"cell_size": None}, TypeError),
        ({"cell_size": lambda cell: "x"}, TypeError),
        ({"cell_size": lambda cell: fails()}, Broken),
    ],
)
def test_what_cannot_be_is_refused(changes: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        pull(**changes)


def test_it_asks_for_what_it_does_not_know() -> None:
    assert pull() == (93, False, True)
    assert pull(iter([5, None])) == (84, False, True)
    assert pull(iter([("abc", b"de", 1, None, 1.5), [7**99]]), most=1) == (88, True, False)


@pytest.mark.parametrize(
    ("told", "counted"), [(-5, 0), (1 << 33, 1 << 32), (1 << 80, 1 << 32), (True, 1)]
)
def test_no_weight_is_beyond_bounds(told: int, counted: int) -> None:
    assert pull(iter([(object(),)]), cell_size=lambda cell: told)[0] == 100 - counted


def test_it_ends_when_there_is_no_room_or_no_time() -> None:
    pending = list[Any]()
    assert pull(iter([("x" * 101,), ()]), pending=pending) == (-1, False, False)
    assert pull(iter([(), ()]), pending=pending, clock=lambda: 6.0) == (100, False, False)
    assert len(pending) == 2


def test_the_time_that_is_due_may_change_meanwhile() -> None:
    def rows() -> Iterator[Any]:
        yield (1,)
        due[0] = 0.0
        yield (2,)
        yield (3,)

    due = [5.0]
    source = rows()
    assert pull(source, due=due) == (100, False, False)
    assert next(source) == (3,)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("type_", [Both, Deeper, SimpleNamespace])
@pytest.mark.parametrize(
    "cells",
    [
        {},
        {"a": "abc", "b": 1, "c": b"de", "d": None},
        {"_hidden": "abc", "_e": Text("de"), "_f": object(), "a": Text("abc")},
        {"_hidden": object(), "a": {"k": ["text"]}, "_g": {"k": ["text"]}, "b": 10**500},
        {"_hidden": 10**500, "_g": Decimal(10**500), "b": Decimal(10**500), "_": ("x",)},
    ],
)
def test_objects_weigh_as_much_as_for_python(type_: Any, cells: dict[str, Any]) -> None:
    row, size = type_(), Sizer()
    for name, cell in cells.items():
        setattr(row, name, cell)
    given = {"cell_size": size, "weightless": tuple(SMALL), "objects": places_of(row)}
    room, *_ = pull(iter([row]), row_size=fails, room=10**6, **given)
    assert 10**6 - room == size.row(row)


@pytest.mark.parametrize(
    "row", [5, "text", b"", None, {"a": 1}, UserDict(a=1), UserList([1]), object()]
)
def test_of_others_python_is_asked_for_the_cells(row: object) -> None:
    assert places_of(row) is None


def test_rows_of_compiled_classes_weigh_as_much_as_for_python() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 'abc', 1.5, NULL, x'0102', 7").fetchone()
    connection.close()
    for each in (row, deque(["abc", {"a": ["de"]}, 10**500])):
        size = Sizer()
        given = {"cell_size": size, "weightless": tuple(SMALL), "objects": places_of(each)}
        room, *_ = pull(iter([each]), row_size=fails, room=10**6, **given)
        assert 10**6 - room == size.row(each) > 0


def test_a_row_that_cannot_be_iterated_is_asked_for() -> None:
    class Row:
        error: type[BaseException] = Broken

        def __iter__(self) -> Iterator[Any]:
            raise self.error

    assert pull(iter([Row()]), objects=(Row, None))[0] == 92
    Row.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        pull(iter([Row()]), objects=(Row, None))
