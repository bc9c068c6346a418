import gc
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows, openpyxl_book, xml_rows

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("rest_framework", reason="skipped: needs Django REST framework")

from django.db import connection, connections, models
from django.test import override_settings
from django.urls import path
from django.utils.translation import gettext_lazy

import django_site  # isort: skip - it makes the settings
from rest_framework import (
    authentication,
    exceptions,
    filters,
    generics,
    pagination,
    permissions,
    renderers,
    routers,
    serializers,
    throttling,
    views,
    viewsets,
)
from rest_framework.decorators import action, api_view, renderer_classes
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.urlpatterns import format_suffix_patterns

from django_orders.models import Customer, Label, Order
from streamware.frameworks import django, drf

Decorator = Callable[[Callable[..., Any]], Any]


def route(**options: Any) -> Decorator:
    return action(detail=False, **options)  # type: ignore[no-any-return]


def function_view(*renderers: Any) -> Decorator:
    """Makes a view of a function, with these renderers."""
    return lambda view: api_view(["GET"])(renderer_classes(renderers)(view))


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COUNT = 250
FIRST = ["1", "N1", "p", "1", "Ann", "1, 2", "n1"]
HEADER = ["ID", "Order number", "Status", "Customer: ID", "Customer: Name", "Labels", "In small"]


class Page(pagination.PageNumberPagination):  # type: ignore[misc]
    page_size = 2


class CustomerSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = Customer
        fields = ("id", "name")


class OrderSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    customer = CustomerSerializer()
    small = serializers.SerializerMethodField(label=gettext_lazy("In small"))

    class Meta:
        model = Order
        fields = ("id", "number", "status", "customer", "labels", "small")

    def get_small(self, order: Any) -> Any:
        return order.number.lower()


class OrderViewSet(drf.ExportMixin, viewsets.ModelViewSet):  # type: ignore[misc]
    queryset = Order.objects.select_related("customer").prefetch_related("labels").order_by("id")
    serializer_class: Any = OrderSerializer
    pagination_class = Page
    filter_backends = (filters.SearchFilter, filters.OrderingFilter)
    search_fields = ("number",)
    export_formats: Any = ("xlsx", "csv", "ods", "xml", "ndjson")

    @route()
    def paid(self, request: Any) -> Any:
        orders = self.filter_queryset(self.get_queryset().filter(status="p"))
        if self.is_export:
            return self.export(orders)
        return Response(self.get_serializer(orders, many=True).data)

    @route()
    def unaware(self, request: Any) -> Any:
        orders = self.get_queryset()
        page = self.paginate_queryset(orders)
        if page is None:
            return Response(self.get_serializer(orders, many=True).data)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @route(export_formats=["csv"])
    def only_csv(self, request: Any) -> Any:
        return self.export(self.get_queryset()[:1])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("drf") / "orders.sqlite3"
    connections.settings["default"]["NAME"] = str(made)
    with connection.schema_editor() as editor:
        for model in (Customer, Label, Order):
            editor.create_model(model)
    ann, bo = (Customer.objects.create(name=name) for name in ("Ann", "Bo"))
    Order.objects.bulk_create(
        Order(id=n, number=f"N{n}", status="op"[n % 2], customer=(None, ann, bo)[n % 3])
        for n in range(1, COUNT + 1)
    )
    Order.objects.get(id=1).labels.set([Label.objects.create(name=name) for name in ("new", "big")])
    connections.close_all()
    yield made
    del connections["default"]


@pytest.fixture(autouse=True)
def database(file: Path) -> Iterator[None]:
    yield
    django_site.Urls.urlpatterns.clear()
    connections.close_all()
    gc.collect()


def routed(viewset: Any = OrderViewSet) -> list[Any]:
    router = routers.DefaultRouter()
    router.register("orders", viewset)
    return list(router.urls)


async def get(
    url: str, urls: Any = None, under: str = "wsgi", accept: str | None = None, method: str = "GET"
) -> Any:
    site = django_site.Site(under)
    headers = {} if accept is None else {"Accept": accept}
    return await site.get(
        _no_view, url, method=method, headers=headers, urls=routed() if urls is None else urls
    )


def _no_view(request: Any) -> Any:
    raise AssertionError


def answer(view: Any, url: str = "/?format=csv", **headers: str) -> Any:
    """What a view answers, rendered."""
    return view(APIRequestFactory().get(url, headers=headers)).render()


def body(response: Any) -> bytes:
    return response.getvalue() if response.streaming else response.content  # type: ignore[no-any-return]


def listed(serializer: Any, rows: Any, url: str = "/?format=csv", **attributes: Any) -> Any:
    """The download of some objects as a serializer shows them."""

    class Rows(drf.ExportMixin, generics.ListAPIView):  # type: ignore[misc]
        serializer_class = serializer
        export_formats = ("csv", "xlsx", "ndjson")

        def get_queryset(self) -> Any:
            return rows

    for name, value in attributes.items():
        setattr(Rows, name, value)
    response = answer(Rows.as_view(), url)
    assert response.status_code == 200
    return body(response)


# Negotiation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    ("url", "accept"),
    [
        ("/orders/?format=csv", None),
        ("/orders.csv", None),
        ("/orders/", "text/csv"),
        ("/orders/?format=csv", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ],
)
async def test_a_list_is_a_download_by_query_suffix_and_accept(
    under: str, url: str, accept: str | None
) -> None:
    response = await get(url, under=under, accept=accept)
    rows = csv_rows(response.content)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="order.csv"'
    assert "Accept" in response.headers["Vary"].split(", ")
    assert rows[:2] == [HEADER, FIRST]
    assert len(rows) == COUNT + 1  # and not one page


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/*"])
async def test_json_stays_the_default(accept: str | None) -> None:
    response = await get("/orders/", accept=accept)
    assert response.json()["count"] == COUNT
    assert len(response.json()["results"]) == 2


async def test_a_browser_gets_json_where_there_is_no_browsable_api() -> None:
    response = await get("/orders/", accept="text/html,application/xhtml+xml,image/webp,*/*;q=0.8")
    assert response.headers["Content-Type"] == "application/json"


TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(views.__file__).parent / "templates"],
        "OPTIONS": {"libraries": {"rest_framework": "rest_framework.templatetags.rest_framework"}},
    }
]


async def test_the_browsable_api_lists_the_formats_and_stays_a_page() -> None:
    class Browsed(OrderViewSet):
        renderer_classes = (drf.XLSXRenderer, renderers.BrowsableAPIRenderer)

    with override_settings(TEMPLATES=TEMPLATES):
        response = await get("/orders/1/", routed(Browsed), accept="text/html")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Content-Disposition" not in response.headers
        response = await get("/orders/", routed(Browsed), accept="text/html")
    assert "?format=xlsx" in response.text
    assert "?format=csv" in response.text


async def test_every_format_is_read_by_other_programs() -> None:
    xlsx = await get("/orders/?format=xlsx")
    assert xlsx.headers["Content-Type"] == XLSX
    assert calamine_rows(xlsx.content)[1] == [1, "N1", "p", 1, "Ann", "1, 2", "n1"]
    assert len(calamine_rows((await get("/orders/?format=ods")).content)) == COUNT + 1
    assert len(xml_rows((await get("/orders/?format=xml")).content)) == COUNT


async def test_ndjson_has_what_the_json_of_the_view_has() -> None:
    lines = (await get("/orders/?format=ndjson")).text.splitlines()
    page = (await get("/orders/")).json()["results"]
    assert [json.loads(line) for line in lines[:2]] == page
    assert len(lines) == COUNT


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
async def test_head_has_the_headers_and_opens_no_rows(under: str) -> None:
    class Failing(OrderViewSet):
        def filter_queryset(self, queryset: Any) -> Any:
            return _failing(0)

    response = await get("/orders/?format=xlsx", routed(Failing), under, method="HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Type"] == XLSX


async def test_options_tell_the_media_types_in_json() -> None:
    response = await get("/orders/?format=csv", method="OPTIONS")
    assert response.headers["Content-Type"] == "application/json"
    assert {"application/json", "text/csv", XLSX} <= set(response.json()["renders"])
    assert "Content-Disposition" not in response.headers


async def test_a_format_that_is_not_offered_is_refused_in_json() -> None:
    for url in ("/orders/?format=tsv", "/orders/1/?format=csv", "/orders/only_csv/?format=xlsx"):
        response = await get(url)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert (await get("/orders/", accept="text/tab-separated-values")).status_code == 406
    assert (await get("/orders/only_csv/?format=csv")).status_code == 200


def test_a_query_parameter_called_format_is_left_to_rest_framework() -> None:
    class Renamed(drf.CSVRenderer):
        format = "excel"

    view = OrderViewSet.as_view({"get": "list"}, renderer_classes=[Renamed])
    assert len(csv_rows(body(answer(view, "/?format=excel")))) == COUNT + 1


def test_renderers_of_a_view_take_the_place_of_ours() -> None:
    class Own(renderers.BaseRenderer):  # type: ignore[misc]
        media_type, format, charset = "text/csv", "csv", None

        def render(self, data: Any, *ignored: Any) -> bytes:
            return b"own"

    class Orders(OrderViewSet):
        renderer_classes = (renderers.JSONRenderer, Own)

    view = Orders.as_view({"get": "list"})
    assert body(answer(view)) == b"own"
    assert len(calamine_rows(body(answer(view, "/?format=xlsx")))) == COUNT + 1


# Errors ---------------------------------------------------------------------------------------


class _Refused(permissions.BasePermission):  # type: ignore[misc]
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class _Unknown(authentication.BasicAuthentication):  # type: ignore[misc]
    def authenticate(self, request: Any) -> Any:
        raise exceptions.AuthenticationFailed


class _Slow(throttling.BaseThrottle):  # type: ignore[misc]
    def allow_request(self, request: Any, view: Any) -> bool:
        return False

    def wait(self) -> int:
        return 60


class _Invalid(filters.BaseFilterBackend):  # type: ignore[misc]
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        raise exceptions.ValidationError({"status": ["Unknown."]})


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    ("name", "what", "status"),
    [
        ("permission_classes", _Refused, 403),
        ("authentication_classes", _Unknown, 401),
        ("throttle_classes", _Slow, 429),
        ("filter_backends", _Invalid, 400),
    ],
)
async def test_an_error_is_json_whatever_was_asked_for(
    under: str, name: str, what: Any, status: int
) -> None:
    orders = type("Orders", (OrderViewSet,), {name: [what]})
    response = await get("/orders/?format=xlsx", routed(orders), under)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    assert "Content-Disposition" not in response.headers
    assert isinstance(response.json(), dict)


def _failing(after: int, error: Exception | None = None) -> Iterator[Any]:
    for at in range(after):
        yield Order(id=at, number=f"N{at}", status="o")
    raise error or exceptions.PermissionDenied("not today")


class IdSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = Order
        fields = ("id",)


class _Broken(OrderViewSet):
    serializer_class = IdSerializer


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
async def test_a_failure_before_the_first_byte_is_handled_by_the_view(under: str) -> None:
    class Orders(_Broken):
        def filter_queryset(self, queryset: Any) -> Any:
            return _failing(3)

    response = await get("/orders/?format=csv", routed(Orders), under)
    assert (response.status_code, response.json()) == (403, {"detail": "not today"})
    assert response.headers["Vary"] == "Accept"
    assert "Content-Disposition" not in response.headers


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
async def test_a_failure_that_the_view_does_not_handle_is_a_500(under: str) -> None:
    class Orders(_Broken):
        def filter_queryset(self, queryset: Any) -> Any:
            return _failing(3, RuntimeError("disk on fire"))

    response = await get("/orders/?format=csv", routed(Orders), under)
    assert response.status_code == 500


def test_a_failure_in_the_middle_breaks_the_transfer() -> None:
    class Orders(_Broken):
        def filter_queryset(self, queryset: Any) -> Any:
            return _failing(20_000)

    response = answer(Orders.as_view({"get": "list"}))
    assert response.status_code == 200
    with pytest.raises(exceptions.PermissionDenied):
        response.getvalue()
    response.close()


def test_the_mixin_must_stand_before_the_view() -> None:
    with pytest.raises(TypeError, match="ExportMixin must be the first base of Late, which has: M"):
        type("Late", (viewsets.ModelViewSet, drf.ExportMixin), {})


# Rows and columns -----------------------------------------------------------------------------


async def test_filters_count_and_pagination_does_not() -> None:
    rows = csv_rows((await get("/orders/?format=csv&search=N24&ordering=-id&page=2")).content)
    assert [row[1] for row in rows[1:]] == [*(f"N{n}" for n in range(249, 239, -1)), "N24"]


def test_related_objects_are_read_in_batches() -> None:
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        body(answer(OrderViewSet.as_view({"get": "list"})))
    assert len(queries) <= 3  # one for orders with customers, one for labels of each batch


async def test_routes_of_their_own_are_downloads() -> None:
    response = await get("/orders/paid/?format=csv")
    assert response.headers["Content-Disposition"] == 'attachment; filename="order-paid.csv"'
    assert {row[2] for row in csv_rows(response.content)[1:]} == {"p"}


async def test_a_route_that_knows_nothing_of_downloads_has_all_rows() -> None:
    response = await get("/orders/unaware/?format=csv")
    assert csv_rows(response.content)[:2] == [HEADER, FIRST]
    assert len(csv_rows(response.content)) == COUNT + 1
    assert response.headers["Content-Disposition"] == 'attachment; filename="order-unaware.csv"'
    assert len((await get("/orders/unaware/")).json()["results"]) == 2


class Item(models.Model):  # type: ignore[misc]
    day = models.DateField("Delivery")
    at = models.DateTimeField()
    hour = models.TimeField()
    took = models.DurationField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    big = models.BigIntegerField()
    ratio = models.FloatField()
    ok = models.BooleanField()
    key = models.UUIDField()
    data = models.JSONField()
    kind = models.CharField(max_length=1, choices=[("a", "Apple"), ("b", "Banana")])

    class Meta:
        app_label = "drf_items"


class ItemSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = Item
        fields = "__all__"


class ShownItemSerializer(ItemSerializer):
    def to_representation(self, item: Any) -> Any:
        return super().to_representation(item)


ITEM = Item(
    id=1,
    day=date(2024, 5, 17),
    at=datetime(2024, 5, 17, 8, 30, tzinfo=UTC),
    hour=time(8, 30),
    took=timedelta(hours=1, minutes=2),
    price=Decimal("12.5"),
    big=5,
    ratio=0.25,
    ok=True,
    key="12345678-1234-5678-1234-567812345678",
    data={"a": [1]},
    kind="b",
)


@pytest.mark.parametrize("serializer", [ItemSerializer, ShownItemSerializer])
def test_values_are_cells_of_their_kind(serializer: Any) -> None:
    book = openpyxl_book(listed(serializer, [ITEM], "/?format=xlsx"))
    head, row = list(book.worksheets[0].iter_rows(values_only=True))
    assert dict(zip(head, row, strict=True)) == {
        "ID": 1,
        "Delivery": datetime(2024, 5, 17),  # noqa: DTZ001 - a workbook has no zones
        "At": datetime(2024, 5, 17, 8, 30),  # noqa: DTZ001 - the same
        "Hour": time(8, 30),
        "Took": timedelta(hours=1, minutes=2),
        "Price": 12.5,
        "Big": 5,
        "Ratio": 0.25,
        "Ok": True,
        "Key": "12345678-1234-5678-1234-567812345678",
        "Data": '{"a":[1]}',
        "Kind": "b",
    }


class Bare(serializers.Serializer):  # type: ignore[misc]
    number = serializers.CharField(source="name.first", default="none")
    secret = serializers.CharField(write_only=True)
    hidden = serializers.HiddenField(default=1)
    tags = serializers.ListField(child=serializers.CharField())
    day = serializers.DateField(format="%d.%m.%Y")
    text = serializers.ReadOnlyField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Any) -> Any:
        return self.context["request"].build_absolute_uri(row["text"])


DICTS = [
    {"name": {"first": "A"}, "tags": ["x", "y"], "day": date(2024, 5, 17), "text": "t"},
    {"tags": [], "day": None, "text": "u"},
]


def test_a_list_of_dicts_is_shown_by_the_fields_of_any_serializer() -> None:
    assert csv_rows(listed(Bare, DICTS)) == [
        ["Number", "Tags", "Day", "Text", "Url"],
        ["A", "x, y", "17.05.2024", "t", "http://testserver/t"],
        ["none", "", "", "u", "http://testserver/u"],
    ]


def test_rows_of_values_are_shown_by_the_fields_of_any_serializer() -> None:
    class Values(serializers.Serializer):  # type: ignore[misc]
        number = serializers.CharField()
        who = serializers.CharField(source="customer__name")

    rows = Order.objects.order_by("id").values("number", "customer__name")[:2]
    assert csv_rows(listed(Values, rows)) == [["Number", "Who"], ["N1", "Ann"], ["N2", "Bo"]]


def test_related_fields_are_what_the_serializer_makes_of_them() -> None:
    class Related(serializers.ModelSerializer):  # type: ignore[misc]
        key = serializers.PrimaryKeyRelatedField(source="customer", read_only=True)
        slug = serializers.SlugRelatedField("name", source="customer", read_only=True)
        text = serializers.StringRelatedField(source="customer")
        texts = serializers.StringRelatedField(source="labels", many=True)
        nested = serializers.SerializerMethodField()
        half = serializers.ReadOnlyField()
        shout = serializers.CharField()

        class Meta:
            model = Order
            fields = ("key", "slug", "text", "texts", "nested", "half", "shout")

        def get_nested(self, order: Any) -> Any:
            return {"id": order.id}

    rows = csv_rows(listed(Related, Order.objects.filter(id__in=(1, 3)).order_by("id")))
    assert rows == [
        ["Key", "Slug", "Text", "Texts", "Nested", "Half", "Shout"],
        ["1", "Ann", "Customer Ann", "new, big", '{"id":1}', "0.5", "N1!"],
        ["", "", "", "", '{"id":3}', "1.5", "N3!"],
    ]


def test_a_representation_of_its_own_decides_the_columns() -> None:
    class Own(OrderSerializer):
        def to_representation(self, order: Any) -> Any:
            shown = super().to_representation(order)
            del shown["small"], shown["labels"]
            return {**shown, "total_paid": Decimal("1.50"), "customer": shown["customer"]}

    rows = csv_rows(listed(Own, Order.objects.filter(id__in=(3, 4)).order_by("id")))
    assert rows == [
        ["ID", "Order number", "Status", "Customer: ID", "Customer: Name", "Total paid"],
        ["3", "N3", "p", "", "", "1.50"],
        ["4", "N4", "o", "1", "Ann", "1.50"],
    ]
    assert csv_rows(listed(Own, Order.objects.none()))[0][:2] == ["ID", "Order number"]


def test_a_list_serializer_of_its_own_is_given_all_objects() -> None:
    class Long(serializers.ListSerializer):  # type: ignore[misc]
        def to_representation(self, orders: Any) -> Any:
            return super().to_representation(orders.filter(id=2))

    class Listed(OrderSerializer):
        class Meta(OrderSerializer.Meta):
            list_serializer_class = Long

    rows = csv_rows(listed(Listed, Order.objects.all()))
    assert [row[1] for row in rows] == ["Order number", "N2"]


def test_a_query_without_rows_has_a_header() -> None:
    assert csv_rows(listed(OrderSerializer, Order.objects.none())) == [HEADER]


def test_columns_titles_and_the_name_of_the_file_can_be_chosen() -> None:
    done: list[sw.Receipt] = []

    class Orders(OrderViewSet):
        export_columns = (
            "customer.name",
            sw.Column("number", "No.", convert=str.lower),
            sw.Column(lambda order: order.pk * 2, "Twice"),
        )
        export_titles = "name"
        export_filename = "every order.xlsx"

        def get_export_options(self) -> Any:
            return {"on_done": done.append, "limits": sw.Limits(rows=COUNT)}

    response = answer(Orders.as_view({"get": "list"}))
    rows = csv_rows(body(response))
    response.close()
    assert rows[:2] == [["customer.name", "No.", "Twice"], ["Ann", "n1", "2"]]
    assert response["Content-Disposition"] == 'attachment; filename="every order.csv"'
    assert [receipt.rows for receipt in done] == [COUNT]


def test_chosen_columns_work_with_a_representation_of_its_own() -> None:
    rows = listed(
        ShownItemSerializer, [ITEM], export_columns=["price", lambda item: item.pk, "data.a"]
    )
    assert csv_rows(rows)[1] == ["12.50", "1", "1"]


def test_a_column_that_the_serializer_lacks_is_an_error_that_lists_them() -> None:
    with pytest.raises(
        ValueError, match="no column 'total' in OrderSerializer; there are: id, num"
    ):
        listed(OrderSerializer, Order.objects.all(), export_columns=["total"])


def test_a_key_that_comes_late_is_an_error_that_names_the_cure() -> None:
    class Late(serializers.BaseSerializer):  # type: ignore[misc]
        def to_representation(self, number: Any) -> Any:
            return {"a": number} | ({"b": 1} if number >= 150 else {})

    with pytest.raises(sw.EncodeError, match=r"row 151 has a new key 'b'.*export_columns"):
        listed(Late, range(200))
    assert csv_rows(listed(Late, range(200), export_columns=["a", "b"]))[-1] == ["199", "1"]


@pytest.mark.parametrize("url", ["/linked/?format=csv", "/linked.csv"])
async def test_links_lead_to_the_objects_and_not_to_downloads_of_them(url: str) -> None:
    class Linked(serializers.HyperlinkedModelSerializer):  # type: ignore[misc]
        class Meta:
            model = Order
            fields = ("url", "number")
            extra_kwargs: ClassVar[Any] = {"url": {"view_name": "linked-detail"}}

    class Orders(OrderViewSet):
        serializer_class = Linked

    router = routers.DefaultRouter()
    router.register("linked", Orders, basename="linked")
    rows = csv_rows((await get(url, router.urls)).content)
    assert rows[1] == ["http://test/linked/1/", "N1"]


async def test_xml_has_names_whatever_the_language() -> None:
    (first, *_) = xml_rows((await get("/orders/?format=xml")).content)
    assert list(first) == [
        "id",
        "number",
        "status",
        "customer.id",
        "customer.name",
        "labels",
        "small",
    ]


def test_a_wrong_choice_of_titles_is_an_error() -> None:
    with pytest.raises(ValueError, match="export_titles must be 'label' or 'name', not 'labels'"):
        listed(OrderSerializer, Order.objects.all(), export_titles="labels")


# Views without the mixin ----------------------------------------------------------------------


def test_a_function_view_returns_a_download() -> None:
    @function_view(renderers.JSONRenderer, drf.XLSXRenderer, drf.CSVRenderer)
    def orders(request: Any, format: Any = None) -> Any:  # noqa: A002 - REST framework's name
        return drf.ExportResponse(request, [{"a": 1}], formats=("xlsx", sw.Csv(delimiter=";")))

    assert calamine_rows(body(answer(orders, "/?format=xlsx"))) == [["a"], [1]]
    assert answer(orders, "/", accept="text/csv")["Content-Disposition"].endswith('"orders.csv"')


@pytest.mark.parametrize("under", ["wsgi", "asgi"])
async def test_a_plain_response_of_django_works_in_a_view(under: str) -> None:
    class Orders(views.APIView):  # type: ignore[misc]
        renderer_classes = (renderers.JSONRenderer, drf.XLSXRenderer, drf.CSVRenderer)

        def get(self, request: Any, format: Any = None) -> Any:  # noqa: A002
            return django.ExportResponse(request, Order.objects.all(), formats=("csv", "xlsx"))

    urls = format_suffix_patterns([path("plain", Orders.as_view())])
    response = await get("/plain?format=csv", urls, under)
    assert len(csv_rows(response.content)) == COUNT + 1


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ([{"a": 1, "b": None}, {"a": 2, "b": "x"}], [["A", "B"], ["1", ""], ["2", "x"]]),
        ({"a": 1}, [["A"], ["1"]]),
        ([[1, 2], [3, 4]], [["1", "2"], ["3", "4"]]),
        (["x", "y"], [["x"], ["y"]]),
    ],
)
def test_a_renderer_writes_the_data_of_a_response(data: Any, rows: Any) -> None:
    @function_view(drf.CSVRenderer)
    def report(request: Any) -> Any:
        return Response(data)

    response = answer(report)
    assert csv_rows(response.content) == rows
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="report.csv"'


def test_a_renderer_writes_the_page_of_a_view_with_its_labels() -> None:
    class Orders(generics.ListAPIView):  # type: ignore[misc]
        queryset = Order.objects.order_by("id")
        serializer_class = OrderSerializer
        pagination_class = Page
        renderer_classes = (renderers.JSONRenderer, drf.CSVRenderer)

    rows = csv_rows(answer(Orders.as_view()).content)
    assert rows[:2] == [HEADER, FIRST]
    assert len(rows) == 3


def test_a_response_with_an_error_status_is_json_below_a_renderer() -> None:
    @function_view(drf.XLSXRenderer)
    def report(request: Any) -> Any:
        return Response({"number": ["Wrong."]}, status=400)

    response = answer(report, "/?format=xlsx")
    assert json.loads(response.content) == {"number": ["Wrong."]}
    assert response["Content-Type"] == "application/json"


def test_the_description_of_the_api_lists_the_media_types() -> None:
    for name in ("inflection", "uritemplate"):
        pytest.importorskip(name, reason=f"skipped: needs {name}")
    from rest_framework.schemas.openapi import SchemaGenerator

    schema = SchemaGenerator(patterns=routed(), title="orders").get_schema()
    listed_types = schema["paths"]["/orders/"]["get"]["responses"]["200"]["content"]
    assert {"application/json", "text/csv", XLSX} <= set(listed_types)
    one = schema["paths"]["/orders/{id}/"]["get"]["responses"]["200"]["content"]
    assert set(one) == {"application/json"}
