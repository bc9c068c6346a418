import inspect
from typing import get_type_hints

import pytest

import streamware as sw
from streamware.frameworks._support.options import ExportOptions, application
from streamware.http.application import prepare_answer
from streamware.http.request import Request

ELSEWHERE = {"self", "rows", "headers", "status"}


def test_options_are_the_arguments_of_an_export() -> None:
    arguments = get_type_hints(sw.Export.__init__)
    expected = {
        name: kind for name, kind in arguments.items() if name not in ELSEWHERE | {"return"}
    }
    assert get_type_hints(ExportOptions) == expected
    assert set(inspect.signature(sw.Export.__init__).parameters) == ELSEWHERE | set(expected)


def test_rows_become_an_export_with_the_options() -> None:
    made = application([{"a": 1}], {"format": "xml", "filename": "orders"})
    answer = prepare_answer(made, Request(method="HEAD"))
    assert ("Content-Disposition", 'attachment; filename="orders.xml"') in answer.headers


@pytest.mark.parametrize("made", [sw.Export([]), sw.Bundle([])], ids=["export", "bundle"])
def test_an_application_is_itself_and_takes_no_options(made: sw.Export | sw.Bundle) -> None:
    assert application(made, {}) is made
    kind = type(made).__name__
    with pytest.raises(TypeError, match=f"finished {kind}: pass filename, format to {kind}"):
        application(made, {"filename": "orders", "format": "csv"})


def test_what_is_no_option_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"no option colour, status \(here it is status_code\); those"
    ):
        application([], {"status": 203, "colour": 1, "format": "csv"})  # type: ignore[typeddict-unknown-key]  # the point


def test_rows_that_are_none_are_refused_as_by_an_export() -> None:
    with pytest.raises(TypeError, match="rows must be an iterable"):
        application(5, {})  # type: ignore[arg-type]  # the point of it
