"""An export and a bundle without a request: saved, watched, and whole or not there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import streamware as sw
from drive import Clock
from fakes import AsyncRows, Broken, Rows, failing, orders, until
from readers import csv_rows
from stores.started import started
from streamware.http import saved
from streamware.stores import bucket

started()
CSV = b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"
Save = Callable[..., sw.Receipt]


class Seen:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def opened(self, receipt: sw.Receipt) -> None:
        self.events.append(f"opened: {receipt.outcome}")

    def first_byte(self, receipt: sw.Receipt) -> None:
        self.events.append("first byte")

    def progress(self, receipt: sw.Receipt) -> None:
        if self.events[-1] != "progress":
            self.events.append("progress")

    def done(self, receipt: sw.Receipt) -> None:
        self.events.append(f"done: {receipt.outcome}, {receipt.problem}")


def save_now(what: Any, *arguments: Any, **options: Any) -> sw.Receipt:
    receipt: sw.Receipt = what.save(*arguments, **options)
    return receipt


def save_beside_a_loop(what: Any, *arguments: Any, **options: Any) -> sw.Receipt:
    receipt: sw.Receipt = asyncio.run(what.asave(*arguments, **options))
    return receipt


@pytest.fixture(params=[save_now, save_beside_a_loop], ids=["save", "asave"])
def save(request: pytest.FixtureRequest) -> Save:
    function: Save = request.param
    return function


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is behind `memory://` in one test."""
    from obstore.store import MemoryStore

    store = MemoryStore()
    monkeypatch.setattr(bucket, "_memory", lambda: store)
    return store


def names(store: Any) -> list[str]:
    return [found["path"] for batch in store.list() for found in batch]


def test_an_export_is_saved_and_observers_hear_of_it(save: Save, store: Any) -> None:
    seen, done = Seen(), list[sw.Receipt]()
    export = sw.Export(
        lambda: orders(20_000), on_done=done.append, settings=sw.Settings(observers=(seen,))
    )
    receipt = save(export, "memory://orders.csv")
    assert seen.events == ["opened: running", "first byte", "progress", "done: complete, None"]
    assert done == [receipt]
    assert receipt.etag == store.head("orders.csv")["e_tag"]
    assert (receipt.rows, receipt.delivery, receipt.format) == (20_000, "save", "csv")
    assert receipt.bytes == store.head("orders.csv")["size"]
    assert len(csv_rows(bytes(store.get("orders.csv").bytes()))) == 20_000


def test_a_file_is_saved_too(save: Save, tmp_path: Path) -> None:
    save(sw.Export(orders(3)), tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").read_bytes() == CSV
    file = BytesIO()
    save(sw.Export(orders(3)), file)
    assert file.getvalue() == CSV


@pytest.mark.parametrize(
    ("target", "given", "format_"),
    [
        ("a.csv", None, "csv"),
        ("a.JSON", None, "json"),
        ("a", None, "xlsx"),
        ("a.csv", "csv", "csv"),
        ("a", "json", "json"),
        ("a.ods", "ods", "ods"),
        ("a.csv", sw.Csv(bom=True), "csv"),
    ],
)
def test_the_format_is_that_of_the_extension_or_the_first(
    save: Save, store: Any, target: str, given: Any, format_: str
) -> None:
    export = sw.Export(orders(3), formats=("xlsx", "csv", "json"))
    assert save(export, f"memory://{target}", format=given).format == format_
    assert names(store) == [target]


def test_a_format_keeps_the_options_with_which_it_is_offered(save: Save, store: Any) -> None:
    save(sw.Export(orders(3), formats=[sw.Csv(delimiter=";")]), "memory://a.csv")
    save(sw.Export(orders(3), formats=[sw.Csv(delimiter=";")]), "memory://b.csv", format="csv")
    for name in ("a.csv", "b.csv"):
        assert bytes(store.get(name).bytes()).startswith(b"0;order 0\r\n")


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        ("memory://a.ods", None, "no format has the extension '.ods'; give format=, one of csv"),
        ("memory://a.xslx", None, "no format has the extension '.xslx'"),
        ("memory://a.csv", "xlsx", "the extension of a xlsx file must be '.xlsx'"),
        ("memory://a", "pdf", "pdf"),
        ("memory://", None, "names no object"),
    ],
)
def test_a_format_that_does_not_fit_is_an_error_and_nothing_is_opened(
    save: Save, target: str, given: str | None, said: str
) -> None:
    rows = Rows(orders(3))
    with pytest.raises(ValueError, match=said):
        save(sw.Export(rows), target, format=given)
    assert rows.pulled == 0
    rows.close()


def test_several_sheets_need_a_format_that_has_them(save: Save) -> None:
    export = sw.Export(lambda: [sw.Sheet("a", orders(1))], formats=["xlsx"])
    with pytest.raises(ValueError, match="several sheets"):
        save(sw.Export([sw.Sheet("a", orders(1))], formats=["xlsx"]), "memory://a", format="csv")
    assert save(export, "memory://a").format == "xlsx"


def test_a_store_sends_it_by_the_name_of_the_download(save: Save, store: Any) -> None:
    save(sw.Export(orders(3), filename="Aufträge"), "memory://2026/1.csv")
    save(sw.Export(orders(3)), "memory://2.csv")
    sent = store.get("2026/1.csv").attributes
    assert sent["Content-Disposition"] == (
        "attachment; filename=\"Auftrage.csv\"; filename*=UTF-8''Auftr%C3%A4ge.csv"
    )
    assert sent["Content-Type"] == "text/csv; charset=utf-8"
    assert "Content-Disposition" not in store.get("2.csv").attributes


@pytest.mark.parametrize("count", [0, 20_000])
def test_an_error_of_the_rows_publishes_nothing(save: Save, store: Any, count: int) -> None:
    seen, rows = Seen(), Rows(failing(count))
    with pytest.raises(Broken):
        save(sw.Export(rows, settings=sw.Settings(observers=(seen,))), "memory://orders.csv")
    assert seen.events[-1] == "done: source error, Broken"
    assert names(store) == []
    assert rows.closed == 1


class Full(BytesIO):
    def write(self, data: Any, /) -> int:
        raise OSError(28, "No space left on device")


class Unpublished(sw.Remote):
    """A store that takes all, and then fails."""

    def writer(self, **options: Any) -> Any:
        raise ConnectionError(111, "the store cannot be reached")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (Full(), "OSError: No space left on device"),
        (Unpublished("memory://orders.csv"), "ConnectionError: Connection refused"),
        (sw.Remote("memory://there.csv", overwrite=False), "FileExistsError: File exists"),
    ],
)
def test_an_error_of_the_target_is_told_from_one_of_the_rows(
    save: Save, store: Any, target: Any, problem: str
) -> None:
    store.put("there.csv", b"old")
    seen, rows = Seen(), Rows(orders(20_000))
    with pytest.raises(OSError, match=r"."):
        save(sw.Export(rows, settings=sw.Settings(observers=(seen,))), target)
    assert seen.events[-1] == f"done: target error, {problem}"
    assert rows.closed == 1
    assert names(store) == ["there.csv"]


def test_one_that_appears_at_the_end_makes_a_complete_document_a_failed_one(
    save: Save, store: Any
) -> None:
    done: list[sw.Receipt] = []

    def rows() -> Any:
        yield from orders(3)
        store.put("orders.csv", b"first")

    with pytest.raises(FileExistsError, match="there is an object already"):
        save(
            sw.Export(rows, on_done=done.append), sw.Remote("memory://orders.csv", overwrite=False)
        )
    (receipt,) = done
    assert (receipt.outcome, receipt.sha256, receipt.etag) == ("target error", None, None)
    assert bytes(store.get("orders.csv").bytes()) == b"first"


def test_progress_is_told_every_second(
    save: Save, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, told = Clock(), list[int]()
    monkeypatch.setattr(saved, "monotonic", clock)

    def rows() -> Iterator[tuple[str]]:
        for _ in range(10):
            yield (clock.after(0.4, "x" * 300_000),)

    save(sw.Export(rows), "memory://a.csv", progress=lambda receipt: told.append(receipt.rows))
    assert told == [3, 6, 9]


def test_progress_that_raises_ends_it_and_nothing_is_published(
    save: Save, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "SECONDS", 0.0)
    seen, rows = Seen(), Rows(orders(10**7))

    def cancel(receipt: sw.Receipt) -> None:
        raise Broken

    export = sw.Export(rows, settings=sw.Settings(observers=(seen,)))
    with pytest.raises(Broken):
        save(export, "memory://orders.csv", progress=cancel)
    assert seen.events[-1] == "done: closed, None"
    assert names(store) == []
    assert (rows.closed, rows.pulled < 100_000) == (1, True)


async def test_one_that_is_cancelled_is_closed_and_not_published(store: Any) -> None:
    seen, rows = Seen(), AsyncRows(orders(10**8))
    export = sw.Export(rows, settings=sw.Settings(observers=(seen,)))
    saving = asyncio.create_task(export.asave("memory://orders.csv"))
    await until(lambda: rows.pulled > 1000)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert seen.events[-1] == "done: closed, None"
    assert names(store) == []
    assert rows.closed == 1


async def test_asynchronous_rows_are_saved(store: Any) -> None:
    async def rows() -> AsyncIterator[Any]:
        for row in orders(3):
            yield row

    assert (await sw.Export(rows).asave("memory://orders.csv")).rows == 3
    assert bytes(store.get("orders.csv").bytes()) == CSV


def test_rows_have_the_scratch_of_the_export(save: Save, store: Any) -> None:
    def rows() -> Iterator[tuple[str]]:
        spool = sw.current_scratch().spool()
        spool.write(b"x" * 1000)
        yield (str(spool.tell()),)

    save(sw.Export(rows), "memory://a.csv")
    assert bytes(store.get("a.csv").bytes()) == b"1000\r\n"


def test_limits_are_kept(save: Save, store: Any) -> None:
    done: list[sw.Receipt] = []
    export = sw.Export(orders(3), limits=sw.Limits(rows=2), on_done=done.append)
    with pytest.raises(sw.LimitError):
        save(export, "memory://orders.csv")
    assert [receipt.outcome for receipt in done] == ["limit"]
    assert names(store) == []


def test_rows_that_were_read_are_not_saved_again(save: Save) -> None:
    export = sw.Export(orders(3))
    save(export, "memory://a.csv")
    with pytest.raises(sw.StateError, match="used before"):
        save(export, "memory://b.csv")


def test_a_bundle_is_saved(save: Save, store: Any) -> None:
    seen = Seen()
    bundle = sw.Bundle(
        [("orders.csv", sw.Export(orders(3))), ("read me.txt", b"hello")],
        filename="Alles",
        settings=sw.Settings(observers=(seen,)),
    )
    receipt = save(bundle, "memory://all.zip")
    found = store.get("all.zip")
    with ZipFile(BytesIO(bytes(found.bytes()))) as archive:
        assert archive.read("orders.csv") == CSV
        assert archive.read("read me.txt") == b"hello"
    assert found.attributes == {
        "Content-Type": "application/zip",
        "Content-Disposition": 'attachment; filename="Alles.zip"',
    }
    assert (receipt.format, receipt.etag) == ("zip", store.head("all.zip")["e_tag"])
    assert seen.events == ["opened: running", "first byte", "done: complete, None"]


def test_a_bundle_that_fails_publishes_nothing(save: Save, store: Any) -> None:
    seen = Seen()
    bundle = sw.Bundle(
        [("a.csv", sw.Export(failing(20_000)))], settings=sw.Settings(observers=(seen,))
    )
    with pytest.raises(Broken):
        save(bundle, "memory://all.zip")
    assert names(store) == []
    with pytest.raises(ValueError, match=r"the extension of a bundle must be '.zip', not '.csv'"):
        save(sw.Bundle([]), "memory://all.csv")
