"""Flask: an export as a `Response`, and the contexts that its rows need.

A view may also return a bare `Export`.  `ExportResponse` adds what Flask's responses have.

When the view has returned, Flask tears down the application context, and with it what is in `g`:
a database connection, a session.  But the rows of an export are still to be read.  So the
contexts are held until the rows are closed, and torn down then.  See `flask_contexts`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

import flask

from streamware.frameworks._support import flask_contexts  # noqa: F401 - it checks Flask
from streamware.frameworks._support.download import Download
from streamware.frameworks._support.options import Content, ExportOptions, application
from streamware.frameworks._support.with_headers import WithHeaders
from streamware.http.application import prepare_answer
from streamware.http.coding import is_compression
from streamware.http.headers import Headers
from streamware.http.negotiation import accepts_coding
from streamware.http.request import Request

_BODILESS = (204, 304, 412)


class ExportResponse(flask.Response):
    """A download as a Flask `Response`, for a view to return.

    Its status and headers are set at once, for the view and for `after_request` functions.  The
    rows are opened when the view has returned, unless `make_conditional` has made it a 304.  What
    they raise before the first chunk goes to Flask's error handlers, and by default becomes a
    500.  If there is no room, the response becomes a 503.

    It is never read into memory: `get_data`, and what calls it, such as `add_etag`, raises
    `RuntimeError`.

    Args:
        content: Rows, as for `Export`; or an existing `Export` or `Bundle`.
        status: Status code of the download; by default 200, or that of an existing `Export`.
        headers: Further headers, as for `Export`.
        options: As for `Export`.

    Raises:
        TypeError, ValueError: As `Export` does; also if options are given beside an `Export` or a
            `Bundle`.
        RuntimeError: It is made outside a request.
    """

    def __init__(
        self,
        content: Content,
        status: int | None = None,
        headers: Headers = (),
        **options: Unpack[ExportOptions],
    ) -> None:
        environ = flask.request.environ
        inner = WithHeaders(application(content, options), status, headers)
        asked = Request.from_environ(environ)
        if asked.range is not None and accepts_coding(asked.coding) and _is_compressed():
            asked = replace(asked, range=None)
        answer = prepare_answer(inner, asked)
        download = Download(answer, environ)
        super().__init__(download, answer.status, answer.headers)
        # Extensions that compress replace the body, and may forget to close it.
        self.call_on_close(download.close)
        # Set on the instance, as an application may change the class.
        self.implicit_sequence_conversion = False
        self.automatically_set_content_length = False
        flask.after_this_request(_start)


def _is_compressed() -> bool:
    """Return whether an extension may compress the response: Flask-Compress also codes parts."""
    app = flask.current_app
    names = [*app.blueprints, None]
    after = [function for name in names for function in app.after_request_funcs.get(name, ())]
    return any(is_compression(str(getattr(each, "__module__", ""))) for each in after)


def _start(response: flask.Response) -> flask.Response:
    """Open the rows if the view has returned a download.

    Flask calls this before the application's `after_request` functions, and passes what it raises
    to the error handlers.
    """
    download = response.response
    if isinstance(download, Download):
        download.start(open_rows=response.status_code not in _BODILESS)
        download.update_headers(response.headers)
        if download.refused:
            response.status_code = download.status
    return response
