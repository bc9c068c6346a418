"""Floats as text: what orjson and `repr` write alike is written in one call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamware.values.numbers import float_tokens, plain_floats

pytest.importorskip("orjson", reason="needs orjson")


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        ([909200.0000000001, 10.0000125], True),
        ([-909200.0000000001], True),
        ([0.00012, 1.5], True),
        ([0.0000123, 1.5], False),
        ([1.5, 0.0000123], False),
        ([1.5, -0.0000123], False),
        ([0.0000123], False),
    ],
    ids=str,
)
def test_only_a_small_number_is_no_ordinary_float(cells: list[float], plain: bool) -> None:
    tokens = [repr(cell).encode() for cell in cells]
    assert plain_floats(cells) == (tokens if plain else None)
    assert float_tokens(cells) == tokens


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_ordinary_floats_are_written_as_repr_has_them(cells: list[float]) -> None:
    tokens = [repr(cell).encode() for cell in cells]
    assert float_tokens(cells) == tokens
    assert plain_floats(cells) in (tokens, None)
