"""FastAPI: an export as a `Response`, and its part of /openapi.json.

FastAPI turns what a view returns into JSON unless it is a `Response`, so return an
`ExportResponse`, not rows; the class is Starlette's.  With `response_class=ExportResponse` the API
description shows no JSON body, and with `openapi_extra=describe(…)` it shows the formats:

    @app.get("/orders", response_class=ExportResponse, openapi_extra=describe(("xlsx", "csv")))
    def orders():
        return ExportResponse(fetch_orders, formats=("xlsx", "csv"))

If a view with that class returns bare rows, FastAPI first converts all of them to JSON values in
memory, and the download is made from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamware.formats.protocol import Format
from streamware.formats.registry import lookup_all
from streamware.frameworks.starlette import ExportResponse
from streamware.http.export import DEFAULT_FORMATS

__all__ = ["ExportResponse", "describe"]


def describe(
    formats: Sequence[str | Format] = DEFAULT_FORMATS,
    *,
    format_param: str = "format",
    status_code: int = 200,
) -> dict[str, Any]:
    """Return what `openapi_extra=` of a route adds to the API description for an export.

    That is the media type of each format in the response, and, if the client has a choice, the
    query parameter by which it chooses and the 406.  The operation of another route is not touched.

    Args:
        formats: The formats, as for `ExportResponse`; for its `format=` a list of that one.
        format_param: The query parameter, as for `ExportResponse`.
        status_code: The status of the route.

    Raises:
        TypeError, ValueError: As `Export` does for its formats.

    Source: OpenAPI 3.1.0 §4.8.10 (operation), §4.8.12 (parameter), §4.8.17 (response).
    """
    offered = lookup_all(formats)
    file = {"schema": {"type": "string", "format": "binary"}}
    content = {format_.media_type.partition(";")[0]: file for format_ in offered}
    responses: dict[str, Any] = {str(status_code): {"content": content}}
    if len(offered) == 1:
        return {"responses": responses}
    names = [format_.name for format_ in offered]
    parameter = {
        "name": format_param,
        "in": "query",
        "required": False,
        "description": "Format of the download; without it the Accept header decides.",
        "schema": {"type": "string", "enum": names, "default": names[0]},
    }
    responses["406"] = {"description": "The format is not one of these"}
    return {"parameters": [parameter], "responses": responses}
