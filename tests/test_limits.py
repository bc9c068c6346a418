"""How much one export may be."""

from collections.abc import Iterator

import pytest

import streamware as sw
from drive import Clock, document
from fakes import Rows, orders


@pytest.mark.parametrize("limits", [sw.Limits(rows=100), sw.Limits(bytes=1280), sw.Limits()])
def test_what_is_within_its_limits_is_written(limits: sw.Limits) -> None:
    assert len(document(orders(100), limits=limits).data) == 1280


def test_more_rows_than_the_limit_are_an_error() -> None:
    rows = Rows(orders(101))
    with pytest.raises(sw.LimitError, match="rows of the export: 101 is over the limit of 100"):
        document(rows, limits=sw.Limits(rows=100))
    assert rows.closed == 1


def test_rows_are_counted_over_all_sheets() -> None:
    sheets = [sw.Sheet(name, [(1,)] * 60) for name in "AB"]
    with pytest.raises(sw.LimitError, match="rows of the export: 120 is over"):
        document(sheets, "xlsx", limits=sw.Limits(rows=100))


def test_more_bytes_than_the_limit_are_never_handed_out() -> None:
    chunks = sw.encode(orders(10**9), limits=sw.Limits(bytes=200_000))
    received: list[bytes] = []
    with pytest.raises(sw.LimitError, match=r"bytes of the document: .* over the limit of 200,000"):
        received.extend(chunks)
    assert 0 < sum(map(len, received)) <= 200_000
    assert chunks.receipt.outcome == "limit"


def test_the_time_is_looked_at_when_a_row_arrives(clock: Clock) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        yield clock.after(9, (2,))
        yield clock.after(2, (3,))

    chunks = sw.encode(rows(), limits=sw.Limits(seconds=10))
    assert b"2" in next(chunks)
    with pytest.raises(sw.LimitError, match=r"seconds of the export: 11.0 is over the limit of 10"):
        next(chunks)


def test_nothing_is_within_a_limit_of_nothing() -> None:
    assert document([], limits=sw.Limits(rows=0, bytes=0)).data == b""
    with pytest.raises(sw.LimitError):
        document([(1,)], limits=sw.Limits(rows=0))


@pytest.mark.parametrize("name", ["rows", "bytes", "seconds", "cell_characters"])
def test_a_limit_below_nothing_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=rf"Limits\({name}=…\) must not be negative"):
        sw.Limits(**{name: -1})
