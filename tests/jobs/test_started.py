"""What the request gets that starts a job."""

import json
from threading import Timer

import pytest

from fakes import Get, asgi_get, wsgi_get
from jobs.kept import DATA, ID, PAGE, Client, Kept, job
from streamware.errors import Refused
from streamware.http.application import prepare_answer
from streamware.http.request import Request
from streamware.jobs.record import JobState
from streamware.jobs.started import Started


@pytest.fixture(autouse=True)
def waiting(kept: Kept) -> None:
    kept.records[ID] = job(state=JobState.QUEUED, started=None, rows=0)


def test_a_program_is_told_where_the_status_is(get: Get, kept: Kept) -> None:
    reply = Client(get, Started(kept, kept.records[ID]), "")("/orders", "POST")
    assert (reply.status, reply.headers["location"]) == (202, f"/exports/{ID}")
    assert reply.headers["retry-after"] == "2"
    assert json.loads(reply.body)["state"] == "queued"
    assert "preference-applied" not in reply.headers


def test_a_browser_is_sent_to_the_page(get: Get, kept: Kept) -> None:
    reply = Client(get, Started(kept, kept.records[ID]), "")("/orders", "POST", accept=PAGE)
    assert (reply.status, reply.headers["location"]) == (303, f"/exports/{ID}")


def test_the_address_is_below_the_root_of_the_application(get: Get, kept: Kept) -> None:
    reply = Client(get, Started(kept, kept.records[ID]), "/shop")("/orders", "POST")
    assert reply.headers["location"] == f"/shop/exports/{ID}"
    kept.url = "https://example.org/files"
    reply = Client(get, Started(kept, kept.records[ID]), "/shop")("/orders", "POST")
    assert reply.headers["location"] == f"https://example.org/files/{ID}"


def test_who_waits_gets_the_file_if_it_is_done_in_time(get: Get, kept: Kept) -> None:
    client = Client(get, Started(kept, kept.records[ID]), "")
    timer = Timer(0.05, kept.finish)
    timer.start()
    reply = client("/orders", "POST", prefer="respond-async, wait=20", range="bytes=5-")
    timer.join()
    assert (reply.status, reply.body == DATA) == (200, True)
    assert reply.headers["preference-applied"] == "wait=20"
    assert reply.headers["content-location"] == f"/exports/{ID}/file"
    assert "Prefer" in reply.headers["vary"]


def test_who_waits_for_too_short_gets_the_status(get: Get, kept: Kept) -> None:
    client = Client(get, Started(kept, kept.records[ID]), "")
    reply = client("/orders", "POST", prefer="wait=0, respond-async")
    assert (reply.status, reply.headers["preference-applied"]) == (202, "respond-async")


def test_who_waits_for_a_job_that_fails_is_told_so(get: Get, kept: Kept) -> None:
    kept.records[ID] = job(state=JobState.FAILED, problem="OperationalError")
    client = Client(get, Started(kept, job(state=JobState.QUEUED)), "")
    reply = client("/orders", "POST", prefer="wait=20")
    assert (reply.status, json.loads(reply.body)["problem"]) == (500, "OperationalError")


@pytest.mark.parametrize("get", [wsgi_get, asgi_get])
@pytest.mark.parametrize(
    "prefer", ["wait=x", "wait", "wait=-5", 'wait="', ",,;=", "wait=0;foo=1", "w" * 60_000]
)
def test_odd_preferences_change_nothing(get: Get, kept: Kept, prefer: str) -> None:
    client = Client(get, Started(kept, kept.records[ID]), "")
    assert client("/orders", "POST", prefer=prefer).status == 202


async def test_the_loop_is_not_blocked_by_who_cannot_wait(kept: Kept) -> None:
    started = Started(kept, kept.records[ID])
    answer = prepare_answer(started, Request(method="POST", prefer="wait=20"))
    assert answer.status == 202


def test_who_has_too_many_open_jobs_is_told_to_wait(get: Get, kept: Kept) -> None:
    refused = Refused("as many as allowed", retry_after=7.2, limit="max_open")
    reply = Client(get, Started(kept, refused), "")("/orders", "POST", prefer="wait=20")
    assert (reply.status, reply.headers["retry-after"]) == (429, "8")
    assert b"wait until one has ended" in reply.body
