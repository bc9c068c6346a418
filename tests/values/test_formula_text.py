# ruff: noqa: RUF001 - full-width signs are what is tested
import csv
import io
import math
import re
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import csv_rows, libreoffice_cells
from streamware.values.formula_text import FormulaGuard

GUARD = FormulaGuard(",").guarded
SIGNS = "=+-@＝＋－＠"
BEFORE = ["", " ", "\xa0", "\u3000", "\u200b", "\ufeff", "\xad", " \ufeff \u200b"]
BEFORE += ["\u1680", "\u2000", "\u2007", "\u200a", "\u205f", "\u061c", "\u180e", "\u202e", "\u2066"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", BEFORE, ids=ascii)
def test_a_sign_starts_a_formula_after_anything_that_does_not_show(before: str, sign: str) -> None:
    text = f"{before}{sign}SUM(A1)"
    assert GUARD(text) == "'" + text


@pytest.mark.parametrize("start", ["\t", "\r", "\n", "\r\n"], ids=ascii)
def test_text_that_starts_with_a_line_break_or_a_tab_is_guarded(start: str) -> None:
    assert GUARD(start + "x") == f"'{start}x"


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("end", [";", "|", "\t", "\n", "\r\n"], ids=ascii)
@pytest.mark.parametrize("before", ["", '"', '""', "\ufeff", '"\u200b"'], ids=ascii)
def test_a_sign_after_another_delimiter_starts_one_too(before: str, end: str, sign: str) -> None:
    assert GUARD(f"Ann{end}{before}{sign}1+1{end}x") == f"Ann{end}{before}'{sign}1+1{end}x"


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("a; =1", "a; '=1"),
        ("a;\n\n @x", "a;\n\n '@x"),
        ("=1;=2\n=3", "'=1;'=2\n'=3"),
        (";=1", ";'=1"),
        ("\t=1", "'\t=1"),
        ("\t;=1", "'\t;'=1"),
        ('";"=1', '";"\'=1'),
        ("x\n- CALL(1)", "x\n'- CALL(1)"),
        ("x\n-CALL(1)", "x\n'-CALL(1)"),
        ("x\n-- CALL(1)", "x\n'-- CALL(1)"),
        ("x\n--1+cmd|' /C calc'!A0", "x\n'--1+cmd|' /C calc'!A0"),
        ("x;- 1", "x;'- 1"),
    ],
    ids=ascii,
)
def test_each_formula_of_a_text_has_its_apostrophe(text: str, guarded: str) -> None:
    assert GUARD(text) == guarded


@pytest.mark.parametrize(
    "text",
    [
        *("a=b", "a = b", "a-b", "a@b.example", "1=1", "https://x/?a=-1&b=@", "a,=b"),
        *("-5", " -5", "+49 170 1", "a;-5;b", "a|+49 (170) 12-34|b", "[1;-2;-3.5e1]", "a; -5 Grad"),
        *("x\n- an item\n- another one", "x\n-----\ny", "a\n+\nb", "x; - y", "\u200bx", " x", ""),
        *("'=1+1", '"=1+1"', "a ;b", "x\n-1\n+2,5"),
    ],
    ids=ascii,
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert GUARD(text) == text


@pytest.mark.parametrize(
    ("form", "text", "written"),
    [
        (sw.Csv(), "a,=1", "a,=1"),
        (sw.Csv(delimiter=";"), "a,=1", "a,'=1"),
        (sw.Csv(delimiter=";"), "a;=1", "a;=1"),
        (sw.Csv(delimiter="|"), "a|=1;=2", "a|=1;'=2"),
        (sw.Csv(language="de"), "a,=1", "a,'=1"),
        (sw.Tsv(), "a\t=1,=2", "a\t=1,'=2"),
        (sw.Tsv(), "a;\t=1", "a;\t'=1"),
        (sw.Tsv(), '["@a","@b",-1]', '["@a","\'@b",-1]'),
    ],
    ids=str,
)
def test_the_delimiter_of_the_file_splits_no_text(form: sw.Csv, text: str, written: str) -> None:
    delimiter = ";" if form.language else form.delimiter
    made = workbook_of([text], form)
    assert csv_rows(made, delimiter, "utf-8-sig") == [["n"], [written]]


def workbook_of(cells: list[Any], form: Any = "csv", **values: Any) -> bytes:
    columns = [sw.Column(0, "n")]
    with sw.encode([(c,) for c in cells], form, columns=columns, values=sw.Values(**values)) as it:
        return b"".join(it)


def test_titles_are_guarded_too() -> None:
    made = b"".join(sw.encode([("x",)], "csv", columns=[sw.Column(0, "a;=1")]))
    assert csv_rows(made)[0] == ["a;'=1"]


@pytest.mark.parametrize("value", [-timedelta(hours=1), -math.inf, Decimal("-Infinity")], ids=repr)
def test_text_that_is_ours_is_guarded_but_never_refused(value: object) -> None:
    rows = [("x", value)]
    spelled = "-PT1H" if isinstance(value, timedelta) else "-Infinity"
    for choice, written in (("guard", "'" + spelled), ("error", spelled), ("off", spelled)):
        values = sw.Values(formula_text=choice, non_finite="text")  # type: ignore[arg-type]
        with sw.encode(rows, "csv", columns=[0, 1], values=values) as made:
            assert csv_rows(b"".join(made))[-1] == ["x", written]
        assert made.receipt.converted["formula_text"] == (choice == "guard")
    assert csv_rows(workbook_of([value], sw.Csv.profile("machine"), non_finite="text"))[1] == [
        spelled
    ]


ODD = st.lists(
    st.sampled_from([*SIGNS, *BEFORE[1:], *';|\t\n\r",', "a", "1", "(", "é"]), max_size=8
)
CELLS = st.lists(ODD.map("".join), min_size=1, max_size=5)


@given(CELLS, st.sampled_from(",;|\t"))
def test_a_column_is_guarded_as_its_cells_are(cells: list[str], delimiter: str) -> None:
    form = sw.Csv(delimiter=delimiter)
    together = csv_rows(workbook_of(cells, form), delimiter)[1:]
    alone = [csv_rows(workbook_of([cell], form), delimiter)[1] for cell in cells]
    expected = [[FormulaGuard(delimiter).guarded(cell)] for cell in cells]
    assert together == alone == expected


@given(CELLS, st.sampled_from(",;|\t"), st.sampled_from(",;|\t"))
def test_no_program_finds_a_formula_whatever_it_splits_at(
    cells: list[str], delimiter: str, other: str
) -> None:
    # The apostrophe of a text that starts with a TAB or a line break is before that.
    rows = [("x", cell.lstrip("\t\r\n")) for cell in cells]
    data = b"".join(sw.encode(rows, sw.Csv(delimiter=delimiter), columns=[0, 1]))
    for row in csv.reader(io.StringIO(data.decode(), newline=""), delimiter=other):
        for cell in row:
            shown = cell.strip("\u200b\ufeff\xad")
            assert shown[:1] not in set("=@＝＠")
            assert not re.match(r"[+-][a-z]", shown)


@pytest.mark.slow
@pytest.mark.parametrize("delimiter", ",;\t")
@pytest.mark.parametrize("written", ",;")
def test_libreoffice_finds_no_formula(delimiter: str, written: str, tmp_path: Path) -> None:
    texts = [
        f"{start}{before}{sign}1+1{end}x"
        for start in ("", "a;", "a,", "a\t", "a\n", 'a";"', "a|")
        for before in ("", " ", "\ufeff", '"')
        for sign in SIGNS
        for end in ("", ";", ",", "\n")
    ]
    rows = [(1, text, text) for text in texts]
    data = b"".join(sw.encode(rows, sw.Csv(delimiter=written), columns=[0, 1, 2]))
    cells = [c for row in libreoffice_cells(data, tmp_path, delimiter, 1033) for c in row]
    assert [cell for cell in cells if isinstance(cell, str) and cell.startswith("=")] == []
    assert len(cells) > 1000


@pytest.mark.parametrize(
    "text",
    [
        ";" * 30_000,
        "\n" * 30_000,
        "x\n- " * 10_000,
        ";+1" * 10_000,
        "\n-a " + "b (" * 9000,
        "=" * 30_000,
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_hostile_text_takes_time_in_proportion(text: str) -> None:
    start = time.perf_counter()
    GUARD(text)
    FormulaGuard(",").finds(text.encode())
    assert time.perf_counter() - start < 0.5
