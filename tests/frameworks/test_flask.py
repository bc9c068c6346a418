import gc
import gzip
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows, xml_rows, zip_parts

flask = pytest.importorskip("flask")

from streamware.frameworks.flask import ExportResponse  # noqa: E402 - where it is installed

ROWS = 6000
READERS: dict[str, Callable[[bytes], list[Any]]] = {
    "csv": csv_rows,
    "xml": xml_rows,
    "xlsx": calamine_rows,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (id, customer)")
        some = ((at, f"Åse {at}") for at in range(ROWS))
        connection.executemany("insert into orders values (?, ?)", some)
    connection.close()
    return path


class Shop:
    """The tutorial's application: a connection in `g`, closed by a teardown function.

    Attributes:
        events: What happened, in order.
    """

    def __init__(self, database: Path) -> None:
        self.events: list[object] = []
        self.app = flask.Flask(__name__)
        self.app.add_url_rule("/orders", view_func=self.orders)
        self.app.teardown_appcontext(self.close_db)
        self.database = database
        self.query: Callable[[], Any] = lambda: self.get_db().execute("select * from orders")

    def get_db(self) -> sqlite3.Connection:
        if "db" not in flask.g:
            flask.g.db = sqlite3.connect(self.database)
            self.events.append("opened")
        connection: sqlite3.Connection = flask.g.db
        return connection

    def close_db(self, error: BaseException | None) -> None:
        connection = flask.g.pop("db", None)
        if connection is not None:
            connection.close()
        self.events.append(("teardown", error))

    def orders(self) -> sw.Export:
        self.events.append("view")
        return sw.Export(self.query, formats=("xlsx", "csv", "xml"))

    def client(self) -> Client:
        return Client(validator(self.app))


@pytest.fixture
def shop(database: Path) -> Shop:
    return Shop(database)


@pytest.mark.parametrize("format_", ["csv", "xml", "xlsx"])
def test_a_connection_in_g_outlives_the_view(shop: Shop, format_: str) -> None:
    data = shop.client().get(f"/orders?format={format_}", buffered=True).data
    assert len(READERS[format_](data)) == ROWS + (format_ != "xml")


def test_the_teardown_runs_once_and_after_the_last_row(shop: Shop) -> None:
    response = shop.client().get("/orders?format=csv")
    chunks = iter(response.response)
    next(chunks)
    assert shop.events == ["view", "opened"]
    for _ in chunks:
        assert shop.events == ["view", "opened"]
    response.close()
    assert shop.events == ["view", "opened", ("teardown", None)]


def test_the_teardown_runs_once_when_the_client_leaves(shop: Shop) -> None:
    response = shop.client().get("/orders?format=csv")
    next(iter(response.response))
    response.close()
    assert shop.events == ["view", "opened", ("teardown", None)]


def test_the_teardown_runs_once_for_head_and_nothing_is_opened(shop: Shop) -> None:
    response = shop.client().head("/orders?format=csv", buffered=True)
    assert response.status_code == 200
    assert "export.csv" in response.headers["Content-Disposition"]
    assert shop.events == ["view", ("teardown", None)]


def test_rows_that_fail_at_once_are_a_500_and_one_teardown(shop: Shop) -> None:
    shop.query = lambda: shop.get_db().execute("select * from nothing")
    response = shop.client().get("/orders", buffered=True)
    assert response.status_code == 500
    assert b"nothing" not in response.data
    assert [event for event in shop.events if isinstance(event, str)] == ["view", "opened"]
    assert len(shop.events) == 3


@pytest.mark.parametrize("delivery", ["stream", "buffer"])
def test_rows_that_fail_later_break_the_transfer_and_are_torn_down(
    shop: Shop, delivery: Any, scratch_dir: None
) -> None:
    def failing() -> Iterator[tuple[int, str]]:
        yield from shop.get_db().execute("select * from orders")
        raise OSError("the disk is gone")

    view = lambda: sw.Export(failing, format="csv", delivery=delivery)  # noqa: E731
    shop.app.add_url_rule("/failing", "failing", view)
    response = shop.client().get("/failing")
    assert response.status_code == 200
    with pytest.raises(OSError, match="the disk is gone"):
        list(response.response)
    response.close()
    opened, torn_down = shop.events
    assert opened == "opened"
    assert isinstance(torn_down, tuple)
    assert type(torn_down[1]) is OSError


def test_exports_on_two_threads_have_a_connection_each(shop: Shop) -> None:
    first = shop.client().get("/orders?format=csv")
    chunks: Iterator[Any] = iter(first.response)
    head = next(chunks)
    with ThreadPoolExecutor(1) as other:
        second = other.submit(lambda: shop.client().get("/orders?format=csv", buffered=True).data)
        assert head + b"".join(chunks) == second.result()
    first.close()
    assert shop.events.count("opened") == 2
    assert shop.events.count(("teardown", None)) == 2


def test_the_request_is_there_while_rows_are_read(shop: Shop) -> None:
    def rows() -> Iterator[tuple[str]]:
        for _ in range(5000):
            yield (flask.request.args["name"],)

    shop.query = rows
    data = shop.client().get("/orders?format=csv&name=Ada", buffered=True).data
    assert csv_rows(data) == [["Ada"]] * 5000


def test_an_async_view_returns_an_export_too(shop: Shop) -> None:
    async def orders() -> sw.Export:
        return shop.orders()

    shop.app.add_url_rule("/async", "async", orders)
    data = shop.client().get("/async?format=csv", buffered=True).data
    assert len(csv_rows(data)) == ROWS + 1


def test_an_export_is_an_application_of_its_own(shop: Shop) -> None:
    app = sw.Export([{"a": 1}], format="csv").wsgi
    assert csv_rows(Client(validator(app)).get("/", buffered=True).data) == [["a"], ["1"]]


class Events:
    """Rows that tell what becomes of them, and a view that gives them back.

    Attributes:
        events: What happened, in order.
    """

    def __init__(self, make: Callable[..., Any] = ExportResponse, **options: Any) -> None:
        self.events: list[object] = []
        self.app = flask.Flask(__name__)
        self.app.teardown_appcontext(lambda error: self.events.append("teardown"))
        self.app.add_url_rule("/orders", view_func=lambda: make(self.rows, **options))

    def rows(self) -> Iterator[Any]:
        self.events.append("opened")
        return Closing(self.events, [{"a": at} for at in range(ROWS)])

    def get(self, url: str = "/orders", method: str = "GET", **options: Any) -> Any:
        return Client(validator(self.app)).open(url, method=method, buffered=True, **options)


class Closing:
    """An iterator that tells when it is closed."""

    def __init__(self, events: list[object], rows: list[Any]) -> None:
        self._events = events
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._rows)

    def close(self) -> None:
        self._events.append("closed")


def test_a_response_is_a_download_with_headers_and_cookies() -> None:
    def make(rows: Any) -> Any:
        response = ExportResponse(rows, 203, {"X-Ours": "1"}, filename="orders", formats=["csv"])
        response.set_cookie("seen", "yes")
        return response

    shop = Events(make)
    shop.app.after_request(lambda response: response.vary.add("Cookie") or response)
    response = shop.get()
    assert len(csv_rows(response.data)) == ROWS + 1
    assert response.status_code == 203
    assert response.headers["X-Ours"] == "1"
    assert response.headers["Set-Cookie"].startswith("seen=yes")
    assert "orders.csv" in response.headers["Content-Disposition"]
    assert response.headers["Vary"] == "Accept-Encoding, Cookie"
    assert shop.events == ["opened", "closed", "teardown"]


def test_a_response_is_in_the_language_of_its_reader() -> None:
    shop = Events(lambda rows: ExportResponse([(1.5, "x")], format=sw.Csv(language="auto")))
    response = shop.get(headers={"Accept-Language": "de-CH, fr;q=0.5"})
    assert response.data.decode() == "\ufeff1.5;x\r\n"
    assert response.headers["Content-Language"] == "de-CH"
    assert response.headers["Vary"] == "Accept-Encoding, Accept-Language"


def test_a_view_may_return_a_status_and_headers_beside_it() -> None:
    response = Events(lambda rows: (ExportResponse(rows), 202, {"X-Ours": "1"})).get()
    assert (response.status_code, response.headers["X-Ours"]) == (202, "1")


def test_an_export_and_a_bundle_are_responses_too() -> None:
    shop = Events(lambda rows: ExportResponse(sw.Export(rows, format="csv", status=203)))
    assert shop.get().status_code == 203
    bundle = Events(lambda rows: ExportResponse(sw.Bundle([("a.csv", sw.Export(rows))])))
    assert list(zip_parts(bundle.get().data)) == ["a.csv"]


def test_after_request_functions_see_status_and_headers() -> None:
    seen: list[Any] = []

    def look(response: Any) -> Any:
        seen.append((response.status_code, response.mimetype, response.is_streamed))
        seen.append(response.headers["Content-Disposition"])
        seen.append(response.content_length)
        return response

    shop = Events(format="csv")
    shop.app.after_request(look)
    shop.get()
    assert seen == [(200, "text/csv", True), 'attachment; filename="export.csv"', None]


def test_a_response_keeps_the_application_context_until_its_rows_are_closed(shop: Shop) -> None:
    shop.app.add_url_rule("/response", "response", lambda: ExportResponse(shop.query))
    response = shop.client().get("/response")
    chunks = iter(response.response)
    next(chunks)
    assert shop.events == ["opened"]
    assert list(chunks)
    response.close()
    assert shop.events == ["opened", ("teardown", None)]


def test_a_response_is_called_on_close_after_its_rows() -> None:
    def make(rows: Any) -> Any:
        response = ExportResponse(rows, on_done=lambda receipt: made.events.append("done"))
        response.call_on_close(lambda: made.events.append("called"))
        return response

    made = Events(make)
    made.get()
    assert made.events == ["opened", "closed", "teardown", "done", "called"]


def tagged(rows: Any) -> Any:
    """A response that is as good as the one before."""
    response = ExportResponse(rows, format="csv")
    response.set_etag("v1")
    return response.make_conditional(flask.request)


@pytest.mark.parametrize(
    ("header", "status"), [("If-None-Match", 304), ("If-Match", 412)], ids=["304", "412"]
)
def test_a_condition_that_makes_it_a_304_opens_nothing(header: str, status: int) -> None:
    shop = Events(tagged)
    response = shop.get(headers={header: '"v1"' if status == 304 else '"v0"'})
    assert (response.status_code, response.data) == (status, b"")
    assert response.headers["ETag"] == '"v1"'
    assert shop.events == ["teardown"]


def test_a_condition_that_is_not_met_reads_nothing_into_memory() -> None:
    shop = Events(tagged)
    response = shop.get(headers={"If-None-Match": '"v0"'})
    assert len(csv_rows(response.data)) == ROWS + 1
    assert "Content-Length" not in response.headers


def test_rows_passed_open_are_closed_by_a_condition() -> None:
    shop = Events(lambda rows: tagged(rows()))
    assert shop.get(headers={"If-None-Match": '"v1"'}).status_code == 304
    assert shop.events == ["opened", "closed", "teardown"]


def test_a_condition_looked_at_after_the_request_closes_what_was_opened() -> None:
    shop = Events(format="csv")

    def conditional(response: Any) -> Any:
        response.set_etag("v1")
        return response.make_conditional(flask.request)

    shop.app.after_request(conditional)
    assert shop.get(headers={"If-None-Match": '"v1"'}).data == b""
    assert shop.events == ["opened", "closed", "teardown"]


def test_head_opens_nothing_of_a_response() -> None:
    shop = Events(format="csv")
    response = shop.get(method="HEAD")
    assert (response.status_code, response.data) == (200, b"")
    assert "export.csv" in response.headers["Content-Disposition"]
    assert shop.events == ["teardown"]


def test_a_format_that_is_not_offered_is_a_406() -> None:
    response = Events().get("/orders?format=pdf")
    assert response.status_code == 406
    assert b"csv, xlsx, xml" in response.data


def test_a_failure_at_once_is_a_500_of_flask_that_its_handlers_see() -> None:
    def rows() -> Iterator[Any]:
        raise OSError("no database")
        yield

    shop = Events(lambda _: ExportResponse(rows, format="csv"))
    seen: list[object] = []

    def failed(error: Any) -> Any:
        seen.append(type(error.original_exception))
        return "Sorry", 500

    shop.app.register_error_handler(500, failed)
    response = shop.get()
    assert (response.status_code, response.data) == (500, b"Sorry")
    assert "Content-Disposition" not in response.headers
    assert seen == [OSError]
    assert shop.events == ["teardown"]


def test_a_response_that_is_not_admitted_is_a_503() -> None:
    settings = sw.Settings(max_concurrent=1, wait_seconds=0)

    def make(rows: Any) -> Any:
        response = ExportResponse(rows, format="csv", settings=settings)
        response.headers["X-Theirs"] = "1"
        return response

    shop = Events(make)
    first = Client(validator(shop.app)).get("/orders")
    response = shop.get()
    first.close()
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.mimetype == "text/plain"
    assert "Content-Disposition" not in response.headers
    assert len(response.data) == response.content_length
    assert shop.get().status_code == 200


def replaced(response: Any) -> Any:
    return flask.Response("other")


def raising(response: Any) -> Any:
    raise OSError("after the view")


@pytest.mark.parametrize("after", [replaced, raising])
def test_rows_are_closed_though_the_response_is_never_sent(after: Any) -> None:
    shop = Events()
    shop.app.logger.disabled = True  # what is logged keeps the frames alive
    shop.app.after_request(after)
    shop.get()
    gc.collect()
    assert sorted(map(str, shop.events)) == ["closed", "opened", "teardown"]


def test_a_response_that_the_view_did_not_return_opens_nothing() -> None:
    shop = Events(lambda rows: (ExportResponse(rows), "other")[1])
    assert shop.get().data == b"other"
    assert shop.events == ["teardown"]


def given_up(rows: Any) -> Any:
    ExportResponse(rows())
    raise OSError("the view")


@pytest.mark.parametrize("make", [given_up, lambda rows: (ExportResponse(rows()), "other")[1]])
def test_rows_passed_open_are_closed_though_the_view_returns_something_else(make: Any) -> None:
    shop = Events(make)
    shop.app.logger.disabled = True  # what is logged keeps the frames alive
    shop.get()
    gc.collect()
    assert sorted(map(str, shop.events)) == ["closed", "opened", "teardown"]


def test_it_is_never_read_into_memory() -> None:
    shop = Events()
    with shop.app.test_request_context("/orders"):
        response = ExportResponse(shop.rows)
        with pytest.raises(RuntimeError, match="sequence"):
            response.get_data()
    assert "opened" not in shop.events


def test_it_cannot_be_made_outside_a_request() -> None:
    with pytest.raises(RuntimeError, match="request context"):
        ExportResponse([])


def test_an_application_may_have_its_own_response_class() -> None:
    class Own(flask.Response):  # type: ignore[name-defined,misc]  # flask is imported late
        pass

    shop = Events(tagged)
    shop.app.response_class = Own
    response = shop.get()
    assert len(csv_rows(response.data)) == ROWS + 1
    assert "Content-Length" not in response.headers


def compressed(make: Callable[..., Any] = ExportResponse) -> Events:
    """The view below flask-compress, which for a stream knows no gzip."""
    compress = pytest.importorskip("flask_compress")
    shop = Events(make, compress="off")
    kinds = ["text/csv", "application/xml", XLSX]
    shop.app.config.update(COMPRESS_MIMETYPES=kinds, COMPRESS_ALGORITHM_STREAMING=["deflate"])
    compress.Compress(shop.app)
    return shop


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DEFLATE = {"Accept-Encoding": "deflate"}
BOTH = pytest.mark.parametrize("make", [ExportResponse, sw.Export])


@BOTH
@pytest.mark.parametrize("format_", READERS)
def test_nothing_is_lost_below_flask_compress(make: Any, format_: str) -> None:
    shop = compressed(make)
    response = shop.get(f"/orders?format={format_}", headers=DEFLATE)
    assert response.headers["Content-Encoding"] == "deflate"
    assert response.headers["Vary"].count("Accept-Encoding") == 1
    assert len(READERS[format_](zlib.decompress(response.data))) == ROWS + (format_ != "xml")
    assert shop.events == ["opened", "closed", "teardown"]


@BOTH
def test_flask_compress_does_not_compress_twice(make: Any) -> None:
    shop = compressed(lambda rows, **_: make(rows))
    response = shop.get(headers={"Accept-Encoding": "deflate, gzip;q=0.5"})
    assert response.headers.getlist("Content-Encoding") == ["gzip"]
    assert len(csv_rows(gzip.decompress(response.data))) == ROWS + 1


@BOTH
def test_rows_are_closed_below_flask_compress_when_the_client_leaves(make: Any) -> None:
    shop = compressed(make)
    response = Client(validator(shop.app)).get("/orders", headers=DEFLATE)
    next(iter(response.response))
    response.close()
    assert shop.events == ["opened", "closed", "teardown"]


@BOTH
def test_rows_are_closed_below_flask_compress_before_the_first_chunk(make: Any) -> None:
    shop = compressed(make)
    Client(validator(shop.app)).get("/orders", headers=DEFLATE).close()
    gc.collect()
    assert shop.events == ["opened", "closed", "teardown"]


@BOTH
def test_a_failure_below_flask_compress_breaks_the_transfer(make: Any) -> None:
    def rows() -> Iterator[Any]:
        yield from ([at] for at in range(50_000))
        raise OSError("the disk is gone")

    shop = compressed(lambda _, **options: make(rows, **options))
    response = Client(validator(shop.app)).get("/orders", headers=DEFLATE)
    with pytest.raises(OSError, match="the disk is gone"):
        list(response.response)
    response.close()


@BOTH
@pytest.mark.parametrize("delivery", ["stream", "buffer", "spool"])
def test_the_context_is_held_however_it_is_delivered(
    shop: Shop, make: Any, delivery: Any, scratch_dir: None
) -> None:
    lengths: list[Any] = []

    def look(response: Any) -> Any:
        lengths.append(response.content_length)
        return response

    shop.app.after_request(look)
    view = lambda: make(shop.query, format="csv", delivery=delivery)  # noqa: E731
    shop.app.add_url_rule("/delivered", "delivered", view)
    data = shop.client().get("/delivered", buffered=True).data
    assert len(csv_rows(data)) == ROWS + 1
    assert lengths == [len(data) if delivery == "spool" else None]
    assert shop.events == ["opened", ("teardown", None)]


def test_a_spool_that_fails_at_the_end_is_a_500(scratch_dir: None) -> None:
    def rows() -> Iterator[Any]:
        yield from ([at] for at in range(50_000))
        raise OSError("the disk is gone")

    shop = Events(lambda _: ExportResponse(rows, format="csv", delivery="spool"))
    response = shop.get()
    assert response.status_code == 500
    assert "Content-Disposition" not in response.headers
