"""The page of a job: what it says in each state, and that it brings all it needs."""

import re
from html.parser import HTMLParser

import pytest

from jobs.kept import job
from streamware.jobs import page as pages
from streamware.jobs.record import JobState, Record
from streamware.jobs.words import ENGLISH, GERMAN, Words

NOW = 160.0
NASTY = "\"><script>alert(1)</script>'&\ud800\u202e"


class Read(HTMLParser):
    """The tags of a page with their attributes, and its text outside of style and script."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.text += data + "\n"

    def find(self, tag: str) -> dict[str, str | None]:
        return next(attributes for name, attributes in self.tags if name == tag)

    def has(self, tag: str) -> bool:
        return any(name == tag for name, _ in self.tags)


def read(record: Record, words: Words = ENGLISH, now: float = NOW) -> Read:
    return Read(pages.page(record, words, now))


def test_a_job_that_runs() -> None:
    found = read(job())
    bar = found.find("progress")
    assert (bar["value"], bar["max"], bar["aria-label"]) == ("400", "1000", "Progress")
    for text in ("orders-EU.xlsx", "Running", "400,000 of 1,000,000 rows", "40%", "14.3 MB"):
        assert text in found.text
    assert "about 2 minutes" in found.text
    assert "6,667 rows a second" in found.text
    assert found.find("form") == {"method": "post", "action": f"{job().id}/cancel"}
    assert not found.has("a")


def test_a_job_whose_rows_are_not_counted() -> None:
    found = read(job(total=None))
    assert "value" not in found.find("progress")
    assert "400,000 rows" in found.text
    assert "%" not in found.text
    assert "Time left" not in found.text


def test_a_source_may_have_more_rows_than_it_said() -> None:
    found = read(job(total=1000))
    assert "400,000 of 400,000 rows" in found.text
    assert "99%" in found.text


def test_a_job_that_waits() -> None:
    found = read(job(state=JobState.QUEUED, started=None, rows=0, bytes=0))
    assert found.find("progress")["value"] == "0"
    assert "Waiting" in found.text
    assert found.has("form")


def test_a_job_that_is_being_cancelled_has_no_button() -> None:
    found = read(job(state=JobState.CANCELLING))
    assert not found.has("form")
    assert not found.has("a")


def test_a_job_that_is_done() -> None:
    found = read(
        job(state=JobState.DONE, ended=250.0, size=35_700_000, rows=1_000_000, expires=1.796e9)
    )
    assert found.find("progress")["value"] == "1000"
    for text in ("Ready", "1,000,000 rows", "100%", "35.7 MB", "2 minutes"):
        assert text in found.text
    assert found.find("time")["datetime"] == "2026-11-30T00:53:20Z"
    assert found.find("a")["href"] == f"{job().id}/file"
    assert not found.has("form")


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_a_job_without_a_file(state: str) -> None:
    found = read(job(state=JobState(state), ended=170.0, problem="OperationalError"))
    assert ENGLISH.states[state][1] in found.text
    assert ("OperationalError" in found.text) == (state == "failed")
    assert not found.has("progress")
    assert not found.has("form")
    assert not found.has("a")


def test_in_german() -> None:
    found = read(job(), GERMAN)
    assert found.find("html")["lang"] == "de"
    for text in ("Läuft", "400.000 von 1.000.000 Zeilen", "14,3 MB", "Abbrechen"):
        assert text in found.text


@pytest.mark.parametrize("state", list(JobState))
def test_a_page_that_may_change_loads_itself_again(state: JobState) -> None:
    data = pages.page(job(state=state), ENGLISH, NOW).decode()
    again = '<noscript><meta http-equiv="refresh" content="2;url=?watch"></noscript>' in data
    assert again == (state in {JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING})


@pytest.mark.parametrize("state", list(JobState))
def test_no_text_of_a_user_becomes_markup(state: JobState) -> None:
    record = job(state=state, name=NASTY, filename=None, problem=NASTY, ended=200.0)
    data = pages.page(record, ENGLISH, NOW)
    plain = pages.page(job(state=state, filename=None, problem="x", ended=200.0), ENGLISH, NOW)
    assert [tag for tag, _ in Read(data).tags] == [tag for tag, _ in Read(plain).tags]
    assert b"<script>alert" not in data


def test_nothing_is_loaded_but_the_page() -> None:
    data = pages.page(job(), ENGLISH, NOW).decode()
    assert "http://" not in data
    assert "https://" not in data
    assert not re.search(r"\s(src|style|on\w+)=", data)
    assert [
        attributes["href"] for tag, attributes in Read(data.encode()).tags if tag == "link"
    ] == ["data:,"]


def test_the_policy_allows_the_script_and_the_style_of_the_page_alone() -> None:
    policy = dict(pages.HEADERS)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2


def test_a_notice_says_why_there_is_nothing() -> None:
    for words in (ENGLISH, GERMAN):
        for kind in ("missing", "conflict", "forbidden", "down", "gone"):
            assert words.labels[f"{kind} text"] in Read(pages.notice(words, kind)).text


def test_what_is_not_known_yet_is_not_shown() -> None:
    found = read(job(rows=0, bytes=0), now=100.5)
    assert not found.has("dt")
    assert "0 of 1,000,000 rows" in found.text


def test_a_clock_that_is_behind_shows_nothing_odd() -> None:
    found = read(job(), now=50.0)
    assert "-" not in found.text.replace("orders-EU.xlsx", "")
