"""Each benchmark runs, small; all contenders write the same cells, as foreign readers tell."""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

import streamware as sw
from benchmarks import __main__ as documentation
from benchmarks import (
    clients,
    databases,
    delivery,
    first_chunk,
    instructions,
    kinds,
    loop,
    losses,
    memory,
    paths,
    scratch,
    shapes,
    small,
    sources,
    speed,
    workbooks,
)
from benchmarks.child import Run
from benchmarks.contender import Contender, Stream
from benchmarks.contenders import CONTENDERS, reference
from benchmarks.lines import LINES, Line
from benchmarks.readings import READINGS
from benchmarks.rivals import RIVALS
from benchmarks.served import Baseline, State
from benchmarks.table import placed
from benchmarks.workloads import ALL, WORKLOADS, Row, Workload
from readers import zip_parts
from streamware import kernel
from streamware.scratch.pool import _pools

FEW = 50


def installed(contender: Contender) -> Contender:
    if contender.missing:
        pytest.skip(f"needs {contender.missing}")
    return contender


def read_xlsx(path: Path) -> list[list[object]]:
    calamine = pytest.importorskip("python_calamine", reason="needs python-calamine")
    sheet = calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    return [list(row) for row in sheet.to_python()]


def read_csv(path: Path) -> list[list[object]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [list(row) for row in csv.reader(file)]


def read_json(path: Path) -> list[list[object]]:
    found = json.loads(path.read_bytes())
    return [list(found[0]), *(list(row.values()) for row in found)]


def read_xml(path: Path) -> list[list[object]]:
    rows = ET.parse(path).getroot()
    cells: list[list[object]] = [[cell.text or "" for cell in row] for row in rows]
    return [[cell.tag for cell in rows[0]], *cells]


READERS: dict[str, Callable[[Path], list[list[object]]]] = {
    "xlsx": read_xlsx,
    "csv": read_csv,
    "xml": read_xml,
    "json": read_json,
}


def told(found: object, like: object) -> object:
    """A cell as it was read, text included, in the type of the value that was written."""
    if like is None or isinstance(found, datetime):
        return "" if found is None else found
    if isinstance(found, date):
        return datetime.combine(found, time())
    if isinstance(like, bool):
        return str(found).lower() == "true"
    if isinstance(like, (int, float, Decimal)):
        return float(str(found))
    return datetime.fromisoformat(str(found)) if isinstance(like, date) else found


def meant(value: object) -> object:
    """A value as `told` gives it back; XlsxWriter and openpyxl write 16 digits of a float."""
    if value is None or isinstance(value, (str, bool, datetime)):
        return "" if value is None else value
    if isinstance(value, date):
        return datetime.combine(value, time())
    return pytest.approx(float(str(value)), rel=1e-14)


def same(found: Sequence[object], row: Row) -> bool:
    cells = [told(cell, value) for cell, value in zip(found, row, strict=True)]
    return cells == [meant(value) for value in row]


def all_cells_are_in(path: Path, workload: Workload) -> bool:
    titles, *cells = READERS[path.suffix[1:]](path)
    rows = list(workload.rows(FEW))
    told = [all(map(same, cells, rows))] if len(cells) == len(rows) else [False]
    return titles == list(workload.titles) and all(told)


HERE = [name for name, one in CONTENDERS.items() if one.path is None and one not in RIVALS]


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=list(WORKLOADS))
@pytest.mark.parametrize("name", HERE)
def test_a_contender_writes_all_cells(name: str, workload: Workload, tmp_path: Path) -> None:
    contender = installed(CONTENDERS[name])
    path = tmp_path / f"out.{contender.format}"
    contender.save(workload.rows(FEW), workload.titles, path)
    assert all_cells_are_in(path, workload)


SAVE = """
import sys; from pathlib import Path
from benchmarks.contenders import CONTENDERS; from benchmarks.workloads import WORKLOADS
name, few, *paths = sys.argv[1:]
for path, workload in zip(paths, WORKLOADS.values(), strict=True):
    CONTENDERS[name].save(workload.rows(int(few)), workload.titles, Path(path))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.name for one in RIVALS])
def test_a_rival_writes_all_cells(name: str, tmp_path: Path) -> None:
    """Written in a process of its own, because some leave threads and descriptors behind."""
    contender = installed(CONTENDERS[name])
    written = [tmp_path / f"{workload}.{contender.format}" for workload in WORKLOADS]
    command = [sys.executable, "-c", SAVE, name, str(FEW), *map(str, written)]
    subprocess.run(command, cwd=paths.ROOT, check=True)
    workloads = WORKLOADS.values()
    assert [all_cells_are_in(*pair) for pair in zip(written, workloads, strict=True)] == [True] * 3


def test_our_workbook_opens_in_openpyxl(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl")
    orders, path = WORKLOADS["orders"], tmp_path / "out.xlsx"
    CONTENDERS["streamware xlsx"].save(orders.rows(FEW), orders.titles, path)
    sheet = openpyxl.load_workbook(path).active
    cells = [
        ["" if cell is None else cell for cell in row] for row in sheet.iter_rows(values_only=True)
    ]
    assert cells[0] == list(orders.titles)
    assert all(same(*pair) for pair in zip(cells[1:], orders.rows(FEW), strict=True))


def test_the_rows_are_the_same_in_every_run() -> None:
    for workload in ALL.values():
        rows = list(workload.rows(FEW))
        assert rows == list(workload.rows(FEW))
        assert {len(row) for row in rows} == {len(workload.titles)}


def test_an_order_has_the_cells_it_is_described_with() -> None:
    rows = list(WORKLOADS["orders"].rows(1000))
    kinds = [int, str, str, float, Decimal, bool, date, datetime, int, str]
    assert [type(cell) for cell in rows[1]] == kinds
    assert sum(row[8] is None for row in rows) == 200
    assert {len(str(row[1])) for row in rows} == {33}


def test_shapes_have_the_cells_they_are_named_after() -> None:
    cells = {name: [cell for row in ALL[name].rows(500) for cell in row] for name in ALL}
    assert cells["80 % None"].count(None) == 4000
    assert {type(cell) for cell in cells["integers"]} == {int}
    assert {type(cell) for cell in cells["integers and floats"]} == {int, float}
    assert len({type(cell) for cell in cells["eight types"]}) == 8
    assert sum(str(cell).startswith("-") for cell in cells["signs"]) == 1500
    assert sum("\x01" in str(cell) for cell in cells["control characters"]) == 5
    assert sum(str(cell).startswith(" ") for cell in cells["blanks at edges"]) == 5
    assert sum(isinstance(cell, UUID) for cell in cells["UUID"]) == 500
    assert max(len(str(cell)) for cell in cells["texts of 2 kB"]) == 2008


@pytest.mark.slow
def test_a_path_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in paths.available():
        monkeypatch.setenv(paths.SWITCH, "1" if path == paths.KERNEL else "0")
        assert paths.ran(path, "benchmarks.paths").decode().strip() == path


def test_a_mark_stands_before_and_after_each_piece_that_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marks: list[None] = []
    monkeypatch.setattr(os, "getppid", lambda: marks.append(None))
    few = {name: replace(case, few=1, many=2) for name, case in instructions.CASES.items()}
    monkeypatch.setattr(instructions, "CASES", few)
    instructions.run_pieces()
    assert len(marks) == 4 * len(few)
    pieces = [1_000, 100, 1_000, 130] * len(few)
    assert instructions.by_case(pieces) == dict.fromkeys(few, 30.0)


COUNTED = {"pure": {"a": 100.0, "b": 106.0, "c": 94.0, "new": 1.0}}
STORED = {"pure": {"a": 100.0, "b": 100.0, "c": 100.0}, "kernel": {"a": 1.0}}


def test_a_count_that_has_grown_is_told_from_one_that_is_out_of_date() -> None:
    assert instructions.grown(COUNTED, STORED) == [
        "b (pure): 106 instructions where 100 are stored"
    ]
    assert instructions.shrunk(COUNTED, STORED) == ["c (pure)"]
    assert "| b | pure | 106 | 100 | 1.060 |" in instructions.report(COUNTED, STORED)


def test_counts_of_another_python_or_machine_are_not_compared() -> None:
    here = instructions.conditions_here()
    assert instructions.incomparable(here) is None
    assert "CPython 3.10" in (instructions.incomparable(here | {"python": "3.10.1"}) or "")
    assert "for vax" in (instructions.incomparable(here | {"machine": "vax"}) or "")


def test_a_path_that_was_not_counted_keeps_its_stored_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "STORED", tmp_path / "counts.json")
    instructions.write({"kernel": {"a": 1.2}, "pure": {"a": 3.4}})
    instructions.write({"pure": {"a": 5.0}})
    stored = json.loads((tmp_path / "counts.json").read_text("utf-8"))
    assert stored["counts"] == {"kernel": {"a": 1}, "pure": {"a": 5}}


def test_a_kernel_that_was_compiled_by_hand_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options are others, and so are its instructions: by a tenth."""
    monkeypatch.setattr(instructions, "counted", lambda path: {path: 1.0})
    monkeypatch.setattr(kernel, "native", SimpleNamespace(SOURCES=0))
    assert instructions.measure() == {"pure": {"pure": 1.0}}
    monkeypatch.setattr(kernel, "native", SimpleNamespace(SOURCES=7))
    assert list(instructions.measure()) == ["kernel", "pure"]


def test_counts_that_have_grown_fail_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instructions, "STORED", tmp_path / "counts.json")
    monkeypatch.setattr(instructions, "measure", lambda: COUNTED)
    instructions.write({"pure": {"a": 100.0, "b": 101.0}})
    assert instructions.check() == 0
    instructions.write({"pure": {"a": 95.0, "b": 101.0}})
    assert instructions.check() == 1
    assert "a (pure): 100 instructions where 95 are stored" in capsys.readouterr().out


@pytest.mark.slow
def test_speed_compares_streamware_with_others() -> None:
    found = speed.measure(200, rounds=1, format_name="csv", only="csv.writer")
    assert list(found) == ["streamware csv", "csv.writer batched"]
    assert found["streamware csv"].times(found["streamware csv"]) == 1.0
    assert found["streamware csv"].disk == 0
    assert found["csv.writer batched"].size > 20_000


def test_a_run_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"csv\.writer batched: the run failed: KeyError"):
        speed.run("csv.writer batched", "no such workload", 20)


def test_rivals_that_cannot_write_rows_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(name: str, workload: str, rows: int) -> tuple[Run, int]:
        ran.append(name)
        if name == "csv.writer batched":
            raise RuntimeError(f"{name}: the run failed: so")
        return Run(1.0, 2.0, 0.0, 0.0, 0, 0, "pure"), 0

    monkeypatch.setattr(speed, "run", run)
    found = speed.measure(20, rounds=2, format_name="csv", only="csv.writer")
    assert list(found) == ["streamware csv"]
    assert "left out of orders: csv.writer batched: the run failed: so" in capsys.readouterr().err
    assert ran == ["csv.writer batched", "streamware csv", "streamware csv"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_disk_is_watched_for_unlinked_files(tmp_path: Path) -> None:
    before = speed.disk_bytes(tmp_path, os.getpid())
    (tmp_path / "named").write_bytes(bytes(100_000))
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(bytes(200_000))
        file.flush()
        assert speed.disk_bytes(tmp_path, os.getpid()) - before >= 300_000


def figures(micros: float = 3.0) -> speed.Speed:
    rounds = (micros, micros * 1.1, micros * 0.9)
    return speed.Speed(micros, micros * 0.9, rounds, 0.0, 0.0, 0, 0, 0)


@pytest.mark.parametrize(
    ("ratio", "reached"), [(1.9, "no"), (2.0, "must"), (2.6, "stretch")], ids=str
)
def test_the_summary_says_what_was_reached(ratio: float, reached: str) -> None:
    speeds = {"streamware csv": figures(2.0), "csv.writer batched": figures(2.0 * ratio)}
    last = speed.summary({("orders", "csv"): speeds}).splitlines()[-1]
    assert last == f"| CSV: csv.writer | {ratio:.2f} | {ratio:.2f} | 2 | 2.6 | {reached} |"


def test_the_fastest_of_several_rivals_counts() -> None:
    speeds = {"rapidxlsx, columns": figures(9.0), "rapidxlsx, Polars": figures(6.0)}
    speeds["streamware xlsx"] = figures()
    last = speed.summary({("numbers", "xlsx"): speeds}).splitlines()[-1]
    assert last.endswith("which makes its table | 2.00 | 2.00 | 1 | 1 | stretch |")


def test_tables_that_are_given_are_compared_with_ours_that_is_given_one() -> None:
    speeds = {"jetxl, given Arrow": figures(6.0), "streamware xlsx, given Arrow": figures(2.0)}
    last = speed.summary({("orders", "xlsx"): speeds}).splitlines()[-1]
    assert "given theirs | 3.00 | 3.00 | 1.5 | 2 | stretch |" in last
    found = {"jetxl, given Arrow": losses.Losses(kept(("dates", losses.TEXT)), False, 0.0, False)}
    lines = speed.report(speeds | {"streamware xlsx": figures(9.0)}, found)
    names = [line.split(" | ")[0] for line in lines.splitlines()[2:]]
    assert names == [f"| {name}" for name in ("streamware xlsx", *reversed(speeds))]
    figures_of_jetxl = "6.00 | 5.40 | 3.00 | 0.000 | 0.000 | 0.0 | 0.0 | 0.0"
    assert lines.endswith(f"{figures_of_jetxl} | 1 of 15 kinds of values; no stream |")


def test_each_rival_is_compared_with_ours_of_its_format_and_kind() -> None:
    for target in speed.TARGETS:
        assert set(target.rivals) <= set(CONTENDERS)
        assert target.ours in {"", *CONTENDERS}
    assert {reference(one) for one in CONTENDERS.values()} <= set(CONTENDERS)
    assert "rapidxlsx, columns" not in speed.iterating("xlsx")
    assert "openexcel" in speed.iterating("xlsx")


def kept(*others: tuple[str, str]) -> dict[str, str]:
    return dict.fromkeys(losses.VALUES, losses.KEPT) | dict(others)


@pytest.mark.parametrize(
    "name", ["streamware xlsx", "streamware csv", "streamware xml", "streamware json"]
)
def test_we_lose_nothing(name: str) -> None:
    for needed in losses.READERS:
        pytest.importorskip(needed, reason=f"needs {needed}")
    found = losses.tried(CONTENDERS[name], few=3000, many=3010)
    assert (found.values, found.streams, found.file) == (kept(), True, False)
    assert losses.said(replace(found, growth=0.0)) == "nothing"


def test_losses_are_found_by_trying() -> None:
    found = losses.tried(CONTENDERS["csv.writer batched"], few=3000, many=3010)
    assert found.values == kept(("formula texts", losses.LIVE))
    assert found.streams
    assert losses.said(replace(found, growth=0.0)) == "live: formula texts"


def a_contender(stream: Stream) -> Contender:
    return Contender("one", "csv", "iter", stream=stream)


def refusing(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    raise TypeError("none of these")


def unreadable(rows: Iterable[Row], titles: Sequence[str]) -> Iterator[bytes]:
    yield b"\xff"


def test_what_is_refused_or_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    assert losses.became(a_contender(refusing), 1, tmp_path) == losses.REFUSED
    assert losses.became(a_contender(unreadable), 1, tmp_path) == losses.UNREADABLE


@pytest.mark.parametrize(
    ("value", "cell", "format_name", "became"),
    [
        (2**60 + 1, float(2**60), "xlsx", losses.CHANGED),
        (2**60 + 1, str(2**60 + 1), "xlsx", losses.KEPT),
        (Decimal("1.10"), 1.1, "xlsx", losses.KEPT),
        (Decimal("1.10"), "1.10", "xlsx", losses.TEXT),
        (Decimal("1.10"), "1.1", "csv", losses.CHANGED),
        (0.1 + 0.2, "0.3", "csv", losses.CHANGED),
        (float("nan"), float("nan"), "xlsx", losses.UNREADABLE),
        (float("nan"), "", "xlsx", losses.KEPT),
        (float("-inf"), -1e308, "xlsx", losses.CHANGED),
        (float("-inf"), "-inf", "csv", losses.KEPT),
        (True, 1.0, "xlsx", losses.CHANGED),
        (date(2024, 5, 6), date(2024, 5, 6), "xlsx", losses.KEPT),
        (date(2024, 5, 6), datetime.combine(date(2024, 5, 6), time()), "xlsx", losses.KEPT),
        (date(2024, 5, 6), "2024-05-06", "xlsx", losses.TEXT),
        (date(2024, 5, 6), 45418.0, "xlsx", losses.CHANGED),
        ("=1+1", "'=1+1", "csv", losses.KEPT),
        ("=1+1", losses.Formula(), "xlsx", losses.LIVE),
        ("007", 7.0, "xlsx", losses.CHANGED),
        ("a\x01b", "a�b", "xml", losses.KEPT),
    ],
)
def test_a_value_is_kept_if_a_reader_gives_it_back(
    value: object, cell: object, format_name: str, became: str
) -> None:
    assert losses.judged(value, cell, format_name) == became


def test_a_document_in_one_piece_is_no_stream() -> None:
    ours = CONTENDERS["streamware csv"]
    assert ours.stream is not None
    stream = ours.stream
    whole = replace(ours, stream=lambda rows, titles: iter([b"".join(stream(rows, titles))]))
    assert losses.streams(ours, 3000)
    assert not losses.streams(whole, 3000)


def test_a_table_says_what_is_lost() -> None:
    found = losses.Losses(
        kept(("dates", losses.TEXT), ("floats", losses.CHANGED)), False, 200, True
    )
    assert losses.said(found) == "changed: floats; as text: dates; all in memory; a file"
    assert losses.said(losses.Losses(kept(), False, 0, False)) == "no stream"
    assert losses.report({"one": None}).splitlines()[-1] == "| one | it failed |"


def test_memory_is_measured_for_every_case() -> None:
    found = memory.measure(200)
    assert list(found) == [case.name for case in memory.CASES]
    assert all(size > 10_000 for size in found.values())


def test_memory_leaves_out_slow_cases() -> None:
    assert all(case.most is None or case.most < 1_000_000 for case in memory.CASES)
    assert [len(str(row[-1])) > 1000 for row in memory.rising(3, 2000)] == [False] * 3 + [True]
    assert [
        at for at, row in enumerate(memory.scattered(200, 2000)) if len(str(row[-1])) > 1000
    ] == [50, 150]


def test_the_loop_is_watched_in_every_way() -> None:
    found = loop.once(200, "xlsx")
    assert list(found) == list(loop.WAYS)
    assert all(delays.p50 <= delays.p99 <= delays.worst for delays in found.values())


def test_the_first_chunk_comes_before_all_rows_are_pulled() -> None:
    found = first_chunk.measure(2000, times=2)
    assert {name for name, _ in found} == set(first_chunk.FORMATS)
    assert all(0 < first.rows < 1000 and first.size > 0 for first in found.values())


@pytest.fixture
def scratch_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch goes by default."""
    monkeypatch.setenv("STREAMWARE_SCRATCH_DIR", str(tmp_path))
    yield tmp_path
    for made in list(_pools.values()):
        if made.directory.path == str(tmp_path):
            made.directory.close()


def test_scratch_reports_what_is_added_to_a_request(scratch_dir: Path) -> None:
    found = scratch.costs(50, rounds=2)
    assert [cost.limit for cost in found.values()] == [5, 30, 30]
    assert all(cost.with_scratch > 0 and cost.without >= 0 for cost in found.values())
    assert list(scratch_dir.iterdir()) == []


def test_scratch_writes_the_same_bytes_in_every_way(tmp_path: Path) -> None:
    shared = scratch.unbounded(str(tmp_path))
    with closing(shared.directory):
        found = scratch.writes(shared, 3 * scratch.MIB, rounds=2)
        lines = scratch.report_writes(found, 3 * scratch.MIB).splitlines()
    assert [len(rounds) for rounds in found.values()] == [2, 2, 2]
    assert all(one.wall > 0 for rounds in found.values() for one in rounds)
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in scratch.WRITERS]
    assert list(tmp_path.iterdir()) == []


def test_a_spool_is_judged_by_the_slower_of_cpu_and_wall() -> None:
    took = {
        "spool": [scratch.WriteRun(cpu=1.0, wall=4.0, read=2.0)],
        "os.write": [scratch.WriteRun(cpu=1.0, wall=2.0, read=1.0)],
    }
    last = scratch.report_writes(took, 8_000_000).splitlines()[-1]
    assert last == "| os.write | 8 | 4 | 8 | 1.00 | 0.50 | 0.50 | 0.7 | no |"


def spent(cpu: float, pings: float = 0.001) -> delivery.LoadRun:
    return delivery.LoadRun(cpu, cpu, (pings,) * 200)


def test_a_download_is_judged_without_the_row_source() -> None:
    baseline = Baseline(source=1.0, total=2.7, wall=2.7, size=10)
    rounds = [
        delivery.SpeedRun(baseline, cpu=3.0, wall=3.0),
        delivery.SpeedRun(baseline, cpu=9.0, wall=9.0),
    ]
    last = delivery.report_speed({("uvicorn", "csv"): rounds}, 1_000_000).splitlines()[-1]
    assert last == "| csv, uvicorn | 0.0 | 1.70 | 5.00 | 0.53 | 0.85 | 0.60 | 0.85 | yes |"


def test_a_buffer_is_judged_by_how_long_rows_were_open() -> None:
    baseline = Baseline(source=1.0, total=2.0, wall=2.0, size=10)
    state = State(cpu=5.0, opened=7.0, closed=9.8, used=2.8)
    found = {("gunicorn", "csv"): [delivery.BufferRun(baseline, state, received=5)]}
    last = delivery.report_buffer(found).splitlines()[-1]
    expected = "| csv, gunicorn | 0.0 | 0.0 | 2.00 | 2.80 | 1.40 | 1.40 | 1.40 | 1.3 | no |"
    assert last == expected


@pytest.mark.parametrize(
    ("cpu", "pings", "reached"), [(11.0, 0.02, "yes"), (12.0, 0.02, "no"), (11.0, 0.03, "no")]
)
def test_load_is_judged_by_cpu_time_and_by_the_unrelated_view(
    cpu: float, pings: float, reached: str
) -> None:
    found = {("csv", "in turn"): [spent(10.0)], ("csv", "together"): [spent(cpu, pings)]}
    last = delivery.report_load(found).splitlines()[-1]
    assert last.endswith(f"| 1.15, 25 ms | {reached} |")


def test_the_kernel_is_judged_by_the_cpu_time_of_its_server() -> None:
    found = {
        ("csv", "kernel"): [delivery.PathRun(1.2, 2.0), delivery.PathRun(1.5, 3.0)],
        ("csv", "pure"): [delivery.PathRun(2.0, 2.0), delivery.PathRun(2.5, 3.0)],
    }
    kernel, pure = delivery.report_paths(found, 1_000_000).splitlines()[-2:]
    assert kernel == "| csv | kernel | 1.35 | 1.20 | 2.50 | 0.60 | 0.60 | 0.6 | yes |"
    assert pure == "| csv | pure | 2.25 | 2.00 | 2.50 |  |  |  |  |"


def test_delays_are_medians_of_the_rounds_of_each_path() -> None:
    def delays(seconds: float) -> dict[str, loop.Delays]:
        return {name: loop.Delays(0.001, seconds, 2 * seconds, 1.0) for name in loop.WAYS}

    found = {"kernel": [delays(0.003), delays(0.002), delays(0.009)], "pure": [delays(0.005)]}
    lines = loop.report(found).splitlines()
    assert "| aencode, rows | kernel | 1.00 | 3.00 | 6.00 | 1.0 | 4 |" in lines
    assert "| aencode, rows | pure | 1.00 | 5.00 | 10.00 | 1.0 |  |" in lines


def test_a_response_that_was_cut_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        download = clients.Download(listening.getsockname()[1], "/")
        answering, _ = listening.accept()
        with answering:
            answering.recv(1000)
            answering.sendall(b"HTTP/1.1 200 OK\r\n\r\n5\r\nabc")
        download.read()
        with pytest.raises(clients.BadResponseError, match="after 25 bytes"):
            download.read()


def test_shapes_are_written_as_others_write_them() -> None:
    for case in shapes.CASES.values():
        if case.format == "csv":
            rows = case.rows(3)
            ours = list(csv.reader(io.StringIO(b"".join(sw.encode(rows, "csv")).decode())))
            theirs = io.StringIO()
            csv.writer(theirs).writerows(rows)
            assert [[cell.lower() for cell in row] for row in ours] == [
                [cell.lower() for cell in row] for row in csv.reader(theirs.getvalue().splitlines())
            ]


@pytest.mark.parametrize("name", [name for name in kinds.KINDS if name != "Django object"])
def test_rows_of_a_kind_have_the_values_of_their_tuples(name: str) -> None:
    kind = kinds.KINDS[name]
    if not kind.installed:
        pytest.skip(f"skipped: needs {kind.needs}")
    rows, tuples = kind.make(7)
    documents = (b"".join(sw.encode(each, "csv")).decode() for each in (rows, tuples))
    of_kind, of_tuples = (list(csv.reader(io.StringIO(document))) for document in documents)
    assert of_kind[-7:] == of_tuples
    assert len(tuples) == 7
    assert [len(row) for row in tuples] == [10] * 7


@pytest.mark.parametrize("case", ["CSV", "XLSX", "CSV, Flask", "XLSX, Flask"])
def test_a_small_export_is_written_as_others_write_it(case: str) -> None:
    pytest.importorskip("xlsxwriter", reason="needs XlsxWriter")
    pytest.importorskip("flask", reason="needs Flask")
    rows = list(WORKLOADS["orders"].rows(3))
    ours, other = (call() for call in small.calls(rows)[case])
    assert isinstance(ours, bytes)
    assert isinstance(other, bytes)
    if case.startswith("CSV"):
        first, *_ = ours.splitlines()
        assert other.startswith(first)
        assert len(list(csv.reader(io.StringIO(ours.decode())))) == 4
    else:
        assert zip_parts(ours).keys() & zip_parts(other).keys() >= {"xl/worksheets/sheet1.xml"}


def test_a_small_export_is_reported_by_case() -> None:
    found = {"kernel": {"CSV": (100.4, 50.0, 2.0)}, "pure": {"CSV": (160.0, 49.0, 3.2)}}
    assert small.report(found).splitlines()[-1] == "| CSV | 100 | 160 | 49 | 2.00 | 3.20 | 3 |"


def test_ratios_of_shapes_are_medians_and_times_are_the_lowest() -> None:
    def rounds(*pairs: shapes.Pair) -> list[shapes.Round]:
        return [{"tables": {"one": pair}} for pair in pairs]

    found = {"kernel": rounds((1.0, 2.0), (2.0, 2.0), (3.0, 2.0)), "pure": rounds((4.0, 2.0))}
    last = shapes.report(found, "tables", "µs a row", "csv.writer").splitlines()[-1]
    assert last == "| one | 1.00 | 4.00 | 2.00 | 1.00 | 2.00 |"


@pytest.mark.parametrize("name", workbooks.CASES)
def test_a_workbook_of_the_benchmark_is_complete(name: str) -> None:
    if name == "stream-write-ods":
        pytest.importorskip("stream_write_ods", reason="needs stream-write-ods")
    found = workbooks.child(workbooks.CASES[name], 80)
    assert found.rows == 80
    assert found.size > 5000


def test_interleaved_sheets_equal_those_written_in_turn() -> None:
    names = ("8 sheets in turn", "8 sheets by tags", "8 sheets by a column")
    counts = []
    for name in names:
        document = workbooks.CASES[name].write(80)
        assert isinstance(document, sw.Encoding)
        parts = zip_parts(b"".join(document))
        sheets = [part for part in parts if part.startswith("xl/worksheets/sheet")]
        counts.append([parts[sheet].count(b"<row ") for sheet in sheets])
    assert counts == [[11] * 8] * 3


def took(micros: float, scratch: int = 0, memory: int = 2**23) -> workbooks.Run:
    return workbooks.Run(1.0, 1.0 + micros, memory, 1000, scratch, 10**6)


@pytest.mark.parametrize(
    ("micros", "scratch", "reached"), [(2.5, 1000, "yes"), (2.6, 0, "no"), (2.5, 1001, "no")]
)
def test_a_workbook_is_judged_by_its_time_and_its_scratch(
    micros: float, scratch: int, reached: str
) -> None:
    found = {"base": [took(2.0), took(3.0)], "other": [took(micros, scratch), took(9.0)]}
    cells = workbooks.report(found, "base", 1.25).splitlines()[-1].split(" | ")
    assert cells[2:7] == [f"{micros:.2f}", cells[3], f"{micros / 2:.3f}", "1.25", reached]


def test_ods_is_judged_by_how_many_times_faster_it_is() -> None:
    found = {"ods": [took(2.0)], "stream-write-ods": [took(40.0)]}
    last = workbooks.report_ods(found).splitlines()[-1]
    assert last == "| stream-write-ods | 40.00 | 40.00 | 20.0 | 20.0 | 20 | yes |"


@pytest.mark.parametrize(("more", "reached"), [(1.2, "yes"), (1.3, "no")])
def test_memory_is_judged_by_how_it_grows(more: float, reached: str) -> None:
    few, many = {"one": took(1.0)}, {"one": took(1.0, memory=int(2**23 * more))}
    last = workbooks.report_large(few, many).splitlines()[-1]
    assert f"| {reached} |" in last


@pytest.mark.servers
@pytest.mark.parametrize("part", delivery.PARTS)
def test_delivery_prints_a_table(
    part: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for needed in ("gunicorn", "uvicorn"):
        pytest.importorskip(needed, reason=f"skipped: needs {needed}")
    arguments = ["--rows", "3000", "--each", "50", "--rounds", "1", "--only", part]
    monkeypatch.setattr(sys, "argv", ["benchmarks.delivery", *arguments])
    delivery.main()
    printed = capfd.readouterr().out
    assert "| --- | ---: |" in printed
    lines = len(paths.available()) if part == "paths" else 2
    assert printed.count("\n| csv") == lines
    assert printed.count("\n| xlsx") == lines


LINE = Line("SQLite", "flask", "sw.Export(rows)")


@pytest.mark.parametrize(
    ("memory", "first", "reached"),
    [(23_000_000, 0.09, True), (25_000_000, 0.09, False), (0, 0.11, False)],
)
def test_a_right_line_is_judged_by_its_memory_and_its_first_byte(
    memory: int, first: float, *, reached: bool
) -> None:
    found = {LINE: sources.Served(memory, first, 1)}
    assert sources.missed(found) == ([] if reached else ["right: `sw.Export(rows)`"])
    assert sources.missed({replace(LINE, right=False): sources.Served(10**9, 9.0, 1)}) == []


def test_figures_are_written_into_the_section_of_their_driver() -> None:
    page = "".join(f"# {name}\n<!-- measured: {name} -->\nold\n<!-- end -->\n" for name in "AB")
    found = {replace(LINE, driver="B"): sources.Served(5_100_000, 0.0123, 1)}
    first, second = sources.documented(page, found).split("# B")
    assert "old" in first
    assert "old" not in second
    assert "| right: `sw.Export(rows)` | Flask, gunicorn | 5 | 12 |\n<!-- end -->" in second


def test_cpu_is_that_of_the_quietest_round() -> None:
    found = {"psycopg": [sources.Cpu(1.0, 1.5, 2.0, 3.0), sources.Cpu(2.0, 1.2, 4.0, 2.5)]}
    last = sources.report_cpu(found, 1_000_000).splitlines()[-1]
    assert last == "| psycopg | 1.00 | 1.20 | 2.00 | 2.50 | 1.20 | 1.25 |"


def test_the_pages_have_marks_for_all_that_is_measured() -> None:
    names = ("speed", "targets", "losses", "shapes", "delivery", "small", "loop", "instructions")
    for page, marks in ((documentation.README, ["speed"]), (documentation.PAGE, names)):
        text = page.read_text("utf-8")
        for name in marks:
            written = placed(text, name, "| measured |")
            assert written != text
            assert placed(written, name, "| measured |") == written
    with pytest.raises(ValueError, match="no marks for what is measured as 'other'"):
        placed("# A page", "other", "")


def test_the_readme_has_those_that_are_given_rows_fastest_first() -> None:
    speeds = {"streamware xlsx": figures(3.0), "jetxl": figures(2.0)}
    speeds["jetxl, given Arrow"] = figures(1.0)
    results = {pair: {f"streamware {pair[1]}": figures(4.0)} for pair in documentation.SHOWN}
    lines = documentation.readme_table(results | {("orders", "xlsx"): speeds}, {"jetxl": None})
    first, second, *_ = lines.splitlines()[2:]
    assert first == "| xlsx, orders | jetxl | table | 1.80 | 0.7 | 0.000 | 0.0 | 0.0 | it failed |"
    assert second == "| xlsx, orders | streamware xlsx | iter | 2.70 | 1.0 | 0.000 | 0.0 | 0.0 |  |"


@pytest.mark.slow
def test_what_is_measured_is_written_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("<!-- measured: loop -->\nold\n<!-- end -->\nend\n", "utf-8")
    monkeypatch.setattr(documentation, "PAGE", page)
    arguments = ["--part", "loop", "--rows", "20", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    documentation.main()
    written = page.read_text("utf-8")
    assert written.startswith("<!-- measured: loop -->\n`python -m benchmarks.loop`: 20 rows each")
    assert written.count("| --- | --- | ---: |") == len(loop.FORMATS)
    assert written.endswith("|\n<!-- end -->\nend\n")


@pytest.mark.servers
@pytest.mark.parametrize("part", ["cpu", "lines"])
def test_sources_are_measured(
    part: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With every driver whose database is there; docs/databases.md is measured in the same way."""
    wanted = [*READINGS] if part == "cpu" else ["SQLite", "DuckDB", "Django"]
    for name, server in (("initdb", "PostgreSQL"), ("mariadbd", "MariaDB")):
        if databases.program(name) is None:
            pytest.skip(f"skipped: needs {server}")
    # In /tmp itself, for a path to a socket is short.
    with tempfile.TemporaryDirectory(prefix="sources-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # the servers have users of their own
        monkeypatch.setenv(databases.CACHE, folder)
        arguments = ["--rows", "300", "--rounds", "1", "--only", part]
        arguments += [word for name in wanted for word in ("--driver", name)]
        monkeypatch.setattr(sys, "argv", ["benchmarks.sources", *arguments])
        sources.main()
    printed = capfd.readouterr().out
    lines = len(wanted) if part == "cpu" else sum(line.driver in wanted for line in LINES)
    table = printed[printed.index("| --- | ---: |") :]
    assert table.count("\n| ") == lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("speed", "--rows 50 --rounds 1 --workload numbers --format csv --only csv.writer"),
        ("memory", "--rows 100 200"),
        ("loop", "--rows 50 --rounds 1 --format csv"),
        ("first_chunk", "--rows 50"),
        ("scratch", "--times 20 --megabytes 2 --rounds 1"),
        ("workbooks", "--rows 80 --large 3000 --rounds 1 --only sheets"),
        ("workbooks", "--rows 80 --large 3000 --rounds 1 --only large"),
        ("shapes", "--rows 20 --rounds 1 --long 4"),
        ("small", "--rows 2 --rounds 1"),
    ],
    ids=[
        *("speed", "memory", "loop", "first_chunk", "scratch", "workbooks", "large workbooks"),
        "shapes",
        "small",
    ],
)
@pytest.mark.usefixtures("scratch_dir")
def test_a_benchmark_prints_a_table(
    module: str, arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"benchmarks.{module}", *arguments.split()])
    monkeypatch.delitem(sys.modules, f"benchmarks.{module}", raising=False)
    runpy.run_module(f"benchmarks.{module}", run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.startswith(f"`python -m benchmarks.{module} {arguments}`\n")
    assert "| --- | ---: |" in printed
