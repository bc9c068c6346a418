"""Layers between the server and an export: other people's middlewares, and gateways of Apache.

Each is asked for four downloads by curl: whole, compressed, and one that fails late, streamed and
as "auto" has it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from servers.app import CELL
from servers.clients import Seen, curl
from servers.process import TESTS, ServerProcess, reserve
from servers.setups import HYPERCORN, UVICORN

Gateway = Literal["", "daemon", "embedded", "cgi", "fcgi", "scgi"]

ROWS = 3000
FAIL = 1300
MODULES = Path("/usr/lib/apache2/modules")
MOD_WSGI = MODULES / "mod_wsgi.so-{}.{}".format(*sys.version_info[:2])
USER = "www-data"
HEAD = ["layer", "late failure", "late failure, `auto`", "compressed", "advice"]
AT_ONCE = 4
KINDLY = 1.0
"""Seconds that a server has to end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer around an export.

    Attributes:
        name: What the table calls it.
        server: What serves an application of `servers.layered`, if that is no gateway of Apache.
        gateway: How Apache runs the application.
        needs: The modules without which it cannot be started.
        hides: Whether a truncated body looks complete.
        auto: What becomes of a late failure that is left to "auto".
        follows: What follows for who runs it.
    """

    name: str
    server: tuple[str, ...] = ()
    gateway: Gateway = ""
    needs: tuple[str, ...] = ()
    hides: bool = False
    auto: str = "cut (curl 18)"
    follows: str = ""

    @property
    def missing(self) -> str:
        """What is not there; empty where all is."""
        absent = [name for name in self.needs if find_spec(name) is None]
        if self.gateway and not MOD_WSGI.exists():
            absent.append("mod_wsgi for this Python")
        if shutil.which("curl") is None:
            absent.append("curl")
        return ", ".join(absent)


SPOOLED = "500 (curl 22)"

LAYERS: tuple[Layer, ...] = (
    Layer(
        name="Starlette `BaseHTTPMiddleware`, uvicorn",
        server=(*UVICORN, "--factory", "servers.layered:one"),
        needs=("starlette", "uvicorn"),
        follows="Nothing to do. A plain `StreamingResponse` looks complete there.",
    ),
    Layer(
        name="three of them, CORS and gzip between, uvicorn",
        server=(*UVICORN, "--factory", "servers.layered:three"),
        needs=("starlette", "uvicorn"),
        follows="Nothing to do.",
    ),
    Layer(
        name="three of them, CORS and gzip between, hypercorn",
        server=(*HYPERCORN, "servers.layered:three()"),
        needs=("starlette", "hypercorn"),
        follows="Nothing to do.",
    ),
    Layer(
        name="FastAPI, slowapi and starlette-context, uvicorn",
        server=(*UVICORN, "--factory", "servers.layered:limited"),
        needs=("fastapi", "slowapi", "starlette_context", "uvicorn"),
        follows="Nothing to do.",
    ),
    Layer(
        name="Litestar, gzip, uvicorn",
        server=(*UVICORN, "--factory", "servers.layered:gzip"),
        needs=("litestar", "uvicorn"),
        follows="Litestar alone compresses.",
    ),
    Layer(
        name="Litestar, brotli, uvicorn",
        server=(*UVICORN, "--factory", "servers.layered:brotli"),
        needs=("litestar", "brotli", "uvicorn"),
        follows="Litestar alone compresses.",
    ),
    Layer(
        name="Apache, mod_wsgi embedded",
        gateway="embedded",
        follows="A good choice for downloads.",
    ),
    Layer(
        name="Apache, mod_wsgi daemon",
        gateway="daemon",
        hides=True,
        auto=SPOOLED,
        follows="`auto` spools CSV, TSV and NDJSON.",
    ),
    Layer(
        name="Apache, CGI",
        gateway="cgi",
        hides=True,
        auto=SPOOLED,
        follows="As in daemon mode; a process for each request.",
    ),
    Layer(
        name="Apache, FastCGI (flup)",
        gateway="fcgi",
        needs=("flup",),
        hides=True,
        auto=SPOOLED,
        follows="As in daemon mode.",
    ),
    Layer(
        name="Apache, SCGI (flup)",
        gateway="scgi",
        needs=("flup",),
        hides=True,
        auto=SPOOLED,
        follows="As in daemon mode.",
    ),
)

APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule env_module {modules}/mod_env.so
LoadModule cgid_module {modules}/mod_cgid.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_fcgi_module {modules}/mod_proxy_fcgi.so
LoadModule proxy_scgi_module {modules}/mod_proxy_scgi.so
LoadModule wsgi_module {modules}/mod_wsgi.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
ScriptSock {folder}/cgi
WSGISocketPrefix {folder}/wsgi
SetEnv STREAMWARE_SCRATCH_DIR {folder}/scratch
SetEnv STREAMWARE_KEEP_FREE_BYTES 0
<Directory />
Require all granted
</Directory>
{gateway}
"""
GATEWAYS: dict[Gateway, str] = {
    "daemon": "WSGIDaemonProcess exports threads=4\n"
    "WSGIScriptAlias / {folder}/application.py process-group=exports application-group=%{{GLOBAL}}",
    "embedded": "WSGIScriptAlias / {folder}/application.py application-group=%{{GLOBAL}}",
    "cgi": "ScriptAlias / {folder}/application.py/",
    "fcgi": 'ProxyPass "/" "fcgi://127.0.0.1:{behind}/"',
    "scgi": 'ProxyPass "/" "scgi://127.0.0.1:{behind}/"',
}
SCRIPT = """#!{python}
import sys
sys.path[:0] = {paths!r}
from servers.layered import main, wsgi as application
if __name__ == "__main__":
    sys.argv[1:] = {arguments!r}
    main()
"""


@dataclass(slots=True)
class Found:
    """What curl got of a layer.

    Attributes:
        whole: A download that does not fail.
        compressed: The same, compressed on the way.
        streamed: One that fails late, with `delivery="stream"`.
        auto: One that fails late, with the default.
    """

    whole: Seen
    compressed: Seen
    streamed: Seen
    auto: Seen


def measure_all(
    layers: Iterable[Layer], note: Callable[[str], object] = lambda _: None
) -> dict[str, Found]:
    """Ask all of those that are there."""
    there = [layer for layer in layers if not layer.missing]

    def one(layer: Layer) -> Found:
        found = measure(layer)
        note(f"{layer.name}: measured")
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = (layer.name for layer in there)
        return dict(zip(names, pool.map(one, there), strict=True))


def measure(layer: Layer) -> Found:
    """Start the layer, ask it, and end it."""
    folder = Path(mkdtemp(prefix="layer-"))
    (folder / "scratch").mkdir(mode=0o700)
    try:
        with ExitStack() as running:
            if layer.gateway:
                port = start_apache(layer.gateway, folder, running)
            else:
                environment = {
                    "STREAMWARE_SCRATCH_DIR": str(folder / "scratch"),
                    "STREAMWARE_KEEP_FREE_BYTES": "0",
                }
                server = ServerProcess(layer.server, folder, environment)
                running.callback(server.stop, KINDLY, by_force=True)
                port = server.port
            asked = f"/?rows={ROWS}"
            coding = ("--compressed", "--header", "Accept-Encoding: br, gzip")
            return Found(
                whole=curl(port, asked),
                compressed=curl(port, asked, *coding),
                streamed=curl(port, f"{asked}&fail={FAIL}&delivery=stream"),
                auto=curl(port, f"{asked}&fail={FAIL}"),
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_apache(gateway: Gateway, folder: Path, running: ExitStack) -> int:
    """Start Apache, and what is behind it; return the port.

    Apache does not serve as root.  As another user it may have to read the tests and the packages
    of root.
    """
    script, configuration = folder / "application.py", folder / "apache.conf"
    paths = [
        str(TESTS),
        str(TESTS.parent),
        *(path for path in sys.path if path.endswith("-packages")),
    ]
    behind = reserve()
    running.callback(behind.close)
    arguments = [gateway, str(behind.getsockname()[1])]
    script.write_text(SCRIPT.format(python=sys.executable, paths=paths, arguments=arguments))
    script.chmod(0o700)
    if gateway in ("fcgi", "scgi"):
        application = ServerProcess((str(script),), folder, ready=None, holder=behind)
        running.callback(application.stop, KINDLY, by_force=True)
    holder = reserve()
    port: int = holder.getsockname()[1]
    placed = GATEWAYS[gateway].format(folder=folder, behind=arguments[1])
    filled = APACHE.format(folder=folder, port=port, modules=MODULES, gateway=placed)
    configuration.write_text(filled)
    command = ["/usr/sbin/apache2", "-f", str(configuration), "-DFOREGROUND"]
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, USER)
        capability = "+dac_override"
        who = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        may = (f"--inh-caps={capability}", f"--ambient-caps={capability}")
        command = ["setpriv", *who, *may, *command]
    apache = ServerProcess(
        command[1:], folder, program=shutil.which(command[0]) or command[0], holder=holder
    )
    running.callback(apache.stop, KINDLY, by_force=True)
    return port


def row(layer: Layer, found: Found) -> list[str]:
    """The line of a layer in the table."""
    return [
        layer.name,
        shown(found.streamed),
        shown(found.auto),
        "arrives" if is_whole(found.compressed) else "**does not arrive**",
        layer.follows,
    ]


def shown(seen: Seen) -> str:
    """What a client thinks of a download that failed."""
    if seen.code == 0:
        return "**looks complete** (curl 0)"
    return f"{'500' if seen.code == 22 else 'cut'} (curl {seen.code})"


def is_whole(seen: Seen) -> bool:
    """Whether all of the document came."""
    return seen.code == 0 and bytes(seen.body).endswith(f"{ROWS},{CELL}\r\n".encode())
