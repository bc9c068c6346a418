import time
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header

from streamware.http.negotiation import (
    accepts_gzip,
    choose,
    media_ranges,
    preferred_language,
    query_value,
)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OFFERS = [
    ("xlsx", [XLSX, "application/vnd.ms-excel"]),
    ("csv", ["text/csv; charset=utf-8", "application/csv"]),
    ("xml", ["application/xml", "text/xml"]),
]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
JAVA = "image/gif, image/jpeg, *; q=.2"


def chosen(accept: str | None, asked: str | None = None) -> str | None:
    index = choose(OFFERS, query_value=asked, accept=accept)
    return None if index is None else OFFERS[index][0]


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        pytest.param("text/csv", {"text/csv": 1}, id="one"),
        pytest.param("text/csv;q=0.5 , */*; Q=.1", {"text/csv": 0.5, "*/*": 0.1}, id="weights"),
        pytest.param("TEXT/CSV", {"text/csv": 1}, id="upper case"),
        pytest.param("text/csv;header=present;q=0.5", {"text/csv": 0.5}, id="parameter"),
        pytest.param("text/csv;q=0.5;ext=1", {"text/csv": 0.5}, id="after the weight"),
        pytest.param('text/csv;a="b,c;q=0.1";q=0.5', {"text/csv": 0.5}, id="quoted"),
        pytest.param('text/csv;a="\\",x/y', {"text/csv": 1}, id="quote that never ends"),
        pytest.param("text/csv;q=0.2, text/csv;q=0.7", {"text/csv": 0.7}, id="twice"),
        pytest.param("text/csv;q=0", {"text/csv": 0}, id="excluded"),
        pytest.param("text/csv;q=7", {"text/csv": 1}, id="weight over one"),
        pytest.param("text/csv;q=high, x/y", {"x/y": 1}, id="weight that is no number"),
        pytest.param("text/csv;q=nan, text/csv;q=-1", {}, id="weight that only Python reads"),
        pytest.param("csv, ;;, /, a/b/c,,\0", {}, id="garbage"),
        pytest.param("", {}, id="empty"),
        pytest.param(JAVA, {"image/gif": 1, "image/jpeg": 1, "*/*": 0.2}, id="java"),
    ],
)
def test_a_header_is_read_as_ranges_and_weights(header: str, ranges: dict[str, float]) -> None:
    assert media_ranges(header) == ranges


@given(st.text())
def test_no_text_is_too_strange_for_a_header(header: str) -> None:
    assert all(0 <= weight <= 1 for weight in media_ranges(header).values())


def test_a_long_header_of_quotes_is_read_in_no_time() -> None:
    begin = time.perf_counter()
    media_ranges('"\\' * 100_000)
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        pytest.param(None, "xlsx", id="missing"),
        pytest.param("", "xlsx", id="empty"),
        pytest.param(" , ", "xlsx", id="blank"),
        pytest.param("garbage", "xlsx", id="garbage"),
        pytest.param("*/*", "xlsx", id="anything"),
        pytest.param(BROWSER, "xlsx", id="browser"),
        pytest.param("text/html, text/csv", "xlsx", id="browser that knows csv"),
        pytest.param("text/html;q=0, text/csv", "csv", id="no browser"),
        pytest.param(JAVA, "xlsx", id="java"),
        pytest.param("application/json, text/plain, */*", "xlsx", id="axios"),
        pytest.param("text/csv", "csv", id="exact"),
        pytest.param("TEXT/CSV;header=present", "csv", id="upper case with a parameter"),
        pytest.param("text/csv, */*;q=0.1", "csv", id="exact before anything"),
        pytest.param("*/*;q=0.1, text/csv", "csv", id="anything before exact"),
        pytest.param("text/csv, */*", "xlsx", id="equal weights"),
        pytest.param("application/xml, text/csv", "csv", id="equal weights, other order"),
        pytest.param("application/xml, text/csv;q=0.9", "xml", id="weights"),
        pytest.param("text/*", "csv", id="group"),
        pytest.param("application/*, application/xml;q=0.1", "xlsx", id="group and exact"),
        pytest.param(f"application/*, {XLSX};q=0.1", "xml", id="exact counts before its group"),
        pytest.param("*/*, application/*;q=0", "csv", id="excluded group"),
        pytest.param(f"{XLSX};q=0, */*;q=0.1", "csv", id="excluded default"),
        pytest.param("application/csv", "csv", id="another name"),
        pytest.param(
            "text/csv;q=0.1, application/csv, text/xml;q=0.5", "xml", id="own name counts"
        ),
        pytest.param("text/*", "csv", id="a group is that of the own name"),
        pytest.param("application/octet-stream", "xlsx", id="bytes"),
        pytest.param("application/octet-stream;q=0.5, text/xml", "xml", id="bytes or xml"),
        pytest.param(f"application/octet-stream, {XLSX};q=0", "csv", id="bytes but no xlsx"),
        pytest.param("application/octet-stream;q=0, */*;q=0", None, id="no bytes"),
        pytest.param("application/pdf", None, id="nothing fits"),
        pytest.param("text/csv;q=0", None, id="only an exclusion"),
        pytest.param("*/*;q=0", None, id="everything excluded"),
    ],
)
def test_the_header_chooses_where_the_query_is_silent(accept: str | None, name: str | None) -> None:
    assert chosen(accept) == name
    assert chosen(accept, asked="") == name


@pytest.mark.parametrize(
    ("asked", "name"),
    [("csv", "csv"), ("CSV", "csv"), ("xlsx", "xlsx"), ("pdf", None), ("text/csv", None)],
)
def test_the_query_decides_before_the_header(asked: str, name: str | None) -> None:
    assert chosen("application/xml", asked) == name


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [XLSX, "text/csv", "application/xml", "text/*", "application/*", "*/*", "a/b"]
            ),
            st.sampled_from(["0", "0.1", "0.5", "1"]),
        ),
        min_size=1,
        unique_by=lambda pair: pair[0],
    )
)
def test_werkzeug_finds_the_same_qualities(pairs: list[tuple[str, str]]) -> None:
    header = ",".join(f"{media_range};q={weight}" for media_range, weight in pairs)
    foreign = parse_accept_header(header, MIMEAccept)
    weights = [foreign.quality(kind) for kind in (XLSX, "text/csv", "application/xml")]
    best = max(weights)
    expected = weights.index(best) if best else None
    assert choose(OFFERS, query_value=None, accept=header) == expected


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br;q=1.0, gzip;q=0.2", True),
        ("gzip, deflate, br, zstd", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("gzip;q=0, x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("br", False),
        ("gzipped", False),
        ("", False),
        (None, False),
    ],
)
def test_gzip_is_sent_to_clients_that_accept_it(header: str | None, *, allowed: bool) -> None:
    assert accepts_gzip(header) is allowed


LANGUAGES = {"de", "de-CH", "en", "fr", "zh-Hant", "sr-Latn-RS"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        pytest.param("de-DE,de;q=0.9", "de", id="browser"),
        pytest.param("de-CH-1996, de;q=0.5", "de-CH", id="shortened"),
        pytest.param("DE-ch", "de-CH", id="any case"),
        pytest.param("ZH-HANT-tw", "zh-Hant", id="script"),
        pytest.param("SR-lATN-rs", "sr-Latn-RS", id="script and territory"),
        pytest.param("de-a-value", "de", id="extension"),
        pytest.param("en;q=0.5, fr;q=0.7", "fr", id="weights"),
        pytest.param("fr, de", "fr", id="equal weights"),
        pytest.param("tlh, fr;q=0.1", "fr", id="unknown before known"),
        pytest.param("de-AT;q=0.3, en;q=0.2", "de", id="shortened before what weighs less"),
        pytest.param("de-DE, de;q=0, en;q=0.1", "en", id="excluded"),
        pytest.param("en;q=0", None, id="only an exclusion"),
        pytest.param("*, de;q=0.1", "de", id="anything"),
        pytest.param("*", None, id="only anything"),
        pytest.param("tlh", None, id="unknown"),
        pytest.param("de_DE, d\u00e9, de--AT, -de, 1de, de-abcdefghi", None, id="no tags"),
        pytest.param("de-" + "-".join(["a1234567"] * 9), None, id="too long"),
        pytest.param("de;q=high, en;q=0.1", "en", id="weight that is no number"),
        pytest.param("../../de, de\0", None, id="path"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_the_language_of_the_reader_is_looked_up(header: str | None, language: str | None) -> None:
    assert preferred_language(header, LANGUAGES) == language


@pytest.mark.slow
@given(st.text() | st.from_regex(r"([a-zA-Z]{1,3}(-[a-zA-Z0-9]{1,4}){0,3}(;q=[0-9.]{1,3})?,?)+"))
def test_no_text_is_too_strange_for_a_language(header: str) -> None:
    assert preferred_language(header, LANGUAGES) in {None, *LANGUAGES}


@given(
    st.lists(
        st.tuples(st.sampled_from(["de", "de-CH", "en", "fr", "it"]), st.integers(1, 9)),
        unique_by=lambda pair: pair[0],
    )
)
def test_werkzeug_finds_a_language_of_the_same_weight(pairs: list[tuple[str, int]]) -> None:
    header = ",".join(f"{tag};q=0.{weight}" for tag, weight in pairs)
    foreign = parse_accept_header(header, LanguageAccept)
    known = [tag for tag, _ in pairs if tag in LANGUAGES]
    best = foreign.best_match(known) if known else None
    found = preferred_language(header, LANGUAGES)
    assert (found is None) == (best is None)
    assert foreign.quality(found or "") == foreign.quality(best or "")


def test_a_long_header_of_languages_is_read_in_no_time() -> None:
    begin = time.perf_counter()
    assert preferred_language("x-" * 100_000 + "," + "de-a," * 50_000, set()) is None
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("format=csv", "csv"),
        ("a=b&format=csv&c=d", "csv"),
        ("format=csv&format=xml", "csv"),
        ("format=&format=xml", "xml"),
        ("f%6Frmat=c%73v", "csv"),
        ("format=a+b", "a b"),
        ("format=%ff", "\ufffd"),
        ("format=%", "%"),
        ("\xff\0=1&format=csv", "csv"),
        ("format=", None),
        ("format", None),
        ("Format=csv", None),
        ("", None),
    ],
    ids=ascii,
)
def test_any_query_is_read(query: str, value: str | None) -> None:
    assert query_value(query, "format") == value


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_value_comes_back_from_a_query(value: str) -> None:
    assert query_value(urlencode({"format": value}), "format") == value


@given(st.binary())
def test_no_bytes_are_too_strange_for_a_query(query: bytes) -> None:
    query_value(query.decode("latin-1"), "format")


@pytest.mark.parametrize("accept", ["application/json", "text/csv;q=0", "*/*;q=0", "image/png"])
def test_a_sole_offer_is_sent_whatever_the_header_says(accept: str) -> None:
    offers = OFFERS[:1]
    assert choose(offers, query_value=None, accept=accept) == 0
    assert choose(offers, query_value="csv", accept=accept) is None
