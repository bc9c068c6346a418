import asyncio
import threading
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from streamware.http.state import astate_of, checked_state, state_of


async def state(text: str = "v1") -> str:
    await asyncio.sleep(0)
    return text


class Asynchronous:
    async def __call__(self) -> str:
        return threading.current_thread().name


def test_a_text_or_what_returns_one_is_a_state() -> None:
    assert [state_of(etag) for etag in ("v1", lambda: "v2", lambda: None, None, "")] == [
        "v1",
        "v2",
        None,
        None,
        "",
    ]


def later() -> Awaitable[str]:
    return state()


@pytest.mark.parametrize("etag", ["v1", lambda: "v1", state, partial(state, "v1"), later])
async def test_beside_a_loop_it_may_be_awaited(etag: Any) -> None:
    assert await astate_of(etag) == "v1"


async def test_beside_a_loop_a_function_has_a_thread_of_its_own() -> None:
    assert await astate_of(lambda: threading.current_thread().name) == "streamware"
    assert await astate_of(Asynchronous()) == threading.current_thread().name


def test_without_a_loop_it_cannot_be_awaited() -> None:
    with pytest.raises(TypeError, match="await it before, and pass the text"):
        state_of(state)

    class Given(Awaitable[str]):
        def __await__(self) -> Any:
            raise NotImplementedError

    with pytest.raises(TypeError, match="await it before"):
        state_of(Given)


def test_two_tags_and_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="leave out one of them"):
        checked_state("v1", [("etag", '"a"')])
    with pytest.raises(TypeError, match="not int"):
        checked_state(5, [])  # type: ignore[arg-type]
    assert checked_state(None, [("etag", '"a"')]) is None
