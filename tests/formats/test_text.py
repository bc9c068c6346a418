"""What the formats share."""

import time
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.text import MARKUP, label, legal, text_literal, unescaped, unique


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
def test_a_repeated_name_gets_a_number(names: list[str], expected: list[str]) -> None:
    assert unique(names) == expected


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "b_2", "a_2_2"])))
def test_names_are_all_different_and_the_first_of_each_is_kept(names: list[str]) -> None:
    found = unique(names)
    assert max(Counter(found).values(), default=1) == 1
    assert all(found[names.index(name)] == name for name in names)


def test_many_equal_names_take_little_time() -> None:
    start = time.process_time()
    assert unique(["a"] * 16_000)[-1] == "a_16000"
    assert time.process_time() - start < 1


def test_what_xml_forbids_is_replaced() -> None:
    assert legal("a\x00b\ud800\uffff\tc") == "a\ufffdb\ufffd\ufffd\tc"


def test_a_column_is_called_by_its_title_or_its_number() -> None:
    assert label(sw.Column("id", "No."), 4) == "No."
    assert label(sw.Column(4), 4) == "5"


@given(st.text("&<>;ampltgt \n"))
def test_a_text_is_the_same_without_its_references(text: str) -> None:
    blob = text.encode()
    for mark, reference in MARKUP:
        blob = blob.replace(mark, reference)
    assert (ET.fromstring(b"<a>" + blob + b"</a>").text or "") == text
    assert unescaped(blob) == text.encode()


def test_quotes_of_a_text_are_doubled_in_a_formula() -> None:
    assert text_literal('say "hi"\x00') == '"say ""hi""\ufffd"'
