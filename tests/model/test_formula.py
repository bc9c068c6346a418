import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula import Tokenizer

from streamware.model.formula import (
    any_problem,
    has_columns_of_tables,
    problem_of,
    syntax_problem,
)

VALID = r"""
A1 | A1+B1 | SUM(A1:B2) | IF(A1>0,"yes","no") | IF(A1,,) | NOW() | -A1 | +A1 | --A1 | 1+-1 | A1=B1
A1<>B1 | -A1%^2 | 'My sheet'!A1 | 'It''s'!$A$1:$B$2 | Sheet1:Sheet3!A1 | [1]Sheet1!A1 | 2024!A1
'[Book 1.xlsx]Sheet 1'!A1 | [0]!Name | #REF! | Sheet1!#REF! | #N/A | A:A | $A:$C | 1:1 | $1:$3
A1:INDEX(B:B,3) | INDEX(A:A,1):INDEX(A:A,2) | SUM((A1,B1)) | A1:B2 B1:C3 | {1,2;3,4} | A1:B2,C1
{TRUE,FALSE;#N/A,-1.5e3} | SUM({1,2,3}*A1:C1) | Table1[a] | Table1[[#This Row],[a]] | [@a]
[@[a b]] | SUM(Table1[[#All],[a]:[b]]) | Table1[it''s] | Table1['[x']] | _xlfn.IFS(A1,2) | "a""b"
LET(x,1,x+1) | LAMBDA(x,x+1)(3) | "a"&"b" | .5 | 1e5 | 1E-5 | AND(TRUE,FALSE) | SUM( A1 , B1 )
((A1+1)*2) | Größe*2 | \name | TEXT(A1,"0,00;-0") | COUNTIFS(A:A,"<>"&B1) | T.TEST(A1:A2,B1:B2,1,2)
#DIV/0! | IF(A1=0,#DIV/0!,LOG10(B20)) | Sheet10!A10 | 'It''s 10'!$A$10 | [10]Sheet1!A1
SUM (A1) | IF(A1="","",A1) | HYPERLINK("http://x;y","a")
"""


@pytest.mark.parametrize("formula", [f.strip() for f in VALID.replace("\n", "|").split("|") if f])
def test_a_formula_that_a_file_may_hold_has_no_problem(formula: str) -> None:
    assert problem_of(formula) is None
    assert problem_of(f"{formula}&A1") is None


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("SUM(A1;B1)", "has a semicolon between arguments; in a file it is a comma"),
        ("IF(A1>0;1;0)", "has a semicolon between arguments"),
        ("=A1", "has an operator where a value is expected"),
        ("A1+", "ends where a value is expected"),
        ("", "ends where a value is expected"),
        ("SUM(A1", "has a parenthesis that is not closed"),
        ("SUM(A1))", "has a parenthesis that is not open"),
        ('"abc', "has a quote that is not closed"),
        ("'abc!A1", "has an apostrophe outside of the name of a sheet"),
        ("A1 'x'", "has an apostrophe outside of the name of a sheet"),
        ("A1*/B1", "has an operator where a value is expected"),
        ("A1==B1", "has an operator where a value is expected"),
        ("A1=>B1", "has an operator where a value is expected"),
        ("A1&&B1", "has an operator where a value is expected"),
        ("A1!=B1", "has an operator where a value is expected"),
        ("()", "has a parenthesis where a value is expected"),
        ("(A1,)", "has a parenthesis where a value is expected"),
        ("SUM(A1 5)", "has two values without an operator between them"),
        ('A1"x"', "has two values without an operator between them"),
        ("1,5+2", "has a comma outside of a function; a decimal sign is a point"),
        ("{=SUM(A1)}", "for an array formula, leave them out and pass array=True"),
        ("{SUM(A1:A2)}", "for an array formula, leave them out and pass array=True"),
        ("{1,2;3}", "has an array whose rows have different lengths"),
        ("@A1", "has an @ outside of brackets"),
        ("A1#", "has a # after a cell"),
        ("#DIV/5!", "has a # after a cell"),
        ("[@a", "has a bracket that is not closed"),
        ("a]", "has a bracket that is not open"),
        ("“x”", "has a character that only a text in quotes can have"),
        ("A1€", "has a character that only a text in quotes can have"),
        ('Sheet1!"x"', "has the name of a sheet without a cell after it"),
        (f'"{"x" * 256}"', "has a text of over 255 characters; join shorter ones with &"),
        ("SUM(" * 65 + "1" + ")" * 65, "has more than 64 functions inside each other"),
        (f"SUM({','.join('1' * 256)})", "has a function with over 255 arguments"),
        ("1+" * 4096 + "1", "has more than 8192 characters"),
    ],
    ids=lambda text: text[:20],
)
def test_what_excel_removes_has_a_problem_that_tells_the_way(formula: str, problem: str) -> None:
    found = problem_of(formula)
    assert found is not None
    assert problem in found


def test_the_limits_themselves_are_allowed() -> None:
    for formula in (
        f'"{"x" * 255}"',
        f'"{chr(34) * 510}"',
        "SUM(" * 64 + "1" + ")" * 64,
        f"SUM({','.join('1' * 255)})",
        "1+" * 4095 + "10",
    ):
        assert problem_of(formula) is None


def test_columns_of_tables_are_told_from_files() -> None:
    assert has_columns_of_tables("1+[@a]")
    assert has_columns_of_tables("SUM(Table1[a])")
    assert not has_columns_of_tables('[1]Sheet!A1&"[a]"')


VALUES = st.sampled_from(
    ["A1", "$B$2", "1.5", '"a;b"', "'S 1'!C3", "{1,2;3,4}", "T[[#This Row],[a]]", "TRUE", "#N/A"]
)
FORMULAS = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.builds("{}{}{}".format, inner, st.sampled_from([*"+-*/^&=<>", "<=", "<>"]), inner),
        st.builds("SUM({})".format, st.lists(inner, max_size=4).map(",".join)),
        st.builds("({})".format, inner),
        st.builds("-{}%".format, inner),
    ),
    max_leaves=12,
)


@given(FORMULAS)
def test_any_formula_of_the_grammar_has_no_problem(formula: str) -> None:
    assert problem_of(formula) is None


@given(st.text("A1(),;+\"'[]{}@# !%=<:.", max_size=10))
def test_any_text_is_judged_and_what_is_allowed_has_tokens(text: str) -> None:
    if problem_of(text) is None:
        items = Tokenizer("=" + text).items  # it raises for what it cannot read
        opened = [item.subtype for item in items if item.type in ("FUNC", "PAREN")]
        assert opened.count("OPEN") == opened.count("CLOSE")


TOKENS = """A1 $20 #DIV/0! #DIV/5! #REF! # /0! ' " "" "a" 'b'! [ ] [@c] {1,2} { } "a ( ) , ; 1.5E10
. E x é ! +"""
LONG = ['"' * 3, f'"{"t" * 200}"', '"' + "🙂" * 100, '"' + "u" * 256]
PIECES = st.sampled_from(TOKENS.split()) | st.sampled_from([" ", "\x1f", "\ud800", *LONG])


@given(st.lists(st.lists(PIECES | FORMULAS, max_size=8).map("".join), min_size=1, max_size=4))
def test_formulas_that_are_remembered_are_judged_as_if_each_were_read(formulas: list[str]) -> None:
    found = [syntax_problem(formula) for formula in formulas]
    assert [problem_of(formula) for formula in formulas] == found
    kept = [formula.replace("\x1f", "").replace("\ud800", "") for formula in formulas]
    blob = "\x1f".join(kept).encode()
    assert any_problem(blob) == any(syntax_problem(formula) for formula in kept)


@pytest.mark.parametrize("part", ["A1+", "(", "[", "'", '"', "A ", "1", "{1,", "SUM(", "-", " "])
def test_a_hostile_formula_takes_time_in_proportion(part: str) -> None:
    start = time.perf_counter()
    for end in ("", "x", "!", "]"):
        problem_of((part * 8192)[:8190] + end)
    assert time.perf_counter() - start < 1
