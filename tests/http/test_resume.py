"""Downloads that resume, and those that need not be sent: over WSGI and ASGI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamware as sw
from fakes import Broken, Get, Reply, Rows, asgi_get, wsgi_get

FORMATS = ["csv", "json", "ndjson", "xml", "xlsx", "ods"]


def rows(count: int = 3000) -> Iterator[tuple[int, str]]:
    return ((number, "text " * (number % 7)) for number in range(count))


def export(content: Any = rows, **options: Any) -> sw.Export:
    return sw.Export(
        content, **{"columns": ["id", "text"], "format": "csv", "etag": "v1"} | options
    )


class Counted:
    """Rows that count how often they are opened."""

    opened = 0

    def __call__(self) -> Iterator[tuple[int, str]]:
        self.opened += 1
        return rows()


@pytest.fixture
def ask(get: Get) -> Callable[..., Reply]:
    def asked(app: sw.Export, method: str = "GET", query: str = "", **fields: str) -> Reply:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return get(
            app.wsgi if get is wsgi_get else app.asgi, method=method, query=query, headers=headers
        )

    return asked


Ask = Callable[..., Reply]


@pytest.mark.parametrize("format_", FORMATS)
def test_the_rest_completes_what_was_broken(ask: Ask, format_: str) -> None:
    app = export(format=format_)
    whole = ask(app)
    body, tag = whole.body, whole.headers["etag"]
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    for first in (1, len(body) // 2, len(body) - 1):
        rest = ask(app, Range=f"bytes={first}-", If_Range=tag)
        assert (rest.status, rest.headers["etag"], rest.complete) == (206, tag, True)
        assert rest.headers["content-range"] == f"bytes {first}-{len(body) - 1}/{len(body)}"
        assert rest.headers["content-length"] == str(len(body) - first)
        assert "content-encoding" not in rest.headers
        assert body[:first] + rest.body == body


@pytest.mark.parametrize(
    ("field", "part"),
    [("bytes=5-9", slice(5, 10)), ("bytes=-7", slice(-7, None)), ("bytes=0-", slice(None))],
)
def test_any_single_range_is_answered(ask: Ask, field: str, part: slice) -> None:
    body = ask(export()).body
    reply = ask(export(), Range=field)
    assert (reply.status, reply.body) == (206, body[part])


def test_a_range_past_the_end_is_a_416_that_tells_the_length(ask: Ask) -> None:
    body = ask(export()).body
    reply = ask(export(), Range=f"bytes={len(body)}-")
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{len(body)}"


def test_another_state_sends_the_whole_document(ask: Ask) -> None:
    old = ask(export())
    new = ask(export(etag="v2"), Range="bytes=100-", If_Range=old.headers["etag"])
    assert (new.status, new.body) == (200, old.body)
    assert new.headers["etag"] != old.headers["etag"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_document_gets_a_304_without_a_query(ask: Ask, method: str) -> None:
    source = Counted()
    app = export(source)
    tag = ask(app, "HEAD").headers["etag"]
    reply = ask(app, method, If_None_Match=f'"other", {tag}')
    assert (reply.status, reply.body, source.opened) == (304, b"", 0)
    assert reply.headers["etag"] == tag
    assert reply.headers["cache-control"] == "private, no-cache"
    assert not {"content-type", "content-length", "content-disposition"} & reply.headers.keys()


def test_rows_that_were_passed_open_are_closed_by_a_304(ask: Ask) -> None:
    tag = ask(export(), "HEAD").headers["etag"]
    given = Rows(rows())
    assert ask(export(given), If_None_Match=tag).status == 304
    assert (given.pulled, given.closed) == (0, 1)


def test_a_document_that_must_be_another_is_refused(ask: Ask) -> None:
    source = Counted()
    assert ask(export(source), If_Match='"other"').status == 412
    assert source.opened == 0
    assert ask(export(source), If_Match="*").status == 200


def test_gzip_has_a_tag_of_its_own_and_no_ranges(ask: Ask) -> None:
    app = export()
    plain = ask(app).headers["etag"]
    coded = ask(app, Accept_Encoding="gzip")
    assert coded.headers["content-encoding"] == "gzip"
    assert (coded.headers["accept-ranges"], coded.headers["etag"] == plain) == ("none", False)
    tag = coded.headers["etag"]
    assert ask(app, Accept_Encoding="gzip", If_None_Match=tag).status == 304
    again = ask(app, Accept_Encoding="gzip", Range="bytes=5-", If_Range=tag)
    assert again.status == 200


def test_a_part_is_never_in_a_content_coding(ask: Ask) -> None:
    app = export()
    whole = ask(app)
    fields = {"Accept_Encoding": "gzip", "Range": "bytes=9-", "If_Range": whole.headers["etag"]}
    rest = ask(app, **fields)
    assert (rest.status, rest.body) == (206, whole.body[9:])
    assert "content-encoding" not in rest.headers


def test_other_methods_and_statuses_have_no_conditions(ask: Ask) -> None:
    assert "etag" not in ask(export(), "POST", Range="bytes=5-").headers
    reply = ask(export(status=201), Range="bytes=5-", If_None_Match="*")
    assert (reply.status, "etag" in reply.headers) == (201, False)


def test_without_an_etag_nothing_changes(ask: Ask) -> None:
    reply = ask(export(etag=None), Range="bytes=5-", If_None_Match="*", If_Match='"x"')
    assert (reply.status, reply.headers["accept-ranges"]) == (200, "none")
    assert "etag" not in reply.headers
    assert reply.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["id"]},
        {"format": sw.Csv(delimiter=";")},
        {"values": sw.Values(aware="text")},
        {"etag": "v2"},
        {"columns": [sw.Column("id", convert=lambda cell: cell + 1), "text"]},
    ],
)
def test_all_that_decides_the_bytes_is_in_the_tag(ask: Ask, options: dict[str, Any]) -> None:
    assert ask(export(**options), "HEAD").headers["etag"] != ask(export(), "HEAD").headers["etag"]


def test_what_does_not_decide_the_bytes_is_not_in_the_tag(ask: Ask) -> None:
    other = export(filename="other", limits=sw.Limits(rows=10**9), delivery="buffer")
    assert ask(other, "HEAD").headers["etag"] == ask(export(), "HEAD").headers["etag"]


# What names the state


def test_the_state_is_asked_for_with_each_request(ask: Ask) -> None:
    states = iter(["a", "b", None])
    app = export(etag=lambda: next(states))
    first, second, none = (ask(app, "HEAD").headers for _ in range(3))
    assert first["etag"] != second["etag"]
    assert "etag" not in none


def test_an_error_of_the_state_closes_the_rows(ask: Ask) -> None:
    def fail() -> str:
        raise Broken

    given = Rows(rows())
    assert isinstance(ask(export(given, etag=fail)).error, Broken)
    assert (given.pulled, given.closed) == (0, 1)


def test_beside_an_event_loop_the_state_may_be_asynchronous() -> None:
    async def state() -> str:
        await asyncio.sleep(0)
        return "v1"

    tag = asgi_get(export().asgi, method="HEAD").headers["etag"]
    assert asgi_get(export(etag=state).asgi, method="HEAD").headers["etag"] == tag
    error = wsgi_get(export(etag=state).wsgi).error
    assert isinstance(error, TypeError)
    assert "await it before" in str(error)


@pytest.mark.parametrize("wrong", [5, b"v1", ["v1"]])
def test_a_state_is_a_text(ask: Ask, wrong: Any) -> None:
    with pytest.raises(TypeError, match="etag must be a str or a callable"):
        export(etag=wrong)
    assert "etag must return a str" in str(ask(export(etag=lambda: wrong)).error)


def test_two_tags_are_an_error() -> None:
    with pytest.raises(ValueError, match="headers must have none"):
        export(headers={"ETag": '"a"'})


# What goes wrong


def test_data_that_changed_under_the_same_tag_is_sent_whole(ask: Ask) -> None:
    count = 3000
    app = export(lambda: rows(count))
    whole = ask(app)
    count = 2900
    rest = ask(app, Range="bytes=5000-", If_Range=whole.headers["etag"])
    assert (rest.status, rest.body) == (
        200,
        b"".join(sw.encode(rows(2900), columns=["id", "text"])),
    )


def test_a_source_that_fails_the_second_time_is_an_error(ask: Ask) -> None:
    def broken() -> Iterator[tuple[int, str]]:
        yield from rows()
        raise Broken

    sources = iter([rows(), broken()])
    app = export(lambda: next(sources))
    tag = ask(app).headers["etag"]
    reply = ask(app, Range="bytes=5-", If_Range=tag)
    assert (reply.status, type(reply.error)) == (None, Broken)


# Spooled documents


def test_a_spooled_document_has_ranges_by_its_digest(ask: Ask) -> None:
    app = export(etag=None, delivery="spool")
    whole = ask(app)
    tag = whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"
    rest = ask(app, Range="bytes=9-", If_Range=tag)
    assert (rest.status, rest.body) == (206, whole.body[9:])
    assert rest.headers["repr-digest"] == whole.headers["repr-digest"]
    other = ask(app, Range="bytes=9-", If_Range='"other"')
    assert (other.status, other.body) == (200, whole.body)
    assert ask(app, Range="bytes=999999999-").status == 416
    assert ask(app, If_None_Match=tag).status == 304
    assert ask(app, "HEAD").headers["accept-ranges"] == "bytes"


# Equal rows have equal bytes


@pytest.mark.parametrize("format_", [*FORMATS, sw.Xlsx(strings="shared")])
def test_no_kind_of_rows_and_no_interface_changes_a_byte(format_: Any) -> None:
    async def arows() -> AsyncIterator[tuple[int, str]]:
        for row in rows(700):
            yield row

    sources: list[Any] = [lambda: rows(700), lambda: list(rows(700))]
    made = [export(source, format=format_) for source in sources]
    bodies = {wsgi_get(app.wsgi).body for app in made} | {asgi_get(app.asgi).body for app in made}
    bodies.add(asgi_get(export(arows, format=format_).asgi).body)
    assert len(bodies) == 1


@pytest.mark.parametrize("format_", ["xlsx", "ods"])
def test_a_slow_source_changes_no_byte(
    format_: str, monkeypatch: pytest.MonkeyPatch, get: Get
) -> None:
    app = export(lambda: rows(300), format=format_)
    called = app.wsgi if get is wsgi_get else app.asgi
    quick = get(called).body
    clock = iter(range(10**9))
    monkeypatch.setattr("streamware.engine.driver.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("streamware.rows.batching.monotonic", lambda: float(next(clock)))
    assert get(called).body == quick


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.text(max_size=40)), min_size=1, max_size=80),
    st.integers(1, 40),
    st.sampled_from(["csv", "json", "xlsx", "ods"]),
)
def test_the_batches_of_a_table_change_no_byte(
    cells: list[tuple[int, str]], size: int, format_: str
) -> None:
    table = pa.table({"id": [row[0] for row in cells], "text": [row[1] for row in cells]})

    def batches() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(size))

    sources: list[Any] = [batches, lambda: table]
    bodies = {wsgi_get(export(source, format=format_).wsgi).body for source in sources}
    bodies.add(asgi_get(export(lambda: list(cells), format=format_).asgi).body)
    assert len(bodies) == 1
