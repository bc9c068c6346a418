"""`Prefer`, as RFC 7240 writes it."""

import pytest

from streamware.jobs.preference import preferences, wait_seconds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, {}),
        ("", {}),
        ("respond-async", {"respond-async": ""}),
        ("Respond-Async, WAIT=10", {"respond-async": "", "wait": "10"}),
        ("wait = 10 ; foo=bar", {"wait": "10"}),
        ('wait="10"', {"wait": "10"}),
        ("wait=1, wait=2", {"wait": "1"}),
        ("=, wait=3, \x00", {"wait": "3"}),
        ("a" + " " * 100_000 + "\x01", {}),  # took minutes when blanks could match in two places
    ],
)
def test_preferences_by_their_names(header: str | None, expected: dict[str, str]) -> None:
    assert preferences(header) == expected


@pytest.mark.parametrize(
    ("stated", "seconds"), [("5", 5), ("", 0), ("x", 0), ("-1", 0), ("1.5", 0), ("999999999", 30)]
)
def test_a_wait_is_bounded(stated: str, seconds: int) -> None:
    assert wait_seconds({"wait": stated}) == seconds
