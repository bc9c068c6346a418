import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

import streamware as sw
from readers import calamine_rows, csv_rows

pytest.importorskip("django", reason="skipped: needs Django")

from django.core.paginator import Paginator
from django.db import DatabaseError, connection, connections, router, transaction
from django.db.backends.signals import connection_created
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

import django_site  # noqa: F401 - it makes the settings
from django_orders.models import Customer, Invoice, Label, Order
from streamware.sources import dbapi
from streamware.sources import django as source

COUNT = 1500


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from django.contrib.contenttypes.models import ContentType

    made = tmp_path_factory.mktemp("django") / "orders.sqlite3"
    connections.settings["default"]["NAME"] = str(made)
    with connection.schema_editor() as editor:
        for model in (ContentType, Customer, Label, Order, Invoice):
            editor.create_model(model)
    ann, bo = (Customer.objects.create(name=name) for name in ("Ann", "Bo"))
    Order.objects.bulk_create(
        Order(id=n, number=f"N{n}", status="op"[n % 2], customer=(ann, bo, None)[n % 3])
        for n in range(1, COUNT + 1)
    )
    label = Label.objects.create(name="new")
    Order.objects.get(id=1).labels.set([label, Label.objects.create(name="big")])
    about = {"kind": ContentType.objects.get_for_model(Label), "about_id": label.pk}
    Invoice.objects.create(order_id=1, scan="a/1.pdf", amount=3, **about)
    Invoice.objects.create(order_id=2, amount=4)
    connections.close_all()
    yield made
    del connections["default"]


@pytest.fixture(autouse=True)
def database(file: Path) -> Iterator[None]:
    yield
    connections.close_all()
    gc.collect()


def document(queryset: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(source.rows(queryset), **options)))


def first(count: int) -> Any:
    return Order.objects.filter(id__lte=count).order_by("id")


def test_objects_have_the_titles_labels_and_texts_of_their_model() -> None:
    assert document(first(3)) == [
        ["ID", "Order number", "Status", "Customer"],
        ["1", "N1", "Paid", "Customer Bo"],
        ["2", "N2", "Yes", ""],
        ["3", "N3", "Paid", "Customer Ann"],
    ]


def test_a_manager_is_read_and_a_query_without_rows_has_a_header() -> None:
    assert document(Order.objects.none()) == [["ID", "Order number", "Status", "Customer"]]
    assert len(document(Order.objects)) == COUNT + 1


def test_titles_and_labels_are_in_the_language_of_the_thread() -> None:
    with override("de"):
        rows = document(first(2), columns=["status", "customer.name"])
    assert rows == [["Status", "Name"], ["Paid", "Bo"], ["Ja", ""]]


def test_foreign_keys_cost_no_further_queries() -> None:
    with CaptureQueriesContext(connection) as queries:
        document(first(3))
        document(first(3), columns=["number", "customer__name"])
    assert len(queries) == 2


def test_rows_that_are_locked_are_not_joined() -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = document(first(3).select_for_update(), columns=["number", "customer__name"])
    assert rows[1:] == [["N1", "Bo"], ["N2", ""], ["N3", "Ann"]]
    assert ["JOIN" in query["sql"] for query in queries] == [False, False]


def test_only_the_relations_that_are_needed_are_joined() -> None:
    with CaptureQueriesContext(connection) as queries:
        document(first(3), columns=["number"])
    assert "JOIN" not in queries[0]["sql"]


@pytest.mark.parametrize(
    ("column", "title", "cell"),
    [
        ("number", "Order number", "N1"),
        ("pk", "ID", "1"),
        ("status", "Status", "Paid"),
        ("get_status_display", "Status", "Paid"),
        ("customer", "Customer", "Customer Bo"),
        ("customer_id", "Customer", "2"),
        ("customer.name", "Name", "Bo"),
        ("customer__name", "Name", "Bo"),
        ("labels", "Labels", "new, big"),
        ("shout", "As shouted", "N1!"),
        ("half", "Half", "0.5"),
        (sw.Column("status", "State"), "State", "Paid"),
        (sw.Column("status", convert={"p": "P"}.get), "Status", "P"),
        (sw.Column(lambda order: order.id + 1, "Next"), "Next", "2"),
    ],
)
def test_chosen_columns_are_described_by_the_model(column: Any, title: str, cell: str) -> None:
    assert document(first(1), columns=[column]) == [[title], [cell]]


def test_added_values_are_columns() -> None:
    queryset = first(1).annotate(twice=F("id") * 2, labelled=Count("labels"))
    assert document(queryset) == [
        ["ID", "Order number", "Status", "Customer", "Twice", "Labelled"],
        ["1", "N1", "Paid", "Customer Bo", "2", "2"],
    ]


@pytest.mark.parametrize(
    "queryset",
    [lambda: first(2).only("number"), lambda: first(2).defer("status", "customer")],
    ids=["only", "defer"],
)
def test_what_is_not_loaded_is_no_column_and_no_query(queryset: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = document(queryset())
    assert rows[0][-1] == "Order number"
    assert len(queries) == 1


@pytest.mark.parametrize("most", [2, 0])
@pytest.mark.parametrize(
    ("select", "names"),
    [
        (lambda rows: rows.values_list("number", "id"), ["number", "id"]),
        (lambda rows: rows.values_list("number", F("id") + 1), ["number", "combinedexpression1"]),
        (lambda rows: rows.values_list("number", "id", named=True), ["number", "id"]),
        (lambda rows: rows.values("number", "customer__name"), ["number", "customer__name"]),
        (lambda rows: rows.values_list(), ["id", "number", "status", "customer_id"]),
        (lambda rows: rows.values("id").annotate(n=Count("labels")), ["id", "n"]),
        (lambda rows: rows.annotate(n=Count("labels")).values_list("n", "id"), ["n", "id"]),
    ],
    ids=["list", "expression", "named", "dict", "all", "annotated", "annotated before"],
)
def test_selected_values_have_their_names(select: Any, names: list[str], most: int) -> None:
    rows = document(select(first(most)))
    assert [name.rstrip("1") for name in rows[0]] == [name.rstrip("1") for name in names]
    assert len(rows) == most + 1


def test_prefetched_relations_are_read_by_the_batch() -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = source.rows(Order.objects.prefetch_related("labels"), batch=500)
        assert len(b"".join(sw.encode(rows, columns=["labels"])).splitlines()) == COUNT + 1
    assert len(queries) == 1 + -(-COUNT // 200)


def test_relations_to_many_are_prefetched() -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = document(first(3), columns=["number", "labels", "invoice.about"])
    assert rows[1:] == [["N1", "new, big", "new"], ["N2", "", ""], ["N3", "", ""]]
    assert len(queries) == 3


def test_relations_that_lead_here_are_columns() -> None:
    rows = document(Customer.objects.order_by("id"), columns=["name", "order_set"])
    assert [len(cells.split(", ")) for _, cells in rows[1:]] == [COUNT // 3] * 2
    with CaptureQueriesContext(connection) as queries:
        rows = document(first(3), columns=["invoice", "invoice.scan", "invoice__order__number"])
    assert rows == [
        ["Invoice", "Scan", "Order number"],
        ["Invoice object (1)", "a/1.pdf", "N1"],
        ["Invoice object (2)", "", "N2"],
        ["", "", ""],
    ]
    assert len(queries) == 1


def test_files_and_objects_of_other_packages_are_their_text() -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = document(Invoice.objects.order_by("id"), columns=["scan", "amount", "about"])
    assert rows == [["Scan", "Amount", "About"], ["a/1.pdf", "EUR 3", "new"], ["", "EUR 4", ""]]
    assert len(queries) == 2
    assert len(document(Invoice.objects.all())) == 3


def test_a_raw_query_has_the_columns_that_are_asked_for() -> None:
    orders = Order.objects.raw("select * from django_orders_order where id < 3 order by id")
    assert document(orders, columns=["number", "status", "customer"]) == [
        ["Order number", "Status", "Customer"],
        ["N1", "Paid", "Customer Bo"],
        ["N2", "Yes", ""],
    ]


def test_a_raw_query_has_the_fields_that_it_selects() -> None:
    rows = document(Order.objects.raw("select id, number from django_orders_order where id < 2"))
    assert rows == [["id", "number"], ["1", "N1"]]


@pytest.mark.parametrize(
    "queryset",
    [
        lambda: Order.objects.values_list("id", flat=True),
        lambda: [1, 2],
        lambda: Order,
    ],
    ids=["flat", "a list", "a model"],
)
def test_what_gives_no_rows_is_a_type_error(queryset: Any) -> None:
    with pytest.raises(TypeError, match=r"flat=True|not (list|ModelBase)"):
        source.rows(queryset())


def test_a_query_that_fails_is_its_error() -> None:
    with pytest.raises(DatabaseError):
        document(Order.objects.extra(select={"x": "nothing"}))


@pytest.mark.parametrize(
    "rows", [lambda: first(2), lambda: lambda: first(2)], ids=["itself", "a callable"]
)
def test_a_queryset_given_as_rows_is_the_same_source(rows: Any) -> None:
    plain = csv_rows(b"".join(sw.encode(rows())))
    assert plain == document(first(2))
    sheet = sw.Sheet("Orders", rows(), columns=["status", "customer"])
    workbook = b"".join(sw.encode([sheet], "xlsx"))
    assert calamine_rows(workbook) == [["Status", "Customer"], ["Paid", "Customer Bo"], ["Yes", ""]]


def test_objects_in_a_list_have_the_loaded_columns() -> None:
    rows = csv_rows(b"".join(sw.encode(list(first(1).defer("status")))))
    assert rows == [["id", "number", "customer_id"], ["1", "N1", "2"]]


def test_a_queryset_keeps_no_rows() -> None:
    queryset = Order.objects.all()
    assert len(document(queryset)) == COUNT + 1
    assert queryset._result_cache is None

    def peak(rows: Any, **options: Any) -> int:
        gc.collect()
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        for _ in sw.encode(rows, **options):
            pass
        return tracemalloc.get_traced_memory()[1] - base

    tracemalloc.start()
    try:
        whole = peak(lambda: list(Order.objects.all()), columns=["id", "number"])
        rows = source.rows(Order.objects.all(), batch=100)
        assert peak(rows, columns=["id", "number"]) < whole / 2
    finally:
        tracemalloc.stop()


async def returned(rows: Any) -> Any:
    return rows


def test_a_queryset_that_an_async_callable_returns_is_read_on_a_thread() -> None:
    async def read(rows: Any) -> list[list[str]]:
        return csv_rows(b"".join([chunk async for chunk in sw.aencode(rows, columns=["number"])]))

    before = set(threading.enumerate())
    queryset = Order.objects.order_by("pk")
    expected = csv_rows(b"".join(sw.encode(queryset, columns=["number"])))
    assert len(expected) > 1
    assert asyncio.run(read(partial(returned, queryset))) == expected
    assert asyncio.run(read(returned(queryset))) == expected
    assert asyncio.run(read(returned(queryset.none()))) == expected[:1]
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


@pytest.mark.parametrize("age", [0, None])
def test_a_connection_that_was_opened_for_the_rows_is_closed_as_that_of_a_request(
    monkeypatch: pytest.MonkeyPatch, age: int | None
) -> None:
    kept: list[bool] = []

    def read() -> None:
        connection = connections["default"]
        monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", age)
        assert len(list(source.rows(Order.objects.all()))) == COUNT
        kept.append(connection.connection is not None)
        connection.close()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert kept == [age is None]


class Replicas:
    """A router that never answers the same twice, at first."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def db_for_read(self, *_: object, **__: object) -> str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("alias", ["default", "spare"])
def test_a_router_is_asked_for_a_database_once(monkeypatch: pytest.MonkeyPatch, alias: str) -> None:
    monkeypatch.setitem(connections.settings, "spare", connections.settings["default"])
    monkeypatch.setattr(source, "_keeps_rows", lambda _: True)
    other = "spare" if alias == "default" else "default"
    monkeypatch.setattr(router, "routers", [Replicas(alias, other)])
    with closing(source.rows(Order.objects.values_list("id", "number")).open_rows()) as rows:
        next(iter(rows))
        used = [each for each in connections.all(True) if each.connection is not None]
        assert [(each.alias, each.in_atomic_block) for each in used] == [(alias, True)]
    connections["spare"].close()
    del connections["spare"]


def elsewhere(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "make",
    [lambda: first(COUNT), lambda: dbapi.rows(connection, QUERY, [COUNT])],
    ids=["queryset", "query"],
)
def test_what_is_closed_on_another_thread_ends_where_it_began(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    """As a server's thread that is blocked in a send cannot; its next request needs it as new."""
    monkeypatch.setattr(source, "_keeps_rows", lambda _: True)  # as PostgreSQL's server does
    found: list[bool] = []
    encoding = sw.encode(make())
    next(encoding)

    def close() -> None:
        encoding.close()
        found.extend(each.alias == "default" for each in connections.all(initialized_only=True))

    elsewhere(close)
    assert not found
    assert (connection.in_atomic_block, connection.connection) == (False, None)
    assert connection.get_autocommit()


def test_a_connection_of_the_closing_thread_is_its_own_again() -> None:
    encoding = sw.encode(first(COUNT))
    next(encoding)

    def close() -> None:
        own = connections["default"]
        own.ensure_connection()
        encoding.close()
        assert connections["default"] is own
        assert own.connection is not None
        own.close()
        ended.append(True)

    ended: list[bool] = []
    elsewhere(close)
    assert ended


@pytest.mark.slow
@pytest.mark.parametrize("age", [0, None])
@pytest.mark.parametrize(
    "make",
    [lambda: first(COUNT), lambda: dbapi.rows(connection, QUERY, [COUNT])],
    ids=["queryset", "query"],
)
def test_a_thread_of_an_export_leaves_no_connection_however_long_they_are_kept(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], age: int | None
) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", age)
    opened: list[Any] = []

    def note(connection: Any, **_: object) -> None:
        opened.append(connection)

    async def read() -> None:
        for whole in (True, False):
            async with sw.aencode(make(), columns=["id", "number"]) as encoding:
                async for _ in encoding:
                    if not whole:
                        break

    def number(row: Any) -> str:
        return str(Order.objects.get(pk=row[0]).number)

    async def read_converted() -> None:
        """As rows or conversions of the caller do that ask by themselves."""
        async with sw.aencode([(1,)], columns=[sw.Column(number)]) as encoding:
            assert [chunk async for chunk in encoding]

    before = set(threading.enumerate())
    connection_created.connect(note)
    asyncio.run(read())
    asyncio.run(read_converted())
    assert Client(sw.Export(make(), delivery="buffer").wsgi).get("/", buffered=True).data
    connection_created.disconnect(note)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert [each.connection for each in opened] == [None] * 4


def test_objects_with_prefetched_relations_are_in_memory_two_hundred_at_a_time() -> None:
    rows = source.rows(Order.objects.prefetch_related("labels")).open_rows()
    with closing(rows):
        assert [len(batch) for batch in rows._batches()] == [100] + [200] * 7


@pytest.mark.parametrize("most", [2, 0])
def test_the_iterator_of_values_list_has_its_names(most: int) -> None:
    rows = Order.objects.values_list("number", "pk")[:most].iterator()
    assert csv_rows(b"".join(sw.encode(rows)))[0] == ["number", "pk"]


QUERY = "select id, number from django_orders_order where id < %s order by id"
EXPECTED = [["id", "number"], ["1", "N1"], ["2", "N2"]]


def written(rows: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows)))


def test_a_query_is_read_by_the_connection_of_the_thread_that_reads() -> None:
    """Also if another thread's was passed, which Django refuses there."""
    given: list[Any] = [connection, connections["default"], lambda: connections["default"]]
    for one in given:
        rows = dbapi.rows(one, QUERY, [3])
        assert written(rows) == EXPECTED
        found: list[object] = []

        def read(rows: Any = rows, found: list[object] = found) -> None:
            found += written(rows)
            connections.close_all()

        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        assert found == EXPECTED


def test_a_query_leaves_the_transaction_that_it_is_in() -> None:
    with transaction.atomic():
        for one in (connection, lambda: connections["default"]):
            assert written(dbapi.rows(one, QUERY, [3])) == EXPECTED
            assert connection.in_atomic_block
        Order.objects.filter(id=1).exists()


def test_what_django_has_in_place_of_rows_is_an_error_that_says_what_to_pass() -> None:
    orders = Order.objects.order_by("id")
    of_connection = r"pass streamware\.sources\.dbapi\.rows\(connection, 'SELECT …'\)"
    for rows, cure in (
        (connection, of_connection),
        (connections["default"], of_connection),
        (connections, r"dbapi\.rows\(connections\['default'\], 'SELECT …'\)"),
        (connection.cursor(), "it has executed no query"),
        (Paginator(orders, 5), "pass its object_list"),
        ((page.object_list for page in Paginator(orders, 5)), "row 1 is a QuerySet of rows"),
        ((list(page) for page in Paginator(orders, 5)), "row 1 is a list of rows"),
        (Paginator(orders, 5).__iter__(), "row 1 is a Page of rows"),
    ):
        with pytest.raises((TypeError, sw.EncodeError), match=cure):
            written(rows)


def test_a_cursor_that_was_closed_before_is_an_error_that_says_what_to_pass() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1 as a")
    with pytest.raises(Exception, match="closed cursor") as raised:
        written(cursor)
    assert "rows are read when the view has returned" in raised.value.__notes__[0]
    assert written(connection.cursor().execute("select 1 as a")) == [["a"], ["1"]]
