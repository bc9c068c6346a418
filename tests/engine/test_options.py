"""The options of `encode` and its twins, resolved."""

from typing import Any

import pytest

import streamware as sw
from streamware.engine.options import EncodeOptions, ResolvedOptions, resolve


def test_every_option_has_a_default() -> None:
    assert resolve({}) == ResolvedOptions()
    assert resolve({}).chunk_size == 65_536
    assert resolve({}).flush_interval == 1.0


def test_the_documented_options_are_those_there_are() -> None:
    assert list(EncodeOptions.__annotations__) == list(ResolvedOptions.__slots__)


def test_none_stands_for_a_default() -> None:
    nothing: Any = dict.fromkeys(EncodeOptions.__annotations__)
    assert resolve(nothing) == ResolvedOptions()


def test_columns_become_columns() -> None:
    columns = resolve({"columns": ["a", sw.Column("b")]}).columns
    assert columns is not None
    assert [column.key for column in columns] == ["a", "b"]


@pytest.mark.parametrize("function", [sw.encode, sw.aencode])
@pytest.mark.parametrize("value", [1, None])
def test_an_unknown_option_is_named_with_the_known_ones(function: Any, value: object) -> None:
    with pytest.raises(
        TypeError,
        match="unknown option 'chunksize'; the options are columns, sheet_by, values, limits, "
        "chunk_size, flush_interval",
    ):
        function([], "csv", chunksize=value)


@pytest.mark.parametrize("options", [{"chunk_size": 0}, {"flush_interval": 0}])
def test_sizes_that_cannot_be_are_errors(options: Any) -> None:
    with pytest.raises(ValueError, match=r"chunk_size must be at least 1 and flush_interval above"):
        resolve(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": 10}, r"limits must be sw.Limits\(…\), not int"),
        ({"values": 10}, r"values must be sw.Values\(…\), not int"),
        ({"chunk_size": "1"}, "chunk_size must be a number, not str"),
        ({"flush_interval": "1"}, "flush_interval must be a number, not str"),
    ],
)
def test_an_option_of_the_wrong_type_is_named(options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        resolve(options)
