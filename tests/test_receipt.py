"""What is told of an export, while it runs and when it has ended."""

import ast
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from errno import ENOENT, ENOSPC
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from drive import Clock, column
from fakes import Broken, failing, orders
from streamware.receipt import CONVERSIONS, check_complete, problem_of


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


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (Broken("secret"), "Broken"),
        (sw.CellError(1, "secret", "object", "secret"), "CellError"),
        (
            sw.LimitError("secret", limit=1000, actual=2000, name="rows"),
            "Limits.rows: 2,000 is over 1,000",
        ),
        (sw.LimitError("secret", limit=1, actual=2), "a limit of the format: 2 is over 1"),
        (
            sw.Refused("secret", retry_after=1, limit="max_concurrent"),
            "Settings.max_concurrent",
        ),
        (sw.Refused("secret", retry_after=1), "Refused"),
        (sw.ScratchError(ENOSPC, "secret"), "ScratchError: No space left on device"),
        (FileNotFoundError(ENOENT, "secret", "secret"), "FileNotFoundError: No such file"),
        (OSError("secret"), "OSError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_problem_names_no_data(error: Exception, problem: str) -> None:
    assert problem_of(error).startswith(problem)
    assert "secret" not in problem_of(error)


def test_a_receipt_tells_the_problem() -> None:
    chunks = sw.encode(failing(3, Broken("secret")))
    with pytest.raises(Broken):
        b"".join(chunks)
    assert (chunks.receipt.outcome, chunks.receipt.problem) == ("source error", "Broken")


@pytest.mark.parametrize("read", [b"".join, sw.Encoding.close])
def test_what_was_read_or_given_up_has_no_problem(read: Callable[[sw.Encoding], object]) -> None:
    chunks = sw.encode(orders(3))
    read(chunks)
    assert chunks.receipt.problem is None


def test_receipts_are_told_by_their_ids() -> None:
    assert len({sw.Receipt("csv").id for _ in range(100)}) == 100


def test_a_document_is_whole_when_it_was_taken_to_its_end() -> None:
    chunks = sw.encode(orders(1000))
    next(chunks)
    with pytest.raises(sw.StateError, match="is not complete: running"):
        check_complete(chunks.receipt)
    b"".join(chunks)
    check_complete(chunks.receipt)


# What was converted


def counted() -> set[str]:
    """The keys that the package counts: what is in the brackets after `converted`."""
    found = set[str]()
    for path in Path(sw.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
                counter = node.target.value
                name = getattr(counter, "attr", getattr(counter, "id", ""))
                if name.lstrip("_") == "converted":
                    parts = ast.walk(node.target.slice)
                    values = [part.value for part in parts if isinstance(part, ast.Constant)]
                    keys = {value for value in values if isinstance(value, str)}
                    assert keys, f"{path}, line {node.lineno}: the key is no text"
                    found |= keys
    return found


@pytest.mark.slow
def test_every_key_that_is_counted_is_explained() -> None:
    assert counted() == set(CONVERSIONS)
    assert list(CONVERSIONS) == sorted(CONVERSIONS)


SAMPLES: dict[str, tuple[object, dict[str, Any]]] = {
    "aware": (datetime(2026, 1, 1, tzinfo=UTC), {"aware": "text"}),
    "big_int": (10**16, {"big_int": "text"}),
    "decimal": (Decimal("1.5"), {"decimal": "text"}),
    "early_date": (date(1500, 1, 1), {}),
    "escape": ("_x0041_", {}),
    "forbidden": ("a\x01b", {}),
    "formula": (sw.Formula("=Table1[a]"), {}),
    "formula_text": ("=1+1", {}),
    "long_duration": (timedelta(days=4_000_000), {}),
    "long_text": ("x" * 40_000, {}),
    "negative_duration": (timedelta(days=-4_000_000), {}),
    "nested": ([1], {}),
    "newline": ("a\r\nb", {}),
    "non_finite": (float("nan"), {}),
    "other": (object(), {"other": "str"}),
    "text_of_object": (b"data", {}),
    "timezone": (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9))), {}),
}


@pytest.mark.parametrize("key", SAMPLES)
def test_a_value_is_counted_in_the_formats_that_are_named(key: str) -> None:
    value, values = SAMPLES[key]
    forms = {"CSV": "csv", "TSV": "tsv", "XML": "xml", "JSON": "json", "NDJSON": "ndjson"}
    forms |= {"XLSX": "xlsx", "ODS": "ods"}
    formats = CONVERSIONS[key].formats
    named = set(forms) if formats == "all" else set(formats.split(", "))
    counting = {
        name for name, form in forms.items() if column([value], form, **values).converted.get(key)
    }
    assert counting == named
