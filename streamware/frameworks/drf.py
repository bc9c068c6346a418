"""Django REST framework: the list of a view as a download, by `?format=xlsx`, suffix or `Accept`.

REST framework refuses a format for which a view has no renderer: 404 or 406, before the view is
called.  `ExportMixin` gives renderers to a view, and answers with all that its filters leave, not
with one page:

    class OrderViewSet(ExportMixin, ModelViewSet):
        queryset = Order.objects.select_related("customer")
        serializer_class = OrderSerializer

The rows are read in batches, whatever their number, and shown as the serializer shows them.  JSON
and the browsable API stay the defaults, and errors are JSON.

The renderers can be used without the mixin, in `DEFAULT_RENDERER_CLASSES` or for a single view.
They then write what the view puts into its `Response`, which is in memory, and may be one page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from http import HTTPStatus
from typing import Any, ClassVar, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.settings import api_settings

from streamware.engine.sync import encode
from streamware.formats.csv import Csv, Tsv
from streamware.formats.json import Json, Ndjson
from streamware.formats.ods import Ods
from streamware.formats.protocol import Format
from streamware.formats.registry import extensions, lookup_all
from streamware.formats.xlsx import Xlsx
from streamware.formats.xml import Xml
from streamware.frameworks import django
from streamware.frameworks._support.options import Content, ExportOptions
from streamware.frameworks._support.serializer_rows import Titles, represented, serialized
from streamware.http.application import Application
from streamware.http.headers import DEFAULT_HEADERS, Headers, content_disposition, with_extension
from streamware.model.columns import Column, Key
from streamware.values import Values, in_default_zone

__all__ = [
    "CSVRenderer",
    "ExportMixin",
    "ExportRenderer",
    "ExportResponse",
    "NDJSONRenderer",
    "ODSRenderer",
    "TSVRenderer",
    "XLSXRenderer",
    "XMLRenderer",
]


class ExportRenderer(BaseRenderer):  # type: ignore[misc]  # REST framework has no types
    """The base of renderers of our formats; a subclass sets `export_format`.

    For example, in Germany Excel opens this as a table:

        class GermanCSVRenderer(CSVRenderer):
            export_format = sw.Csv(delimiter=";", bom=True)

    It renders the data of a `Response`: a list of dicts, a page of such, or one dict.  Responses
    with a status from 400 up, and those to `OPTIONS`, are JSON.  A view with `ExportMixin` does
    not need it to render, but to be asked for the format.

    Attributes:
        export_format: The format.
        media_type: Its media type, which clients ask for in `Accept`.
        format: Its name, which clients ask for in the query, or as the suffix of the path.
    """

    export_format: ClassVar[Format]
    charset = None  # the media type has it where there is one
    render_style = "binary"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        made = cls.export_format
        cls.media_type = vars(cls).get("media_type", made.media_type.partition(";")[0])
        cls.format = vars(cls).get("format", made.name)

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the document with `data`, or JSON if it is an error.

        Raises:
            EncodeError: The format cannot hold it.
        """
        if data is None:
            return b""
        context = renderer_context or {}
        response: Any = context.get("response")
        view = context.get("view")
        own = getattr(response, "accepted_renderer", None) is self  # not within the browsable API
        if _is_message(response, context.get("request")):
            if own and response.content_type is None:
                response["Content-Type"] = JSONRenderer.media_type
            return JSONRenderer().render(data, None, context)  # type: ignore[no-any-return]
        document = b"".join(self._chunks(_listed(data, view), view))
        if own:
            name = with_extension(_filename(view), self.export_format.extension, extensions())
            headers = {**dict(DEFAULT_HEADERS), "Content-Disposition": content_disposition(name)}
            headers["Content-Type"] = response.content_type or self.export_format.media_type
            for field, value in headers.items():
                response.headers.setdefault(field, value)
            response["Content-Type"] = headers["Content-Type"]
        return document

    def _chunks(self, data: Any, view: Any) -> Iterable[bytes]:
        nests = _nests(self.export_format)
        titles = _titles(self.export_format, getattr(view, "export_titles", "label"))
        values = Values()
        if settings.USE_TZ:
            values = in_default_zone(values, timezone.get_current_timezone())
        return encode(represented(data, titles, nests=nests), self.export_format, values=values)


class CSVRenderer(ExportRenderer):
    """CSV, for `?format=csv` and `Accept: text/csv`."""

    export_format = Csv()


class TSVRenderer(ExportRenderer):
    """CSV with tabs, for `?format=tsv` and `Accept: text/tab-separated-values`."""

    export_format = Tsv()


class XLSXRenderer(ExportRenderer):
    """A workbook for Excel, for `?format=xlsx` and its media type in `Accept`."""

    export_format = Xlsx()


class ODSRenderer(ExportRenderer):
    """A workbook for LibreOffice, for `?format=ods` and its media type in `Accept`."""

    export_format = Ods()


class XMLRenderer(ExportRenderer):
    """XML, for `?format=xml` and `Accept: application/xml`, which browsers send, too."""

    export_format = Xml()


class NDJSONRenderer(ExportRenderer):
    """An object of JSON in each line, for `?format=ndjson` and `Accept: application/x-ndjson`."""

    export_format = Ndjson()


class ExportResponse(django.ExportResponse):
    """A download as the response of a view of REST framework.

    It is what `streamware.frameworks.django.ExportResponse` is, except for three things.  Its
    format is the one that REST framework has negotiated, if that is one of our renderers'.  Its
    default file name is that of the view.  And what the rows raise before the first byte is
    handled as if the view had raised it, by the view's exception handler.

    Args:
        request: The request that the view was given.
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        status: As for `streamware.frameworks.django.ExportResponse`.
        headers: Further headers, as for `Export`.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
    """

    def __init__(
        self,
        request: Any,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[ExportOptions],
    ) -> None:
        self._request = request
        self._view = (getattr(request, "parser_context", None) or {}).get("view")
        renderer = getattr(request, "accepted_renderer", None)
        if not isinstance(content, Application):
            options.setdefault("filename", _filename(self._view))
            if isinstance(renderer, ExportRenderer) and "format" not in options:
                options["format"] = _negotiated(renderer, options.pop("formats", ()))
                options["format_param"] = ""  # REST framework has read the query
        super().__init__(request, content, status, headers, **options)

    def _start(self) -> Any:
        try:
            return super()._start()
        except Exception as error:  # noqa: BLE001 - raised again unless the view answers it
            return self._handled(error)

    async def _astart(self) -> Any:
        try:
            return await super()._astart()
        except Exception as error:  # noqa: BLE001 - the same
            return await sync_to_async(self._handled)(error)

    def _handled(self, error: Exception) -> Any:
        """Return the response by which the view answers an error, or raise it."""
        view = self._view
        if view is None:
            raise error
        response = view.handle_exception(error)
        response = view.finalize_response(self._request, response, *view.args, **view.kwargs)
        patch_vary_headers(response, ("Accept",))
        for callback in self._callbacks:
            response = callback(response) or response
        return response.render() if hasattr(response, "render") else response


class ExportMixin:
    """Makes the list of a view or a viewset a download, where a client asks for one.

    It stands before the other bases: `class OrderViewSet(ExportMixin, ModelViewSet)`.  Permissions,
    throttles and filters work as ever.  Pagination does not count: a download has all rows.

    The columns are the fields of the serializer, in their order.  Dates, numbers and bools are
    cells of their kind.  Choices, related objects and methods are what the serializer makes of
    them.  A nested serializer is a column for each of its fields, several related objects are
    separated by commas.  NDJSON has what the JSON of the view has, an object in each line.

    Another route of a viewset gets its rows by `export`:

        @action(detail=False)
        def open(self, request):
            orders = self.filter_queryset(self.get_queryset().filter(open=True))
            if self.is_export:
                return self.export(orders)
            return Response(self.get_serializer(orders, many=True).data)

    Without that, its `Response` is rendered as it is, unpaginated, and is in memory.

    Attributes:
        export_formats: The formats, as for `Export`, that are offered after the view's own
            renderers.  Routes of a single object, and those with `renderer_classes` of their own,
            are left as they are.
        export_columns: Columns in place of all fields: names of fields, dotted below nested
            serializers, or callables of the object, or `Column` of either.
        export_titles: What is in the header: "label", the labels of the fields, or "name".  XML
            and NDJSON always have names.
        export_filename: Name of the download; by default the basename of the route, or the name
            of the view.

    Raises:
        TypeError: When a class is made whose other bases stand before it.
    """

    export_formats: Sequence[str | Format] = ("xlsx", "csv")
    export_columns: Iterable[Column | Key] | None = None
    export_titles: Titles = "label"
    export_filename: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        before = cls.__mro__[: cls.__mro__.index(ExportMixin)]
        if any(hasattr(base, "as_view") and not issubclass(base, ExportMixin) for base in before):
            names = ", ".join(base.__name__ for base in cls.__bases__)
            raise TypeError(
                f"ExportMixin must be the first base of {cls.__name__}, which has: {names}"
            )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        view: Any = self
        if "renderer_classes" in kwargs or getattr(view, "detail", False):
            return
        names = {renderer.format for renderer in view.renderer_classes}
        ours = [_renderer(format_) for format_ in lookup_all(self.export_formats)]
        added = [renderer for renderer in ours if renderer.format not in names]
        view.renderer_classes = [*view.renderer_classes, *added]

    @property
    def is_export(self) -> bool:
        """Whether the client has asked for one of our formats."""
        request = getattr(self, "request", None)
        return isinstance(getattr(request, "accepted_renderer", None), ExportRenderer)

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer with a download if the client asks for one, else as without the mixin."""
        view: Any = self
        if self.is_export:
            return self.export(view.filter_queryset(view.get_queryset()))
        return super().list(request, *args, **kwargs)  # type: ignore[misc]  # of the other base

    async def alist(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer as `list` does, for the asynchronous views of adrf."""
        view: Any = self
        if self.is_export:
            rows = await view.afilter_queryset(view.get_queryset())
            return await sync_to_async(self.export)(rows)
        return await super().alist(request, *args, **kwargs)  # type: ignore[misc]  # the same

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page, but None, which means no pagination, where a client wants a download."""
        return None if self.is_export else super().paginate_queryset(queryset)  # type: ignore[misc]

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context; in a download, links lead to the objects, not to their downloads."""
        context: dict[str, Any] = super().get_serializer_context()  # type: ignore[misc]
        if self.is_export:
            context |= {"format": None, "request": _without_format(context["request"])}
        return context

    def export(self, queryset: Any, **options: Unpack[ExportOptions]) -> ExportResponse:
        """Return the download of a queryset, or of other objects that the serializer takes.

        Args:
            queryset: The objects, filtered, as for `get_serializer(queryset, many=True)`.
            options: As for `Export`; they replace those of `get_export_options`.

        Raises:
            TypeError, ValueError: As `Export` does; also if `export_columns` names a field that
                the serializer does not have.
        """
        view: Any = self
        merged: ExportOptions = {**self.get_export_options(), **options}
        merged.setdefault("formats", self.export_formats)
        renderer = getattr(view.request, "accepted_renderer", None)
        format_ = getattr(renderer, "export_format", None)
        rows, columns = serialized(
            queryset,
            view.get_serializer(queryset, many=True),
            columns=merged.pop("columns", self.export_columns),
            titles=_titles(format_, self.export_titles),
            nests=_nests(format_),
        )
        merged["columns"] = columns
        return ExportResponse(view.request, rows, **merged)

    def get_export_options(self) -> ExportOptions:
        """Return further options of `Export` for the request: `limits`, `on_done`, `delivery`."""
        return {}


_made: list[type[ExportRenderer]] = [
    CSVRenderer,
    NDJSONRenderer,
    ODSRenderer,
    TSVRenderer,
    XLSXRenderer,
    XMLRenderer,
]


def _renderer(format_: Format) -> type[ExportRenderer]:
    """Return a renderer class for a format: always the same one for equal formats."""
    for known in _made:
        if known.export_format == format_:
            return known
    made = type("ExportRenderer", (ExportRenderer,), {"export_format": format_})
    _made.append(made)
    return made


def _negotiated(renderer: ExportRenderer, formats: Sequence[str | Format]) -> Format:
    """Return the format of a renderer, with the options that it has in `formats`."""
    wanted = renderer.export_format
    offered = lookup_all(formats) if formats else []
    return next((each for each in offered if each.name == wanted.name), wanted)


def _nests(format_: Format | None) -> bool:
    """Return whether a format has objects within objects."""
    return isinstance(format_, (Json, Ndjson))


def _titles(format_: Format | None, chosen: Titles) -> Titles:
    """Return what is in the header; programs want names, which no language changes."""
    return "name" if isinstance(format_, (Json, Ndjson, Xml)) else chosen


def _without_format(request: Any) -> Any:
    """Return a copy of a request whose query names no format."""
    made = object.__new__(type(request))
    vars(made).update(vars(request))
    made._request = copy(request._request)  # noqa: SLF001 - REST framework documents it
    made._request.GET = request.GET.copy()
    made._request.GET.pop(api_settings.URL_FORMAT_OVERRIDE, None)
    return made


def _is_message(response: Any, request: Any) -> bool:
    """Return whether the data of a response are no rows: an error, or what `OPTIONS` tells."""
    failed = response is not None and response.status_code >= HTTPStatus.BAD_REQUEST
    return failed or getattr(request, "method", None) == "OPTIONS"


def _listed(data: Any, view: Any) -> Any:
    """Return the objects of a page; other data as they are."""
    paginator = getattr(view, "paginator", None)
    if paginator is None or not isinstance(data, Mapping):
        return data
    try:
        found = paginator.get_results(data)
    except (KeyError, TypeError):  # it is no page
        return data
    return found if isinstance(found, (list, tuple)) else data


_PLAIN = ("list", "alist", "retrieve", "create", "update", "partial_update")
"""The actions after which no file is named."""


def _filename(view: Any) -> str:
    """Return the name of a download, without its extension."""
    if named := getattr(view, "export_filename", None):
        return str(named)
    basename, action = getattr(view, "basename", None), getattr(view, "action", None)
    if basename:
        return (
            str(basename)
            if action in (None, "list", "alist", "retrieve")
            else f"{basename}-{action}"
        )
    return (slugify(view.get_view_name()) if hasattr(view, "get_view_name") else "") or "export"
