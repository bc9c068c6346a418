"""Options: what the response of a framework takes, which is what `Export` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypedDict

from streamware.formats.protocol import Format
from streamware.http.application import Application
from streamware.http.bundle import Bundle
from streamware.http.delivery import Delivery
from streamware.http.export import Export
from streamware.limits import Limits
from streamware.model.columns import Column, Key
from streamware.receipt import Receipt
from streamware.rows.source import Rows
from streamware.settings import Settings
from streamware.values import Values

Content = Rows | Export | Bundle
"""What a response is made from: rows, or an application of ours that is there already."""


class Options(TypedDict, total=False):
    """The arguments of `Export` besides rows, headers and status; they are explained there."""

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
    settings: Settings | None


def application(content: Content, options: Options) -> Application:
    """The application that answers with `content`.

    Raises:
        TypeError, ValueError: As `Export`; also for options beside an application.
    """
    if unknown := options.keys() - Options.__annotations__.keys():
        raise TypeError(f"ExportResponse has no option {', '.join(sorted(unknown))}")
    if not isinstance(content, Application):
        return Export(content, **options)
    if options:
        kind, given = type(content).__name__, ", ".join(options)
        raise TypeError(
            f"{given}: to be given to the {kind}, which is there already, not beside it"
        )
    return content
