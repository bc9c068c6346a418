"""The servers of the matrix: how each is started, and what is known of it.

What is known was measured, and the matrix measures it again.  A server that has become worse fails
a test here; one that has become better is named at the end of the run, and its line in
docs/servers.md is due.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

Tells = Literal["at once", "within 1.5 s", "by a write", "never"]

BIND = "127.0.0.1:{port}"
GUNICORN = ("-m", "gunicorn", "--bind", BIND, "--graceful-timeout", "1", "--worker-class")
GRANIAN = ("-m", "granian", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1")
UVICORN = ("-m", "uvicorn", "--port", "{port}", "--timeout-graceful-shutdown", "1")
HYPERCORN = ("-m", "hypercorn", "--bind", BIND, "--graceful-timeout", "1")
HERE = ("-c", "from servers.app import main; main()")
GEVENT = ("-c", "from gevent.monkey import patch_all; patch_all(); " + HERE[1])
UWSGI = (
    *("--module", "servers.app:wsgi", "--die-on-term", "--need-app", "--enable-threads"),
    *("--threads", "4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A server in one of its ways to run.

    Attributes:
        name: What the table calls it.
        interface: What the application is to it.
        command: After the interpreter, or after `program`; `{port}` is replaced.
        needs: The modules without which it cannot be started.
        program: The program, where that is not the interpreter.
        everywhere: Whether CI runs it, too.
        hides: Whether a truncated body looks complete over HTTP/1.1.
        hides_from_1_0: The same, over HTTP/1.0.
        tells: When it is noticed that the client left: at once, as the server reports it; soon,
            because its connection is looked at; when something is written; or never.
        stray: What it sends after the answer to HEAD, before it closes the connection.
        first: What is answered where the first row fails.
        greedy: It takes all of a body, however little the client reads.
        http2: The clients speak it.
        proxy: nginx is in front, and speaks that version to the server.
        follows: What follows for who runs it; a sentence or two.
    """

    name: str
    interface: Literal["WSGI", "ASGI"]
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    program: str = ""
    everywhere: bool = True
    hides: bool = False
    hides_from_1_0: bool = True
    tells: Tells = "at once"
    stray: bytes = b""
    first: str = "500"
    greedy: bool = False
    http2: bool = False
    proxy: Literal["", "1.0", "1.1"] = ""
    follows: str = ""

    @property
    def missing(self) -> str:
        """What is not there; empty where all is."""
        programs = [*([self.program] if self.program else []), *(["nginx"] if self.proxy else [])]
        absent = [name for name in self.needs if find_spec(name) is None]
        absent += [name for name in programs if located(name) is None]
        return ", ".join(absent)

    @property
    def executable(self) -> str:
        """What is started with `command`."""
        return (located(self.program) or self.program) if self.program else sys.executable


def located(program: str) -> str | None:
    """Where a program is; those of the interpreter's environment come first."""
    beside = str(sys.executable).rpartition("/")[0]
    return shutil.which(program, path=beside) or shutil.which(program, path="/usr/sbin:/usr/bin")


SETUPS: tuple[Setup, ...] = (
    Setup(
        name="gunicorn sync",
        interface="WSGI",
        command=(*GUNICORN, "sync", "servers.app:wsgi"),
        needs=("gunicorn",),
        tells="within 1.5 s",
        follows="Each download occupies a worker, and `--timeout` (30 s) ends it: use gthread.",
    ),
    Setup(
        name="gunicorn gthread",
        interface="WSGI",
        command=(*GUNICORN, "gthread", "--threads", "4", "servers.app:wsgi"),
        needs=("gunicorn",),
        tells="within 1.5 s",
        follows="A good choice. Each download occupies a thread.",
    ),
    Setup(
        name="waitress",
        interface="WSGI",
        command=("-m", "waitress", f"--listen={BIND}", "servers.app:wsgi"),
        needs=("waitress",),
        stray=b"0\r\n\r\n",
        tells="within 1.5 s",
        follows="It reads up to 16 MiB ahead of the client; beyond 1 MiB in a file in `TMPDIR`.",
    ),
    Setup(
        name="wsgiref",
        interface="WSGI",
        command=(*HERE, "wsgiref", "{port}"),
        hides=True,
        tells="by a write",
        follows="For development only: one request at a time, and HTTP/1.0.",
    ),
    Setup(
        name="werkzeug",
        interface="WSGI",
        command=(*HERE, "werkzeug", "{port}"),
        needs=("werkzeug",),
        hides_from_1_0=False,
        tells="within 1.5 s",
        follows="For development only (`flask run`).",
    ),
    Setup(
        name="granian WSGI",
        interface="WSGI",
        command=(*GRANIAN, "--interface", "wsgi", "servers.app:wsgi"),
        needs=("granian",),
        tells="by a write",
        follows="A good choice. Before 2.8.9 it ended a truncated body as if it were complete, and"
        " there `auto` spools.",
    ),
    Setup(
        name="gunicorn asgi",
        interface="ASGI",
        command=(*GUNICORN, "asgi", "servers.app:asgi"),
        needs=("gunicorn",),
        follows="A good choice.",
    ),
    Setup(
        name="granian ASGI",
        interface="ASGI",
        command=(*GRANIAN, "--interface", "asgi", "servers.app:asgi"),
        needs=("granian",),
        follows="A good choice.",
    ),
    Setup(
        name="uvicorn httptools",
        interface="ASGI",
        command=(*UVICORN, "--http", "httptools", "servers.app:asgi"),
        needs=("uvicorn", "httptools"),
        hides_from_1_0=False,
        follows="A good choice: it sends chunks even over HTTP/1.0, so nothing is hidden.",
    ),
    Setup(
        name="uvicorn h11",
        interface="ASGI",
        command=(*UVICORN, "--http", "h11", "servers.app:asgi"),
        needs=("uvicorn",),
        follows="A good choice; with `httptools` installed, HTTP/1.0 hides nothing either.",
    ),
    Setup(
        name="hypercorn h1",
        interface="ASGI",
        command=(*HYPERCORN, "servers.app:asgi"),
        needs=("hypercorn",),
        follows="A good choice.",
    ),
    Setup(
        name="hypercorn h2",
        interface="ASGI",
        command=(*HYPERCORN, "--keep-alive", "1", "servers.app:asgi"),
        needs=("hypercorn", "h2"),
        http2=True,
        follows="A truncated body is noticed only when `--keep-alive` (5 s) is over. If a client"
        " closes its window, the whole body goes into memory.",
    ),
    Setup(
        name="gunicorn gevent",
        interface="WSGI",
        command=(*GUNICORN, "gevent", "servers.app:wsgi"),
        needs=("gunicorn", "gevent"),
        everywhere=False,
        tells="within 1.5 s",
        follows="Encoding never yields to other greenlets, so large exports delay them.",
    ),
    Setup(
        name="gevent pywsgi",
        interface="WSGI",
        command=(*GEVENT, "gevent", "{port}"),
        needs=("gevent",),
        everywhere=False,
        tells="within 1.5 s",
        follows="As with gunicorn gevent.",
    ),
    Setup(
        name="cheroot",
        interface="WSGI",
        command=("-m", "cheroot", "--bind", BIND, "servers.app:wsgi"),
        needs=("cheroot",),
        everywhere=False,
        tells="within 1.5 s",
        follows="Each download occupies one of 10 threads.",
    ),
    Setup(
        name="uWSGI http-socket",
        interface="WSGI",
        command=("--http-socket", BIND, *UWSGI),
        program="uwsgi",
        everywhere=False,
        hides=True,
        tells="within 1.5 s",
        first="no answer",
        follows="It has no framing, so a truncated body looks like a complete one. After an earlier"
        " failure it closes the connection without an answer.",
    ),
    Setup(
        name="uWSGI http",
        interface="WSGI",
        command=("--http", BIND, "--http-auto-chunked", "--http-keepalive", *UWSGI),
        program="uwsgi",
        everywhere=False,
        hides=True,
        tells="by a write",
        first="hangs, no answer",
        follows="Even with `--http-auto-chunked` it ends a truncated body as if it were complete."
        " An earlier failure is not answered.",
    ),
    Setup(
        name="hypercorn WSGI",
        interface="WSGI",
        command=(*HYPERCORN, "wsgi:servers.app:wsgi"),
        needs=("hypercorn",),
        everywhere=False,
        tells="never",
        follows="It answers `HEAD` with 500 if there is no body. Mount `Export.asgi` or an ASGI"
        " framework instead.",
    ),
    Setup(
        name="uvicorn + a2wsgi",
        interface="WSGI",
        command=(*UVICORN, "servers.app:bridged"),
        needs=("uvicorn", "a2wsgi"),
        everywhere=False,
        hides_from_1_0=False,
        tells="within 1.5 s",
        follows="Serve the WSGI application on a WSGI server instead.",
    ),
    Setup(
        name="daphne",
        interface="ASGI",
        command=("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "servers.app:asgi"),
        needs=("daphne",),
        everywhere=False,
        greedy=True,
        follows="It reads a body into memory as fast as it is made, leaves a truncated one hanging,"
        " and after the first of these answers no failure at all: use another.",
    ),
    Setup(
        name="nginx 1.0, gunicorn gthread",
        interface="WSGI",
        command=(*GUNICORN, "gthread", "--threads", "4", "servers.app:wsgi"),
        needs=("gunicorn",),
        everywhere=False,
        hides=True,
        tells="within 1.5 s",
        greedy=True,
        proxy="1.0",
        follows="nginx speaks HTTP/1.0 to the server: set `proxy_http_version 1.1`.",
    ),
    Setup(
        name="nginx 1.1, gunicorn gthread",
        interface="WSGI",
        command=(*GUNICORN, "gthread", "--threads", "4", "servers.app:wsgi"),
        needs=("gunicorn",),
        everywhere=False,
        hides_from_1_0=True,
        tells="within 1.5 s",
        greedy=True,
        proxy="1.1",
        follows="A good choice.",
    ),
    Setup(
        name="nginx 1.0, uvicorn h11",
        interface="ASGI",
        command=(*UVICORN, "--http", "h11", "servers.app:asgi"),
        needs=("uvicorn",),
        everywhere=False,
        hides=True,
        greedy=True,
        proxy="1.0",
        follows="nginx speaks HTTP/1.0 to the server: set `proxy_http_version 1.1`.",
    ),
    Setup(
        name="nginx 1.1, uvicorn h11",
        interface="ASGI",
        command=(*UVICORN, "--http", "h11", "servers.app:asgi"),
        needs=("uvicorn",),
        everywhere=False,
        greedy=True,
        proxy="1.1",
        follows="A good choice.",
    ),
)
