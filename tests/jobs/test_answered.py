"""The answer with an export: a download if it is small, else a job."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import Get
from jobs.kept import PAGE, Client
from readers import csv_rows


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[sw.Jobs]:
    made = sw.Jobs(tmp_path / "exports", max_open=1)

    @made.define("orders")
    def orders(*, count: int, listed: bool = True) -> sw.Export:
        rows: Any = ((n, "x") for n in range(count))
        return sw.Export(
            list(rows) if listed else rows,
            columns=["a", "b"],
            filename="orders",
            formats=("csv", "json"),
        )

    yield made
    made.close()


def ask(get: Get, answer: Any, method: str = "GET", query: str = "", **fields: str) -> Any:
    return Client(get, answer, "")("/orders", method, query, **fields)


def test_what_is_small_is_sent_at_once(get: Get, jobs: sw.Jobs) -> None:
    reply = ask(get, jobs.answer("orders", direct_below=10, count=9))
    assert (reply.status, len(csv_rows(reply.body))) == (200, 10)


def test_what_is_large_becomes_a_job(get: Get, jobs: sw.Jobs) -> None:
    reply = ask(get, jobs.answer("orders", direct_below=10, count=10))
    assert reply.status == 202
    assert reply.headers["location"] == f"/exports/{json.loads(reply.body)['id']}"


def test_what_is_not_counted_becomes_a_job(get: Get, jobs: sw.Jobs) -> None:
    reply = ask(get, jobs.answer("orders", direct_below=10, count=1, listed=False), accept=PAGE)
    assert (reply.status, reply.headers["location"][:9]) == (303, "/exports/")


@pytest.mark.parametrize("count", [3, 30])
def test_the_client_chooses_the_format_either_way(get: Get, jobs: sw.Jobs, count: int) -> None:
    answer = jobs.answer("orders", direct_below=10, count=count)
    reply = ask(get, answer, query="format=json", prefer="wait=30")
    assert reply.status == 200
    assert len(json.loads(reply.body)) == count


def test_a_format_that_there_is_not_starts_nothing(get: Get, jobs: sw.Jobs) -> None:
    reply = ask(get, jobs.answer("orders", direct_below=10, count=30), query="format=pdf")
    assert (reply.status, b"csv, json" in reply.body) == (406, True)


def test_head_starts_nothing(get: Get, jobs: sw.Jobs) -> None:
    for _ in range(2):
        reply = ask(get, jobs.answer("orders", direct_below=10, by="ann", count=30), "HEAD")
        assert (reply.status, reply.body) == (202, b"")


def test_an_owner_with_too_many_open_jobs_is_told_to_wait(get: Get, jobs: sw.Jobs) -> None:
    first = jobs.start("orders", by="ann", count=300_000)
    second = ask(get, jobs.start("orders", by="ann", count=3), "POST")
    third = ask(get, jobs.answer("orders", direct_below=1, by="ann", count=30))
    assert ask(get, first, "POST").status == 202
    assert (second.status, third.status) == (429, 429)


def test_wrong_arguments_are_an_error_of_the_view(jobs: sw.Jobs) -> None:
    with pytest.raises(LookupError):
        jobs.answer("invoices", direct_below=10)
    with pytest.raises(TypeError):
        jobs.start("orders", count=3, region="EU")
