"""What is told of an export, while it runs and when it has ended."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

import streamware as sw
from drive import Clock
from fakes import failing, orders


@pytest.mark.parametrize("form", ["csv", "xml", "json", "xlsx"])
def test_the_receipt_of_a_whole_document(form: str) -> None:
    chunks = sw.encode(orders(1000), form)
    data = b"".join(chunks)
    receipt = chunks.receipt
    assert (receipt.format, receipt.rows, receipt.outcome) == (form, 1000, "complete")
    assert (receipt.bytes, receipt.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert receipt.first_byte_seconds is not None
    assert 0 < receipt.first_byte_seconds <= receipt.seconds


def test_a_receipt_before_the_first_chunk_is_empty() -> None:
    chunks = sw.encode(orders(1))
    assert chunks.receipt == sw.Receipt("csv")
    assert chunks.receipt.outcome == "running"
    chunks.close()


def test_headers_are_not_counted_and_sheets_are_counted_together() -> None:
    chunks = sw.encode([sw.Sheet(name, [{"a": 1}] * 3) for name in "AB"], "xlsx")
    b"".join(chunks)
    assert chunks.receipt.rows == 6


def read_some(chunks: sw.Encoding) -> None:
    next(chunks)
    chunks.close()


@pytest.mark.parametrize(
    ("rows", "read", "outcome"),
    [
        pytest.param(orders, b"".join, "complete", id="read to its end"),
        pytest.param(orders, read_some, "closed", id="given up"),
        pytest.param(orders, sw.Encoding.close, "closed", id="never begun"),
        pytest.param(failing, b"".join, "source error", id="rows that fail"),
        pytest.param(lambda _: [(object(),)], b"".join, "encode error", id="a cell that cannot be"),
    ],
)
def test_the_outcome_tells_how_it_ended(
    rows: Callable[[int], Any], read: Callable[[sw.Encoding], object], outcome: str
) -> None:
    chunks = sw.encode(rows(100))
    try:
        read(chunks)
    except Exception:  # noqa: BLE001 - it is the outcome that is looked at
        assert outcome.endswith("error")
    assert chunks.receipt.outcome == outcome
    assert (chunks.receipt.sha256 is None) is (outcome != "complete")


def test_the_seconds_end_with_the_document(clock: Clock) -> None:
    chunks = sw.encode(clock.after(2, row) for row in orders(3))
    b"".join(chunks)
    seconds = chunks.receipt.seconds
    clock.now += 100
    chunks.close()
    assert chunks.receipt.seconds == seconds
    assert 4 <= seconds <= 6


def test_conversions_are_counted_by_their_rule() -> None:
    chunks = sw.encode([("=1", [2]), ("=2", None)], columns=["a", "b"])
    b"".join(chunks)
    assert chunks.receipt.converted == {"formula_text": 2, "nested": 1}
