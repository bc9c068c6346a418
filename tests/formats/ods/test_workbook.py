"""The order of things in an ODS file, and what becomes of very many rows."""

import tracemalloc
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from readers import calamine_names
from streamware.formats.ods import sheet as module
from streamware.formats.ods import styles
from streamware.model.columns import Batch, Head
from workbooks import workbook


def test_a_full_sheet_is_continued_in_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 5)
    columns = [sw.Column(0, "n", total="sum", width=12)]
    made = workbook(((n,) for n in range(8)), sw.Ods(title_rows=["T"]), columns=columns)
    assert calamine_names(made.data) == ["Sheet1", "Sheet1 (2)", "Sheet1 (3)", "Sheet1 (4)"]
    assert [made.rows(name) for name in calamine_names(made.data)] == [
        [["T"], ["n"], [0], [1], [1]],
        [["T"], ["n"], [2], [3], [5]],
        [["T"], ["n"], [4], [5], [9]],
        [["T"], ["n"], [6], [7], [13]],
    ]
    assert made.parts["content.xml"].count(b"table:display-filter-buttons") == 4


def test_names_of_sheets_are_made_legal_and_unique() -> None:
    made = workbook([sw.Sheet("a/b", [(1,)]), sw.Sheet("A_b", [(2,)])], "ods")
    assert calamine_names(made.data) == ["a_b", "A_b (2)"]
    assert made.converted == {"sheet_name": 2}


def test_the_number_of_styles_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styles, "MAX_STYLES", 10)
    rows = [(sw.Cell(1, sw.Style(size=10 + n)),) for n in range(12)]
    with pytest.raises(sw.LimitError, match="styles of the document: 11 is over the limit of 10"):
        workbook(rows, "ods")


def test_a_document_without_its_end_is_not_a_zip() -> None:
    encoding = sw.encode(((n,) for n in range(1000)), "ods")
    next(encoding)
    encoding.close()
    assert encoding.receipt.outcome == "closed"


def test_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    sw.save([(1,)], tmp_path / "orders.ods")
    assert calamine_names((tmp_path / "orders.ods").read_bytes()) == ["Sheet1"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(count: int) -> int:
        rows = ((n, "text", n / 7, sw.Cell(n, sw.Style(bold=True))) for n in range(count))
        tracemalloc.start()
        for _ in sw.encode(rows, "ods"):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(40_000) < 2 * peak(4_000)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "tiny"},
        {"names": {"A1": "1"}},
        {"names": {"Other": "[1]Sheet!A1"}},
        {"properties": {"": 1}},
        {"zoom": 5},
    ],
    ids=str,
)
def test_wrong_options_are_refused_at_once(options: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
        sw.Ods(**options)


def test_fed_rows_can_be_flushed_and_feeding_after_the_end_is_an_error() -> None:
    context = sw.Context(values=sw.Values(), limits=sw.Limits(), receipt=sw.Receipt("ods"))
    encoder = sw.Ods().encoder([], context)
    data = encoder.start()
    data += encoder.feed(Batch(Head(None, (sw.Column(0),)), 1, 1, [(1,)])) + encoder.flush()
    inflated = zlib.decompressobj(-15).decompress(data[data.index(b"content.xml") + 11 :])
    assert inflated.endswith(b"</table:table-row>")
    assert b'office:value="1"' in inflated
    encoder.finish()
    with pytest.raises(sw.StateError, match="no sheet is open"):
        encoder._write(Batch(Head(None, ()), 1, 0, []))


def test_a_sheet_is_protected_without_a_password() -> None:
    content = workbook([(1,)], sw.Ods(protect=True)).parts["content.xml"]
    assert b' table:protected="true">' in content
    assert b"protection-key" not in content


def test_properties_keep_their_types() -> None:
    day = datetime(2024, 1, 1, 12, tzinfo=UTC)
    made = workbook([(1,)], sw.Ods(properties={"Final": True, "Day": day}))
    assert b'"boolean">true<' in made.parts["meta.xml"]
    assert b'"date">2024-01-01T12:00:00Z<' in made.parts["meta.xml"]


def test_datetimes_have_an_average() -> None:
    moments = [(datetime(2024, 1, 1),), (datetime(2024, 1, 2),), (None,)]  # noqa: DTZ001
    made = workbook(moments, "ods", columns=[sw.Column(0, total="average")])
    assert made.rows()[-1] == [datetime(2024, 1, 1, 12)]  # noqa: DTZ001
