# ruff: noqa: DTZ001 - date-times without a zone are what is tested
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from readers import libreoffice_book, ooxml_errors, openpyxl_book
from workbooks import Workbook, workbook

ROWS = [{"id": n, "name": f"n{n}"} for n in range(10)]


def with_rules(*rules: Any, **options: Any) -> Workbook:
    columns = [sw.Column("id", rules=rules), sw.Column("name")]
    return workbook(ROWS, sw.Xlsx(**options), columns=columns)


def rules(made: Workbook) -> list[tuple[str, Any]]:
    """The range and the rule, by priority."""
    found = openpyxl_book(made.data).worksheets[0].conditional_formatting
    pairs = [(str(area.sqref), rule) for area in found for rule in area.rules]
    return sorted(pairs, key=lambda pair: pair[1].priority)


def validated(validation: sw.Validation) -> Any:
    made = workbook(ROWS, columns=[sw.Column("id", validation=validation), "name"])
    (found,) = openpyxl_book(made.data).worksheets[0].data_validations.dataValidation
    return found


# Conditional formats


@pytest.mark.parametrize(
    ("comparison", "operator"),
    [
        ("<", "lessThan"),
        ("<=", "lessThanOrEqual"),
        ("=", "equal"),
        ("<>", "notEqual"),
        (">=", "greaterThanOrEqual"),
        (">", "greaterThan"),
    ],
)
def test_a_condition_compares(comparison: Any, operator: str) -> None:
    ((cells, rule),) = rules(with_rules(sw.Condition(comparison, 5)))
    assert (cells, rule.operator, rule.formula) == ("A2:A11", operator, ["5"])


@pytest.mark.parametrize("comparison", ["between", "not between"])
def test_a_condition_may_have_two_bounds(comparison: Any) -> None:
    ((_, rule),) = rules(with_rules(sw.Condition(comparison, 2, 4.5)))
    assert (rule.operator, rule.formula) == (
        {"between": "between", "not between": "notBetween"}[comparison],
        ["2", "4.5"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operand", "formula"),
    [
        (-1.5, "-1.5"),
        (10**20, "100000000000000000000"),
        ('say "a" & <b>', '"say ""a"" & <b>"'),
        ("", '""'),
        ("=$B2", "$B2"),
        ("a\x07b", '"a\ufffdb"'),
        (date(2024, 5, 17), "45429"),
        (datetime(2024, 5, 17, 12), "45429.5"),
        (datetime(2024, 5, 17, 23, tzinfo=UTC), "45430.041666666664"),
        (date(1900, 3, 1), "61"),
    ],
)
def test_a_cell_is_compared_with_any_value(operand: Any, formula: str, tmp_path: Path) -> None:
    columns = [sw.Column("id", rules=[sw.Condition("=", operand)]), "name"]
    zone = ZoneInfo("Europe/Berlin")
    made = workbook(ROWS, columns=columns, values=sw.Values(timezone=zone))
    ((_, rule),) = rules(made)
    assert rule.formula == [formula]
    assert ooxml_errors(made.data, tmp_path) == []


@pytest.mark.parametrize(
    "operand",
    [
        date(1900, 2, 28),
        datetime(1899, 1, 1),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_date_that_a_spreadsheet_has_not_is_an_error(operand: date) -> None:
    with pytest.raises(sw.EncodeError, match=r"'Orders', column id: .*1900-03-01"):
        with_rules(sw.Condition("<", operand), sheet="Orders")


def test_a_condition_has_its_style() -> None:
    style = sw.Style(bold=True, color="#C00000", background="#FFEEEE")
    ((_, rule),) = rules(with_rules(sw.Condition(">", 5, style=style)))
    assert rule.dxf.font.b is True
    assert rule.dxf.font.color.rgb == "FFC00000"
    assert rule.dxf.fill.bgColor.rgb == "FFFFEEEE"


def test_a_scale_goes_from_one_colour_to_another() -> None:
    ((_, rule),) = rules(with_rules(sw.ColorScale("#FFFFFF", "#00FF00")))
    assert [point.type for point in rule.colorScale.cfvo] == ["min", "max"]
    assert [color.rgb for color in rule.colorScale.color] == ["FFFFFFFF", "FF00FF00"]


def test_a_scale_may_have_a_colour_in_the_middle() -> None:
    ((_, rule),) = rules(with_rules(sw.ColorScale(middle="#FFFF00")))
    points = [(point.type, point.val) for point in rule.colorScale.cfvo]
    assert points == [("min", None), ("percentile", 50), ("max", None)]
    assert rule.colorScale.color[1].rgb == "FFFFFF00"


def test_a_bar_has_its_colour() -> None:
    ((_, rule),) = rules(with_rules(sw.DataBar("#123456")))
    assert rule.dataBar.color.rgb == "FF123456"


def test_the_first_rule_of_a_column_wins() -> None:
    made = with_rules(sw.Condition(">", 5), sw.DataBar(), zebra=True)
    assert [rule.type for _, rule in rules(made)] == ["cellIs", "dataBar", "expression"]
    assert [rule.priority for _, rule in rules(made)] == [1, 2, 3]


@pytest.mark.parametrize(("above", "rest"), [(0, 1), (1, 0), (2, 1)])
def test_every_second_row_is_striped(above: int, rest: int) -> None:
    ((cells, rule),) = rules(with_rules(zebra=True, title_rows=["a"] * above))
    assert cells == f"A{above + 2}:B{above + 11}"
    # The row of the second data row, such as 3, leaves this rest.
    assert rule.formula == [f"MOD(ROW(),2)={rest}"]
    assert (above + 3) % 2 == rest


def test_stripes_have_the_colour_that_was_asked_for() -> None:
    colors = [
        rules(with_rules(zebra=zebra))[0][1].dxf.fill.bgColor.rgb for zebra in (True, "#00ff00")
    ]
    assert colors == ["FFF2F2F2", "FF00FF00"]


def test_a_sheet_without_rules_has_no_element_of_them() -> None:
    xml = workbook(ROWS).parts["xl/worksheets/sheet1.xml"]
    assert b"conditionalFormatting" not in xml
    assert b"dataValidation" not in xml


def test_stripes_of_no_columns_are_none(tmp_path: Path) -> None:
    made = workbook([], sw.Xlsx(zebra=True))
    assert rules(made) == []
    assert ooxml_errors(made.data, tmp_path) == []


# Validation


def test_a_cell_may_be_one_of_some_choices() -> None:
    found = validated(sw.Validation(choices=["new", 'paid "late"', "a & b"]))
    assert (found.type, str(found.sqref)) == ("list", "A2:A11")
    assert found.formula1 == '"new,paid ""late"",a & b"'
    assert found.showErrorMessage is True
    assert found.allowBlank is True


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_choices_may_be_in_other_cells(form: str, tmp_path: Path) -> None:
    given = ["=Lookup!$A$1:$A$70", ["='A & B'!$A$1:$A$70"], "=OFFSET(Lookup!$A$1,0,0,3,1)"]
    columns = [
        sw.Column(at, validation=sw.Validation(choices=choices)) for at, choices in enumerate(given)
    ]
    lookups = [sw.Sheet(name, [(f"c{n}",) for n in range(70)]) for name in ("Lookup", "A & B")]
    made = workbook([sw.Sheet("Data", [("c1", "c2", "c3")], columns), *lookups], form)
    books = [libreoffice_book(made.data, tmp_path, f"book.{form}")]
    if form == "xlsx":
        books.append(openpyxl_book(made.data))
        assert ooxml_errors(made.data, tmp_path) == []
    for book in books:
        found = {str(v.sqref)[0]: v for v in book["Data"].data_validations.dataValidation}
        formulas = [found[letter].formula1.replace("$'", "'") for letter in "ABC"]
        assert formulas == [
            choices[0][1:] if isinstance(choices, list) else choices[1:] for choices in given
        ]
        assert {rule.type for rule in found.values()} == {"list"}


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("whole", "whole"), ("decimal", "decimal"), ("length", "textLength")],
)
def test_a_cell_may_be_a_number_within_bounds(kind: Any, type_: str) -> None:
    found = validated(sw.Validation(kind=kind, value=1, other=9))
    assert (found.type, found.operator or "between") == (type_, "between")
    assert (found.formula1, found.formula2) == ("1", "9")


def test_a_cell_may_be_a_date() -> None:
    found = validated(sw.Validation(kind="date", comparison=">=", value=date(2024, 5, 17)))
    assert (found.type, found.operator, found.formula1) == ("date", "greaterThanOrEqual", "45429")
    assert found.formula2 is None


def test_a_formula_may_say_what_is_valid() -> None:
    found = validated(sw.Validation(kind="custom", value="=ISNUMBER(A2)"))
    assert (found.type, found.formula1) == ("custom", "ISNUMBER(A2)")


def test_something_else_may_be_warned_about_only() -> None:
    texts = [
        validated(sw.Validation(choices=["a"], strict=strict)).errorStyle
        for strict in (True, False)
    ]
    assert texts == [None, "warning"]


def test_a_message_is_shown_as_it_was_written() -> None:
    found = validated(sw.Validation(choices=["a"], title="No <&>", message='two\nlines "q"'))
    assert (found.errorTitle, found.error) == ("No <&>", 'two\nlines "q"')


def test_a_sheet_without_rows_is_ready_for_one(tmp_path: Path) -> None:
    column = sw.Column("id", rules=[sw.DataBar()], validation=sw.Validation(choices=["a"]))
    made = workbook([], columns=[column])
    sheet = openpyxl_book(made.data).worksheets[0]
    assert str(sheet.data_validations.dataValidation[0].sqref) == "A2"
    assert ooxml_errors(made.data, tmp_path) == []


def test_a_sheet_with_all_of_it_is_valid(tmp_path: Path) -> None:
    columns = [
        sw.Column(
            "id",
            rules=[sw.Condition("<", 3), sw.ColorScale(middle="#FFFFFF"), sw.DataBar()],
            validation=sw.Validation(kind="whole", value=0, other=9, message="m", title="t"),
        ),
        sw.Column(
            "name",
            rules=[sw.Condition("=", "n1", style=sw.Style(italic=True, border="thin"))],
            validation=sw.Validation(choices=["n1", "n2"], strict=False),
        ),
    ]
    made = workbook(ROWS, sw.Xlsx(zebra=True), columns=columns)
    assert ooxml_errors(made.data, tmp_path) == []
