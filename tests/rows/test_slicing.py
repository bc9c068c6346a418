"""Tables in memory are read a slice at a time."""

from collections.abc import Sequence

import pytest

from streamware.rows.slicing import sliced_rows
from streamware.rows.weighing import MOST_CHARACTERS


def slices(lengths: Sequence[int], *, known: bool) -> list[int]:
    """The rows of each slice that is read of texts of these lengths."""
    found = list[int]()

    def read(start: int, stop: int) -> list[list[object]]:
        found.append(stop - start)
        return [["x" * length for length in lengths[start:stop]]]

    def size_of(start: int, stop: int) -> int | None:
        return sum(lengths[start:stop]) if known else None

    rows = list(sliced_rows(len(lengths), read, size_of))
    assert [len(row[0]) for row in rows] == list(lengths)
    return found


@pytest.mark.parametrize("known", [True, False])
def test_no_rows_are_no_slices(*, known: bool) -> None:
    assert slices([], known=known) == []


def test_slices_double() -> None:
    assert slices([1] * 5000, known=True) == [8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 912]


def test_slices_whose_bytes_are_known_are_never_too_long() -> None:
    lengths = [1] * 1000 + [MOST_CHARACTERS // 2] * 4 + [MOST_CHARACTERS * 2] * 2 + [1] * 100
    found = slices(lengths, known=True)
    starts = [sum(found[:at]) for at in range(len(found))]
    sizes = [sum(lengths[at : at + count]) for at, count in zip(starts, found, strict=True)]
    assert all(
        size <= MOST_CHARACTERS or count == 1 for size, count in zip(sizes, found, strict=True)
    )


def test_slices_whose_bytes_are_not_known_are_short() -> None:
    assert slices([1] * 20, known=False) == [8, 8, 4]
    assert slices([MOST_CHARACTERS] * 20, known=False) == [8, 4, 2, 1, 2, 1, 2]
