"""`ExportResponse(request, queryset)`: every kind of QuerySet, from every kind of view."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from postgresql import Cluster, cluster
from readers import calamine_rows, csv_rows

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("django_site")  # it makes the settings, which the imports below want

from django.db import connection, connections, transaction
from django.db.models import Count, F, Prefetch, Sum, Value
from django.test import RequestFactory
from django.utils.translation import override

from django_orders.models import Customer, Label, Order
from django_site import Site, Urls
from streamware.frameworks.django import ExportResponse

COUNT = 1200


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("querysets") / "orders.sqlite3"
    connections.settings["default"]["NAME"] = str(made)
    with connection.schema_editor() as editor:
        for model in (Customer, Label, Order):
            editor.create_model(model)
    ann, bo = (Customer.objects.create(name=name) for name in ("Ann", "Bo"))
    Order.objects.bulk_create(
        Order(id=n, number=f"N{n}", status="op"[n % 2], customer=(ann, bo, None)[n % 3])
        for n in range(1, COUNT + 1)
    )
    Order.objects.get(id=1).labels.set([Label.objects.create(name="new")])
    connections.close_all()
    yield made
    del connections["default"]


@pytest.fixture(autouse=True)
def database(file: Path) -> Iterator[None]:
    yield
    Urls.urlpatterns.clear()
    connections.close_all()
    gc.collect()


@pytest.fixture(params=["wsgi", "wsgi, async", "asgi", "asgi, async"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


def first(count: int) -> Any:
    return Order.objects.filter(id__lte=count).order_by("id")


def some(count: int) -> Any:
    return Order.objects.filter(id__lte=count)


QUERYSETS: dict[str, tuple[Callable[[], Any], list[str], int]] = {
    "a manager": (lambda: Order.objects, ["ID", "Order number", "Status", "Customer"], COUNT),
    "a related manager": (
        lambda: Customer(id=1).order_set,
        ["ID", "Order number", "Status", "Customer"],
        COUNT // 3,
    ),
    "all": (Order.objects.all, ["ID", "Order number", "Status", "Customer"], COUNT),
    "none": (Order.objects.none, ["ID", "Order number", "Status", "Customer"], 0),
    "none of values": (lambda: Order.objects.values("id", "number").none(), ["id", "number"], 0),
    "a slice": (lambda: first(9)[2:5], ["ID", "Order number", "Status", "Customer"], 3),
    "reversed": (lambda: first(9).reverse(), ["ID", "Order number", "Status", "Customer"], 9),
    "only": (lambda: first(9).only("number"), ["Order number"], 9),
    "defer": (lambda: first(9).defer("number", "status"), ["ID", "Customer"], 9),
    "using": (
        lambda: Order.objects.using("default"),
        ["ID", "Order number", "Status", "Customer"],
        COUNT,
    ),
    "annotated": (
        lambda: first(9).annotate(n=Count("labels")),
        ["ID", "Order number", "Status", "Customer", "N"],
        9,
    ),
    "an alias": (
        lambda: first(9).alias(n=Count("labels")).filter(n=1),
        ["ID", "Order number", "Status", "Customer"],
        1,
    ),
    "locked": (  # SQLite has no such locks
        lambda: first(9).select_for_update(),
        ["ID", "Order number", "Status", "Customer"],
        9,
    ),
    "values": (lambda: first(9).values("id", "customer__name"), ["id", "customer__name"], 9),
    "a list of values": (lambda: first(9).values_list("number", "id"), ["number", "id"], 9),
    "named values": (lambda: first(9).values_list("number", named=True), ["number"], 9),
    "groups": (
        lambda: Order.objects.values("status").annotate(n=Count("id"), most=Sum("id")),
        ["status", "n", "most"],
        2,
    ),
    "distinct values": (lambda: Order.objects.values("status").distinct(), ["status"], 2),
    "an expression": (lambda: first(9).values("id", x=F("id") + 1), ["id", "x"], 9),
    "a union": (
        lambda: some(9).union(Order.objects.filter(id__gt=COUNT - 3)),
        ["ID", "Order number", "Status", "Customer"],
        12,
    ),
    "a union of values": (
        lambda: some(9).values_list("id", "number").union(some(5).values_list("id", Value("x"))),
        ["id", "number"],
        14,
    ),
    "an intersection": (
        lambda: some(9).intersection(some(3)),
        ["ID", "Order number", "Status", "Customer"],
        3,
    ),
    "or": (
        lambda: first(3) | Order.objects.filter(id=9),
        ["ID", "Order number", "Status", "Customer"],
        4,
    ),
    "prefetched": (
        lambda: first(9).prefetch_related(Prefetch("labels", Label.objects.filter(id=1))),
        ["ID", "Order number", "Status", "Customer"],
        9,
    ),
    "evaluated before": (
        lambda: [len(found := first(9)), found][1],
        ["ID", "Order number", "Status", "Customer"],
        9,
    ),
    "a raw query": (
        lambda: Order.objects.raw("select id, number from django_orders_order where id < %s", [4]),
        ["id", "number"],
        3,
    ),
}


@pytest.mark.parametrize("kind", QUERYSETS)
def test_every_queryset_is_a_download(kind: str) -> None:
    queryset, titles, count = QUERYSETS[kind]
    rows = csv_rows(b"".join(sw.encode(queryset())))
    assert (rows[0], len(rows)) == (titles, count + 1)


@pytest.mark.parametrize("kind", ["a manager", "none", "values", "a union", "a raw query"])
async def test_a_view_returns_a_queryset(site: Site, kind: str) -> None:
    queryset, titles, count = QUERYSETS[kind]

    def view(request: Any) -> Any:
        return ExportResponse(request, queryset(), format="csv")

    rows = csv_rows((await site.get(view)).content)
    assert (rows[0], len(rows)) == (titles, count + 1)


async def test_a_view_chooses_columns_in_the_language_of_the_request(site: Site) -> None:
    def view(request: Any) -> Any:
        with override("de"):
            columns = ["number", "status", "customer.name", "labels", "shout"]
            return ExportResponse(request, first(2), columns=columns, format="xlsx")

    assert calamine_rows((await site.get(view)).content) == [
        ["Order number", "Status", "Name", "Labels", "As shouted"],
        ["N1", "Paid", "Bo", "new", "N1!"],
        ["N2", "Ja", "", "", "N2!"],
    ]


async def test_rows_are_read_after_the_transaction_of_the_view() -> None:
    def view(request: Any) -> Any:
        with transaction.atomic():
            return ExportResponse(request, Order.objects.all(), format="csv")

    for under in ("wsgi", "asgi"):
        assert len(csv_rows((await Site(under).get(view)).content)) == COUNT + 1


async def test_requests_may_be_atomic() -> None:
    def view(request: Any) -> Any:
        return ExportResponse(request, Order.objects.all(), format="csv")

    try:
        for under in ("wsgi", "asgi"):
            connections.settings["default"]["ATOMIC_REQUESTS"] = True
            connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
            assert len(csv_rows((await Site(under).get(view)).content)) == COUNT + 1
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False


async def test_a_query_that_fails_is_a_500(site: Site) -> None:
    def view(request: Any) -> Any:
        return ExportResponse(request, Order.objects.extra(where=["nothing"]), format="csv")

    assert (await site.get(view)).status_code == 500


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    pytest.importorskip("psycopg", reason="skipped: needs psycopg")
    with cluster() as made:
        connections.settings["postgresql"] = {
            **connections.settings["default"],
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": str(made.folder),
        }
        try:
            with connections["postgresql"].schema_editor() as editor:
                for model in (Customer, Label, Order):
                    editor.create_model(model)
            ann = Customer.objects.using("postgresql").create(name="Ann")
            orders = [Order(id=n, number=f"N{n}", customer=ann) for n in range(1, 5001)]
            Order.objects.using("postgresql").bulk_create(orders)
            connections.close_all()
            yield made
        finally:
            del connections["postgresql"], connections.settings["postgresql"]


def blocked(server: Cluster) -> bool:
    """Whether the name of the customer cannot be changed, as a transaction has changed it."""
    import psycopg

    with server.connect() as other:
        other.execute("set lock_timeout = '300ms'")
        try:
            other.execute("update django_orders_customer set name = 'Bo'")
        except psycopg.errors.LockNotAvailable:
            return True
    return False


@pytest.mark.servers
def test_what_is_written_beside_the_rows_is_not_a_part_of_their_transaction(
    server: Cluster,
) -> None:
    """As the session is, which its middleware saves when the first chunk is made."""
    deliveries: list[Any] = ["stream", "buffer"]
    for delivery in deliveries:
        customers = Customer.objects.using("postgresql")
        assert customers.count() == 1  # so that there is a connection of the request
        response = ExportResponse(
            RequestFactory().get("/"),
            Order.objects.using("postgresql"),
            format="csv",
            delivery=delivery,
        )
        response.render()
        body = iter(response.streaming_content)
        next(body)
        customers.update(name="Cy")
        assert not blocked(server)
        response.close()
        assert customers.get().name == "Bo"
        connections["postgresql"].close()


@pytest.mark.servers
@pytest.mark.parametrize("is_open", [False, True])
def test_postgresql_reads_from_a_cursor_of_the_server(server: Cluster, is_open: bool) -> None:
    orders = Order.objects.using("postgresql").order_by("id")
    if is_open:
        assert orders.count() == 5000
    with server.connect() as other:
        other.autocommit = True
        chunks = iter(sw.encode(orders, columns=["number", "customer"]))
        first = next(chunks)
        connection = connections["postgresql"].connection
        held = connection.execute("select is_holdable from pg_cursors").fetchone()
        assert held == (is_open,)
        rows = csv_rows(b"".join([first, *chunks]))
    assert (len(rows), rows[-1]) == (5001, ["N5000", "Customer Bo"])


@pytest.mark.servers
def test_rows_are_locked_within_a_transaction(server: Cluster) -> None:
    orders = Order.objects.using("postgresql").select_for_update()
    with transaction.atomic("postgresql"):
        rows = csv_rows(b"".join(sw.encode(orders, columns=["number", "customer.name"])))
    assert (len(rows), rows[1][1]) == (5001, "Bo")


@pytest.mark.servers
@pytest.mark.parametrize("method", ["stream", "spool"])
def test_distinct_rows_are_those_of_the_database(server: Cluster, method: Any) -> None:
    orders = Order.objects.using("postgresql").order_by("customer", "id").distinct("customer")
    export = sw.Export(orders, format="csv", delivery=method)
    body = export.wsgi({"REQUEST_METHOD": "GET"}, lambda *_: lambda _: None)
    assert len(csv_rows(b"".join(body))) == 2
    body.close()  # type: ignore[attr-defined]
