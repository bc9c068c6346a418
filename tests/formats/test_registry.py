"""Formats by name, the built-in ones and those that other packages bring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

import streamware as sw
from drive import document
from streamware.formats import registry
from streamware.formats.registry import available, extensions, lookup


@dataclass(frozen=True)
class Count:
    """A format of another package: how many rows there were."""

    name: ClassVar[str] = "count"
    media_type: ClassVar[str] = "text/plain"
    extension: ClassVar[str] = ".count"
    several_sheets: ClassVar[bool] = False
    self_terminating: ClassVar[bool] = False
    compressible: ClassVar[bool] = False

    def encoder(self, columns: Sequence[sw.Column], context: sw.Context) -> "Counter":
        return Counter()


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def start(self) -> bytes:
        return b""

    def feed(self, batch: sw.Batch) -> bytes:
        self.count += batch.count
        return b""

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return b"%d" % self.count

    def abort(self) -> None:
        pass


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package's format, and one that would take the place of a built-in one."""
    entries = [
        EntryPoint("count", f"{__name__}:Count", registry.GROUP),
        EntryPoint("csv", f"{__name__}:Count", registry.GROUP),
    ]
    monkeypatch.setattr(EntryPoint, "load", lambda entry: Count)
    monkeypatch.setattr(registry, "entry_points", lambda group: entries * (group == registry.GROUP))
    extensions.cache_clear()
    yield
    extensions.cache_clear()


def test_a_format_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", f"{__name__}:Nowhere", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(AttributeError) as raised:
        lookup("broken")
    assert raised.value.__notes__ == [
        f"while loading the format 'broken' from its entry point {__name__}:Nowhere"
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csv", sw.Csv()),
        ("tsv", sw.Tsv()),
        ("xml", sw.Xml()),
        ("xlsx", sw.Xlsx()),
        ("json", sw.Json()),
        ("ndjson", sw.Ndjson()),
        ("ods", sw.Ods()),
        ("XLSX", sw.Xlsx()),
    ],
)
def test_a_name_is_its_format_with_the_usual_options(name: str, expected: sw.Format) -> None:
    assert lookup(name) == expected


def test_a_format_is_itself() -> None:
    form = sw.Csv(bom=True)
    assert lookup(form) is form


def test_an_unknown_name_is_an_error_that_lists_those_there_are() -> None:
    message = "unknown format 'pdf'; known formats: csv, tsv, xml, xlsx, json, ndjson, ods"
    with pytest.raises(ValueError, match=message):
        sw.encode([], "pdf")


@pytest.mark.parametrize("form", [sw.Csv, None, 7, object()])
def test_what_is_neither_name_nor_format_is_an_error(form: object) -> None:
    with pytest.raises(TypeError, match=r"format must be a name or a Format such as sw\.Csv\(\)"):
        sw.encode([], form)  # type: ignore[arg-type]  # that is the test


@pytest.mark.usefixtures("brought")
def test_a_format_of_another_package_is_known_by_its_name() -> None:
    assert available() == ["csv", "tsv", "xml", "xlsx", "json", "ndjson", "ods", "count"]
    assert document([(1,)] * 100, "count").data == b"100"
    assert ".count" in extensions()


@pytest.mark.usefixtures("brought")
def test_a_built_in_format_cannot_be_replaced() -> None:
    assert lookup("csv") == sw.Csv()


def test_every_format_says_what_it_is() -> None:
    said = {
        name: (
            form.media_type.partition(";")[0],
            form.extension,
            form.several_sheets,
            form.self_terminating,
            form.compressible,
        )
        for name in available()
        for form in [lookup(name)]
    }
    assert said == {
        "csv": ("text/csv", ".csv", False, False, True),
        "tsv": ("text/tab-separated-values", ".tsv", False, False, True),
        "xml": ("application/xml", ".xml", False, True, True),
        "xlsx": (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ".xlsx",
            True,
            True,
            False,
        ),
        "json": ("application/json", ".json", False, True, True),
        "ndjson": ("application/x-ndjson", ".ndjson", False, False, True),
        "ods": ("application/vnd.oasis.opendocument.spreadsheet", ".ods", True, True, False),
    }
    assert extensions() == {".csv", ".tsv", ".xml", ".xlsx", ".json", ".ndjson", ".ods"}
