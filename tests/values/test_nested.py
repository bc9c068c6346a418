"""Nested values are the same bytes of JSON with and without orjson."""

import json
from collections import OrderedDict, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamware.values import nested
from streamware.values.nested import compact_json


def by_the_standard_library(value: object) -> str | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nested, "orjson", None)
        return compact_json(value)


class Pair(NamedTuple):
    a: int
    b: object


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class Number(int):
    def __repr__(self) -> str:
        return "another"


class Plain(Enum):
    A = (1, date(2024, 5, 6))


class Whole(IntEnum):
    A = 7


class Word(StrEnum):
    A = "a"


ODD: dict[str, Any] = {
    "exponents": [1e16, 1e-5, 1.5e-5, 1e22, 123456789012345680.0, 1e-7, 0.0001],
    "not finite": [float("nan"), float("inf"), None],
    "large": [2**63, 2**64, -(2**63) - 1, 10**400],
    "texts": ["\u2028</script>", '\x00\x1f\x7f\b\f\n\r\t"\\', "ü😀", "1e5", "null"],
    "surrogate": "\ud800",
    "keys": {1: "a", 2.5: "b", None: "c", False: "d"},
    "other keys": {date(2024, 5, 6): 1},
    "a set": {"b", "a"},
    "tuple": (1, Pair(2, (3,))),
    "enums": [Plain.A, Whole.A, Word.A, {Word.A: 1}],
    "subclasses": [Text("x"), Number(5), OrderedDict(a=1), defaultdict(int, a=1), {Text("k"): 1}],
    "times": [datetime(2024, 5, 6, tzinfo=UTC), date(2024, 5, 6), time(1, 2), timedelta(1)],
    "others": [UUID(int=1), Decimal("1.50"), PurePosixPath("/a"), b"x", memoryview(b"y")],
    "not JSON": [object()],
    "complex": [1j],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_are_the_same_without_orjson(name: str) -> None:
    assert compact_json(ODD[name]) == by_the_standard_library(ODD[name])


def test_what_is_nested_too_deeply_is_the_same_without_orjson() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert compact_json(deep) == by_the_standard_library(deep) == "[" * 301 + "]" * 301
    deep.append(deep)
    assert compact_json(deep) is None is by_the_standard_library(deep)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.uuids()
)


@given(
    st.recursive(
        LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
    )
)
def test_any_value_is_the_same_without_orjson(value: object) -> None:
    assert compact_json(value) == by_the_standard_library(value)


def test_it_is_json() -> None:
    value = {"a": [1, 2.5, "x", None], "b": {"c": True}}
    assert json.loads(compact_json(value) or "") == value
