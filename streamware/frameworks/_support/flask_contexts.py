"""FlaskContextHold: keeps the contexts of a Flask request until the rows of an export are closed.

Theory of operation
===================

When the view has returned, Flask pops the request's contexts, and that tears them down.  `g`, and
what is in it, must live until the rows are closed.  So `pop` is replaced, on the context of this
request alone.  The pop that would tear down then only unbinds the context from the thread; once
the rows are closed, the context is bound again, torn down, and unbound.

A teardown function may reset a context variable that was set before the view.  Only the very
`contextvars.Context` in which it was set allows that.  No other has this one's tokens: if
resetting one succeeds, this is the request's own.  So contexts are torn down when the server asks
for a chunk or closes the response.  If that is always in another `Context`, because a server
changes threads between chunks, they are torn down in a copy of the request's when it closes the
response.

With `delivery="buffer"` rows are opened, and a connection put into `g`, on a thread of their own.
That thread calls the `teardown_appcontext` functions, once Flask is done with the request; the
thread that sends calls the `teardown_request` functions.  The former wait a moment for the
latter, but not for a client that takes nothing.

If the rows are closed before Flask has finished the request, Flask tears down as usual.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import flask
import flask.globals

from streamware.http.wsgi import call_each
from streamware.locks import condition

logger = logging.getLogger("streamware")

_TESTED = "2.3 to 3.1, and 3.2 as far as it was developed by 2026"
_IN_TURN = 1.0
"""Seconds that `teardown_appcontext` functions wait for those of `teardown_request`."""
_NO_CYCLE: dict[str, None] = {"werkzeug.request": None}  # for an environ, as Flask does
_MARK: ContextVar[None] = ContextVar("streamware.flask")


class Contexts:
    """The contexts that Flask has pushed for a request, outermost first, and the holds on them.

    The last one to let go of a context tears it down: Flask, or one of the holds.

    Args:
        contexts: The contexts.
    """

    def __init__(self, contexts: list[Any]) -> None:
        self.changed = condition()  # guards all of this; notified of every change
        self.request_holds = 0  # holds on the request
        self.app_holds = 0  # holds on the application context
        self.request_is_over = False  # whether `teardown_request` functions have run
        self._contexts = contexts  # outermost first
        self._pops = [context.pop for context in contexts]  # Flask's own
        self._variables: dict[int, ContextVar[Any]] = {}  # where each context, by index, is bound
        self._copy = copy_context()  # for teardown functions, if the request's own cannot be had
        # Tokens that Flask has: only the request's own `Context` can reset them.
        self._known = [token for context in contexts for token, _ in _tokens(context)]
        self._tokens: list[Token[Any]] = []  # those that were not reset; a mark if there are none
        self._error: BaseException | None = None  # with which Flask has popped
        for index, context in enumerate(contexts):
            context.pop = partial(self._pop, index)

    @property
    def handled(self) -> bool:
        """Whether Flask has finished the request, and left the teardown to the holds."""
        return not _pushes(self._contexts[-1])

    def is_own(self) -> bool:
        """Return whether the current `Context` is the request's own; unbind leftovers there."""
        if not self._tokens or not _reset(self._tokens[-1]):
            return False
        for token in reversed(self._tokens[:-1]):
            _reset(token)
        self._tokens = [_MARK.set(None)]
        return True

    def restore(self) -> None:
        """Let Flask tear the contexts down: nothing holds them any more."""
        for context in self._contexts:
            vars(context).pop("pop", None)

    def tear_down_request(self, error: BaseException | None, *, own: bool) -> None:
        """Call what Flask calls when it pops a request, in the request's own context or a copy."""
        run = _call if own else self._copy.copy().run
        run(self._tear_down, partial(_request_calls, self._contexts[-1]), error)

    def tear_down_app(self, error: BaseException | None, *, own: bool) -> None:
        """Call what Flask calls when it pops an application context; not if it is still pushed."""
        if not _pushes(self._contexts[0]):
            run = _call if own else self._copy.copy().run
            run(self._tear_down, partial(_app_calls, self._contexts[0]), error)

    def _tear_down(
        self, calls: Callable[[BaseException | None], list[Callable[[], Any]]], error: Any
    ) -> None:
        with self._bound():
            call_each([partial(_call_logged, call) for call in calls(error or self._error)])

    @contextmanager
    def _bound(self) -> Iterator[None]:
        """Bind the contexts to the current `Context`, so that `g` and `request` are theirs."""
        bound = [
            (variable, variable.set(context))
            for index, context in enumerate(self._contexts)
            if (variable := self._variables.get(index)) is not None
        ]
        try:
            yield
        finally:
            for variable, token in reversed(bound):
                variable.reset(token)

    def _pop(self, index: int, *error: Any) -> None:
        """Unbind a context in place of Flask's `pop`, which would tear it down, or fail.

        Flask takes the token that was pushed last.  With `stream_with_context` around the rows
        that may be one of their `Context`.
        """
        context = self._contexts[index]
        with self.changed:
            held = self.request_holds or self.app_holds
            if held and (not _merged or _pushes(context) == 1):
                self._unbind(index, *error)
                self.changed.notify_all()
                return
        self._pops[index](*error)

    def _unbind(self, index: int, error: BaseException | None = None) -> None:
        self._error = error
        tokens = _tokens(self._contexts[index])
        at = next((at for at in reversed(range(len(tokens))) if _reset(tokens[at][0])), None)
        token, _ = tokens[-1 if at is None else at]
        if token in self._known and at is None:
            self._tokens.insert(0, token)
        elif token in self._known and not self._tokens:
            self._tokens.append(_MARK.set(None))
        self._variables[index] = token.var
        inner = _remove_token(self._contexts[index], len(tokens) - 1 if at is None else at)
        if inner is not None:
            inner.pop(error)


class FlaskContextHold:
    """A hold on the contexts of a request, for one export.

    Args:
        contexts: The contexts of the request.
    """

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._holds_request = True  # until `teardown_request` functions may run
        self._holds_app = True  # until `teardown_appcontext` functions may run
        self._shared = False  # whether another thread releases the application context
        with contexts.changed:
            contexts.request_holds += 1
            contexts.app_holds += 1

    def share(self) -> None:
        """Note that another thread reads the rows, and will call `rows_closed`."""
        self._shared = True

    def rows_closed(self, error: BaseException | None) -> None:
        """Release the application context on the thread that has read the rows.

        Waits until Flask has finished the request, or the response was closed.
        """
        contexts = self._contexts
        with contexts.changed:
            contexts.changed.wait_for(lambda: contexts.handled or not self._holds_app)
            contexts.changed.wait_for(
                lambda: contexts.request_is_over or not self._holds_app, _IN_TURN
            )
            last = self._release_app()
        if last:
            contexts.tear_down_app(error, own=True)

    def release(self, error: BaseException | None, *, last: bool) -> None:
        """Release the contexts, and tear down those that no other export holds.  Idempotent.

        While Flask is still handling the request, it tears them down as usual.

        Args:
            error: For the teardown functions.
            last: Whether it must be done, even if this is not the request's own `Context`.
        """
        contexts = self._contexts
        with contexts.changed:
            handled = contexts.handled
            if not handled and self._shared and not last:
                return
            own = handled and contexts.is_own()
            if handled and not own and not last:
                return
            over = self._release_request()
            leave = self._shared and handled
            self._shared = self._shared and not last
            ended = not leave and self._release_app()
            contexts.changed.notify_all()
        if handled:
            self._tear_down(error, request=over, app=ended, own=own)

    def _tear_down(
        self, error: BaseException | None, *, request: bool, app: bool, own: bool
    ) -> None:
        contexts = self._contexts
        try:
            if request:
                contexts.tear_down_request(error, own=own)
        finally:
            if request:
                with contexts.changed:
                    contexts.request_is_over = True
                    contexts.changed.notify_all()
            if app:
                contexts.tear_down_app(error, own=own)

    def _release_request(self) -> bool:
        """Release the request; return whether no other export holds it."""
        held, self._holds_request = self._holds_request, False
        self._contexts.request_holds -= held
        return held and not self._contexts.request_holds

    def _release_app(self) -> bool:
        """Release the application context; return whether no other export holds it."""
        held, self._holds_app = self._holds_app, False
        self._contexts.app_holds -= held
        if held and not self._contexts.app_holds:
            self._contexts.restore()
            return True
        return False


def hold_contexts() -> FlaskContextHold:
    """Hold the contexts of the current request, and with them `g`."""
    proxies: list[Any] = [flask.globals.app_ctx]
    if not _merged:
        proxies.append(vars(flask.globals)["request_ctx"])
    pushed = [proxy._get_current_object() for proxy in proxies]  # noqa: SLF001 - Werkzeug documents it
    known = getattr(pushed[-1].pop, "func", None)  # of another export of this request
    contexts = getattr(known, "__self__", None)
    return FlaskContextHold(contexts if isinstance(contexts, Contexts) else Contexts(pushed))


def _request_calls(context: Any, error: BaseException | None) -> list[Callable[[], Any]]:
    """Return what Flask calls at the end of a request, one call each for Flask before 3.2."""
    app, request = context.app, context.request
    calls: list[Callable[[], Any]] = []
    if _merged:
        calls.append(partial(app.do_teardown_request, context, error))
    elif type(app).do_teardown_request is not flask.Flask.do_teardown_request:
        calls.append(partial(app.do_teardown_request, error))
    else:
        for name in (*request.blueprints, None):
            functions = reversed(app.teardown_request_funcs.get(name, ()))
            calls += [partial(app.ensure_sync(function), error) for function in functions]
        calls.append(_signal(flask.request_tearing_down, app, exc=error))
    return [*calls, request.close, partial(request.environ.update, _NO_CYCLE)]


def _app_calls(context: Any, error: BaseException | None) -> list[Callable[[], Any]]:
    """Return what Flask calls at the end of an application context, as `_request_calls`."""
    app = context.app
    calls: list[Callable[[], Any]] = []
    if _merged:
        calls.append(partial(app.do_teardown_appcontext, context, error))
    elif type(app).do_teardown_appcontext is not flask.Flask.do_teardown_appcontext:
        calls.append(partial(app.do_teardown_appcontext, error))
    else:
        functions = reversed(app.teardown_appcontext_funcs)
        calls += [partial(app.ensure_sync(function), error) for function in functions]
        calls.append(_signal(flask.appcontext_tearing_down, app, exc=error))
    return [*calls, _signal(flask.appcontext_popped, app)]


def _signal(signal: Any, app: flask.Flask, **values: Any) -> Callable[[], Any]:
    return partial(signal.send, app, _async_wrapper=app.ensure_sync, **values)


def _call_logged(call: Callable[[], Any]) -> None:
    """Call a teardown function; log what it raises, so that the others are called."""
    try:
        call()
    except Exception:
        function = getattr(call, "func", call)
        name = getattr(function, "__qualname__", type(function).__name__)
        logger.exception("the teardown of a Flask request failed in %s", name)


def _call(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


def _reset(token: Token[Any]) -> bool:
    """Reset a variable; return False if the token was made in another `Context`."""
    try:
        token.var.reset(token)
    except ValueError:
        return False
    return True


# What follows is private to Flask.  Flask 3.2 has one context where there were two.


def _is_merged() -> bool:
    """Return whether request and application have one context.

    Raises:
        ImportError: Contexts cannot be held with this version of Flask.
    """
    context: Any = flask.Flask(__name__, static_folder=None).app_context()
    if isinstance(getattr(context, "_cv_tokens", None), list):
        return False
    if hasattr(context, "_cv_token") and getattr(context, "_push_count", None) == 0:
        return True
    raise ImportError(
        f"streamware cannot keep the contexts of Flask {version('flask')} until rows are read; it"
        f" was tested with Flask {_TESTED}: install one of these, for example with"
        " pip install 'flask<3.2', or a newer streamware-exports"
    )


_merged = _is_merged()


def _pushes(context: Any) -> int:
    """Return how often a context was pushed and not popped."""
    return cast(
        "int",
        context._push_count if _merged else len(context._cv_tokens),  # noqa: SLF001
    )


def _tokens(context: Any) -> list[tuple[Token[Any], Any]]:
    """Return the tokens that unbind a context, each with the context that was pushed with it."""
    if _merged:
        return [(context._cv_token, None)]  # noqa: SLF001
    tokens = context._cv_tokens  # noqa: SLF001
    return [token if isinstance(token, tuple) else (token, None) for token in tokens]


def _remove_token(context: Any, at: int) -> Any:
    """Remove a token; return the context that was pushed with it, if any."""
    _, inner = _tokens(context)[at]
    if _merged:
        context._cv_token, context._push_count = None, 0  # noqa: SLF001
    else:
        del context._cv_tokens[at]  # noqa: SLF001
    return inner
