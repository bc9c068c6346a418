"""What the formats share."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.text import label, legal, unique


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
        (["", ""], ["", "_2"]),
    ],
)
def test_a_name_that_came_before_has_a_number(names: list[str], expected: list[str]) -> None:
    assert unique(names) == expected


def test_names_may_be_the_same_though_they_differ() -> None:
    assert unique(["a", "A", "a_2"], key=str.lower) == ["a", "A_3", "a_2"]


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "b_2", "a_2_2"])))
def test_names_are_all_different_and_the_first_of_each_is_kept(names: list[str]) -> None:
    found = unique(names)
    assert max(Counter(found).values(), default=1) == 1
    assert all(found[names.index(name)] == name for name in names)


def test_what_xml_forbids_is_replaced() -> None:
    assert legal("a\x00b\ud800\uffff\tc") == "a\ufffdb\ufffd\ufffd\tc"


def test_a_column_is_called_by_its_title_or_its_number() -> None:
    assert label(sw.Column("id", "No."), 4) == "No."
    assert label(sw.Column(4), 4) == "5"
