from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from streamware.http.request import Request

FIELDS = {
    "Accept": "text/csv",
    "Accept-Encoding": "gzip",
    "Accept-Language": "de",
    "Range": "bytes=5-",
    "If-Range": '"a"',
    "If-Match": '"b"',
    "If-None-Match": 'W/"c"',
    "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT",
    "If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:38 GMT",
    "Prefer": "wait=5",
    "Host": "example.org",
    "Origin": "https://example.org",
    "Sec-Fetch-Site": "same-origin",
}
ALL = Request(
    method="HEAD",
    query="format=csv&x=%C3%A4",
    accept="text/csv",
    coding="gzip",
    language="de",
    range="bytes=5-",
    if_range='"a"',
    if_match='"b"',
    if_none_match='W/"c"',
    if_modified_since="Sun, 06 Nov 1994 08:49:37 GMT",
    if_unmodified_since="Sun, 06 Nov 1994 08:49:38 GMT",
    prefer="wait=5",
    host="example.org",
    origin="https://example.org",
    fetch_site="same-origin",
)


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "headers": list(headers)} | more


def test_a_wsgi_environ_has_every_field() -> None:
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in FIELDS.items()}
    environ = {"REQUEST_METHOD": "HEAD", "QUERY_STRING": "format=csv&x=%C3%A4", **headers}
    assert Request.from_environ(environ) == ALL


def test_an_asgi_scope_has_every_field() -> None:
    headers = [(name.encode(), value.encode()) for name, value in FIELDS.items()]
    asked = scope(*headers, method="HEAD", query_string=b"format=csv&x=%C3%A4")
    assert Request.from_scope(asked) == ALL


def test_what_was_not_sent_is_none() -> None:
    assert Request.from_environ({"REQUEST_METHOD": "GET"}) == Request()
    assert Request.from_scope(scope((b"te", b"x"))) == Request()


def test_a_field_that_was_sent_several_times_is_one_list() -> None:
    asked = scope((b"accept", b"text/csv"), (b"te", b"x"), (b"ACCEPT", b"text/xml;q=0.5"))
    assert Request.from_scope(asked).accept == "text/csv, text/xml;q=0.5"


def test_bytes_beyond_ascii_are_read_as_latin_1() -> None:
    asked = scope((b"accept", b"\xe4"), query_string=b"x=\xff")
    assert Request.from_scope(asked) == Request(accept="\xe4", query="x=\xff")


def test_a_query_may_be_text_as_in_a_test_client_of_django() -> None:
    assert Request.from_scope(scope(query_string="x=1")).query == "x=1"


@pytest.mark.parametrize(
    ("root", "path", "mount", "rest"),
    [
        ("", "/a/b", "", "/a/b"),
        ("/", "/a/b", "", "/a/b"),
        ("/a", "/a/b", "/a", "/b"),
        ("/a/", "/a/b", "/a", "/b"),
        ("/a", "/a", "/a", ""),
        ("/a", "/ab", "/a", "/ab"),
        ("/api/a", "/a/b", "/api/a", "/a/b"),  # a proxy has cut it off
    ],
)
def test_the_path_is_what_follows_the_mount_point(
    root: str, path: str, mount: str, rest: str
) -> None:
    asked = Request.from_scope(scope(root_path=root, path=path))
    assert (asked.root, asked.mount, asked.path) == (mount, mount, rest)


def test_the_root_is_that_of_the_outermost_application() -> None:
    asked = scope(root_path="/shop/exports", app_root_path="/shop", path="/shop/exports/x")
    assert Request.from_scope(asked) == Request(root="/shop", mount="/shop/exports", path="/x")
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/shop", "PATH_INFO": "/x"}
    assert Request.from_environ(environ) == Request(root="/shop", mount="/shop", path="/x")


def test_only_head_wants_headers_alone() -> None:
    assert Request(method="HEAD").head_only
    assert not Request(method="POST").head_only


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ALL.method = "POST"  # type: ignore[misc]  # that is the point
