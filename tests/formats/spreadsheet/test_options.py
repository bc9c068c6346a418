"""The options that both spreadsheet formats have."""

from dataclasses import fields
from inspect import getdoc
from typing import Any

import pytest

import streamware as sw
from streamware.formats.spreadsheet.options import WorkbookOptions

FORMATS = [sw.Xlsx, sw.Ods]


@pytest.mark.parametrize("form", FORMATS)
def test_both_formats_have_them(form: type[WorkbookOptions]) -> None:
    assert issubclass(form, WorkbookOptions)
    options = form(title="Orders", zoom=80, names={"VAT": "=0.19"}, properties={"Rows": 1})
    assert (options.title, options.zoom) == ("Orders", 80)
    assert (options.names, options.properties) == ({"VAT": "0.19"}, {"Rows": 1})
    assert hash(options) == hash(form(title="Orders", zoom=80))


@pytest.mark.parametrize("form", FORMATS)
def test_help_explains_every_option(form: type[WorkbookOptions]) -> None:
    text = getdoc(form) or ""
    assert [each.name for each in fields(form) if f"    {each.name}: " not in text] == []
    assert text.count("\n    zoom: ") == 1


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"compression": "best"}, "compression must be 'fast' or 'small', not 'best'"),
        ({"names": {"A1": "1"}}, "'A1'"),
        ({"properties": {"": 1}}, "property"),
        ({"zoom": 5}, "zoom"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(
    form: type[WorkbookOptions], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        form(**given)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["sheet", "title", "created", "properties", "names"])
def test_a_wrong_type_is_refused(form: type[WorkbookOptions], name: str) -> None:
    with pytest.raises(TypeError, match=name):
        form(**{name: 1})  # type: ignore[arg-type]  # that is the test
