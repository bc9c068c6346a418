"""Whether the compiled kernel is there, and that it refuses what it was not made for."""

from typing import Any

import pytest

import streamware.kernel as module
from streamware.formats.kernel_rows import KINDS

needs_kernel = pytest.mark.skipif(
    module.native is None, reason="skipped: needs the compiled kernel"
)


@pytest.mark.parametrize("given", ["1", "true", " 1 "])
def test_the_environment_switches_it_off(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMWARE_PURE", given)
    assert module._load() == (None, "STREAMWARE_PURE is set")


@needs_kernel
@pytest.mark.parametrize("given", ["", "0"])
def test_the_environment_may_leave_it_on(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMWARE_PURE", given)
    assert module._load() == (module.native, "")


@needs_kernel
def test_one_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    native, why = module._load()
    assert native is None
    assert "install streamware again" in why


def plan(**changes: Any) -> Any:
    assert module.native is not None
    column = (None, 1023, ((b"", b""),) * (len(KINDS) + 2))
    stated: dict[str, Any] = {
        "row": (b"", None, b"\n"),
        "columns": [column, column],
        "text": (bytes(128), (b"",), None, "", 100, False, False, False),
        "values": (b"true", b"false", None, 0, 0, "."),
    } | changes
    rules = module.native.Rules(text=stated.pop("text"), values=stated.pop("values"))
    return module.native.Plan(**{"rules": rules} | stated)


@needs_kernel
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"row": (b"", None, "")}, TypeError),
        ({"columns": 5}, TypeError),
        ({"columns": [(None, 1, ((b"",),) * 10)]}, TypeError),
        ({"columns": [(None, 1, (5,) * 10)]}, TypeError),
        ({"rules": 5}, TypeError),
        ({"columns": [(None, 1, ((b"", b""),))]}, ValueError),
        ({"text": (bytes(5), (b"",), None, "", 100, False, False, False)}, ValueError),
        ({"text": (b"\x07" * 128, (b"",), None, "", 100, False, False, False)}, ValueError),
        ({"text": (bytes(128), (b"",), bytes(3), "", 100, False, False, False)}, ValueError),
        ({"values": (b"", b"", (1,), 0, 0, ".")}, TypeError),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        plan(**changes)


@needs_kernel
@pytest.mark.parametrize(
    ("lines", "by_rows", "spliced", "count", "error"),
    [
        ([(1, 2)], True, None, 2, ValueError),
        ([(1, 2, 3)], True, None, 1, ValueError),
        ([(1,)], True, None, 1, ValueError),
        (["ab"], True, None, 1, ValueError),
        ([[1], [2, 3]], False, None, 2, IndexError),
        ([[1], "x"], False, None, 1, TypeError),
        ([[1]], False, None, 1, ValueError),
        (5, True, None, 1, TypeError),
        ([(1, 2)], True, [None], 1, ValueError),
        ([(1, 2)], True, [["text"], None], 1, TypeError),
        ([(1, 2)], True, [[], None], 1, IndexError),
    ],
)
def test_what_is_no_batch_is_refused(
    lines: Any, by_rows: bool, spliced: Any, count: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        plan().write(lines, by_rows, spliced, 1, count, lambda *_: b"")


@needs_kernel
def test_what_is_asked_for_has_to_be_bytes() -> None:
    with pytest.raises(TypeError, match="must be bytes, not str"):
        plan().write([(object(), 1)], True, None, 1, 1, lambda *_: "text")


@needs_kernel
def test_it_asks_for_what_it_does_not_know() -> None:
    asked = list[Any]()

    def ask(at: int, row: int, value: object) -> bytes:
        asked.append((at, row, value))
        return b"?"

    lines = [(1, b"bytes"), ("a" * 101, 2)]
    assert plan().write(lines, True, None, 1, 2, ask) == b"1?\n?2\n"
    assert asked == [(1, 0, b"bytes"), (0, 1, "a" * 101)]
