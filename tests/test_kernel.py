"""Whether the compiled kernel is there, and that it refuses what it was not made for."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import streamware as sw
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
        "text": (bytes(128), (b"",), None, 100, False, False),
        "values": (b"true", b"false", None, 0, 0, ".", False, False),
    } | changes
    rules = module.native.Rules(text=stated.pop("text"), values=stated.pop("values"))
    return module.native.Plan(**{"rules": rules} | stated)


@needs_kernel
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"row": (b"", None, "")}, TypeError),
        ({"columns": 5}, TypeError),
        ({"columns": [[None, 1, ()]]}, TypeError),
        ({"row": [b"", None, b""]}, TypeError),
        ({"text": 5}, TypeError),
        ({"values": []}, TypeError),
        ({"values": (b"", b"", 5, 0, 0, ".", False, False)}, TypeError),
        ({"columns": [(None, 1, ((b"",),) * 10)]}, TypeError),
        ({"columns": [(None, 1, (5,) * 10)]}, TypeError),
        ({"rules": 5}, TypeError),
        ({"columns": [(None, 1, ((b"", b""),))]}, ValueError),
        ({"text": (bytes(5), (b"",), None, 100, False, False)}, ValueError),
        ({"text": (b"\x07" * 128, (b"",), None, 100, False, False)}, ValueError),
        ({"text": (bytes(128), (b"",), ("-+", b"\1", True), 100, False, False)}, ValueError),
        ({"values": (b"", b"", (1,), 0, 0, ".", False, False)}, TypeError),
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
    assert plan().write(lines, True, None, 1, 2, ask) == (b"1?\n?2\n", None)
    assert asked == [(1, 0, b"bytes"), (0, 1, "a" * 101)]


@needs_kernel
@pytest.mark.parametrize("by_rows", [True, False])
def test_lists_that_are_emptied_while_they_are_written_are_no_crash(by_rows: bool) -> None:
    cells = [object() for _ in range(90)]
    lines = [[each, each] for each in cells] if by_rows else [list(cells), list(cells)]
    spliced = [None, [b"!"] * 90]
    asked = list[int]()

    def ask(at: int, row: int, value: object) -> bytes:
        asked.append(row)
        lines.clear()
        spliced.clear()
        return b"?"

    assert plan().write(lines, by_rows, spliced, 1, 90, ask) == (b"?!\n" * 90, None)
    assert asked == list(range(90))


@needs_kernel
def test_a_plan_is_neither_copied_nor_pickled() -> None:
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(plan())


ROWS = """
import _testcapi, sys
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from streamware.kernel import native

day = datetime(2024, 5, 6, 7)
row = (1, 2.5, 1e300, "text", "\\u20ac" * 9, True, None, day.date(), day, day.replace(tzinfo=UTC),
       time(1, 2, 3, 4), timedelta(1, 2, 3), Decimal("1.50"), b"?")

def rules():
    return native.Rules(
        text=(bytes(128), (b"",), ("-\\xa0", b"\\1\\1", False), 100, False, False),
        values=(b"true", b"false", None, 0, 0, ",", False, False),
    )

def plan(rules):
    column = (b"A", 1023, ((b"<", b">"),) * 10)
    return native.Plan(row=(b"(", b" ", b")"), columns=[column] * len(row), rules=rules)
"""


def run(code: str, *options: str) -> str:
    """What a program prints that uses the plans of ROWS."""
    command = [sys.executable, *options, "-c", ROWS + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_kernel
@pytest.mark.slow
def test_without_memory_there_is_a_memory_error_wherever_it_is_missing() -> None:
    pytest.importorskip("_testcapi", reason="skipped: needs CPython's _testcapi")
    code = """
def everything():
    made = plan(rules())
    return made.write([row] * 3, True, None, 1, 3, lambda *_: b"?" * 70_000)

whole, failed = everything(), 0
for start in range(1, 400):
    _testcapi.set_nomemory(start, start + 1)
    try:
        written = everything()
    except MemoryError:
        written = None
    finally:
        _testcapi.remove_mem_hooks()
    failed += written is None
    assert written in (None, whole)
print(failed)
"""
    assert int(run(code)) > 20
    assert int(run(code, "-X", "dev")) > 20


@needs_kernel
@pytest.mark.slow
def test_a_million_cells_leave_no_reference_behind() -> None:
    code = """
made, ask = plan(rules()), lambda *_: b"?"
rows = [row] * 500
counts = lambda: [sys.getrefcount(each) for each in (*row, row, ask, made, 1, "text")]
spliced = [None] * len(row)
spliced[3] = [b"spliced"] * 500
columns = [list(column) for column in zip(*rows)]
before, blocks = counts(), 0
for turn in range(150):
    made.write(rows, True, spliced, 1, 500, ask)
    made.write(columns, False, None, 1, 500, ask)
    blocks = blocks or sys.getallocatedblocks()
assert all(abs(now - then) < 9 for now, then in zip(counts(), before)), (counts(), before)
print(sys.getallocatedblocks() - blocks)
"""
    assert abs(int(run(code))) < 50


@needs_kernel
@pytest.mark.slow
def test_a_failing_write_leaves_no_reference_behind() -> None:
    code = """
made = plan(rules())
def ask(at, row, value):
    raise LookupError
def failing(lines, by_rows, count):
    try:
        made.write(lines, by_rows, None, 1, count, ask)
    except (LookupError, ValueError, TypeError):
        return
    raise AssertionError
before = [sys.getrefcount(each) for each in (row, *row)]
for turn in range(2000):
    failing([row, row], True, 2)
    failing([row, row[1:]], True, 2)
    failing([5], True, 1)
    failing([[1]], False, 1)
after = [sys.getrefcount(each) for each in (row, *row)]
assert all(abs(now - then) < 9 for now, then in zip(after, before)), (before, after)
"""
    assert run(code) == ""


@needs_kernel
@pytest.mark.slow
def test_another_interpreter_writes_in_python() -> None:
    pytest.importorskip("_xxsubinterpreters", reason="skipped: needs sub-interpreters")
    code = """
import _xxsubinterpreters
interpreter = _xxsubinterpreters.create()
_xxsubinterpreters.run_string(interpreter, '''
import streamware as sw
from streamware import kernel
print(kernel.native, b"".join(sw.encode([(1, "x")], "csv")))
''')
"""
    assert run(code).startswith("None b'1,x\\r\\n'")


@needs_kernel
@pytest.mark.slow
def test_two_hundred_threads_write_at_once() -> None:
    rows = [(at, f"text {at}", None, object()) for at in range(300)]
    values = sw.Values(other="str")
    whole = b"".join(sw.encode(rows, "csv", values=values))
    with ThreadPoolExecutor(200) as threads:
        encodings = [sw.encode(rows, "csv", values=values) for _ in range(200)]
        assert set(threads.map(b"".join, encodings)) == {whole}
