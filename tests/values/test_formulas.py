"""Formulas of a column are written together, with the result that each has alone."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamware as sw
from streamware.formats.xlsx.cells import TEXT_RULES
from streamware.model.columns import Column
from streamware.values.cell_formatter import CellFormatter
from streamware.values.column_formatter import ColumnFormatter
from streamware.values.kinds import Kind

PLAIN = st.sampled_from(["=B2*C2", "B3*C3", '=IF(A1<>"",1)', "=IFS(A1>1,2)", "=#DIV/0!", "=[@a]"])
ODD = st.sampled_from(["=", "= A1", " =A1", "=\u2003A1", "==1", "=A1;2", "=A1\n+1", '="_x0041_"'])
UNICODE = st.sampled_from(['="é\r"', '="\uff1d"', '="\x0b"', '="\x1f"', '="\ud800"', '="\uffff"'])
TEXTS = PLAIN | ODD | UNICODE | st.just("=" + "A1&" * 1400 + "A1")
CACHED = st.sampled_from([None, 1, 1.5, float("nan"), True, "", "a", "<\r", "_x0041_", 10**20])
FORMULAS = st.builds(sw.Formula, TEXTS, CACHED, array=st.booleans())
OPTIONS: Any = {"text_rules": TEXT_RULES, "sheet": "S"}


def _outcome(written: Any, converted: Counter[str]) -> Any:
    try:
        return written(), converted
    except sw.EncodeError as error:
        return type(error)


@pytest.mark.slow
@given(
    st.one_of(
        st.lists(FORMULAS | st.none(), min_size=1, max_size=9),
        st.lists(st.builds(sw.Formula, TEXTS, st.sampled_from(["a", "<\r"])), min_size=1),
    ),
    st.sampled_from([None, 5, 200]),
)
def test_formulas_together_are_written_as_each_alone(cells: Any, bound: int | None) -> None:
    together: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    rules = {**OPTIONS, "values": sw.Values(), "cell_characters": bound}

    def of_column() -> Any:
        column = ColumnFormatter(Column(0), "a", converted=together, **rules).format(cells, 1)
        kinds: Any = column.kinds or [column.kind] * len(cells)
        pairs = zip(kinds, column.tokens, strict=True)
        return [(Kind.EMPTY, b"") if token is None else (kind, token) for kind, token in pairs]

    def of_cells() -> Any:
        single = CellFormatter("a", converted=alone, **rules)
        return [single.cell(cell) for cell in cells]

    assert _outcome(of_column, together) == _outcome(of_cells, alone)
