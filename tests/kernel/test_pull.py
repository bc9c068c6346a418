"""What the kernel's `pull` was not made for, it refuses; what others raise, comes through."""

from collections.abc import Iterator
from typing import Any

import pytest

from fakes import Broken
from streamware.kernel import native

pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


def fails() -> Any:
    raise Broken


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
