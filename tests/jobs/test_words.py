"""Words and numbers in the reader's language."""

from dataclasses import fields

import pytest

from streamware.jobs.record import JobState
from streamware.jobs.words import ENGLISH, GERMAN, Words, choose


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-CH, fr;q=0.9", "de"),
        ("fr, de;q=0.5, en;q=0.4", "de"),
        ("fr", "en"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("x" * 60_000, "en"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_language_is_the_readers_if_it_is_known(accepted: str | None, language: str) -> None:
    assert choose(accepted).language == language


@pytest.mark.parametrize("words", [ENGLISH, GERMAN], ids=lambda words: words.language)
def test_every_language_has_every_text(words: Words) -> None:
    assert words.states.keys() == {state.value for state in JobState}
    assert words.labels.keys() == ENGLISH.labels.keys()
    assert words.units.keys() == ENGLISH.units.keys()
    assert len(words.months) == 12
    assert all(getattr(words, each.name) for each in fields(words))


@pytest.mark.parametrize(
    ("size", "english", "german"),
    [
        (0, "0 bytes", "0 Bytes"),
        (1, "1 byte", "1 Byte"),
        (999, "999 bytes", "999 Bytes"),
        (1000, "1.0 kB", "1,0 kB"),
        (999_960, "1.0 MB", "1,0 MB"),
        (14_300_000, "14.3 MB", "14,3 MB"),
        (5_368_709_120, "5.4 GB", "5,4 GB"),
        (10**16, "10,000.0 TB", "10.000,0 TB"),
    ],
)
def test_sizes(size: int, english: str, german: str) -> None:
    assert (ENGLISH.size(size), GERMAN.size(size)) == (english, german)


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "1 second", "1 Sekunde"),
        (59, "59 seconds", "59 Sekunden"),
        (89, "89 seconds", "89 Sekunden"),
        (90, "2 minutes", "2 Minuten"),
        (3600, "60 minutes", "60 Minuten"),
        (7200, "2 hours", "2 Stunden"),
        (7 * 86_400, "7 days", "7 Tage"),
    ],
)
def test_durations(seconds: float, english: str, german: str) -> None:
    assert (ENGLISH.duration(seconds), GERMAN.duration(seconds)) == (english, german)


def test_moments() -> None:
    assert ENGLISH.time(1_796_000_000) == "30 November 2026, 00:53 UTC"
    assert GERMAN.time(1_772_000_000) == "25. Februar 2026, 06:13 UTC"
