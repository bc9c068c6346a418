"""The options of a framework's response: the same as those of `Export`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypedDict

from streamware.formats.protocol import Format
from streamware.http.application import Application
from streamware.http.delivery import Delivery
from streamware.http.export import Export
from streamware.http.state import State
from streamware.limits import Limits
from streamware.model.columns import Column, Key
from streamware.receipt import Receipt
from streamware.rows.source import Rows
from streamware.settings import Settings
from streamware.values import Values

Content = Rows | Application
"""What a response is made from: rows; or an `Export`, a `Bundle` or an answer of `Jobs`."""


class ExportOptions(TypedDict, total=False):
    """The arguments of `Export` other than rows, headers and status, explained there."""

    columns: Iterable[Column | Key] | None
    sheet_by: Key | None
    format: str | Format | None
    formats: Sequence[str | Format]
    format_param: str
    filename: str
    delivery: Delivery
    values: Values | None
    limits: Limits | None
    compress: Literal["auto", "off"]
    cancel: Callable[[], object] | None
    on_done: Callable[[Receipt], object] | None
    etag: State
    settings: Settings | None


def application(content: Content, options: ExportOptions) -> Application:
    """Return the application that answers with `content`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an application.
    """
    known = ExportOptions.__annotations__
    if unknown := options.keys() - known.keys():
        # Each response has one of these, which its framework names, and calls the other unknown.
        twins = {"status": "status_code", "status_code": "status"}
        hint = "".join(f" (here it is {twins[name]})" for name in twins if name in unknown)
        raise TypeError(
            f"ExportResponse has no option {', '.join(sorted(unknown))}{hint}; those that it"
            f" shares with Export are {', '.join(known)}"
        )
    if not isinstance(content, Application):
        return Export(content, **options)
    if options:
        kind, given = type(content).__name__, ", ".join(options)
        raise TypeError(
            f"ExportResponse takes no {given} beside a finished {kind}: pass {given} to {kind}(…)"
        )
    return content
