"""Request: what a client asks for, as far as an answer depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Self

_FIELDS = {
    "accept": "accept",
    "coding": "accept-encoding",
    "language": "accept-language",
    "range": "range",
    "if_range": "if-range",
    "if_match": "if-match",
    "if_none_match": "if-none-match",
    "if_modified_since": "if-modified-since",
    "if_unmodified_since": "if-unmodified-since",
    "prefer": "prefer",
    "host": "host",
    "origin": "origin",
    "fetch_site": "sec-fetch-site",
}
"""The header field behind each attribute that holds one."""
_CONDITIONS = [name for name in _FIELDS if name.startswith(("if_", "range"))]
_ENVIRON_KEYS = {name: "HTTP_" + field.upper().replace("-", "_") for name, field in _FIELDS.items()}
_SCOPE_NAMES = {field.encode(): name for name, field in _FIELDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, whichever interface it came by.

    A header field that the client did not send is None.  One that it sent several times is joined
    by commas (RFC 9110 §5.3).  Nothing is parsed yet.

    Attributes:
        method: Such as "GET".
        query: The query string, still percent-encoded, without its question mark.
        accept: Media types that the client can read (`Accept`).
        coding: Content codings that it can undo (`Accept-Encoding`).
        language: Languages that its user reads (`Accept-Language`).
        zone: The time zone of its user; None unless a framework knows it.
        range: The part of the document that it wants (`Range`).
        if_range: The validator for which `range` counts; with any other, the client wants the
            whole document (`If-Range`).
        if_match: Entity tags; the request is to be refused if the document has none of them
            (`If-Match`).
        if_none_match: Entity tags of copies that the client has; it needs no other copy if the
            document has one of them (`If-None-Match`).
        if_modified_since: The date of the client's copy; it needs no other copy unless the
            document changed later (`If-Modified-Since`).
        if_unmodified_since: A date; the request is to be refused if the document changed later
            (`If-Unmodified-Since`).
        prefer: How it would like to be answered (`Prefer`).
        host: The name of the server, as the client or a proxy knows it (`Host`).
        origin: Where the page is from whose script or form sent it (`Origin`).
        fetch_site: How that page is related to the server (`Sec-Fetch-Site`).
        root: The path of the outermost application.
        mount: The path of the application that is asked; empty, or without a slash at its end.
        path: The rest of the path, decoded, but for what WSGI keeps as Latin-1.

    Source: RFC 9110 §12.5 (negotiation), §13.1 (conditions), §14.2 (ranges); RFC 7240 (`Prefer`);
    RFC 6454 (`Origin`); Fetch Metadata (`Sec-Fetch-Site`).
    """

    method: str = "GET"
    query: str = ""
    accept: str | None = None
    coding: str | None = None
    language: str | None = None
    zone: tzinfo | None = None
    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None
    prefer: str | None = None
    host: str | None = None
    origin: str | None = None
    fetch_site: str | None = None
    root: str = ""
    mount: str = ""
    path: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, Any]) -> Self:
        """Return the request of a WSGI environ (PEP 3333)."""
        return cls(
            method=environ["REQUEST_METHOD"],
            query=environ.get("QUERY_STRING", ""),
            root=environ.get("SCRIPT_NAME", "").rstrip("/"),
            mount=environ.get("SCRIPT_NAME", "").rstrip("/"),
            path=environ.get("PATH_INFO", ""),
            **{name: environ.get(key) for name, key in _ENVIRON_KEYS.items()},
        )

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any]) -> Self:
        """Return the request of an ASGI scope of type "http"."""
        fields: dict[str, Any] = {}
        for field, value in scope["headers"]:
            if name := _SCOPE_NAMES.get(field.lower()):
                text = value.decode("latin-1")
                fields[name] = f"{fields[name]}, {text}" if name in fields else text
        query = scope.get("query_string", b"")
        if isinstance(query, bytes):  # Django's AsyncRequestFactory makes a str of it
            query = query.decode("latin-1")
        mount = str(scope.get("root_path") or "").rstrip("/")
        path = str(scope.get("path") or "")
        return cls(
            method=scope["method"],
            query=query,
            root=str(scope.get("app_root_path", mount)).rstrip("/"),  # Starlette's
            mount=mount,
            # By the specification the path begins with it; some frameworks leave it out.
            path=path.removeprefix(mount) if f"{path}/".startswith(f"{mount}/") else path,
            **fields,
        )

    def unconditional(self) -> Self:
        """Return the same request without conditions and ranges."""
        cleared: dict[str, Any] = dict.fromkeys(_CONDITIONS)
        return replace(self, **cleared)

    @property
    def head_only(self) -> bool:
        """Whether the client wants the headers alone."""
        return self.method == "HEAD"
