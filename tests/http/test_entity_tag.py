import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date
from enum import Enum
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from streamware.http.conditional import entity_tags
from streamware.http.entity_tag import entity_tag, weak_tag

PROCESS = """
import streamware as sw
from streamware.http.entity_tag import entity_tag
add = lambda number: (lambda cell: cell + number)
columns = [sw.Column("a", convert=add(3))]
print(entity_tag("v1", sw.Xlsx(title="t"), columns, {"b", "c"}, sw.Values()))
"""


class Colour(Enum):
    RED = 1


def adding(number: int) -> Callable[[int], int]:
    return lambda cell: cell + number


def keyed(key: object) -> list[sw.Column]:
    return [sw.Column(key)]  # type: ignore[arg-type]


def test_a_tag_is_strong_and_can_be_sent() -> None:
    tag = entity_tag("v1 \ud800 ü \n", None)
    assert entity_tags(tag) == [tag]
    assert len(tag) == 26
    assert weak_tag('"a"', "gzip") == 'W/"a-gzip"'


def test_every_process_makes_the_same_tag() -> None:
    made = {
        subprocess.run(
            [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(made) == 1


@pytest.mark.parametrize(
    "pair",
    [
        (adding(1), adding(2)),
        (lambda cell: cell + 1, lambda cell: cell + 2),
        (lambda cell: cell.a, lambda cell: cell.b),
        (lambda cell, by=1: cell + by, lambda cell, by=2: cell + by),
        (keyed("a"), keyed("b")),
        (keyed("a"), keyed("a") * 2),
        (sw.Xlsx(), sw.Xlsx(title="t")),
        (sw.Csv(), sw.Tsv()),
        (UTC, ZoneInfo("Europe/Berlin")),
        (date(2026, 1, 1), date(2026, 1, 2)),
        ("1", 1),
        (["a", ["b"]], ["a", "b"]),
        ({"a": 1}, {"a": 2}),
        (object(), object()),
        (Colour.RED, 1),
    ],
)
def test_other_options_make_another_tag(pair: tuple[object, object]) -> None:
    one, other = pair
    assert entity_tag("v1", one) != entity_tag("v1", other)


@pytest.mark.parametrize(
    "pair",
    [
        (adding(1), adding(1)),
        (keyed("a"), keyed("a")),
        (sw.Xlsx(title="t"), sw.Xlsx(title="t")),
        ({"a", "b"}, {"b", "a"}),
        (sw.Column("a", convert=str.upper), sw.Column("a", convert=str.upper)),
        (Colour.RED, Colour.RED),
    ],
)
def test_equal_options_make_the_same_tag(pair: tuple[object, object]) -> None:
    one, other = pair
    assert entity_tag("v1", one) == entity_tag("v1", other)


def test_what_cannot_be_described_is_never_taken_for_the_same() -> None:
    loop: list[object] = []
    loop.append(loop)
    for endless in (loop, list(range(10_000))):
        assert entity_tag("v1", endless) != entity_tag("v1", endless)


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by: int) -> None:
        self.by = by


def test_what_has_slots_alone_counts_by_them() -> None:
    tags = set()
    for number in range(5):  # at one address, perhaps
        held = Slotted(number)
        tags.add(entity_tag("v1", lambda row, held=held: row + held.by))
        del held
    assert len(tags) == 5
    assert entity_tag("v1", Slotted(1)) == entity_tag("v1", Slotted(1))


def test_a_set_that_refers_to_itself_has_a_tag() -> None:
    class Node:
        peers: set[object]

    node = Node()
    node.peers = {node}
    assert entity_tags(entity_tag("v1", node))


def test_what_is_imported_makes_no_difference() -> None:
    code = "from streamware.http.entity_tag import entity_tag; print(entity_tag('v1'))"
    made = {
        subprocess.run(
            [sys.executable, "-c", before + code], capture_output=True, text=True, check=True
        ).stdout
        for before in ("", "import babel.core; ")
    }
    assert len(made) == 1
