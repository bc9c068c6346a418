"""One thread looks at every response that WSGI servers are sending."""

import gc
import threading
import time
from collections.abc import Callable

import pytest

from fakes import PATIENCE
from streamware.http import watchdog as module
from streamware.http.watchdog import Watchdog


class Response:
    """Counts how often, and on which threads, it is looked at."""

    def __init__(self, error: Exception | None = None) -> None:
        self.threads: list[int] = []
        self._error = error

    def look(self) -> None:
        self.threads.append(threading.get_ident())
        if self._error is not None:
            raise self._error


@pytest.fixture
def dog(monkeypatch: pytest.MonkeyPatch) -> Watchdog:
    monkeypatch.setattr(module, "TICK", 0.01)
    return Watchdog()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_one_thread_looks_at_all_until_they_are_removed(dog: Watchdog) -> None:
    before = threading.active_count()
    responses = [Response() for _ in range(5)]
    for each in responses:
        dog.add(each)
    until(lambda: all(len(each.threads) > 2 for each in responses))
    assert threading.active_count() == before + 1
    for each in responses:
        dog.remove(each)
        dog.remove(each)
    until(lambda: threading.active_count() == before)
    assert len({thread for each in responses for thread in each.threads}) == 1


def test_it_starts_again(dog: Watchdog) -> None:
    before = threading.active_count()
    for _ in range(50):
        response = Response()
        dog.add(response)
        until(lambda: response.threads)  # noqa: B023 - called at once
        dog.remove(response)
    until(lambda: threading.active_count() == before)


def test_it_keeps_no_response_alive(dog: Watchdog) -> None:
    before = threading.active_count()
    dog.add(Response())
    gc.collect()
    until(lambda: threading.active_count() == before)


def test_an_error_is_logged_and_the_others_are_looked_at(
    dog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = Response(ValueError("secret")), Response()
    dog.add(broken)
    dog.add(other)
    until(lambda: len(other.threads) > 2)
    dog.remove(broken)
    dog.remove(other)
    assert "looking at a response failed" in caplog.text


def test_a_response_does_without_if_there_are_too_many_threads(
    dog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        dog.add(response := Response())
    assert response.threads == []
    dog.add(other := Response())
    until(lambda: response.threads and other.threads)
    dog.remove(response)
    dog.remove(other)


def test_a_forked_child_looks_at_nothing(dog: Watchdog) -> None:
    response = Response()
    dog.add(response)
    dog.forked()
    seen = len(response.threads)
    time.sleep(0.05)
    assert len(response.threads) <= seen + 1
    dog.add(response)
    until(lambda: len(response.threads) > seen + 1)
    dog.remove(response)
