"""The figures of a status, and its JSON."""

import json

import pytest

from jobs.kept import DIGEST, job
from streamware.jobs.links import Links
from streamware.jobs.record import JobState
from streamware.jobs.status import as_json, estimate, seconds, share, speed

LINKS = Links("/exports", "abc")


def test_the_time_left_follows_from_the_speed_so_far() -> None:
    assert seconds(job(), 160.0) == 60
    assert speed(job(), 160.0) == pytest.approx(6666.7, abs=0.1)
    assert estimate(job(), 160.0) == pytest.approx(90)


def test_nothing_is_guessed() -> None:
    assert seconds(job(started=None), 160.0) is None
    assert speed(job(), 101.0) is None  # too early
    assert speed(job(rows=0), 160.0) is None
    assert estimate(job(total=None), 160.0) is None
    assert estimate(job(state=JobState.CANCELLING), 160.0) is None
    assert share(job(total=None)) is None
    assert share(job(total=0)) is None


def test_only_what_is_done_is_whole() -> None:
    assert share(job(rows=1_000_000)) == 0.99
    assert share(job(rows=2_000_000)) == 0.99
    assert share(job(state=JobState.DONE, rows=3, total=None)) == 1.0
    assert share(job(state=JobState.QUEUED, rows=0)) == 0.0
    assert estimate(job(rows=2_000_000), 160.0) == 0


def test_a_clock_that_is_behind() -> None:
    assert seconds(job(), 50.0) == 0
    assert speed(job(), 50.0) is None


def test_the_digest_is_told_of_a_file_that_is_there() -> None:
    kept = job(state=JobState.EXPIRED, receipt={"sha256": DIGEST})
    assert json.loads(as_json(kept, LINKS, 300.0))["sha256"] is None


def test_the_members_are_always_the_same() -> None:
    for state in JobState:
        found = json.loads(as_json(job(state=state), LINKS, 300.0))
        assert set(found) == {
            *("id", "name", "state", "rows", "total", "bytes", "seconds", "estimate", "attempt"),
            *("created", "started", "ended", "expires", "problem", "filename", "media_type"),
            *("size", "sha256", "links"),
        }


def test_text_that_is_no_unicode_breaks_nothing() -> None:
    data = as_json(job(name='a\ud800"</script>'), LINKS, 300.0)
    assert json.loads(data)["name"] == 'a?"</script>'
