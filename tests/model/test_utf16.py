import pytest

from streamware.model.utf16 import units


@pytest.mark.parametrize(("text", "count"), [("", 0), ("aé", 2), ("😀", 2), ("\ud800", 1)])
def test_what_is_outside_the_basic_plane_counts_twice(text: str, count: int) -> None:
    assert units(text) == count
