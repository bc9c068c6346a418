"""TextColumns: what an encoder of another package makes text with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import streamware as sw

ESCAPES = {"\\": "\\\\", "|": "\\|", "\n": "<br>"}


def context(values: sw.Values | None = None) -> sw.Context:
    return sw.Context(
        values=values or sw.Values(), limits=sw.Limits(), receipt=sw.Receipt("markdown")
    )


def batch(columns: Sequence[sw.Column], *cells: Sequence[object]) -> sw.Batch:
    return sw.Batch(sw.Head(None, tuple(columns)), 1, len(cells[0]), cells)


def texts(cells: Sequence[object], **options: object) -> list[bytes]:
    columns = [sw.Column(0, "cell")]
    made = sw.TextColumns(columns, context(), **options)  # type: ignore[arg-type]  # of any name
    return made.texts(batch(columns, cells))[0]


def test_every_character_is_escaped_once() -> None:
    assert texts(["a|b", "\\|", "1\n2", ""], escapes=ESCAPES) == [
        b"a\\|b",
        b"\\\\\\|",
        b"1<br>2",
        b"",
    ]


def test_a_mixed_column_is_escaped_as_a_text_column_is() -> None:
    assert texts(["a|b", 1, None], escapes=ESCAPES, null="-") == [b"a\\|b", b"1", b"-"]


def test_without_escapes_text_stays() -> None:
    assert texts(["a|b"]) == [b"a|b"]


def test_values_are_written_as_in_csv() -> None:
    cells = [True, 1, 2.5, Decimal("1.10"), datetime(2024, 5, 17, 8, 30, tzinfo=UTC)]
    assert texts(cells) == [b"true", b"1", b"2.5", b"1.10", b"2024-05-17T08:30:00+00:00"]


def test_titles_are_escaped() -> None:
    columns = [sw.Column(0, "a|b"), sw.Column(1, "c")]
    assert sw.TextColumns(columns, context(), escapes=ESCAPES).titles == [b"a\\|b", b"c"]
    assert sw.TextColumns([sw.Column(0)], context()).titles is None


def test_text_that_a_program_may_take_for_a_formula_is_guarded_if_asked_for() -> None:
    assert texts(["=1+1"]) == [b"=1+1"]
    assert texts(["=1+1"], formulas=True) == [b"'=1+1"]


def test_an_error_names_the_sheet_the_row_and_the_column() -> None:
    columns = [sw.Column(0, "cell")]
    made = sw.TextColumns(columns, context(), sheet="Orders")
    with pytest.raises(sw.CellError) as raised:
        made.texts(batch(columns, [1, object()]))
    assert (raised.value.sheet, raised.value.row, raised.value.column) == ("Orders", 2, "cell")


@pytest.mark.parametrize("character", ["", "ab", "ä", "\x1f"])
def test_only_single_ascii_characters_have_escapes(character: str) -> None:
    with pytest.raises(ValueError, match="escapes must be of single ASCII characters, not"):
        texts([], escapes={character: "x"})
