"""Sentry with a transport that keeps what it is given, for the tests of stacks."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport


class _Recording(Transport):
    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.envelopes.append(envelope)


@contextmanager
def sentry(**options: Any) -> Iterator[list[Any]]:
    """The envelopes that Sentry would send; `options` as for its `init`."""
    transport = _Recording()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        sentry_sdk.init(
            "https://key@localhost/1",
            transport=transport,
            traces_sample_rate=1.0,
            auto_session_tracking=False,  # it and the next have threads
            enable_backpressure_handling=False,
            **options,
        )
    try:
        yield transport.envelopes
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.Scope.get_global_scope().set_client(None)


def kinds(envelopes: list[Any]) -> list[str]:
    """What the envelopes hold: "transaction" and "event", which is an error."""
    return [item.type for envelope in envelopes for item in envelope.items]
