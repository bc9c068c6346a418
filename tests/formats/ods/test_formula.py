"""Formulas: LibreOffice calculates the same from our translation as from Excel's language."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from readers import libreoffice_csv
from streamware.formats.ods.formula import open_formula
from workbooks import one, workbook

FORMULAS = [
    *("A1+B1", "SUM(A1:B1)", "SUM(A:A)", "SUM($A$1:$B$1,5)", 'IF(A1>1,"x,""y",TRUE)', "{1,2;3,4}"),
    *("'Other sheet'!A1*2", "Data!A1+Data!$B$1", "SUM(Data!A1:B1)", "SUM({1,2;3,4})", "A1&B1"),
    *("A1%", "-A1^2", "SUM(A1:B1 B1:C1)", "SUM((A1,B1))", 'IFERROR(1/0,"e")', "ISNA(#N/A)"),
    *("1.5E3+.5", "CEILING(2.3,1)", "VLOOKUP(2,A1:B1,2,FALSE)", "ROUND(A1/3, 2)", "A1<>B1"),
    *(
        "SUMPRODUCT((A1:B1>1)*1)",
        "DATE(2024,1,2)",
        "COLUMN(B1)",
        'INDIRECT("A1")',
        "OFFSET(A1,0,1)",
    ),
    *("sum(a1,b1)", "IF(A1=2,,3)", "SUBTOTAL(109,A1:B1)", 'HYPERLINK("http://x","y")', "A1:B1"),
    *("ERROR.TYPE(#N/A)", "_xlfn.STDEV.S(1,2,3)", '_xlfn.CONCAT("a",1)', "LOG10(100)", "#N/A"),
    *('_xlfn.TEXTJOIN(",",TRUE,A1)', "_xlfn.SKEW.P(1,2,4)", "MMULT({1,2},{1;2})", "PI()"),
    *('IFS(A1>5,"a",TRUE,"b")', 'CONCAT(A1:B1,"IFS(")', 'MAXIFS(A1:B1,A1:B1,">1")', "XOR(A1=2)"),
    *("F.DIST(2,3,4,TRUE)", "FDIST(2,3,4)", "_xlfn.F.INV(0.1,3,4)", "FINV(0.1,3,4)", "DAYS(A1,B1)"),
    *(
        "NORMSDIST(1)",
        "NORMSINV(0.1)",
        "CHIDIST(2,3)",
        "CHIINV(0.1,3)",
        "TDIST(2,3,1)",
        "T.INV(0.1,3)",
    ),
    *(
        "AGGREGATE(9,6,A1:B1)",
        "FORMULATEXT(Data!C1)",
        'ENCODEURL("a b")',
        "NETWORKDAYS.INTL(A1,99)",
    ),
]


def calculated(form: sw.Format, folder: Path) -> list[str]:
    cells = [sw.Formula(f"={text}") for text in FORMULAS]
    sheets = [
        sw.Sheet("S", [(2, 3, *cells)]),
        sw.Sheet("Data", [(10, 20, sw.Formula("=1+1"))]),
        sw.Sheet("Other sheet", [(7,)]),
    ]
    data = workbook(sheets, form).data
    return libreoffice_csv(data, folder, 1, f"book{form.extension}")[0]


@pytest.mark.slow
def test_libreoffice_calculates_the_same_as_in_a_workbook_of_excel(tmp_path: Path) -> None:
    ours, excels = calculated(sw.Ods(), tmp_path), calculated(sw.Xlsx(), tmp_path)
    assert dict(zip(FORMULAS, ours[2:], strict=True)) == dict(
        zip(FORMULAS, excels[2:], strict=True)
    )
    assert "#NAME?" not in ours


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("SUM(A1:B2,5)", "SUM([.A1:.B2];5)"),
        ("'It''s'!$A1", "[$'It''s'.$A1]"),
        ("Data!A:B", "[$'Data'.A:.B]"),
        ("STDEV.S(1)", "COM.MICROSOFT.STDEV.S(1)"),
        ("ifs(1,_xlfn.IFS(1,2))", "COM.MICROSOFT.IFS(1;COM.MICROSOFT.IFS(1;2))"),
        ("_xlfn._xlws.SORT(A:A)", "COM.MICROSOFT.SORT([.A:.A])"),
        ("_xlfn.XOR(1)", "XOR(1)"),
        ("BINOM.DIST.RANGE(9,0.5,2)", "B(9;0.5;2)"),
        ("ORG.OPENOFFICE.WEEKS(1,2,3)", "ORG.OPENOFFICE.WEEKS(1;2;3)"),
        ('"A1,B1"', '"A1,B1"'),
        ("{1,2;3}", "{1;2|3}"),
        ("Rate*2", "Rate*2"),
        ("LOG10(A1)", "LOG10([.A1])"),
    ],
)
def test_references_are_in_brackets_and_semicolons_separate_arguments(
    text: str, translated: str
) -> None:
    assert open_formula(text) == translated


@pytest.mark.parametrize(
    "text",
    ["Table1[x]", "[1]S!A1", "S:T!A1", "A1#", "@A1", '"open', "SUM(A1", "A1)", "1;2", "{1)", ""],
)
def test_a_formula_without_translation_is_its_value_and_counted(text: str) -> None:
    if text:
        made = one(sw.Formula(f"={text}", 7), sw.Ods())
        assert (made.rows(), made.converted) == ([[7]], {"formula": 1})
        assert b"table:formula" not in made.parts["content.xml"]


@given(st.text(alphabet="A1:$!'\"(),;{} &<>+x.#", max_size=12))
def test_any_text_is_translated_or_refused(text: str) -> None:
    translated = open_formula(text)
    assert translated is None or isinstance(translated, str)
    if text.strip() and not text[0].isspace():
        one(sw.Formula(text, 1), sw.Ods()).rows()
