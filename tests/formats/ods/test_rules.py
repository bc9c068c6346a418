# ruff: noqa: DTZ001 - date-times without a zone are what is tested
"""Rules: each operand as a formula has it."""

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

import pytest

import streamware as sw
from workbooks import workbook


def condition(value: Any, **options: Any) -> str:
    """The condition of a rule that compares with `value`."""
    column = sw.Column(0, rules=[sw.Condition("=", value)])
    content = workbook([(1,)], "ods", columns=[column], **options).parts["content.xml"].decode()
    return content.partition('calcext:value="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (5, "=5"),
        (0.1, "=0.1"),
        (HTTPStatus.OK, "=200"),
        (type("Real", (float,), {"__repr__": lambda _: "Real"})(0.5), "=0.5"),
        ('a "b"', "=&quot;a &quot;&quot;b&quot;&quot;&quot;"),
        ("=A1*2", "=[.A1]*2"),
        (date(2024, 1, 1), "=45292"),
        (datetime(2024, 1, 1, 12), "=45292.5"),
        (date(1600, 1, 1), "=-109571"),
    ],
    ids=repr,
)
def test_operands_are_written_by_their_type(value: Any, written: str) -> None:
    assert condition(value) == written


def test_a_datetime_is_compared_in_the_zone_that_is_shown() -> None:
    values = sw.Values(timezone=timezone(timedelta(hours=6)))
    assert condition(datetime(2024, 1, 1, 6, tzinfo=UTC), values=values) == "=45292.5"
    with pytest.raises(
        sw.EncodeError, match="column 1: a rule compares with a date-time outside of"
    ):
        condition(datetime.max.replace(tzinfo=UTC), values=values)


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ({"kind": "custom", "value": "=A1>B1"}, "is-true-formula([.A1]&gt;[.B1])"),
        (
            {"kind": "date", "comparison": ">=", "value": date(2024, 1, 1)},
            "cell-content-is-date() and cell-content()&gt;=45292",
        ),
        (
            {"kind": "decimal", "value": 0, "other": 1},
            "cell-content-is-decimal-number() and cell-content-is-between(0,1)",
        ),
        (
            {"kind": "length", "comparison": "not between", "value": 1, "other": 5},
            "cell-content-text-length-is-not-between(1,5)",
        ),
        (
            {"choices": ["a", "=b"]},
            "cell-content-is-in-list(&quot;a&quot;;&quot;=b&quot;)",
        ),
    ],
    ids=str,
)
def test_validations_have_conditions(rule: dict[str, Any], written: str) -> None:
    column = sw.Column(0, validation=sw.Validation(**rule))
    made = workbook([(1,), (None,)], "ods", columns=[column]).parts["content.xml"].decode()
    assert f'table:condition="of:{written}"' in made
    assert made.count('table:content-validation-name="v1"') == 2


def test_a_scale_of_three_colours_has_one_in_the_middle() -> None:
    column = sw.Column(0, rules=[sw.ColorScale(middle="#FFFF00")])
    made = workbook([(1,)], "ods", columns=[column]).parts["content.xml"]
    assert b'calcext:value="50" calcext:type="percentile" calcext:color="#FFFF00"' in made


@pytest.mark.parametrize(
    "options",
    [{"zebra": True}, {"table": True}, {"rules": sw.Condition(">", 1)}, {"rules": sw.DataBar()}],
    ids=str,
)
def test_a_sheet_of_any_name_has_rules(options: dict[str, Any]) -> None:
    name = 'R&D <"it\'s">'
    rules = [rule] if (rule := options.pop("rules", None)) else []
    columns = [sw.Column(0, "a", rules=rules)]
    made = workbook([sw.Sheet(name, [(1,)], columns)], sw.Ods(**options), columns=None)
    tree = ET.fromstring(made.parts["content.xml"])
    found = {
        value
        for element in tree.iter()
        for key, value in element.attrib.items()
        if key.endswith("}base-cell-address")
    }
    assert found <= {"'R&D <\"it''s\">'.A2"}
    assert bool(found) != any(isinstance(rule, sw.DataBar) for rule in rules)


@pytest.mark.parametrize("value", ["{}", '=COUNTIF(A1:A9,"{}")', '=IF({1},A1,B1)&"{}"'])
def test_braces_in_an_operand_stay_as_they_are(value: str) -> None:
    column = sw.Column(0, rules=[sw.Condition("=", value)])
    tree = ET.fromstring(workbook([(1,)], "ods", columns=[column]).parts["content.xml"])
    (found,) = (element for element in tree.iter() if element.tag.endswith("}condition"))
    marks = {key.partition("}")[2]: text for key, text in found.attrib.items()}
    assert "{}" in marks["value"]
    assert marks["base-cell-address"] == "'Sheet1'.A1"
