"""How cells style by their kinds."""

from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

import streamware as sw
from streamware.formats.spreadsheet.column_style import ColumnStyle, shown_kind, styled_places
from streamware.values.column_formatter import FormattedColumn
from streamware.values.kinds import Kind


def test_columns_that_were_given_the_same_look_the_same() -> None:
    first = ColumnStyle.of(sw.Column("a", "A", format="0.00", align="right", total="sum"), UTC)
    assert first == ColumnStyle.of(sw.Column("b", "B", format="0.00", align="right"), UTC)
    assert first != ColumnStyle.of(sw.Column("b", "B", format="0.00"), UTC)
    assert first != ColumnStyle.of(
        sw.Column("a", format="0.00", align="right"), ZoneInfo("Asia/Tokyo")
    )


def test_a_number_format_is_for_numbers_only() -> None:
    style = ColumnStyle.of(sw.Column("a", format="0.00"), UTC)
    shown = {kind: style.code(kind) for kind in Kind}
    assert shown[Kind.NUMBER] == shown[Kind.DATE] == shown[Kind.FORMULA] == "0.00"
    assert shown[Kind.TEXT] is shown[Kind.BOOL] is shown[Kind.EMPTY] is None


def test_the_format_of_text_is_for_text_too() -> None:
    assert ColumnStyle.of(sw.Column("a", format="@"), UTC).code(Kind.TEXT) == "@"


def test_dates_and_times_have_a_format_though_none_is_given() -> None:
    style = ColumnStyle.of(sw.Column("a"), ZoneInfo("Europe/Berlin"))
    assert style.code(Kind.DATE) == "yyyy-mm-dd"
    assert style.code(Kind.ZONED) == 'yyyy-mm-dd hh:mm:ss "Europe/Berlin"'
    assert style.code(Kind.NUMBER) is None


def test_a_zone_may_be_called_anything() -> None:
    zone = timezone(timedelta(0), 'a "b"\x00\n' + "c" * 300)
    code = ColumnStyle.of(sw.Column("a"), zone).zoned
    assert code.startswith("yyyy-mm-dd hh:mm:ss \"a 'b'\ufffd ccc")
    assert len(code) <= 255


def test_a_column_tells_alignment_and_wrapping_of_every_cell() -> None:
    style = ColumnStyle.of(sw.Column("a", align="center", wrap=True), UTC)
    assert style.style(Kind.TEXT) == sw.Style(align="center", wrap=True)
    assert style.style(Kind.DATE) == sw.Style(align="center", wrap=True, format="yyyy-mm-dd")


@pytest.mark.parametrize(
    ("kind", "token", "expected"),
    [
        (Kind.TEXT, b"a", Kind.TEXT),
        (Kind.FORMULA, None, Kind.FORMULA),
        (Kind.FORMULA, b"A1\x1fdate\x1f45000", Kind.DATE),
        (Kind.FORMULA, b"A1\x1ftext\x1fa", Kind.FORMULA),
    ],
)
def test_a_formula_looks_like_its_value(kind: Kind, token: bytes | None, expected: Kind) -> None:
    assert shown_kind(kind, token) is expected


def test_styled_cells_go_row_by_row() -> None:
    cell = sw.Cell(1, note="a")
    first = FormattedColumn(Kind.NUMBER, [b"1"] * 3, styled={2: cell, 0: cell})
    second = FormattedColumn(Kind.NUMBER, [b"1"] * 3)
    third = FormattedColumn(Kind.NUMBER, [b"1"] * 3, styled={1: cell, 0: cell})
    assert styled_places([first, second, third]) == [(0, 0), (0, 2), (1, 2), (2, 0)]
