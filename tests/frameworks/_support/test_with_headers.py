from typing import Any

import pytest

import streamware as sw
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.delivery import Answer, Job
from streamware.http.request import Request


def answer(styled: WithHeaders, **asked: Any) -> Answer:
    return prepare_answer(styled, Request(**asked))


def test_the_status_and_headers_are_those_given() -> None:
    made = answer(WithHeaders(sw.Export([]), 203, {"X-Ours": "1", "Cache-Control": "no-cache"}))
    assert made.status == 203
    assert [value for name, value in made.headers if name == "Cache-Control"] == ["no-cache"]
    assert ("X-Ours", "1") in made.headers
    assert isinstance(made.body, Job)


def test_a_header_may_come_several_times() -> None:
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    made = answer(WithHeaders(sw.Export([], headers=[("X-Theirs", "1")]), None, cookies))
    assert [header for header in made.headers if header[0] == "Set-Cookie"] == cookies
    assert ("X-Theirs", "1") in made.headers


def test_without_a_status_it_is_the_one_that_was_there() -> None:
    assert answer(WithHeaders(sw.Export([], status=202), None, ())).status == 202
    assert answer(WithHeaders(sw.Export([], status=202), None, ()), method="HEAD").status == 202


def test_vary_is_added_to() -> None:
    made = answer(WithHeaders(sw.Export([]), None, {"Vary": "Cookie"}))
    assert ("Vary", "Accept, Accept-Encoding, Cookie") in made.headers


def test_what_cannot_be_had_is_not_dressed() -> None:
    made = answer(WithHeaders(sw.Export([]), 203, {"X-Ours": "1"}), query="format=pdf")
    assert made.status == 406
    assert "X-Ours" not in dict(made.headers)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (999, {}, "999 is not a valid HTTPStatus"),
        (None, {"Content-Length": "5"}, "Content-Length cannot be set: the export sets it itself"),
        (None, {"X": "a\r\nY: b"}, "the value of X must be Latin-1 without control characters"),
        (None, {"a b": "c"}, "'a b' is not a valid header name"),
    ],
    ids=["status", "length", "injection", "name"],
)
def test_what_cannot_be_sent_is_refused(
    status: int | None, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        WithHeaders(sw.Export([]), status, headers)
