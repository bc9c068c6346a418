"""Makes a copy of the installed Flask with one context, as Flask 3.2 is to have.

The contexts of 3.2 are pushed and popped differently: one for request and application, counted,
with one token.  The rest of the copy is Flask as it is installed.
"""

import importlib.util
import shutil
from pathlib import Path

CONTEXT = """

class AppContext:
    def __init__(self, app, environ=None, *, request=None, session=None):
        self.app = app
        self.g = app.app_ctx_globals_class()
        if environ is not None and request is None:
            request = app.request_class(environ)
            request.json_module = app.json
        self._request = request
        self._session = session
        self.flashes = None
        self.url_adapter = None
        self._after_request_functions = []
        self._cv_token = None
        self._push_count = 0
        try:
            self.url_adapter = app.create_url_adapter(request)
        except HTTPException as error:
            request.routing_exception = error

    @property
    def request(self):
        if self._request is None:
            raise RuntimeError("There is no request in this context.")
        return self._request

    @property
    def session(self):
        if self._session is None:
            interface = self.app.session_interface
            opened = interface.open_session(self.app, self.request)
            self._session = opened or interface.make_null_session(self.app)
        return self._session

    def copy(self):
        return type(self)(self.app, request=self._request, session=self._session)

    def push(self):
        self._push_count += 1
        if self._cv_token is not None:
            return
        self._cv_token = _cv_app.set(self)
        appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)
        if self._request is None:
            return
        self.session
        if self.url_adapter is not None:
            try:
                found = self.url_adapter.match(return_rule=True)
                self._request.url_rule, self._request.view_args = found
            except HTTPException as error:
                self._request.routing_exception = error

    def pop(self, exc=None):
        if self._cv_token is None or _cv_app.get(None) is not self:
            raise RuntimeError("Cannot pop this context, it is not the active one.")
        self._push_count -= 1
        if self._push_count > 0:
            return
        errors = []

        def collect(call, *args, **options):
            try:
                call(*args, **options)
            except Exception as error:
                errors.append(error)

        if self._request is not None:
            collect(self.app.do_teardown_request, self, exc)
            collect(self._request.close)
        collect(self.app.do_teardown_appcontext, self, exc)
        _cv_app.reset(self._cv_token)
        self._cv_token = None
        collect(appcontext_popped.send, self.app, _async_wrapper=self.app.ensure_sync)
        if errors:
            raise ExceptionGroup("Errors during context teardown", errors)

    def __enter__(self):
        self.push()
        return self

    def __exit__(self, kind, error, trace):
        self.pop(error)


RequestContext = AppContext


def has_request_context():
    context = _cv_app.get(None)
    return context is not None and context._request is not None
"""

TEARDOWN = """

def _collecting(functions, signal):
    def do_teardown(self, ctx, exc=None):
        from .signals import appcontext_tearing_down, request_tearing_down

        send = {"app": appcontext_tearing_down, "request": request_tearing_down}[signal].send
        errors = []
        for function in functions(self, ctx):
            try:
                self.ensure_sync(function)(exc)
            except Exception as error:
                errors.append(error)
        try:
            send(self, _async_wrapper=self.ensure_sync, exc=exc)
        except Exception as error:
            errors.append(error)
        if errors:
            raise ExceptionGroup("Errors during teardown", errors)

    return do_teardown


def _of_request(app, ctx):
    for name in (*ctx.request.blueprints, None):
        yield from reversed(app.teardown_request_funcs.get(name, ()))


Flask.do_teardown_request = _collecting(_of_request, "request")
Flask.do_teardown_appcontext = _collecting(
    lambda app, ctx: reversed(app.teardown_appcontext_funcs), "app"
)
"""


def write(folder: Path) -> None:
    """Write the copy into a folder, to be put first on the path."""
    spec = importlib.util.find_spec("flask")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, folder / "flask")
    for name, added in (("ctx.py", CONTEXT), ("app.py", TEARDOWN)):
        with (folder / "flask" / name).open("a") as file:
            file.write(added)
    variables = folder / "flask" / "globals.py"
    text = variables.read_text()
    declared = '_cv_request: ContextVar[RequestContext] = ContextVar("flask.request_ctx")'
    assert declared in text
    variables.write_text(text.replace(declared, "_cv_request = _cv_app"))
