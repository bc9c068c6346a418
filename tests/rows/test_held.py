"""Attributes that objects hold are read where they are, and all others by their code."""

import tracemalloc
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows
from streamware.rows.held import is_in_dict, is_slot


class Plain:
    default = 7

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)

    @property
    def made(self) -> str:
        return "by code"

    @cached_property
    def kept(self) -> str:
        return "by code"

    def __getattr__(self, name: str) -> str:
        if name == "late":
            return "later"
        raise AttributeError(name)


class Own(Plain):
    def __getattribute__(self, name: str) -> object:
        return "own" if name == "a" else super().__getattribute__(name)


class NoDict(Plain):
    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]  # that is the point
        return {"a": "none of its own"}


@dataclass(slots=True)
class Slots:
    a: int


@pytest.mark.parametrize(
    ("row", "name", "held"),
    [
        (Plain(a=1), "a", True),
        (Plain(default=1), "default", True),
        (Plain(kept="kept"), "kept", True),
        (Plain(), "kept", False),
        (Plain(), "default", False),
        (Plain(made="hidden"), "made", False),  # the property comes first
        (Plain(), "late", False),
        (Own(a=1), "a", False),
        (Slots(1), "a", False),
    ],
)
def test_what_is_in_the_dict_of_an_object_is_held(row: Any, name: str, *, held: bool) -> None:
    assert is_in_dict(row, name) is held


def test_a_slot_is_held() -> None:
    assert is_slot(Slots(1), "a")
    assert not is_slot(Plain(a=1), "a")
    assert not is_slot(Plain(), "made")


def test_a_dict_that_a_class_makes_up_is_not_read() -> None:
    assert not is_in_dict(object.__new__(NoDict), "a")


def cells(rows: list[Any], *columns: str) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, columns=list(columns))))[1:]


def test_cells_are_those_that_the_attributes_have() -> None:
    rows = [Plain(a=1, made="hidden", default=1), Plain(a=2, made="hidden", default=2)]
    assert cells(rows, "a", "made", "default") == [["1", "by code", "1"], ["2", "by code", "2"]]
    assert cells([Own(a=1), Own(a=2)], "a") == [["own"], ["own"]]
    assert cells([Slots(1), Slots(2)], "a") == [["1"], ["2"]]


def test_what_a_later_object_does_not_hold_is_asked_for() -> None:
    held = [Plain(late="held", default=1) for _ in range(600)]
    rows = [*held, Plain(), Plain(late="held")]
    assert cells(rows, "late", "default")[599:] == [["held", "1"], ["later", "7"], ["held", "7"]]


def test_memory_is_bounded_where_code_makes_the_cells_of_later_objects() -> None:
    class Wide(Plain):
        def __getattr__(self, name: str) -> str:
            if name != "text":
                raise AttributeError(name)
            return "x" * 1_000_000

    rows = [*(Wide(text="short") for _ in range(1000)), *(Wide() for _ in range(100))]
    tracemalloc.start()
    try:
        for _ in sw.encode(rows, columns=["text"]):
            pass
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
