"""save and asave: a path never holds half a document, and a file is left as it was given."""

import asyncio
import fcntl
import gc
import io
import os
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from children import command, environment, needs_linux
from fakes import PATIENCE, AsyncRows, Broken, Gate, Rows, aorders, failing, gated, orders, until
from readers import csv_rows, openpyxl_rows
from streamware.engine.driver import Driver

CSV = b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"
Save = Callable[..., sw.Receipt]


def saved(rows: Any, target: Any, *arguments: Any, **options: Any) -> sw.Receipt:
    return sw.save(rows, target, *arguments, **options)


def asaved(rows: Any, target: Any, *arguments: Any, **options: Any) -> sw.Receipt:
    return asyncio.run(sw.asave(rows, target, *arguments, **options))


@pytest.fixture(params=[saved, asaved], ids=["save", "asave"])
def save(request: pytest.FixtureRequest) -> Save:
    function: Save = request.param
    return function


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Paths


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.xlsx", sw.Ods()), ("a.XLSX", "ods"), ("a.json", "ndjson"), ("a.csv", sw.Tsv())],
)
def test_the_extension_of_another_format_is_an_error(
    save: Save, tmp_path: Path, name: str, format_: Any
) -> None:
    with pytest.raises(
        ValueError, match=r"the extension of a .* file must be '.*', not '.*', which is another"
    ):
        save(orders(3), tmp_path / name, format_)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.txt", "a", "a.CSV", "a.xlsx.bak"])
def test_an_extension_that_tells_nothing_else_is_as_good(
    save: Save, tmp_path: Path, name: str
) -> None:
    save(orders(3), tmp_path / name, "csv")
    assert (tmp_path / name).read_bytes() == CSV


def test_a_document_is_saved(save: Save, tmp_path: Path) -> None:
    receipt = save(orders(3), tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").read_bytes() == CSV
    assert names(tmp_path) == ["orders.csv"]
    assert (receipt.outcome, receipt.rows, receipt.bytes) == ("complete", 3, len(CSV))


def test_a_path_may_be_text(save: Save, tmp_path: Path) -> None:
    save(orders(3), str(tmp_path / "orders.csv"))
    assert (tmp_path / "orders.csv").read_bytes() == CSV


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.xml", "a.xlsx", "a.JSON", "a.b.ndjson"])
def test_the_extension_tells_the_format(save: Save, tmp_path: Path, name: str) -> None:
    assert save(orders(3), tmp_path / name).format == name.rpartition(".")[2].lower()


def test_a_format_that_is_given_counts_more(save: Save, tmp_path: Path) -> None:
    save(orders(3), tmp_path / "orders.txt", "csv")
    assert (tmp_path / "orders.txt").read_bytes() == CSV


@pytest.mark.parametrize("name", ["orders.pdf", "orders"])
def test_an_extension_that_tells_none_is_an_error_that_lists_those_there_are(
    save: Save, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValueError, match="give format=, one of csv, tsv, xml, xlsx, json, ndjson"):
        save(orders(3), tmp_path / name)
    assert names(tmp_path) == []


def test_options_are_those_of_encode(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    save(orders(1), path, columns=[sw.Column(1, "Name")], values=sw.Values(), chunk_size=1)
    assert path.read_bytes() == b"Name\r\norder 0\r\n"
    with pytest.raises(sw.LimitError):
        save(orders(2), path, limits=sw.Limits(rows=1), flush_interval=5)
    assert path.read_bytes() == b"Name\r\norder 0\r\n"


@pytest.mark.slow
def test_a_large_workbook_is_saved(save: Save, tmp_path: Path) -> None:
    save(orders(20_000), tmp_path / "orders.xlsx")
    rows = openpyxl_rows((tmp_path / "orders.xlsx").read_bytes())
    assert (len(rows), rows[-1]) == (20_000, [19_999, "order 19999"])


def test_a_file_that_was_there_is_replaced_and_keeps_its_mode(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"old")
    path.chmod(0o640)
    save(orders(3), path)
    assert path.read_bytes() == CSV
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_mode_wider_than_the_umask_is_kept(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.touch()
    path.chmod(0o666)
    save(orders(3), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_new_file_has_the_mode_that_the_umask_gives(save: Save, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(orders(3), tmp_path / "orders.csv")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "orders.csv").stat().st_mode) == 0o640


def test_a_link_stays_one(save: Save, tmp_path: Path) -> None:
    link, path = tmp_path / "latest.csv", tmp_path / "orders.csv"
    link.symlink_to(path)
    save(orders(3), link)
    assert link.is_symlink()
    assert path.read_bytes() == CSV
    save(orders(2), link)
    assert path.read_bytes() == CSV[:22]


@pytest.mark.parametrize("stem", ["x" * 251, "ä" * 125, "😀" * 62])
def test_the_longest_name_is_no_longer_while_it_is_written(
    save: Save, tmp_path: Path, stem: str
) -> None:
    save(orders(3), tmp_path / f"{stem}.csv")
    assert names(tmp_path) == [f"{stem}.csv"]


def test_the_document_is_not_there_before_it_is_whole(save: Save, tmp_path: Path) -> None:
    path, seen = tmp_path / "orders.csv", list[bool]()

    def rows() -> Iterable[Any]:
        for order in orders(20_000):
            seen.append(path.exists())
            yield order

    save(rows, path)
    assert not any(seen)
    assert path.exists()


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("number", [0, 20_000])
def test_an_error_leaves_everything_as_it_was(
    save: Save, tmp_path: Path, old: bytes | None, number: int
) -> None:
    path = tmp_path / "orders.csv"
    if old is not None:
        path.write_bytes(old)
    rows = Rows(failing(number))
    with pytest.raises(Broken):
        save(rows, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if old is None else [old])
    assert rows.closed == 1


def test_an_interrupt_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sw.save(failing(20_000, KeyboardInterrupt()), tmp_path / "orders.csv")
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_an_error_and_the_rows_are_closed(
    save: Save, tmp_path: Path
) -> None:
    rows = Rows(orders(3))
    with pytest.raises(FileNotFoundError, match=r"no such directory to write to: .*nowhere'$"):
        save(rows, tmp_path / "nowhere" / "orders.csv")
    assert (rows.pulled, rows.closed) == (0, 1)


def test_a_folder_is_no_file(save: Save, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        save(orders(3), tmp_path / "orders.csv")
    assert names(tmp_path) == ["orders.csv"]


# What is no regular file


def test_a_fifo_is_written_directly(save: Save, tmp_path: Path) -> None:
    path, read = tmp_path / "fifo", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    save(orders(3), path, "csv")
    reader.join(PATIENCE)
    assert read == [CSV]
    assert names(tmp_path) == ["fifo"]


async def test_the_loop_goes_on_while_a_fifo_waits_for_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    saving = asyncio.create_task(sw.asave(aorders(3), path, "csv"))
    await asyncio.sleep(0.01)
    assert await asyncio.to_thread(path.read_bytes) == CSV
    await saving


@pytest.mark.slow
@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("function", ["sw.save", "asyncio.run(sw.asave"])
def test_a_descriptor_is_written_directly(tmp_path: Path, target: str, function: str) -> None:
    out = tmp_path / "out.csv"
    code = (
        "import asyncio, sys, streamware as sw; print('before', flush=True);"
        f" {function}([(1,)], {target!r}, 'csv'){')' * function.count('(')}; print('after')"
    )
    with out.open("ab") as file:
        file.write(b"earlier\n")
        file.flush()
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert out.read_bytes() == b"earlier\nbefore\n1\r\nafter\n"
    piped = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"before\n1\r\nafter\n"
    assert names(tmp_path) == ["out.csv"]


def test_a_device_is_written_directly(save: Save) -> None:
    assert save(orders(3), "/dev/null", "csv").outcome == "complete"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# Files


def test_a_file_is_written_and_not_closed(save: Save, tmp_path: Path) -> None:
    for file in (io.BytesIO(), (tmp_path / "a").open("w+b"), (tmp_path / "b").open("w+b", 0)):
        with file:
            save(orders(3), file, "csv")
            assert not file.closed
            file.seek(0)
            assert file.read() == CSV


def test_a_file_does_not_tell_its_format(save: Save) -> None:
    with pytest.raises(ValueError, match="format= must be given for a file object"):
        save(orders(3), io.BytesIO())


@pytest.mark.parametrize("target", [17, None, io.StringIO()], ids=["int", "None", "text"])
def test_what_cannot_be_written_to_is_refused(save: Save, target: Any) -> None:
    with pytest.raises(TypeError, match="a path or a file opened in binary mode, not"):
        save(orders(3), target, "csv")


def test_a_file_is_not_closed_by_an_error(save: Save) -> None:
    file = io.BytesIO()
    with pytest.raises(Broken):
        save(failing(20_000), file, "csv")
    assert not file.closed


class Sparing(io.RawIOBase):
    """A raw file that takes a few bytes at a time."""

    def __init__(self, most: int) -> None:
        self.taken = b""
        self._most = most

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        assert isinstance(data, bytes)
        self.taken += data[: self._most]
        return min(len(data), self._most)


def test_a_file_may_take_less_than_it_is_given(save: Save) -> None:
    file = Sparing(7)
    save(orders(3), file, "csv")
    assert file.taken == CSV


def test_a_file_need_not_say_how_much_it_took(save: Save) -> None:
    class Plain:
        taken = b""

        def write(self, data: bytes, /) -> None:
            self.taken += data

    file = Plain()
    save(orders(3), file, "csv")
    assert file.taken == CSV


class Full(io.RawIOBase):
    """A raw file that does not block and has no room; says so by `said`."""

    def __init__(self, said: int | None) -> None:
        self._said = said

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> Any:
        return self._said


@pytest.mark.parametrize("said", [None, 0])
def test_a_file_that_takes_nothing_is_an_error_and_no_hang(save: Save, said: int | None) -> None:
    rows = Rows(orders(3))
    with pytest.raises(BlockingIOError):
        save(rows, Full(said), "csv")
    assert rows.closed == 1


def test_a_file_that_fails_is_an_error_and_the_rows_are_closed(save: Save) -> None:
    class Failing(Full):
        def write(self, data: Any, /) -> Any:
            raise OSError(28, "No space left on device")

    rows = Rows(orders(10**6))
    with pytest.raises(OSError, match="No space left on device"):
        save(rows, Failing(None), "csv")
    assert rows.closed == 1
    assert rows.pulled < 1000


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit])
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_what_ends_other_loops_does_not_pass_for_the_end_of_the_rows(
    save: Save, tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    class Ending(Rows):
        def __iter__(self) -> Any:
            return failing(5000, error())

    with pytest.raises((RuntimeError, error)):
        save(Ending([]), tmp_path / name)
    assert names(tmp_path) == []


def test_a_document_that_ends_before_its_end_is_an_error_and_no_file(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Driver, "advance", lambda driver: False)
    monkeypatch.setattr(Driver, "take", lambda driver: b"")
    rows = Rows(orders(3))
    with pytest.raises(sw.StateError, match="the document was cut, and is not complete"):
        save(rows, tmp_path / "orders.csv")
    assert names(tmp_path) == []
    assert rows.closed == 1


# asave


async def sheets() -> AsyncIterator[sw.Sheet]:
    yield sw.Sheet("a", aorders(1))
    yield sw.Sheet("b", orders(2))


async def opened() -> AsyncIterator[Any]:
    return aorders(3)


@pytest.mark.parametrize(
    "make", [lambda: aorders(3), lambda: opened, opened], ids=["rows", "callable", "coroutine"]
)
async def test_asynchronous_rows_are_saved(tmp_path: Path, make: Callable[[], Any]) -> None:
    await sw.asave(make(), tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").read_bytes() == CSV


async def test_asynchronous_sheets_are_saved(tmp_path: Path) -> None:
    await sw.asave(sheets, tmp_path / "orders.xlsx")
    assert len(openpyxl_rows((tmp_path / "orders.xlsx").read_bytes(), "b")) == 2


def test_save_refuses_asynchronous_rows(tmp_path: Path) -> None:
    with pytest.raises(sw.StateError, match=r"use sw\.aencode"):
        sw.save(aorders(3), tmp_path / "orders.csv")
    assert names(tmp_path) == []


async def test_files_are_written_on_one_thread(tmp_path: Path) -> None:
    class Watched(io.BytesIO):
        def __init__(self) -> None:
            super().__init__()
            self.threads: set[int] = set()

        def write(self, data: Any, /) -> int:
            self.threads.add(threading.get_ident())
            return super().write(data)

    file = Watched()
    await sw.asave(aorders(20_000), file, "csv", chunk_size=1000)
    assert len(file.threads) == 1
    assert file.threads != {threading.get_ident()}
    assert len(csv_rows(file.getvalue())) == 20_000


async def test_a_save_that_is_cancelled_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path, rows = tmp_path / "orders.csv", AsyncRows(orders(10**8))
    path.write_bytes(b"old")
    saving = asyncio.create_task(sw.asave(rows, path))
    await until(lambda: rows.pulled > 1000)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["orders.csv"]
    assert rows.closed == 1


async def test_a_file_that_is_opened_while_the_task_is_cancelled_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    gc.disable()  # which would close it, too
    try:
        saving = asyncio.create_task(sw.asave(orders(1), path, "csv"))
        await asyncio.sleep(0.05)  # it is being opened, and waits for a reader
        saving.cancel()
        await asyncio.sleep(0.05)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert os.read(reader, 1) == b""  # not BlockingIOError: there is no writer any more
        os.close(reader)
    finally:
        gc.enable()


async def test_a_file_is_not_closed_under_a_write_that_is_cancelled(tmp_path: Path) -> None:
    path, written = tmp_path / "fifo", list[bytes]()
    os.mkfifo(path)
    saving = asyncio.create_task(sw.asave(orders(10**6), path, "csv"))
    reader = await asyncio.to_thread(os.open, path, os.O_RDONLY)
    try:
        await until(lambda: waiting(reader) > 60_000)  # the pipe is full, and a write waits
        saving.cancel()
        await asyncio.sleep(0.02)
        assert not saving.done()
        while data := await asyncio.to_thread(os.read, reader, 2**20):
            written.append(data)
    finally:
        os.close(reader)
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert b"".join(written).startswith(b"0,order 0\r\n")


async def test_a_host_without_room_for_a_thread_is_an_error_and_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rows = Rows(orders(3))
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await sw.asave(rows, tmp_path / "orders.csv")
    assert rows.closed == 1
    assert names(tmp_path) == []


def waiting(pipe: int) -> int:
    """Bytes that can be read from it."""
    size = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return int.from_bytes(size, sys.byteorder)


async def test_a_path_that_cannot_be_renamed_to_is_an_error(tmp_path: Path) -> None:
    gate, path = Gate(), tmp_path / "orders.csv"
    saving = asyncio.create_task(sw.asave(gated(3, gate), path))
    await gate.was_entered()
    path.mkdir()
    gate.open()
    with pytest.raises(IsADirectoryError):
        await saving
    assert names(tmp_path) == ["orders.csv"]


KILLED = """
import os, sys
import streamware as sw

def rows():
    yield from ((at, "x" * 100) for at in range(50_000))
    os.kill(os.getpid(), 9)

sw.save(rows, sys.argv[1])
"""


@needs_linux
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_process_that_is_killed_leaves_no_part_of_a_file(
    tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "orders.csv"
    if before is not None:
        path.write_bytes(before)
    killed = subprocess.run(command(KILLED, path), env=environment(), check=False)
    assert killed.returncode == -9
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize("mode", [0o600, 0o640, None])
def test_it_is_the_same_where_each_file_has_a_name(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int | None
) -> None:
    path, found = tmp_path / "orders.csv", list[tuple[bytes, int]]()
    for unnamed in (True, False):
        if not unnamed:
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        path.unlink(missing_ok=True)
        if mode is not None:
            path.touch()
            path.chmod(mode)
        save(orders(3), path)
        found.append((path.read_bytes(), stat.S_IMODE(path.stat().st_mode)))
        assert list(tmp_path.iterdir()) == [path]
    assert found[0] == found[1]
    assert mode in (None, found[0][1])
