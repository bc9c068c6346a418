"""The addresses of a job."""

from streamware.http.request import Request
from streamware.jobs.links import Links, mounted


def test_addresses_are_below_the_mount_point() -> None:
    links = Links("/shop/exports", "abc")
    assert links.status == "/shop/exports/abc"
    assert links.file == "/shop/exports/abc/file"
    assert links.cancel == "/shop/exports/abc/cancel"


def test_a_path_is_below_the_root_of_the_application_and_an_address_is_as_it_is() -> None:
    request = Request(root="/shop", mount="/shop/api")
    assert mounted(request, "/exports") == "/shop/exports"
    assert mounted(request, "https://example.org/exports") == "https://example.org/exports"
