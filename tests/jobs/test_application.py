"""Jobs over HTTP: what a client may ask, and what it gets."""

import json
from typing import Any

import pytest

from fakes import Get, asgi_get, wsgi_get
from jobs.kept import DATA, DIGEST, ID, OTHER, PAGE, Client, Kept, job
from streamware.jobs.application import (
    JobApplication,
    check_authorize,
    check_links,
    check_url,
)
from streamware.jobs.record import JobState, Record


def test_a_program_gets_the_status_as_json(client: Client) -> None:
    reply = client(f"/{ID}")
    found = json.loads(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.headers["retry-after"] == "2"
    assert {name: found[name] for name in ("id", "name", "state", "rows", "total", "bytes")} == {
        "id": ID,
        "name": "orders",
        "state": "running",
        "rows": 400_000,
        "total": 1_000_000,
        "bytes": 14_300_000,
    }
    assert found["links"] == {"status": f"/exports/{ID}", "cancel": f"/exports/{ID}/cancel"}
    assert "arguments" not in found
    assert "by" not in found


def test_a_browser_gets_a_page_in_its_language(client: Client) -> None:
    reply = client(f"/{ID}", accept=PAGE, accept_language="de-AT,en;q=0.5")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-language"] == "de"
    assert "400.000 von 1.000.000 Zeilen" in reply.body.decode()
    assert reply.headers["vary"] == "Accept, Accept-Language"


def test_head_has_the_headers_of_get_and_no_body(client: Client, kept: Kept) -> None:
    kept.finish()
    for path in (f"/{ID}", f"/{ID}/file", f"/{OTHER}", "/"):
        reply, whole = client(path, "HEAD"), client(path)
        assert (reply.status, reply.body) == (whole.status, b""), path
        for name in ("content-length", "content-type"):
            assert reply.headers[name] == whole.headers[name], path


def test_what_is_not_there_and_what_is_not_ones_own_look_the_same(
    client: Client, kept: Kept
) -> None:
    kept.records[OTHER] = job(id=OTHER, by="43")
    kept.authorize = lambda given, record, action: record.by == "42"
    for ending in ("", "/file"):
        missing, foreign = client(f"/{ID[::-1]}{ending}"), client(f"/{OTHER}{ending}")
        assert missing.status == 404
        assert (foreign.status, foreign.headers, foreign.body) == (
            missing.status,
            missing.headers,
            missing.body,
        )
    assert client(f"/{OTHER}", "DELETE").status == 404
    assert client(f"/{OTHER}/cancel", "POST").status == 404
    assert kept.cancelled == []
    assert client(f"/{ID}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/x",
        f"/{ID}/",
        f"/{ID}//file",
        f"/{ID}/file/",
        f"/a/{ID}",
        f"/../{ID}",
        f"/{ID}\0",
        f"/{ID}%00",
        f"/{ID}/file%2f..",
        f"/{ID}\n",
        "/" + "ä" * 22,
        "/" + "\xff" * 22,
        "/" + "a" * 100_000,
        f"/{ID}'--",
        f"/exports/exports/{ID}",
    ],
    ids=lambda path: repr(path[:30]),
)
def test_paths_that_are_no_job_are_not_looked_up(client: Client, kept: Kept, path: str) -> None:
    kept.records.clear()
    assert client(path).status == 404
    assert client(path, "DELETE").status == 404


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (f"/{ID}", "POST", "GET, HEAD, DELETE, OPTIONS"),
        (f"/{ID}", "PUT", "GET, HEAD, DELETE, OPTIONS"),
        (f"/{ID}/file", "DELETE", "GET, HEAD, OPTIONS"),
        (f"/{ID}/cancel", "GET", "POST, OPTIONS"),
    ],
)
def test_other_methods_are_refused_with_those_that_are_allowed(
    client: Client, kept: Kept, path: str, method: str, allowed: str
) -> None:
    reply = client(path, method)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    reply = client(path, "OPTIONS")
    assert (reply.status, reply.headers["allow"]) == (204, allowed)
    assert kept.cancelled == []


def test_a_delete_cancels(client: Client, kept: Kept) -> None:
    reply = client(f"/{ID}", "DELETE")
    assert (reply.status, json.loads(reply.body)["state"]) == (202, "cancelling")
    assert client(f"/{ID}", "DELETE").status == 202
    assert kept.cancelled == [ID]


def test_what_waits_is_cancelled_at_once(client: Client, kept: Kept) -> None:
    kept.records[ID] = job(state=JobState.QUEUED)
    reply = client(f"/{ID}", "DELETE")
    assert (reply.status, json.loads(reply.body)["state"]) == (200, "cancelled")
    assert client(f"/{ID}", "DELETE").status == 200


def test_what_is_done_cannot_be_cancelled(client: Client, kept: Kept) -> None:
    kept.finish()
    reply = client(f"/{ID}", "DELETE")
    assert (reply.status, json.loads(reply.body)["state"]) == (409, "done")
    assert kept.cancelled == []


def test_the_form_of_the_page_cancels_and_leads_back(client: Client, kept: Kept) -> None:
    reply = client(f"/{ID}/cancel", "POST", accept=PAGE, sec_fetch_site="same-origin")
    assert (reply.status, reply.headers["location"]) == (303, f"../{ID}?watch")
    assert kept.cancelled == [ID]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 202),
        ({"origin": "https://example.org"}, 202),
        ({"origin": "https://EXAMPLE.org:443"}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://example.org.evil.example"}, 403),
        ({"origin": "https://example.org@evil.example"}, 403),
        ({"origin": "http://["}, 403),
        ({}, 202),
    ],
)
def test_forms_of_other_sites_cancel_nothing(
    client: Client, kept: Kept, fields: dict[str, str], status: int
) -> None:
    reply = client(f"/{ID}/cancel", "POST", host="example.org", **fields)
    assert reply.status == status
    assert kept.cancelled == ([] if status == 403 else [ID])


def test_a_browser_is_sent_to_the_file_of_a_job_that_is_done(client: Client, kept: Kept) -> None:
    kept.finish()
    reply = client(f"/{ID}", accept=PAGE)
    assert (reply.status, reply.headers["location"]) == (303, f"{ID}/file")
    watched = client(f"/{ID}", accept=PAGE, query="watch")
    assert watched.status == 200
    assert f'href="{ID}/file"' in watched.body.decode()
    found = json.loads(client(f"/{ID}").body)
    assert found["links"]["file"] == f"/exports/{ID}/file"
    assert (found["size"], found["sha256"]) == (len(DATA), DIGEST)
    assert found["expires"] == "2026-11-30T00:53:20Z"


def test_who_asks_is_told_by_the_environ_or_the_scope(get: Get, kept: Kept) -> None:
    asked: list[tuple[object, str]] = []

    def authorize(given: Any, record: Record, action: str) -> bool:
        asked.append(("REQUEST_METHOD" in given or "type" in given, action))
        return True

    kept.authorize = authorize
    kept.finish()
    client = Client(get, JobApplication(kept))
    client(f"/{ID}")
    client(f"/{ID}/file")
    client(f"/{ID}", "DELETE")
    client(f"/{ID}/cancel", "POST")
    assert asked == [(True, "status"), (True, "file"), (True, "cancel"), (True, "cancel")]


async def deny(given: Any, record: Record, action: str) -> bool:
    return action == "status"


def test_permission_may_be_asked_on_the_event_loop(kept: Kept) -> None:
    kept.authorize = deny
    client = Client(asgi_get, JobApplication(kept))
    assert client(f"/{ID}").status == 200
    assert client(f"/{ID}", "DELETE").status == 404
    assert kept.cancelled == []


def test_a_coroutine_as_permission_is_an_error_under_wsgi(kept: Kept) -> None:
    kept.authorize = deny
    reply = Client(wsgi_get, JobApplication(kept))(f"/{ID}")
    assert isinstance(reply.error, TypeError)


def test_below_the_mount_point_links_are_right(get: Get, kept: Kept) -> None:
    app = JobApplication(kept)
    inner = json.loads(Client(get, app, "/api/exports")(f"/{ID}").body)
    assert inner["links"]["status"] == f"/api/exports/{ID}"
    # A view that returns the application has the whole path.
    viewed = json.loads(Client(get, app, "")(f"/exports/{ID}").body)
    assert viewed["links"]["status"] == f"/exports/{ID}"
    kept.url = "https://example.org/exports"
    named = json.loads(Client(get, app, "")(f"/exports/{ID}").body)
    assert named["links"]["status"] == f"https://example.org/exports/{ID}"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/exports", "/exports"),
        ("/a/b/", "/a/b"),
        ("/", ""),
        ("https://example.org/exports/", "https://example.org/exports"),
        ("https://example.org:8443", "https://example.org:8443"),
    ],
)
def test_a_mount_point_has_no_slash_at_its_end(url: str, kept: str) -> None:
    assert check_url(url) == kept


@pytest.mark.parametrize(
    "url", ["", "exports", "//x", "/a b", "/a?b", "/ä", "ftp://x/y", "/a\r\nb"]
)
def test_what_is_no_mount_point_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url= must be a path"):
        check_url(url)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(TypeError, match="authorize= must be callable"):
        check_authorize(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="links= must be 'streamed' or 'signed'"):
        check_links("public")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="url= must be a str"):
        check_url(None)


def test_at_the_root_addresses_have_one_slash(get: Get, kept: Kept) -> None:
    kept.url = check_url("/")
    status = json.loads(Client(get, JobApplication(kept), "")(f"/{ID}").body)
    assert status["links"]["status"] == f"/{ID}"
