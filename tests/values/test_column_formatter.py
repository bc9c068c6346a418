"""Columns as text: texts of subclasses."""

import pytest

import streamware as sw


class Misleading(str):
    """A text whose own methods say something else than what it holds."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: object) -> str:
        return "a"

    def __str__(self) -> str:
        return "another"


@pytest.mark.parametrize("text", ["abc", "=1+1", "-abc", "a,b", 'a"b', "\ta", "a\nb", "x" * 40_000])
def test_texts_of_a_subclass_are_what_they_hold(text: str) -> None:
    for size in (1, 20):
        for limits in (sw.Limits(), sw.Limits(cell_characters=50_000)):
            found = b"".join(sw.encode([(Misleading(text),)] * size, "csv", limits=limits))
            assert found == b"".join(sw.encode([(text,)] * size, "csv"))
    with pytest.raises(sw.LimitError):
        b"".join(sw.encode([(Misleading(text),)], "csv", limits=sw.Limits(cell_characters=1)))
