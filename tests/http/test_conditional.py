"""Expected values are those of RFC 9110; the comments name its sections."""

from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamware.http.conditional import (
    WHOLE,
    Decision,
    Part,
    Selected,
    decide,
    entity_tags,
    http_date,
    is_strong_match,
    is_weak_match,
    parse_date,
)
from streamware.http.request import Request

MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
EARLIER, SAME, LATER = (http_date(MODIFIED + seconds) for seconds in (-1, 0, 1))
FILE = Selected(etag='"a"', modified=MODIFIED + 0.5, size=1000)


def status(method: str = "GET", selected: Selected = FILE, **fields: Any) -> int:
    return decide(Request(method=method, **fields), selected).status.value


def sent(field: str, size: int | None = 1000, **fields: Any) -> tuple[int, int | None] | int:
    """The first and the last position that a range gets, or the status."""
    selected = Selected(etag='"a"', modified=MODIFIED, size=size)
    decision = decide(Request(range=field, **fields), selected)
    return decision.status.value if (part := decision.part) is None else (part.first, part.last)


# §8.8.3.2, the table of examples.
@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
        (None, '"1"', False, False),
        (None, None, False, False),
    ],
)
def test_tags_are_compared(one: str | None, other: str | None, strong: bool, weak: bool) -> None:
    assert (is_strong_match(one, other), is_weak_match(one, other)) == (strong, weak)


@pytest.mark.parametrize(
    ("field", "tags"),
    [
        ('"xyzzy"', ['"xyzzy"']),
        ('"xyzzy", W/"r2d2xxxx" ,"c3piozzzz"', ['"xyzzy"', 'W/"r2d2xxxx"', '"c3piozzzz"']),
        ('""', ['""']),
        ('"a,b", "\xe4"', ['"a,b"', '"\xe4"']),
        (' , "a",, "b" ,', ['"a"', '"b"']),
        ("*", None),
        ("", None),
        ("xyzzy", None),
        ('w/"a"', None),  # §8.8.3: the mark is case-sensitive
        ('"a b"', None),
        ('"a" "b"', None),
        ('"a', None),
    ],
)
def test_tags_are_read(field: str, tags: list[str] | None) -> None:
    assert entity_tags(field) == tags


@pytest.mark.parametrize(
    "field",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_each_of_the_three_forms_of_a_date_is_read(field: str) -> None:
    assert parse_date(field) == MODIFIED


@pytest.mark.parametrize(
    ("field", "date"),
    [
        ("Sat, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +0100", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("1994-11-06T08:49:37Z", None),
        ("", None),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Wed, 31 Dec 2016 23:59:60 GMT", 1483228800),  # a leap second
        ("Friday, 01-Jan-70 00:00:00 GMT", 3155760000),  # 2070: less than 50 years from now
    ],
)
def test_dates_are_read(field: str, date: int | None) -> None:
    assert parse_date(field) == date


def test_a_date_is_written_without_its_fraction() -> None:
    assert http_date(MODIFIED + 0.9) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 200),
        ({"if_none_match": '"a"'}, 304),
        ({"if_none_match": 'W/"a"'}, 304),  # §13.1.2: weakly
        ({"if_none_match": '"b", "a"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"b"'}, 200),
        ({"if_none_match": "nonsense"}, 200),
        ({"if_match": '"a"'}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": 'W/"a"'}, 412),  # §13.1.1: strongly
        ({"if_match": '"b"'}, 412),
        ({"if_modified_since": EARLIER}, 200),
        ({"if_modified_since": SAME}, 304),
        ({"if_modified_since": LATER}, 304),
        ({"if_modified_since": f"{SAME}, {SAME}"}, 200),
        ({"if_unmodified_since": EARLIER}, 412),
        ({"if_unmodified_since": SAME}, 200),
        ({"if_unmodified_since": "nonsense"}, 200),
        # A tag is more accurate than a date.
        ({"if_none_match": '"b"', "if_modified_since": LATER}, 200),
        ({"if_match": '"a"', "if_unmodified_since": EARLIER}, 200),
        # §13.2.2: If-Match and If-Unmodified-Since come first.
        ({"if_match": '"b"', "if_none_match": '"a"'}, 412),
        ({"if_unmodified_since": EARLIER, "if_none_match": '"a"'}, 412),
        ({"if_match": '"a"', "if_none_match": '"a"', "range": "bytes=5-"}, 304),
        ({"if_match": '"b"', "range": "bytes=5000-"}, 412),
    ],
)
def test_conditions_come_in_their_order(fields: dict[str, Any], expected: int) -> None:
    assert status(**fields) == expected


def test_other_methods_are_refused_what_must_not_exist() -> None:
    assert status("POST", if_none_match='"a"') == 412
    assert status("POST", if_modified_since=LATER) == 200


def test_a_document_without_validators_matches_only_the_asterisk() -> None:
    bare = Selected(size=5)
    assert status(selected=bare, if_match='"a"') == 412
    assert status(selected=bare, if_match="*") == 200
    assert status(selected=bare, if_none_match='"a"') == 200
    assert status(selected=bare, if_modified_since=LATER, if_unmodified_since=EARLIER) == 200
    assert status(selected=bare, range="bytes=0-", if_range='"a"') == 200
    assert status(selected=bare, range="bytes=0-", if_range=SAME) == 200


# §14.1.2, and its examples of a document of 10,000 bytes.
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-499", (0, 499)),
        ("bytes=500-999", (500, 999)),
        ("bytes=-500", (9500, 9999)),
        ("bytes=9500-", (9500, 9999)),
        ("bytes=0-0", (0, 0)),
        ("bytes=-20000", (0, 9999)),
        ("bytes=9999-20000", (9999, 9999)),
        ("bytes=0-" + "9" * 5000, (0, 9999)),
        ("bytes=" + "0" * 5000 + "7-8", (7, 8)),
        ("BYTES= ,5-6, ", (5, 6)),
        ("bytes=10000-", 416),
        ("bytes=" + "9" * 5000 + "-", 416),
        ("bytes=-0", 416),
        # What is no range, and what need not be answered in parts, gets the whole document.
        ("bytes=0-0,-1", 200),
        ("bytes=20000-, 30000-", 200),
        ("bytes=5-4", 200),
        ("bytes=-", 200),
        ("bytes=", 200),
        ("bytes=a-b", 200),
        ("bytes=\u0665-", 200),
        ("bytes=-5-6", 200),
        ("rows=0-5", 200),
        ("", 200),
    ],
)
def test_a_range_is_cut_to_the_document(field: str, expected: object) -> None:
    assert sent(field, 10_000) == expected


def test_a_range_without_an_end_stays_open_if_the_size_is_not_known() -> None:
    assert sent("bytes=500-", None) == (500, None)
    assert sent("bytes=500-599", None) == (500, 599)
    assert sent("bytes=-500", None) == 200


def test_any_range_of_an_empty_document_gets_all_of_it() -> None:
    assert (sent("bytes=0-", 0), sent("bytes=-5", 0)) == (200, 200)


@pytest.mark.parametrize(
    ("field", "counts"),
    [
        ('"a"', True),
        ('W/"a"', False),  # §13.1.5: strongly
        ('"b"', False),
        ('"a", "b"', False),
        ("*", False),
        (SAME, True),
        (EARLIER, False),
        (LATER, False),  # exactly
        ("nonsense", False),
    ],
)
def test_a_range_counts_only_for_the_document_that_the_client_has_begun(
    field: str, *, counts: bool
) -> None:
    assert sent("bytes=5-9", if_range=field) == ((5, 9) if counts else 200)
    assert sent("bytes=5000-", if_range=field) == (416 if counts else 200)


def test_only_get_has_ranges() -> None:
    assert status("HEAD", range="bytes=5-9") == 200
    assert status("POST", range="bytes=5-9") == 200


def test_if_range_alone_means_nothing() -> None:
    assert decide(Request(if_range='"b"'), FILE) == WHOLE


VALIDATORS = [("ETag", '"a"'), ("Last-Modified", SAME)]


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, [*VALIDATORS, ("Content-Length", "1000"), ("Accept-Ranges", "bytes")]),
        (
            {"range": "bytes=990-"},
            [
                *VALIDATORS,
                ("Content-Range", "bytes 990-999/1000"),
                ("Content-Length", "10"),
                ("Accept-Ranges", "bytes"),
            ],
        ),
        ({"range": "bytes=1000-"}, [("Content-Range", "bytes */1000")]),
        ({"if_none_match": "*"}, VALIDATORS),
        ({"if_match": '"b"'}, []),
    ],
)
def test_a_decision_has_its_headers(fields: dict[str, Any], headers: list[tuple[str, str]]) -> None:
    assert decide(Request(**fields), FILE).headers(FILE) == headers


def test_a_part_of_a_document_of_unknown_size_has_an_asterisk() -> None:
    part = Part(first=5, last=9)
    assert (part.size, part.content_range(None)) == (5, "bytes 5-9/*")
    assert Part(first=5, last=None).size is None
    decision = Decision(status=HTTPStatus.PARTIAL_CONTENT, part=part)
    assert ("Content-Range", "bytes 5-9/*") in decision.headers(Selected(etag='"a"'))


@given(st.integers(1, 50), st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_part_lies_within_the_document(size: int, first: int, last: int | None) -> None:
    whole = bytes(range(size))
    got = sent(f"bytes={first}-{'' if last is None else last}", size)
    wanted = whole[first : None if last is None else last + 1]
    if isinstance(got, tuple):
        assert got[1] is not None
        assert whole[got[0] : got[1] + 1] == wanted
    else:
        assert got == (416 if first >= size and (last is None or last >= first) else 200)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_field_is_an_error(range_: str, tags: str, date: str) -> None:
    fields: dict[str, Any] = {"if_none_match": tags, "if_range": tags, "if_modified_since": date}
    assert status(range=range_, if_unmodified_since=date, **fields) in {200, 206, 304, 412, 416}
