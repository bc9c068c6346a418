"""Django's admin: exports of selected objects, and of the list as the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import django
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import localize

from streamware.formats.protocol import Format
from streamware.formats.registry import lookup_all
from streamware.frameworks._support.admin_columns import admin_columns
from streamware.frameworks._support.admin_texts import BUSY, TOO_LARGE, translated
from streamware.frameworks._support.options import ExportOptions
from streamware.frameworks.django import ExportResponse
from streamware.model.columns import Column

_Base: Any = ModelAdmin if TYPE_CHECKING else object

_COLUMN, _FORMAT = "_column", "_format"  # in the query; no field of a model is called like this
_FORMATS = ("xlsx", "csv")
_NOT_FILTERS = (_COLUMN, _FORMAT, ALL_VAR, ERROR_FLAG, IS_POPUP_VAR, PAGE_VAR, TO_FIELD_VAR)
_TEMPLATES = files("streamware.frameworks._support") / "admin_templates"


class ExportActionMixin(_Base):  # type: ignore[misc]  # Django has no types
    """What a `ModelAdmin` needs to export its list; name it before `ModelAdmin`.

    The list has an action for each format, "Export selected as XLSX", and a link, "Export": it
    leads to a page where the user chooses the columns, and exports the list as it is shown, with
    its search, its filters and its order, but not by the page.  Both are streamed, in constant
    memory.

    The columns are those of the list, with its titles, and cells in place of HTML: numbers, dates
    and booleans are themselves, choices their labels, empty values empty, related objects and all
    else their text, and what `format_html` makes is without its tags.

    An export that is refused (413, 503) becomes a message above the list.  Any other failure
    before the first bytes is that of the view; a later one breaks the download.

    Attributes:
        export_formats: The formats, as for `Export`; by default "xlsx" and "csv".
        export_columns: The columns, if they are not those of the list: names as in
            `list_display`, paths of relations, callables of the object, or `Column`s.
    """

    # Without a value: django-import-export has classes of its own under this name.
    export_formats: Sequence[str | Format]
    export_columns: Sequence[Column | str | Callable[[Any], object]] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        bases = cls.__mro__
        if ModelAdmin in bases and bases.index(ModelAdmin) < bases.index(ExportActionMixin):
            raise TypeError(f"{cls.__name__} must name ExportActionMixin before ModelAdmin")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may export; by default, whoever may view the list."""
        return bool(self.has_view_permission(request))

    def get_export_columns(
        self, request: HttpRequest
    ) -> Sequence[Column | str | Callable[[Any], object]]:
        """Return the columns that this user may export: `export_columns`, else the list's."""
        if self.export_columns is not None:
            return self.export_columns
        return list(self.get_list_display(request))

    def get_export_options(self, request: HttpRequest) -> ExportOptions:
        """Return further options of `Export`, such as `filename`, `limits` or `on_done`."""
        return {}

    # What the admin calls ------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        """Return the URLs of the admin, and that of the page where columns are chosen."""
        view = self.admin_site.admin_view(self.export_view)
        return [path("download/", view, name=self._url_name("download")), *super().get_urls()]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions of the admin, and one for each format."""
        where = {} if action_location is None else {"action_location": action_location}
        actions: dict[str, Any] = super().get_actions(request, **where)
        if self.actions is None or IS_POPUP_VAR in request.GET:
            return actions
        if self.has_export_permission(request):
            for format_ in self._formats().values():
                action = self.get_action(_action(format_), **where)
                if action is not None:  # it is for the list, not for the page of an object
                    actions[_action_name(format_)] = action
        return actions

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Return the list, with the link."""
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        changes = context.get("cl")
        if changes is None or changes.is_popup or not self.has_export_permission(request):
            return response
        # The template is extended here, so that whichever the admin or another mixin chose stays.
        context["streamware_change_list"] = response.resolve_template(response.template_name)
        url = self._url("download") + changes.get_query_string({ALL_VAR: None})
        context["streamware_export"] = {"url": url, "label": translated("Export")}
        response.template_name = _template("change_list.html")
        return response

    def export_view(self, request: HttpRequest) -> Any:
        """Return the page where columns are chosen, or what was chosen as a download."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        filtered = copy(request)
        filtered.GET = request.GET.copy()
        for name in _NOT_FILTERS:
            filtered.GET.pop(name, None)
        list_url = self._url("changelist")
        try:
            changes = self.get_changelist_instance(filtered)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{list_url}?{ERROR_FLAG}=1")
        list_url += f"?{query}" if (query := filtered.GET.urlencode()) else ""
        columns = admin_columns(self, self.get_export_columns(request))
        format_ = self._formats().get(request.GET.get(_FORMAT))
        names = request.GET.getlist(_COLUMN) or list(columns)
        chosen = {name: column for name, column in columns.items() if name in names}
        if format_ is not None and chosen:
            return self._export(request, changes.queryset, format_, chosen.values(), list_url)
        context = {
            "list_url": list_url,
            "filters": [(name, one) for name, all_ in filtered.GET.lists() for one in all_],
            "columns": [(name, _title(one), name in chosen) for name, one in columns.items()],
            "problem": translated("Choose at least one column.") if not chosen else "",
        }
        return self._page(request, changes.result_count, context)

    # Their parts ---------------------------------------------------------------------------

    def _page(self, request: Any, count: int, context: dict[str, Any]) -> TemplateResponse:
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": translated("Export %(name)s", name=self.opts.verbose_name_plural),
            "formats": [
                (name, translated("Export as %(format)s", format=_label(format_)))
                for name, format_ in self._formats().items()
            ],
            "breadcrumbs_are_a_list": django.VERSION >= (6, 1),
            "column_name": _COLUMN,
            "format_name": _FORMAT,
            "texts": {
                "export": translated("Export"),
                "columns": translated("Columns"),
                "rows": translated("Rows: %(count)s", count=localize(count)),
            },
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, _template("export.html"), context)

    def _export(
        self,
        request: HttpRequest,
        queryset: Any,
        format_: Format,
        columns: Iterable[Column],
        list_url: str,
    ) -> ExportResponse:
        today = timezone.template_localtime(timezone.now())
        options: ExportOptions = {
            "filename": f"{self.opts.verbose_name_plural}-{today:%Y-%m-%d}",
            **self.get_export_options(request),
            "columns": list(columns),
            "format": format_,
        }
        return _AdminResponse(request, queryset, list_url, options)

    def _export_selected(self, request: Any, queryset: Any, format_: Format) -> ExportResponse:
        columns = admin_columns(self, self.get_export_columns(request))
        return self._export(request, queryset, format_, columns.values(), request.get_full_path())

    def _formats(self) -> dict[Any, Format]:
        given: Any = getattr(self, "export_formats", _FORMATS)
        if given and all(isinstance(one, type) and not hasattr(one, "encoder") for one in given):
            given = _FORMATS
        return {format_.name: format_ for format_ in lookup_all(given)}

    def _url_name(self, view: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{view}"

    def _url(self, view: str) -> str:
        name = f"admin:{self._url_name(view)}"
        return str(reverse(name, current_app=self.admin_site.name))


class _AdminResponse(ExportResponse):
    """An export that, if it is refused, is a message above the list.

    Args:
        request: The request.
        queryset: The rows.
        list_url: The address of the list.
        options: Options of the export.
    """

    def __init__(
        self, request: HttpRequest, queryset: Any, list_url: str, options: ExportOptions
    ) -> None:
        super().__init__(request, queryset, **options)
        self._asked = request  # which shows the message
        self._list_url = list_url  # of the page with the message

    def _started(self) -> Any:
        response = super()._started()
        if not self._download.refused:
            return response
        self._download.close()
        text = BUSY if self.status_code == HTTPStatus.SERVICE_UNAVAILABLE else TOO_LARGE
        messages.error(self._asked, translated(text))
        return HttpResponseRedirect(self._list_url)


def _action(format_: Format) -> Callable[..., Any]:
    def export_selected(admin: Any, request: HttpRequest, queryset: Any) -> Any:
        return admin._export_selected(request, queryset, format_)  # noqa: SLF001 - of this module

    action: Any = export_selected
    action.__name__ = _action_name(format_)
    action.short_description = translated("Export selected as %(format)s", format=_label(format_))
    return export_selected


def _action_name(format_: Format) -> str:
    return f"export_as_{format_.name}"


def _label(format_: Format) -> str:
    return format_.name.upper()


def _title(column: Column) -> str:
    title: Any = column.title
    return str(title() if callable(title) else title)


def _template(name: str) -> Any:
    """Return one of our templates; the package need not be an installed application."""
    backend = next(each for each in engines.all() if isinstance(each, DjangoTemplates))
    source = (_TEMPLATES / name).read_text(encoding="utf-8")
    return backend.from_string(source)
