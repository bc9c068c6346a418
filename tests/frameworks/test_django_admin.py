import gc
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import streamware as sw
from readers import csv_rows, openpyxl_book

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("django_site")  # it makes the settings, which the imports below want

import django
from asgiref.sync import SyncToAsync, sync_to_async
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from django.template import engines
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches, path
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from django_orders.models import Customer, Job, UrgentJob
from django_site import Urls
from streamware.frameworks.django_admin import ExportActionMixin

SyncToAsync.single_thread_executor.submit(int).result()  # its thread stays

COUNT = 60
PAGE = "/admin/django_orders/job/"
MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def fill() -> None:
    with connection.schema_editor() as editor:
        for model in (ContentType, Permission, Group, User, Customer, Job):
            editor.create_model(model)
    kind = ContentType.objects.get_for_model(Job)
    User.objects.create_superuser("root")
    viewer = User.objects.create_user("viewer", is_staff=True)
    view = Permission.objects.create(content_type=kind, codename="view_job", name="may view")
    viewer.user_permissions.add(view)
    User.objects.create_user("stranger", is_staff=True)
    ann, bo = (Customer.objects.create(name=name) for name in ("Ann", "Bo"))
    Job.objects.bulk_create(
        Job(
            id=n,
            name=f"N{n}",
            state="op"[n % 2],
            customer=(ann, bo, None)[n % 3],
            placed_at=datetime(2026, 1 + n % 12, 1, 12, tzinfo=UTC),
            day=date(2026, 1 + n % 12, 1),
            total=n,
            urgent=(True, False, None)[n % 3],
        )
        for n in range(1, COUNT + 1)
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("admin") / "jobs.sqlite3"
    connections.settings["default"]["NAME"] = str(made)
    fill()
    connections.close_all()
    yield made
    del connections["default"]


@pytest.fixture(autouse=True)
def database(file: Path) -> Iterator[None]:
    with override_settings(
        MIDDLEWARE=MIDDLEWARE,
        MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    ):
        yield
    translation.deactivate()  # the middleware leaves it to the next request
    Urls.urlpatterns.clear()
    connections.close_all()
    ContentType.objects.clear_cache()
    gc.collect()


class JobAdmin(ExportActionMixin, admin.ModelAdmin):  # type: ignore[misc]  # Django has no types
    list_display = ("name", "state", "customer", "placed_at", "total", "urgent")
    list_filter = ("state", "urgent")
    search_fields = ("name",)
    date_hierarchy = "placed_at"
    list_per_page = 10
    ordering = ("id",)


def mount(base: type = JobAdmin, model: type = Job, name: str = "admin", **attributes: Any) -> None:
    """An admin of its own, with further attributes."""
    site = admin.AdminSite(name)
    site.register(model, type("TheAdmin", (base,), attributes))
    Urls.urlpatterns[:] = [path("admin/", site.urls)]
    clear_url_caches()


def login(user: str = "root") -> Client:
    client = Client()
    client.force_login(User.objects.get(username=user))
    return client


def body(response: Any) -> bytes:
    assert (response.status_code, response.streaming) == (200, True)
    data = b"".join(response.streaming_content)
    response.close()
    return data


def link(client: Client, url: str = PAGE) -> str:
    """The address behind the link of a list."""
    page = client.get(url).content.decode()
    (found,) = re.findall(r'<a href="([^"]+)" id="streamware-export">', page)
    return str(found).replace("&amp;", "&")


def listed(query: str = "", client: Client | None = None, **fields: Any) -> list[list[str]]:
    """The CSV behind the link of the list that is shown for a query, cells as text."""
    client = client or login()
    url = link(client, f"{PAGE}?{query}")
    chosen = urlencode({"_format": "csv", **fields}, doseq=True)
    return csv_rows(body(client.get(f"{url}{'&' if '=' in url else ''}{chosen}")))


def selected(
    *ids: int, name: str = "export_as_csv", client: Client | None = None, across: bool = False
) -> Any:
    data = {"action": name, "index": 0, "_selected_action": ids, "select_across": int(across)}
    return (client or login()).post(PAGE, data)


# The actions ---------------------------------------------------------------------------------


def test_the_selected_objects_are_exported_in_the_order_of_the_list() -> None:
    mount()
    response = selected(3, 2)
    rows = csv_rows(body(response))
    assert rows == [
        ["Name", "State", "Customer", "Placed", "Total", "Urgent"],
        ["N2", "Yes", "", "2026-03-01T12:00:00+00:00", "2.00", ""],
        ["N3", "Paid", "Customer Ann", "2026-04-01T12:00:00+00:00", "3.00", "true"],
    ]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"Auftr%C3%A4ge-{today}.csv" in response["Content-Disposition"]


def test_a_workbook_has_dates_numbers_and_booleans() -> None:
    mount()
    book = openpyxl_book(body(selected(3, name="export_as_xlsx")))
    placed = datetime(2026, 4, 1, 12, tzinfo=UTC).replace(tzinfo=None)
    assert list(book.active.values)[1] == (
        *("N3", "Paid", "Customer Ann"),
        *(placed, 3, True),
    )


def test_all_objects_of_all_pages_are_exported() -> None:
    mount()
    assert len(csv_rows(body(selected(1, across=True)))) == COUNT + 1


def test_the_actions_are_those_of_the_formats_in_the_language_of_the_user() -> None:
    mount(export_formats=("ods", sw.Csv(delimiter=";")))
    client = login()
    page = client.get(PAGE).content.decode()
    assert re.findall(r"<option[^>]*>(Export.*?)</option>", page) == [
        "Export selected as ODS",
        "Export selected as CSV",
    ]
    page = client.get(PAGE, headers={"Accept-Language": "de-AT"}).content.decode()
    assert ">Ausgewählte als ODS exportieren<" in page
    assert ">Exportieren</a>" in page
    assert body(selected(1)).startswith(b"Name;State")


def test_without_actions_there_is_still_the_link() -> None:
    mount(actions=None)
    assert b"export_as" not in login().get(PAGE).content
    assert len(listed()) == COUNT + 1


def test_the_actions_can_be_changed_by_the_admin() -> None:
    def get_actions(self: Any, request: Any, *where: Any, **named: Any) -> Any:
        actions = super(type(self), self).get_actions(request, *where, **named)
        del actions["export_as_csv"], actions["delete_selected"]
        return actions

    def mark(*_: Any) -> None:
        """Do nothing."""

    with pytest.warns() if django.VERSION >= (6, 1) else nullcontext():
        mount(get_actions=get_actions, actions=[mark])
        page = login().get(PAGE).content.decode()
    assert re.findall(r'<option value="(\w+)"', page) == ["mark", "export_as_xlsx"]


@pytest.mark.parametrize("formats", ["xlsx", [], ["nothing"], [sw.Csv]])
def test_formats_that_are_none_are_an_error(formats: Any) -> None:
    mount(export_formats=formats)
    with pytest.raises((TypeError, ValueError), match="format"):
        login().get(PAGE)


# The link ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", range(1, COUNT + 1)),
        ("p=3", range(1, COUNT + 1)),
        ("all=", range(1, COUNT + 1)),
        ("q=N5", [5, *range(50, 60)]),
        ("state__exact=o&urgent__exact=1", range(6, COUNT + 1, 6)),
        ("placed_at__year=2026&placed_at__month=12", range(11, COUNT + 1, 12)),
        ("o=-1.2&q=N3", [39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 3]),
    ],
)
def test_the_list_is_exported_as_it_is_shown(query: str, names: Any) -> None:
    mount()
    found = [row[0] for row in listed(query)[1:]]
    expected = [f"N{name}" for name in names]
    assert found == (sorted(expected, reverse=True) if "o=-1" in query else expected)


def test_the_user_chooses_columns_in_the_order_of_the_list() -> None:
    mount()
    assert listed("q=N6", _column=["", "total", "name"]) == [
        ["Name", "Total"],
        ["N6", "6.00"],
        ["N60", "60.00"],
    ]


def test_the_page_shows_the_columns_the_formats_and_the_filters() -> None:
    mount()
    client = login()
    page = client.get(link(client, f"{PAGE}?q=N6&o=1")).content.decode()
    assert re.findall(r'name="_column" value="(\w+)" checked> ([^<]+)<', page) == [
        *(("name", "Name"), ("state", "State"), ("customer", "Customer")),
        *(("placed_at", "Placed"), ("total", "Total"), ("urgent", "Urgent")),
    ]
    assert re.findall(r'name="_format" value="(\w+)">&ensp;([^<]+)&ensp;<', page) == [
        ("xlsx", "Export as XLSX"),
        ("csv", "Export as CSV"),
    ]
    (page,) = re.findall(r'<form method="get">.*?</form>', page, re.DOTALL)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', page))
    assert hidden == {"q": "N6", "o": "1", "_column": ""}
    assert "<p>Rows: 2</p>" in page


def test_no_column_at_all_is_a_message_on_the_page() -> None:
    mount()
    page = login().get(f"{PAGE}download/?_format=csv&_column=&_column=password")
    assert "Choose at least one column." in page.content.decode()


def test_a_filter_that_is_none_leads_to_the_list() -> None:
    mount()
    response = login().get(f"{PAGE}download/?_format=csv&nothing=1")
    assert (response.status_code, response["Location"]) == (302, f"{PAGE}?e=1")


def test_the_list_in_a_popup_has_no_link() -> None:
    mount()
    page = login().get(f"{PAGE}?_popup=1&_to_field=id").content
    assert b"streamware-export" not in page
    assert b"export_as" not in page
    assert len(listed("_to_field=id")) == COUNT + 1


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_page_only_reads(method: str) -> None:
    mount()
    assert getattr(login(), method)(f"{PAGE}download/?_format=csv").status_code == 405


def test_head_has_the_headers_of_the_download() -> None:
    mount()
    response = login().head(f"{PAGE}download/?_format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.getvalue() == b""


# Who may ---------------------------------------------------------------------------------------


def test_who_may_view_the_list_may_export_it() -> None:
    mount()
    viewer = login("viewer")
    assert len(listed(client=viewer)) == COUNT + 1
    assert len(csv_rows(body(selected(1, 2, client=viewer)))) == 3


@pytest.mark.parametrize("method", ["get", "head"])
def test_nobody_else_gets_data(method: str) -> None:
    mount()
    url = f"{PAGE}download/?_format=csv"
    assert getattr(login("stranger"), method)(url).status_code == 403
    assert selected(1, client=login("stranger")).status_code == 403
    anonymous = getattr(Client(), method)(url)
    assert (anonymous.status_code, "/login/" in anonymous["Location"]) == (302, True)


def test_the_permission_to_export_can_be_another() -> None:
    mount(has_export_permission=lambda self, request: request.user.is_superuser)
    viewer = login("viewer")
    page = viewer.get(PAGE).content
    assert b"export_as" not in page
    assert b"streamware-export" not in page
    assert viewer.get(f"{PAGE}download/?_format=csv").status_code == 403
    assert selected(1, client=viewer).status_code == 200  # the list, with a message
    assert len(listed()) == COUNT + 1


def test_the_rows_and_the_columns_are_those_that_the_user_may_see() -> None:
    def get_queryset(self: Any, request: Any) -> Any:
        found = super(type(self), self).get_queryset(request)
        return found if request.user.is_superuser else found.filter(id__lt=4)

    def get_list_display(self: Any, request: Any) -> Any:
        return ("name", "total") if request.user.is_superuser else ("name",)

    mount(get_queryset=get_queryset, get_list_display=get_list_display)
    expected = [["Name"], ["N1"], ["N2"], ["N3"]]
    assert listed(client=login("viewer")) == expected
    assert listed(client=login("viewer"), _column=["total", "name"]) == expected
    assert csv_rows(body(selected(1, 99, client=login("viewer"), across=True))) == expected
    assert listed()[1] == ["N1", "1.00"]


def test_an_action_needs_the_token_of_its_page() -> None:
    mount()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    assert selected(1, client=client).status_code == 403


def test_texts_that_a_spreadsheet_would_run_are_harmless() -> None:
    mount(list_display=("evil",), evil=lambda self, job: "=1+1")
    assert listed("q=N60")[1] == ["'=1+1"]


# Columns ---------------------------------------------------------------------------------------


def method(call: Callable[[Any], object], **display: Any) -> Any:
    """A method of an admin, described by `admin.display`."""
    return admin.display(**display)(lambda self, job: call(job))


@pytest.mark.parametrize(
    ("column", "title", "cell"),
    [
        ("__str__", "Auftrag", "Auftrag N3"),
        ("pk", "Pk", "3"),
        ("half", "Half", "1.50"),
        ("customer__name", "Customer name", "Ann"),
        ("customer.name", "Customer name", "Ann"),
        ("customer_id", "Customer id", "1"),
        (sw.Column("shown", "Mine"), "Mine", "1 < 2 & 3"),
        (sw.Column("state", convert=str), "State", "p"),
        (sw.Column(lambda job: job.id, "Next"), "Next", "3"),
        ("shown", "As shown", "1 < 2 & 3"),
        ("lines", "Lines", "a\nb"),
        ("flag", "Flag", "true"),
        ("unknown", "Unknown", ""),
        ("none", "None", ""),
        ("missing", "Missing", ""),
        ("related", "Related", "Customer Ann"),
        ("several", "Several", "1, b"),
        ("lazy", "Lazy", "Yes"),
        ("when", "When", "2026-04-01"),
        ("marked", "In EUR", "3"),
    ],
)
def test_a_column_has_what_the_list_shows(column: Any, title: str, cell: str) -> None:
    def missing(self: Any, job: Any) -> Any:
        return Customer.objects.get(id=99)

    mount(
        export_columns=[column],
        shown=method(lambda job: format_html("<b>{}</b> &amp; 3", "1 < 2"), description="as shown"),
        lines=method(lambda job: mark_safe("<p>a</p><p>b</p>"), description="lines"),
        flag=method(lambda job: job.customer, boolean=True, description="flag"),
        unknown=method(lambda job: None, boolean=True, description="unknown"),
        none=method(lambda job: None, empty_value="n/a", description="none"),
        missing=missing,
        related=method(lambda job: job.customer, description="related"),
        several=method(lambda job: [1, "b"], description=gettext_lazy("several")),
        lazy=method(lambda job: gettext_lazy("Yes"), description="lazy"),
        when=method(lambda job: job.day, description="when"),
        marked=method(lambda job: job.id, description=mark_safe("in <abbr>EUR</abbr>")),
    )
    assert csv_rows(body(selected(3))) == [[title], [cell]]


def test_callables_are_chosen_by_their_position() -> None:
    def next_id(job: Any) -> int:
        return int(job.id) + 1

    mount(list_display=("name", next_id))
    assert listed("q=N60", _column=["1"]) == [["Next id"], ["61"]]


def test_relations_cost_no_query_for_each_row() -> None:
    mount(
        list_display=("name", "customer", "called"),
        called=method(lambda job: job.customer and job.customer.name),
        list_select_related=("customer",),
    )
    client = login()
    with CaptureQueriesContext(connection) as queries:
        csv_rows(body(client.get(f"{PAGE}download/?_format=csv")))
    counts = [query["sql"] for query in queries if "COUNT" in query["sql"]]
    assert len(queries) - len(counts) == 2  # the user, and the rows


def test_prefetched_relations_are_prefetched_in_the_export() -> None:
    def get_queryset(self: Any, request: Any) -> Any:
        return super(type(self), self).get_queryset(request).prefetch_related("customer__job_set")

    count = method(lambda job: job.customer and len(job.customer.job_set.all()))
    mount(get_queryset=get_queryset, count=count, list_display=("name", "count"))
    client = login()
    with CaptureQueriesContext(connection) as queries:
        csv_rows(body(client.get(f"{PAGE}download/?_format=csv")))
    assert len(queries) < 8


def test_a_method_that_raises_names_its_row_and_column() -> None:
    mount(
        list_display=("name", "share"),
        share=method(lambda job: 1 / (job.id - 3), description="share"),
    )
    with pytest.raises(ZeroDivisionError) as caught:
        login().get(f"{PAGE}download/?_format=csv")
    assert caught.value.__notes__ == ["row 3, column Share"]


# Options and refusals ---------------------------------------------------------------------------


def test_the_options_are_those_of_an_export() -> None:
    receipts: list[sw.Receipt] = []
    options = {"filename": "jobs", "on_done": receipts.append}
    mount(get_export_options=lambda self, request: options)
    response = selected(1, 2)
    body(response)
    assert 'filename="jobs.csv"' in response["Content-Disposition"]
    assert [(one.outcome, one.rows) for one in receipts] == [("complete", 2)]


def told(client: Client, response: Any, url: str) -> list[str]:
    """The errors on the page to which a response leads, which has that address."""
    assert (response.status_code, response["Location"]) == (302, url)
    return re.findall(r'<li class="error">(.*?)</li>', client.get(url).content.decode())


def test_an_export_that_is_too_large_is_a_message_above_the_list() -> None:
    mount(get_export_options=lambda self, request: {"limits": sw.Limits(rows=5)})
    client = login()
    text = "There is more to export than is allowed. Narrow the list by a search or a filter."
    response = client.get(f"{PAGE}download/?_format=csv&q=N")
    assert told(client, response, f"{PAGE}?q=N") == [text]
    assert told(client, selected(1, client=client, across=True), PAGE) == [text]
    assert len(csv_rows(body(selected(1, 2, client=client)))) == 3


def test_an_export_for_which_there_is_no_room_is_a_message_above_the_list() -> None:
    one = sw.Settings(max_concurrent=1, wait_seconds=0)
    mount(get_export_options=lambda self, request: {"settings": one})
    client = login()
    running = client.get(f"{PAGE}download/?_format=csv")
    try:
        text = "There is no room for another export now. Try again in a moment."
        assert told(client, client.get(f"{PAGE}download/?_format=csv"), PAGE) == [text]
    finally:
        running.close()
    assert len(listed()) == COUNT + 1


# Beside others -----------------------------------------------------------------------------------


def test_the_template_of_another_mixin_stays() -> None:
    own = "{% extends 'admin/change_list.html' %}{% block object-tools-items %}{{ block.super }}"
    own += "<li>Import</li>{% endblock %}"

    class Importing:
        export_formats = (dict, list)  # classes, as django-import-export has them

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.change_list_template = engines["django"].from_string(own)

    class Both(ExportActionMixin, Importing, admin.ModelAdmin):  # type: ignore[misc]
        pass

    class Reversed(Importing, ExportActionMixin, admin.ModelAdmin):  # type: ignore[misc]
        pass

    for base in (Both, Reversed):
        mount(base)
        page = login().get(PAGE).content.decode()
        tools = re.findall(r'<ul class="object-tools">(.*?)</ul>', page, re.DOTALL)
        assert [name in tools[0] for name in ("addlink", "Import", ">Export<")] == [True] * 3
        assert page.count("streamware-export") == 1


def test_a_template_without_these_tools_has_the_link_all_the_same() -> None:
    own = "{% extends 'admin/change_list.html' %}{% block object-tools-items %}{% endblock %}"
    inner = engines["django"].from_string(own.replace("-items", ""))
    for template in (engines["django"].from_string(own), inner):
        mount(change_list_template=template)
        assert len(listed("q=N60")) == 2


def test_the_mixin_must_stand_before_the_admin() -> None:
    with pytest.raises(TypeError, match="Wrong must name ExportActionMixin before ModelAdmin"):
        type("Wrong", (admin.ModelAdmin, ExportActionMixin), {})


@pytest.mark.parametrize(
    "attributes",
    [
        {"list_display_links": None},
        {"show_full_result_count": False},
        {"list_editable": ("total",), "list_display": ("name", "total")},
        {"has_add_permission": lambda self, request: False},
        {"list_filter": (), "date_hierarchy": None, "search_fields": ()},
        {"actions_on_top": False, "actions_on_bottom": True},
        {"list_select_related": ("customer",)},
        {"preserve_filters": False},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_other_options_of_the_admin_make_no_difference(attributes: dict[str, Any]) -> None:
    mount(**attributes)
    rows = listed()
    assert (len(rows), rows[0][0]) == (COUNT + 1, "Name")
    assert len(csv_rows(body(selected(1, 2)))) == 3


def test_a_site_of_its_own_and_a_proxy_model_have_exports() -> None:
    mount(model=UrgentJob, name="shop")
    client, page = login(), "/admin/django_orders/urgentjob/"
    url = link(client, f"{page}?q=N60")
    assert url == f"{page}download/?q=N60"
    response = client.get(f"{url}&_format=csv")
    assert len(csv_rows(body(response))) == 2
    assert 'filename="urgent jobs-2' in response["Content-Disposition"]


def test_a_model_in_another_database_is_read_there(tmp_path: Path) -> None:
    connections.settings["other"] = {
        **connections.settings["default"],
        "NAME": str(tmp_path / "other.sqlite3"),
    }
    try:
        with connections["other"].schema_editor() as editor:
            editor.create_model(Customer)
            editor.create_model(Job)
        Job.objects.using("other").create(id=7, name="elsewhere", total=1)
        mount(get_queryset=lambda self, request: Job.objects.using("other"))
        assert [row[0] for row in listed()] == ["Name", "elsewhere"]
        assert csv_rows(body(selected(7)))[1][0] == "elsewhere"
    finally:
        connections["other"].close()
        del connections["other"], connections.settings["other"]


def test_time_zones_may_be_off() -> None:
    with override_settings(USE_TZ=False):
        mount(list_display=("name",), date_hierarchy=None)
        assert len(listed()) == COUNT + 1


@pytest.mark.parametrize("action", [False, True])
async def test_an_export_is_streamed_under_asgi(action: bool) -> None:
    mount()
    client = AsyncClient()
    await sync_to_async(client.force_login)(await User.objects.aget(username="root"))
    if action:
        data = {"action": "export_as_csv", "_selected_action": [1], "select_across": 1, "index": 0}
        response = await client.post(PAGE, data)
    else:
        response = await client.get(f"{PAGE}download/?_format=csv")
    assert response.is_async
    chunks = [chunk async for chunk in response.streaming_content]
    await sync_to_async(response.close)()
    await sync_to_async(connections.close_all)()
    assert len(csv_rows(b"".join(chunks))) == COUNT + 1


async def test_a_refusal_is_a_message_under_asgi() -> None:
    mount(get_export_options=lambda self, request: {"limits": sw.Limits(rows=5)})
    client = AsyncClient()
    await sync_to_async(client.force_login)(await User.objects.aget(username="root"))
    response = await client.get(f"{PAGE}download/?_format=csv")
    await sync_to_async(connections.close_all)()
    assert (response.status_code, response["Location"]) == (302, PAGE)
