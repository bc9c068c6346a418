"""The file of a job: whole, in parts, not again, or not there."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from fakes import Get
from jobs.kept import DATA, DIGEST, ID, PAGE, Client, Kept, at, job
from streamware.jobs.application import JobApplication
from streamware.jobs.record import JobState


def test_the_file_is_sent_with_what_is_known_of_it(client: Client, kept: Kept) -> None:
    kept.finish()
    reply = client(f"/{ID}/file")
    assert (reply.status, reply.body == DATA) == (200, True)
    assert reply.headers["content-length"] == str(len(DATA))
    assert reply.headers["etag"] == f'"{DIGEST}"'
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-disposition"] == 'attachment; filename="orders-EU.xlsx"'
    digest = base64.b64encode(bytes.fromhex(DIGEST)).decode()
    assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert reply.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=700000-", 206, slice(700_000, len(DATA))),
        ("bytes=-100", 206, slice(len(DATA) - 100, len(DATA))),
        ("bytes=1000-99999999", 206, slice(1000, len(DATA))),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=0-1,5-6", 200, slice(0, len(DATA))),
        ("bytes=9-1", 200, slice(0, len(DATA))),
        ("lines=1-2", 200, slice(0, len(DATA))),
        ("bytes=" + "9" * 5000 + "-", 416, slice(0, 0)),
        ("bytes=" + "0-1," * 20_000, 200, slice(0, len(DATA))),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_part_of_the_file(
    client: Client, kept: Kept, asked: str, status: int, part: slice
) -> None:
    kept.finish()
    reply = client(f"/{ID}/file", range=asked)
    assert reply.status == status
    assert reply.body == DATA[part]
    if status == 206:
        assert reply.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/{len(DATA)}"
        assert reply.headers["content-length"] == str(part.stop - part.start)
    if status == 416:
        assert reply.headers["content-range"] == f"bytes */{len(DATA)}"


def test_a_copy_that_is_still_right_is_not_sent_again(client: Client, kept: Kept) -> None:
    kept.finish()
    assert client(f"/{ID}/file", if_none_match=f'"x", W/"{DIGEST}"').status == 304
    assert client(f"/{ID}/file", if_match='"x"').status == 412
    whole = client(f"/{ID}/file", range="bytes=5-", if_range='"old"')
    assert (whole.status, len(whole.body)) == (200, len(DATA))
    rest = client(f"/{ID}/file", range="bytes=5-", if_range=f'"{DIGEST}"')
    assert (rest.status, rest.body == DATA[5:]) == (206, True)


@pytest.mark.parametrize(
    ("state", "status"),
    [("queued", 409), ("running", 409), ("failed", 409), ("cancelled", 409), ("expired", 410)],
)
def test_without_a_file_the_reason_is_said(
    client: Client, kept: Kept, state: str, status: int
) -> None:
    kept.records[ID] = job(state=JobState(state))
    reply = client(f"/{ID}/file")
    assert reply.status == status
    assert ("retry-after" in reply.headers) == (state in {"queued", "running"})
    assert client(f"/{ID}/file", accept=PAGE).headers["content-type"].startswith("text/html")


def test_a_file_that_the_store_has_lost_is_gone(client: Client, kept: Kept) -> None:
    kept.finish()
    kept.store.delete("1/orders.xlsx")
    assert client(f"/{ID}/file").status == 410
    assert client(f"/{ID}/file", "HEAD").status == 410


def test_another_file_in_its_place_is_not_sent(client: Client, kept: Kept) -> None:
    kept.finish()
    kept.records[ID] = replace(kept.records[ID], size=17)
    assert client(f"/{ID}/file").status == 410


def test_a_signed_link_is_made_at_each_click(client: Client, kept: Kept) -> None:
    kept.finish()
    signed: list[str] = []

    class Signing:
        def __getattr__(self, name: str) -> Any:
            return getattr(kept_store, name)

        def signed_url(self, path: str, seconds: float) -> str:
            signed.append(path)
            return f"https://bucket.example/{path}?seconds={seconds:.0f}&n={len(signed)}"

    kept_store, kept.store, kept.links = kept.store, Signing(), "signed"
    first, second = client(f"/{ID}/file"), client(f"/{ID}/file")
    assert (first.status, first.headers["cache-control"]) == (303, "private, no-store")
    assert first.headers["location"] != second.headers["location"]
    assert signed == ["1/orders.xlsx", "1/orders.xlsx"]
    assert client(f"/{ID}/file", "HEAD").headers["content-length"] == str(len(DATA))


def test_a_store_without_addresses_sends_the_file_itself(client: Client, kept: Kept) -> None:
    kept.finish()
    kept.links = "signed"
    assert client(f"/{ID}/file").body == DATA


@pytest.mark.parametrize("links", ["streamed", "signed"])
def test_a_store_that_cannot_be_reached_is_worth_another_try(
    client: Client, kept: Kept, links: Any
) -> None:
    kept.finish()

    class Down:
        def __getattr__(self, name: str) -> Any:
            def fail(*_: Any) -> None:
                raise ConnectionError("the store cannot be reached")

            return fail

    kept.store, kept.links = Down(), links
    for accept in (None, PAGE):
        reply = client(f"/{ID}/file", accept=accept)
        assert (reply.status, reply.headers["retry-after"]) == (503, "30")


def test_a_client_that_leaves_stops_the_reading(get: Get, kept: Kept) -> None:
    kept.finish()
    app = Client(get, JobApplication(kept))
    reply = get(at(JobApplication(kept), "/exports", f"/{ID}/file"), leave_after=1)
    assert 0 < len(reply.body) < len(DATA)
    assert app(f"/{ID}/file").body == DATA


def test_a_store_that_fails_late_breaks_the_transfer(client: Client, kept: Kept) -> None:
    kept.finish()
    read = kept.store.read

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(kept_store, name)

        def read(self, *given: Any) -> Any:
            yield next(read(*given))
            raise ConnectionError("the store cannot be reached")

    kept_store, kept.store = kept.store, Failing()
    reply = client(f"/{ID}/file")
    assert isinstance(reply.error, ConnectionError)
    assert len(reply.body) < len(DATA)


class Compressing:
    """A middleware that compresses whatever passes, for clients that take it; it only pretends."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def wsgi(self, environ: Any, start_response: Any) -> Any:
        return self._app.wsgi(environ, start_response)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app.asgi(scope, receive, send)


@pytest.mark.parametrize(("coding", "status"), [("gzip", 200), ("identity", 206)])
def test_no_part_is_sent_through_what_would_compress_it(
    get: Get, kept: Kept, coding: str, status: int
) -> None:
    kept.finish()
    client = Client(get, Compressing(JobApplication(kept)))
    reply = client(f"/{ID}/file", range="bytes=5-", accept_encoding=coding)
    assert reply.status == status
