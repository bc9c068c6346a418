import re
import unicodedata
from email.message import Message
from typing import Any
from wsgiref.util import is_hop_by_hop

import pytest
from django.utils.http import parse_header_parameters
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.responses import Response
from werkzeug.http import parse_options_header

import streamware as sw
from streamware.http.headers import (
    DEFAULT_HEADERS,
    content_disposition,
    merge_headers,
    validate_headers,
    with_extension,
)

KNOWN = {".csv", ".xlsx", ".xml"}
# st.text() alone leaves lone surrogates out; they are what a bad decoder hands us.
ANYTHING = st.text(st.characters(), max_size=300)


def saved_as(value: str) -> str:
    """The name that werkzeug and Django agree on."""
    werkzeug = parse_options_header(value)
    django = parse_header_parameters(value)
    assert werkzeug == django
    assert werkzeug[0] == "attachment"
    return werkzeug[1]["filename"]


def saved_by_old_clients_as(value: str) -> str:
    """The name that is left when `filename*` is not understood."""
    message = Message()
    message["Content-Disposition"] = re.sub(r"; filename\*=.*", "", value)
    name = message.get_filename()
    assert name is not None
    return name


def test_a_plain_name_is_sent_once() -> None:
    assert content_disposition("orders.xlsx") == 'attachment; filename="orders.xlsx"'


def test_a_name_with_blanks_stays_in_its_quotes() -> None:
    assert content_disposition("orders of May.csv") == 'attachment; filename="orders of May.csv"'


def test_a_name_beyond_ascii_is_sent_twice() -> None:
    assert content_disposition("Aufträge.csv") == (
        "attachment; filename=\"Auftrage.csv\"; filename*=UTF-8''Auftr%C3%A4ge.csv"
    )


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        pytest.param("/etc/passwd", "passwd", id="path"),
        pytest.param("C:\\temp\\orders.csv", "orders.csv", id="windows path"),
        pytest.param("../../orders.csv", "orders.csv", id="parent"),
        pytest.param("..", "export", id="only a parent"),
        pytest.param("reports/", "export", id="only a folder"),
        pytest.param("", "export", id="empty"),
        pytest.param(" . . ", "export", id="dots and blanks"),
        pytest.param(".xlsx", "export.xlsx", id="only an extension"),
        pytest.param("..xlsx", "export.xlsx", id="dots and an extension"),
        pytest.param(".config.json", "config.json", id="hidden"),
        pytest.param("orders.csv. . ", "orders.csv", id="trailing dots and blanks"),
        pytest.param("orders .csv", "orders.csv", id="blank before the extension"),
        pytest.param("or\0ders\x1b\x7f.csv", "orders.csv", id="controls"),
        pytest.param("a\r\nSet-Cookie: b=c.csv", "a Set-Cookie_ b=c.csv", id="header injection"),
        pytest.param("a\u2028b\u3000c\u00a0d.csv", "a b c d.csv", id="blanks beyond ASCII"),
        pytest.param("invoice\u202efdp.exe", "invoicefdp.exe", id="bidi override"),
        pytest.param("\ufeffor\u200bders\u00ad.csv", "orders.csv", id="invisible characters"),
        pytest.param("or\ud800ders.csv", "orders.csv", id="lone surrogate"),
        pytest.param('a"b.csv', "a_b.csv", id="quote"),
        pytest.param("a<b>|c?*:d.csv", "a_b__c___d.csv", id="what Windows refuses"),
        pytest.param("a;b=c, d'e.csv", "a;b=c, d'e.csv", id="semicolon"),
        pytest.param("100%41.csv", "100%41.csv", id="percent sign"),
        pytest.param("CON", "_CON", id="device"),
        pytest.param("nul.tar.gz", "_nul.tar.gz", id="device with extensions"),
        pytest.param("Com1 .csv", "_Com1.csv", id="device with a blank"),
        pytest.param("LPT³.csv", "_LPT³.csv", id="device with a superscript"),
        pytest.param("console.csv", "console.csv", id="no device"),
        pytest.param("注文.xlsx", "注文.xlsx", id="Chinese"),
        pytest.param("\u0645\u06cc\u200c\u0634.csv", "\u0645\u06cc\u200c\u0634.csv", id="Persian"),
        pytest.param("\u200d.csv", "export.csv", id="only a joiner"),
        pytest.param("orders.数据", "orders.数据", id="extension beyond ASCII"),
    ],
)
def test_a_hostile_name_becomes_one_that_every_system_can_hold(filename: str, name: str) -> None:
    assert saved_as(content_disposition(filename)) == name


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        pytest.param("注文.xlsx", "export.xlsx", id="nothing left of the stem"),
        pytest.param("注文-報告.xlsx", "export.xlsx", id="nothing to read left of the stem"),
        pytest.param("注文.数据", "export", id="nothing left at all"),
        pytest.param("orders.数据", "orders", id="nothing left of the extension"),
        pytest.param("注文 2024.xlsx", "2024.xlsx", id="digits left"),
        pytest.param("a\uff0fb\uff02c.csv", "a_b_c.csv", id="fullwidth solidus and quote"),
        pytest.param("\uff2e\uff35\uff2c.csv", "_NUL.csv", id="fullwidth device"),
        pytest.param("\u2026/\u2026.csv", "export.csv", id="ellipsis"),
        pytest.param("100%41;b.csv", "100_41_b.csv", id="what old clients misread"),
    ],
)
def test_old_clients_get_a_name_in_ascii(filename: str, name: str) -> None:
    assert saved_by_old_clients_as(content_disposition(filename)) == name


def test_a_long_name_is_cut_and_keeps_its_extension() -> None:
    assert saved_as(content_disposition("a" * 300 + ".xlsx")) == "a" * 200 + ".xlsx"


def test_a_long_name_is_cut_between_characters() -> None:
    assert saved_as(content_disposition("ä" + "注" * 300 + ".xlsx")) == "ä" + "注" * 66 + ".xlsx"


def test_a_long_name_has_no_blank_where_it_was_cut() -> None:
    assert saved_as(content_disposition("a" * 199 + " b.csv")) == "a" * 199 + ".csv"


def test_what_is_too_long_for_an_extension_is_cut_too() -> None:
    assert saved_as(content_disposition("a." + "b" * 300)) == "a." + "b" * 198


def test_a_name_that_grows_in_ascii_is_cut_there_too() -> None:
    growing = "\u247d" * 66 + ".csv"  # three bytes each in UTF-8, four in ASCII
    assert saved_by_old_clients_as(content_disposition(growing)) == "(10)" * 50 + ".csv"


@given(ANYTHING)
@example("\ud83d\ude00.csv")
@example("=?utf-8?q?a?=.csv")
@example("a''b.csv")
def test_any_text_gives_a_header_in_printable_ascii(filename: str) -> None:
    assert re.fullmatch(r"[ -~]+", content_disposition(filename))


@given(ANYTHING)
def test_any_text_gives_a_name_that_readers_agree_on(filename: str) -> None:
    name = saved_as(content_disposition(filename))
    assert name.strip(" .")
    assert not set(name) & set('"*/:<>?\\|')
    assert not {unicodedata.category(each) for each in name} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(name.encode()) <= 217


@given(ANYTHING)
def test_any_text_gives_old_clients_a_name(filename: str) -> None:
    assert re.fullmatch(
        r"[^\"*/:<>?\\|%;. ][^\"*/:<>?\\|%;]*",
        saved_by_old_clients_as(content_disposition(filename)),
    )


@given(ANYTHING, st.sampled_from(sorted(KNOWN)))
def test_the_extension_outlives_any_stem(stem: str, extension: str) -> None:
    value = content_disposition(stem + extension)
    assert saved_as(value).endswith(extension)
    assert saved_by_old_clients_as(value).endswith(extension)


@given(ANYTHING)
def test_starlette_sends_the_header_of_any_text(filename: str) -> None:
    value = content_disposition(filename)
    response = Response(headers={"Content-Disposition": value})
    assert response.headers["content-disposition"] == value


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("orders", "orders.csv"),
        ("orders.csv", "orders.csv"),
        ("orders.xlsx", "orders.csv"),
        ("ORDERS.XLSX", "ORDERS.csv"),
        ("orders.xlsx.csv", "orders.csv"),
        ("orders.csv.csv", "orders.csv"),
        ("orders .xlsx", "orders.csv"),
        ("orders.xlsx ", "orders.csv"),
        ("orders.", "orders.csv"),
        ("orders.xlsx\u202e", "orders.csv"),
        ("report.v1.2", "report.v1.2.csv"),
        ("orders.csv.gz", "orders.csv.gz.csv"),
        ("reports/orders.xml", "orders.csv"),
        (".xlsx", "export.csv"),
        ("", "export.csv"),
        ("con.xlsx", "_con.csv"),
    ],
)
def test_a_known_extension_is_replaced_and_never_doubled(filename: str, name: str) -> None:
    assert with_extension(filename, ".csv", KNOWN) == name


def test_an_extension_need_not_be_known_to_stand_once() -> None:
    assert with_extension("orders.CSV", ".csv", ()) == "orders.csv"


def test_a_format_without_an_extension_leaves_the_stem() -> None:
    assert with_extension("orders.csv", "", KNOWN) == "orders"


def test_a_name_that_is_all_extension_becomes_a_stem() -> None:
    assert with_extension("csv", ".csv", {"csv"}) == "export.csv"


@given(ANYTHING, st.sampled_from(sorted(KNOWN)))
@example("a" * 200 + ".ending", ".csv")
def test_a_name_is_the_same_after_it_got_its_extension_again(filename: str, end: str) -> None:
    once = with_extension(filename, end, KNOWN)
    assert once.endswith(end)
    assert saved_as(content_disposition(once)) == once


def test_good_headers_pass_as_they_are() -> None:
    headers = [
        ("X-Rows", "12"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
        ("X-Empty", ""),
        ("X-Note", "Stra\u00dfe\tund mehr"),
        ("X-Utf-8", "\u00e6\u0097\u00a5"),
    ]
    assert validate_headers(headers) == headers


def test_a_mapping_of_headers_will_do() -> None:
    assert validate_headers({"X-A": "1"}) == [("X-A", "1")]


def test_blanks_around_a_value_are_taken_off() -> None:
    assert validate_headers([("X-Rows", " 12\t")]) == [("X-Rows", "12")]


@pytest.mark.parametrize("name", ["", "X Rows", "X-Rows:", "X-Rows\r\nX-More", "X-Größe", "X(1)"])
def test_a_name_that_is_not_a_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid header name"):
        validate_headers([(name, "1")])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("secret\r\nSet-Cookie: a=b", id="header injection"),
        pytest.param("secret\n", id="line feed at the end"),
        pytest.param("\rsecret", id="carriage return"),
        pytest.param("secret\0", id="NUL"),
        pytest.param("sec\x1bret", id="escape"),
        pytest.param("secret\x7f", id="delete"),
        pytest.param("secret \u2192", id="beyond Latin-1"),
        pytest.param("secret \ud800", id="lone surrogate"),
    ],
)
def test_a_value_that_cannot_be_sent_is_refused_and_not_in_the_message(value: str) -> None:
    with pytest.raises(ValueError, match="X-Note") as caught:
        validate_headers([("X-Rows", "12"), ("X-Note", value)])
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "keep-alive",
        "Proxy-Authenticate",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "UPGRADE",
    ],
)
def test_a_header_of_the_connection_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be set: it belongs to the connection"):
        validate_headers([(name, "secret")])


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length",
        "content-encoding",
        "Status",
        "Content-Range",
        "repr-digest",
        "Content-Digest",
        "Digest",
    ],
)
def test_a_header_that_only_the_export_knows_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be set: the export sets it"):
        validate_headers([(name, "12")])


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (["DN"], "headers must be pairs of a name and a value, not str"),
        ({"DN", "ab"}, "headers must be pairs of a name and a value, not str"),
        ("DN", "headers must be pairs of a name and a value, not str"),
        ([("X-Rows", "1", "2")], "headers must be pairs of a name and a value, not tuple"),
        ([12], "headers must be pairs of a name and a value, not int"),
        ({"X-Rows": 12}, "the value of 'X-Rows' must be a str, not int"),
        ([("X-Rows", None)], "the value of 'X-Rows' must be a str, not NoneType"),
        ([("X-Rows", b"secret")], "the value of 'X-Rows' must be a str, not bytes"),
        ([(b"x-rows", b"12")], "the name of a header must be a str, not bytes"),
    ],
)
def test_anything_but_a_pair_of_str_is_refused(headers: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        validate_headers(headers)
    with pytest.raises(TypeError, match=f"^{problem}$"):
        sw.Export([], headers=headers)


@given(st.text(st.characters(max_codepoint=127), max_size=20), ANYTHING)
@example("Proxy-Authorization", "")
@example("Trailers", "")
def test_what_passes_can_be_sent_by_starlette_and_wsgi(name: str, value: str) -> None:
    try:
        headers = validate_headers([(name, value)])
    except ValueError:
        return
    assert not is_hop_by_hop(name)
    assert Response(headers=dict(headers)).headers[name] == value.strip(" \t")


def test_the_defaults_keep_an_export_private() -> None:
    assert validate_headers(DEFAULT_HEADERS) == [
        ("Cache-Control", "private, no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Accept-Ranges", "none"),
    ]


def test_a_given_header_replaces_the_default_of_its_name() -> None:
    assert merge_headers(DEFAULT_HEADERS, [("cache-control", "max-age=60")]) == [
        ("X-Content-Type-Options", "nosniff"),
        ("Accept-Ranges", "none"),
        ("cache-control", "max-age=60"),
    ]


def test_a_given_header_may_stand_several_times() -> None:
    cookies = [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]
    assert merge_headers([("Accept-Ranges", "none")], cookies) == [
        ("Accept-Ranges", "none"),
        *cookies,
    ]


def test_vary_is_added_to() -> None:
    given_headers = [("vary", "Cookie"), ("X-Rows", "12"), ("Vary", "Origin")]
    assert merge_headers([("Vary", "Accept")], given_headers) == [
        ("X-Rows", "12"),
        ("Vary", "Accept, Cookie, Origin"),
    ]


def test_a_default_vary_stays() -> None:
    assert merge_headers([("Vary", "Accept")], [("X-Rows", "12")]) == [
        ("Vary", "Accept"),
        ("X-Rows", "12"),
    ]
