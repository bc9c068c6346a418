"""An Export over WSGI and over ASGI: what holds for both is tested over both."""

import gzip
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest

import streamware as sw
from fakes import Broken, Get, Reply, Rows, aorders, failing, orders, wsgi_get
from readers import csv_rows, json_rows, openpyxl_rows, xml_rows, zip_parts

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
COLUMNS = ["id", "name"]
MANY = 20_000
"""Rows of a document of several chunks, in every format."""


class Done:
    """The receipts that `on_done` was called with."""

    def __init__(self) -> None:
        self.receipts: list[sw.Receipt] = []

    def __call__(self, receipt: sw.Receipt) -> None:
        self.receipts.append(receipt)

    @property
    def outcomes(self) -> list[str]:
        return [receipt.outcome for receipt in self.receipts]


@pytest.fixture
def done() -> Done:
    return Done()


def assert_not_started(reply: Reply, error: type[Exception]) -> None:
    assert reply.status is None
    assert not reply.chunks
    assert isinstance(reply.error, error)


# A download


@pytest.mark.parametrize("form", ["csv", "xlsx", "xml", "json"])
def test_the_body_is_the_document(get: Get, form: str, done: Done) -> None:
    reply = get(sw.Export(orders(MANY), columns=COLUMNS, format=form, on_done=done))
    assert (reply.status, reply.complete, reply.error) == (200, True, None)
    assert reply.body == b"".join(sw.encode(orders(MANY), form, columns=COLUMNS))
    assert len(reply.chunks) > 2
    [receipt] = done.receipts
    assert (receipt.outcome, receipt.rows, receipt.bytes) == ("complete", MANY, len(reply.body))


def test_no_rows_are_a_download_too(get: Get, done: Done) -> None:
    reply = get(sw.Export([], on_done=done))
    assert (reply.status, reply.body, reply.complete) == (200, b"", True)
    assert done.outcomes == ["complete"]


def test_rows_are_closed_when_all_were_sent(get: Get) -> None:
    rows = Rows(orders(3))
    assert get(sw.Export(rows)).complete
    assert rows.closed == 1


def test_sheets_make_a_workbook(get: Get) -> None:
    export = sw.Export([sw.Sheet("a", orders(1)), sw.Sheet("b", lambda: orders(2))])
    reply = get(export)
    assert reply.headers["content-type"] == XLSX
    assert openpyxl_rows(reply.body, "b") == [[0, "order 0"], [1, "order 1"]]


def test_options_are_those_of_encode(get: Get) -> None:
    export = sw.Export(
        lambda: [(float("inf"),)],
        columns=[sw.Column(0, "Ratio")],
        values=sw.Values(non_finite="text"),
        format=sw.Csv(bom=True),
    )
    assert get(export).body.decode() == "\ufeffRatio\r\nInfinity\r\n"


@pytest.mark.parametrize(
    ("limits", "rows", "problem"),
    [
        pytest.param(
            sw.Limits(rows=MANY - 1),
            lambda: orders(MANY),
            r"rows: 20,\d+ is over",
            id="rows",
        ),
        pytest.param(
            sw.Limits(bytes=200_000), lambda: orders(MANY), r"bytes: 2\d\d,\d+ is", id="bytes"
        ),
        pytest.param(
            sw.Limits(cell_characters=9),
            lambda: [*orders(5_000), (1, "x" * 10)],
            "cell_characters: 10 is over 9",
            id="cell",
        ),
    ],
)
def test_a_limit_breaks_the_download(
    get: Get, done: Done, limits: sw.Limits, rows: Callable[[], Any], problem: str
) -> None:
    reply = get(sw.Export(rows, limits=limits, on_done=done))
    assert isinstance(reply.error, sw.LimitError)
    assert not reply.complete
    assert done.outcomes == ["limit"]
    assert re.match(f"Limits.{problem}", done.receipts[0].problem or "")


def test_a_download_breaks_when_its_time_is_over(get: Get, done: Done) -> None:
    rows = map(slowed, orders(10_000))
    reply = get(sw.Export(rows, limits=sw.Limits(seconds=0.2), on_done=done))
    assert isinstance(reply.error, sw.LimitError)
    assert not reply.complete
    assert done.outcomes == ["expired"]
    told = re.fullmatch(r"Limits\.seconds: ([0-9.]+) is over 0\.2", done.receipts[0].problem or "")
    assert told is not None
    assert float(told[1]) >= 0.2


def slowed(row: Any) -> Any:
    sleep(0.001)
    return row


# Headers


def test_the_headers_of_a_download(get: Get) -> None:
    assert get(sw.Export([(1,)], filename="orders")).headers == {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="orders.csv"',
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "accept-ranges": "none",
        "vary": "Accept, Accept-Encoding",
    }


@pytest.mark.parametrize(
    ("options", "vary"),
    [
        pytest.param({"format": "csv"}, "Accept-Encoding", id="one text format"),
        pytest.param({"format": "csv", "compress": "off"}, None, id="one that is not coded"),
        pytest.param({"format": "xlsx"}, None, id="one that is no text"),
        pytest.param({"compress": "off"}, "Accept", id="several that are not coded"),
        pytest.param(
            {"headers": [("Vary", "Cookie")]}, "Accept, Accept-Encoding, Cookie", id="more"
        ),
    ],
)
def test_vary_names_what_the_answer_depends_on(
    get: Get, options: dict[str, Any], vary: str | None
) -> None:
    assert get(sw.Export([(1,)], **options)).headers.get("vary") == vary


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        pytest.param("orders.xlsx", 'attachment; filename="orders.csv"', id="known extension"),
        pytest.param("orders.v2", 'attachment; filename="orders.v2.csv"', id="unknown extension"),
        pytest.param("../../etc/passwd", 'attachment; filename="passwd.csv"', id="path"),
        pytest.param("", 'attachment; filename="export.csv"', id="empty"),
        pytest.param(
            'a"b\r\nSet-Cookie: c=d',
            'attachment; filename="a_b Set-Cookie_ c=d.csv"',
            id="injection",
        ),
        pytest.param(
            "Aufträge",
            "attachment; filename=\"Auftrage.csv\"; filename*=UTF-8''Auftr%C3%A4ge.csv",
            id="beyond ASCII",
        ),
        pytest.param("or\ud800ders", 'attachment; filename="orders.csv"', id="lone surrogate"),
    ],
)
def test_no_name_is_too_hostile(get: Get, filename: str, expected: str) -> None:
    reply = get(sw.Export([(1,)], filename=filename))
    assert reply.headers["content-disposition"] == expected


def test_headers_of_the_caller_replace_ours(get: Get) -> None:
    export = sw.Export(
        [(1,)],
        headers=[("cache-control", "public, max-age=60"), ("X-Request-Id", "7")],
        status=201,
    )
    reply = get(export)
    assert reply.status == 201
    assert reply.headers["cache-control"] == "public, max-age=60"
    assert reply.headers["x-request-id"] == "7"


@pytest.mark.parametrize(
    "header",
    [
        ("X-Name", "a\r\nSet-Cookie: b=c"),
        ("X-Name", "a\0"),
        ("X Name", "a"),
        ("Connection", "close"),
    ],
)
def test_a_header_that_must_not_be_sent_is_refused_at_once(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=header[0]):
        sw.Export([], headers=[header])


# Negotiation


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        pytest.param("", None, "text/csv; charset=utf-8", id="nothing"),
        pytest.param("format=xlsx", None, XLSX, id="query"),
        pytest.param("a=b&format=XML&c", "text/csv", "application/xml", id="query before header"),
        pytest.param("format=", XLSX, XLSX, id="empty query"),
        pytest.param("", XLSX, XLSX, id="header"),
        pytest.param("", "text/csv;q=0.5, application/xml", "application/xml", id="weights"),
        pytest.param("", "*/*", "text/csv; charset=utf-8", id="anything"),
        pytest.param("", BROWSER, "text/csv; charset=utf-8", id="browser"),
    ],
)
def test_the_client_chooses_the_format(
    get: Get, query: str, accept: str | None, expected: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    reply = get(sw.Export([(1,)]), query=query, headers=headers)
    assert reply.headers["content-type"].replace("; charset=utf-8", "") == expected.replace(
        "; charset=utf-8", ""
    )


def test_the_first_format_is_the_default(get: Get) -> None:
    assert (
        get(sw.Export([(1,)], formats=("xml", "csv")))
        .headers["content-type"]
        .startswith("application/xml")
    )


def test_the_parameter_may_have_another_name(get: Get) -> None:
    export = sw.Export(lambda: [(1,)], format_param="as")
    assert get(export, query="as=xlsx&format=xml").headers["content-type"] == XLSX


@pytest.mark.parametrize("asked", [{"query": "format=pdf"}, {"headers": {"Accept": "image/png"}}])
def test_a_format_that_is_not_there_is_answered_with_those_that_are(
    get: Get, asked: dict[str, Any]
) -> None:
    rows = Rows(orders(3))
    reply = get(sw.Export(rows), **asked)
    assert reply.status == 406
    assert reply.body == b"Not Acceptable. There are: csv, xlsx, xml\n"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert (rows.pulled, rows.closed) == (0, 1)


def test_a_callable_is_not_called_for_a_format_that_is_not_there(get: Get, done: Done) -> None:
    calls = list[str]()
    reply = get(sw.Export(lambda: calls.append("x"), on_done=done), query="format=pdf")
    assert (reply.status, calls, done.receipts) == (406, [], [])


# Language


class Greeting(sw.Csv):
    """A format in two languages, whose only cell is the one it was asked for."""

    languages = frozenset({"de", "de-CH"})

    def encoder(self, columns: Any, context: sw.Context) -> Any:
        return super().encoder([sw.Column(0, context.locale or "none")], context)


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("de-ch", "de-CH"),
        ("en", None),
        ("*", None),
        (None, None),
    ],
)
def test_a_format_with_languages_gets_that_of_the_reader(
    get: Get, accepted: str | None, locale: str | None
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    export = sw.Export(list, columns=[0], format=Greeting())
    reply = get(export, headers=headers)
    assert reply.body.decode() == f"{locale or 'none'}\r\n"
    assert reply.headers.get("content-language") == locale
    assert reply.headers["vary"] == "Accept-Encoding, Accept-Language"
    assert get(export, headers=headers, method="HEAD").headers == reply.headers


def test_a_format_without_languages_does_not_vary_by_them(get: Get) -> None:
    reply = get(sw.Export([(1,)], format="csv"), headers={"Accept-Language": "de"})
    assert reply.headers["vary"] == "Accept-Encoding"
    assert "content-language" not in reply.headers


def test_the_caller_may_say_another_language(get: Get) -> None:
    export = sw.Export(list, columns=[0], format=Greeting(), headers=[("Content-Language", "gsw")])
    reply = get(export, headers={"Accept-Language": "de-CH"})
    assert reply.headers["content-language"] == "gsw"


def test_an_entry_of_a_bundle_is_in_the_reader_s_language_too(get: Get) -> None:
    export = sw.Export(list, columns=[0], format=Greeting())
    reply = get(sw.Bundle([("a.csv", export)]), headers={"Accept-Language": "de-CH"})
    assert zip_parts(reply.body) == {"a.csv": b"de-CH\r\n"}
    assert reply.headers["vary"] == "Accept-Language"
    assert "vary" not in get(sw.Bundle([("a.csv", sw.Export([]))])).headers


# gzip


@pytest.mark.parametrize("form", ["csv", "xml", "json", "ndjson"])
def test_text_is_compressed_for_clients_that_ask(get: Get, form: str) -> None:
    export = sw.Export(lambda: orders(MANY), format=form, columns=COLUMNS)
    plain = get(export)
    assert "content-encoding" not in plain.headers
    coded = get(export, headers={"Accept-Encoding": "br, gzip"})
    assert coded.headers["content-encoding"] == "gzip"
    assert coded.complete
    assert gzip.decompress(coded.body) == plain.body
    assert len(coded.body) < len(plain.body) / 2


@pytest.mark.parametrize(
    ("options", "coding"),
    [
        pytest.param({"format": "xlsx"}, "gzip", id="no text"),
        pytest.param({"compress": "off"}, "gzip", id="off"),
        pytest.param({}, "br", id="another coding"),
        pytest.param({}, "gzip;q=0", id="refused"),
    ],
)
def test_what_is_not_compressed(get: Get, options: dict[str, Any], coding: str) -> None:
    export = sw.Export(lambda: orders(3), **options)
    reply = get(export, headers={"Accept-Encoding": coding})
    assert "content-encoding" not in reply.headers
    assert reply.body == get(export).body


def test_an_empty_document_is_a_whole_stream(get: Get) -> None:
    reply = get(sw.Export([]), headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(reply.body) == b""


def test_the_digest_is_of_the_document_not_of_its_coding(get: Get, done: Done) -> None:
    plain = sw.encode(orders(3))
    size = len(b"".join(plain))
    get(sw.Export(orders(3), on_done=done), headers={"Accept-Encoding": "gzip"})
    [receipt] = done.receipts
    assert (receipt.sha256, receipt.bytes) == (plain.receipt.sha256, size)


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamware.http.export.FLUSH_INTERVAL", 0.01)
    monkeypatch.setattr("streamware.http.delivery.FLUSH_INTERVAL", 0.01)


@pytest.mark.usefixtures("_hasty")
def test_the_clock_flushes_the_coding_too(get: Get) -> None:
    def rows() -> Iterator[Any]:
        for order in orders(5):
            sleep(0.03)
            yield order

    reply = get(sw.Export(rows), headers={"Accept-Encoding": "gzip"})
    decoder = zlib.decompressobj(31)
    texts = [decoder.decompress(chunk) for chunk in reply.chunks]
    assert len([text for text in texts if text]) > 3
    assert csv_rows(b"".join(texts)) == [[str(number), name] for number, name in orders(5)]


# Nothing is opened for HEAD


def test_head_has_the_headers_of_get_and_opens_nothing(get: Get, done: Done) -> None:
    calls = list[str]()

    def opened() -> Iterator[Any]:
        calls.append("opened")
        return orders(3)

    export = sw.Export(opened, on_done=done)
    reply = get(export, method="HEAD")
    assert (reply.status, reply.body, reply.complete) == (200, b"", True)
    assert (calls, done.receipts) == ([], [])
    assert get(export).headers == reply.headers


@pytest.mark.parametrize("query", ["", "format=pdf"])
def test_head_closes_rows_that_were_handed_over_open(get: Get, query: str) -> None:
    rows = Rows(orders(3))
    reply = get(sw.Export(rows), method="HEAD", query=query)
    assert (rows.pulled, rows.closed, reply.body) == (0, 1, b"")


def test_head_closes_the_rows_of_sheets(get: Get) -> None:
    rows = [Rows(orders(3)), Rows(orders(3))]
    get(sw.Export([sw.Sheet("a", rows[0]), sw.Sheet("b", rows[1])]), method="HEAD")
    assert [each.closed for each in rows] == [1, 1]


# Errors, early and late


def unopenable() -> Any:
    raise Broken


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda: unopenable, id="in opening"),
        pytest.param(lambda: failing(0), id="in row 1"),
        pytest.param(lambda: failing(1), id="in row 2"),
        pytest.param(lambda: failing(31), id="in row 32"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_early_error_is_there_before_the_status(
    get: Get, done: Done, rows: Callable[[], Any], form: str
) -> None:
    reply = get(sw.Export(rows(), format=form, on_done=done))
    assert_not_started(reply, Broken)
    assert done.outcomes == ["source error"]


def test_a_cell_that_cannot_be_written_is_there_before_the_status(get: Get, done: Done) -> None:
    rows = Rows([(object(),)])
    reply = get(sw.Export(rows, on_done=done))
    assert_not_started(reply, sw.CellError)
    assert rows.closed == 1
    assert done.outcomes == ["encode error"]


def test_a_column_that_is_not_there_is_an_error_before_the_status(get: Get) -> None:
    reply = get(sw.Export(lambda: [{"a": 1}], columns=["b"]))
    assert_not_started(reply, sw.EncodeError)
    assert "there is no column 'b' in row 1; there are: a" in str(reply.error)


@pytest.mark.parametrize("form", ["csv", "xlsx", "xml", "json"])
def test_a_late_error_breaks_the_transfer(get: Get, done: Done, form: str) -> None:
    rows = Rows(failing(MANY))
    reply = get(sw.Export(rows, format=form, on_done=done))
    assert reply.status == 200
    assert reply.chunks
    assert isinstance(reply.error, Broken)
    assert not reply.complete
    assert b"PK\5\6" not in reply.body
    assert not reply.body.rstrip().endswith((b"]", b"</rows>"))
    assert rows.closed == 1
    assert done.outcomes == ["source error"]
    assert done.receipts[0].sha256 is None


def test_an_error_is_never_written_into_the_document(get: Get) -> None:
    reply = get(sw.Export(failing(MANY, Broken("a secret"))))
    assert b"secret" not in reply.body
    assert csv_rows(reply.body[: reply.body.rindex(b"\n") + 1])[-1][1].startswith("order ")


# The client leaves


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_rows_are_closed_when_the_client_leaves(
    get: Get, done: Done, chunks: int, form: str
) -> None:
    rows = Rows(orders(10**6))
    reply = get(sw.Export(rows, format=form, on_done=done), leave_after=chunks)
    assert len(reply.chunks) == chunks
    assert (reply.complete, reply.error) == (False, None)
    assert rows.closed == 1
    assert rows.pulled < 10**5
    assert done.outcomes == ["client gone"]


def test_rows_are_closed_when_the_client_left_before_anything_was_sent(
    get: Get, done: Done
) -> None:
    rows = Rows(orders(10**6))
    reply = get(sw.Export(rows, on_done=done), leave_after=0)
    assert not reply.chunks
    assert rows.closed == 1
    assert done.outcomes == ["client gone"]


def test_an_error_in_closing_is_not_the_client_s(
    get: Get, caplog: pytest.LogCaptureFixture
) -> None:
    reply = get(sw.Export(Rows(orders(3), closing=Broken())))
    assert (reply.complete, reply.error) == (True, None)
    assert "closing the rows of an export failed" in caplog.messages


# Used again


def test_a_callable_can_be_used_again(get: Get) -> None:
    export = sw.Export(lambda: orders(3))
    assert get(export).body == get(export).body == b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"


def test_a_list_can_be_used_again(get: Get) -> None:
    export = sw.Export(list(orders(3)))
    assert get(export).body == get(export).body


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda: orders(3), id="iterator"),
        pytest.param(lambda: [sw.Sheet("a", orders(3))], id="iterator of a sheet"),
        pytest.param(lambda: sw.Sheet("a", orders(3)), id="iterator of one sheet"),
        pytest.param(lambda: Closeable(), id="what was closed"),  # noqa: PLW0108 - it is defined below
    ],
)
def test_an_iterator_cannot_be_used_again(get: Get, rows: Callable[[], Any]) -> None:
    export = sw.Export(rows(), format="xlsx")
    assert get(export).complete
    again = get(export)
    assert_not_started(again, sw.StateError)
    assert "pass a callable" in str(again.error)


class Closeable:
    """Rows that are no iterator and cannot be read once they are closed, such as a cursor's."""

    def __iter__(self) -> Iterator[Any]:
        return orders(3)

    def close(self) -> None:
        """Close them."""


def test_an_iterator_that_head_has_closed_cannot_be_used_again(get: Get) -> None:
    export = sw.Export(orders(3))
    get(export, method="HEAD")
    assert_not_started(get(export), sw.StateError)


# Arguments


@pytest.mark.parametrize("delivery", ["auto", "stream", "buffer", "spool"])
def test_deliveries_that_there_are(get: Get, delivery: Any) -> None:
    assert get(sw.Export([(1,)], delivery=delivery)).body == b"1\r\n"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"delivery": "pigeon"}, ValueError, "delivery must be one of 'auto', .*, not 'pigeon'"),
        ({"compress": "br"}, ValueError, "compress must be one of 'auto', 'off', not 'br'"),
        ({"format": "pdf"}, ValueError, "unknown format 'pdf'; known formats: csv, tsv, xml, xlsx"),
        ({"formats": []}, ValueError, "must offer at least one format"),
        ({"formats": "csv"}, TypeError, "formats must be a list of formats, not str"),
        ({"format": sw.Csv}, TypeError, "such as sw.Csv"),
        ({"status": 999}, ValueError, "999"),
        ({"columns": "id"}, TypeError, "columns must be a list"),
        ({"limits": 100}, TypeError, r"limits must be sw.Limits\(…\), not int"),
        ({"values": {}}, TypeError, r"values must be sw.Values\(…\), not dict"),
        ({"settings": {}}, TypeError, r"settings must be sw.Settings\(…\), not dict"),
        ({"cancel": 5}, TypeError, "cancel must be callable, not int"),
        ({"on_done": 5}, TypeError, "on_done must be callable, not int"),
        ({"filename": 5}, TypeError, "filename must be a str, not int"),
        ({"filename": Path("a")}, TypeError, "filename must be a str, not PosixPath"),
        ({"status": 204}, ValueError, "204 has no body"),
        ({"status": 304}, ValueError, "304 has no body"),
    ],
)
def test_a_wrong_argument_is_an_error_at_once(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sw.Export([], **options)


@pytest.mark.parametrize("rows", [None, 7, "text", b"", {"a": 1}])
def test_what_cannot_be_rows_is_an_error_at_once(rows: Any) -> None:
    with pytest.raises(TypeError, match="rows must be an iterable"):
        sw.Export(rows)


def test_sheets_need_a_format_that_holds_several() -> None:
    with pytest.raises(ValueError, match=r"\(csv, xml\) can hold several sheets; xlsx can"):
        sw.Export([sw.Sheet("a", [])], formats=("csv", "xml"))


def test_sheets_leave_out_the_formats_that_hold_one(get: Get) -> None:
    reply = get(sw.Export([sw.Sheet("a", [(1,)])]), query="format=csv")
    assert (reply.status, reply.body) == (406, b"Not Acceptable. There are: xlsx\n")


# Asynchronous rows


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: aorders(3), id="async generator"),
        pytest.param(lambda: lambda: aorders(3), id="lambda"),
        pytest.param(lambda: aopened, id="async callable"),
        pytest.param(lambda: [sw.Sheet("a", aorders(3))], id="sheet"),
    ],
)
def test_asynchronous_rows_under_wsgi_are_an_error_that_names_the_remedy(
    make: Callable[[], Any],
) -> None:
    reply = wsgi_get(sw.Export(make()))
    assert_not_started(reply, sw.StateError)
    assert "serve the export from an ASGI application" in str(reply.error)


async def aopened() -> AsyncIterator[Any]:
    return aorders(3)


# In a bundle


@pytest.mark.parametrize(
    ("name", "full"),
    [("orders", "orders.csv"), ("orders.csv", "orders.csv"), ("Orders.XLSX", "Orders.XLSX")],
)
def test_the_extension_of_an_entry_s_name_chooses_its_format(
    get: Get, name: str, full: str
) -> None:
    export = sw.Export(lambda: orders(2))
    assert export._entry(name).name == full
    [(found, data)] = zip_parts(get(sw.Bundle([(name, export)])).body).items()
    assert found == full
    rows = openpyxl_rows(data) if full.endswith("XLSX") else csv_rows(data)
    assert len(rows) == 2


def test_what_is_json_reads_as_json_and_xml_as_xml(get: Get) -> None:
    export = sw.Export(lambda: [{"id": 1}], formats=("json", "xml"))
    assert json_rows(get(export).body) == [{"id": 1}]
    assert xml_rows(get(export, query="format=xml").body) == [{"id": "1"}]
