"""What stands around the values of cells, shared by columns that look alike."""

from datetime import UTC

import streamware as sw
from streamware.formats.spreadsheet.column_style import LINK, ColumnStyle
from streamware.formats.xlsx.style_registry import StyleRegistry
from streamware.formats.xlsx.styles import Styles
from streamware.values.kinds import Kind

PLAIN = ColumnStyle.of(sw.Column("a"), UTC)
MONEY = ColumnStyle.of(sw.Column("a", format="0.00"), UTC)


def registry(*, compact: bool = False) -> StyleRegistry:
    return StyleRegistry(Styles(), compact=compact)


def test_columns_that_look_alike_share_their_marks() -> None:
    found = registry()
    marks = found.cell_markup(MONEY, linked=False)
    assert (
        found.cell_markup(ColumnStyle.of(sw.Column("b", format="0.00"), UTC), linked=False) is marks
    )
    assert found.cell_markup(PLAIN, linked=False) is not marks
    assert found.cell_markup(MONEY, linked=True) is not marks


def test_a_plain_cell_names_no_format() -> None:
    marks = registry().cell_markup(PLAIN, linked=False)
    assert marks.plain[Kind.TEXT] == b'"'
    assert marks.around[Kind.NUMBER] == (b'"><v>', b"</v></c>")
    assert marks.around[Kind.TEXT] == (b'" t="inlineStr"><is><t>', b"</t></is></c>")


def test_a_cell_without_its_reference_ends_none() -> None:
    marks = registry(compact=True).cell_markup(PLAIN, linked=False)
    assert marks.around[Kind.BOOL] == (b' t="b"><v>', b"</v></c>")


def test_only_a_column_of_links_has_the_look_of_links() -> None:
    found = registry()
    assert found.cell_markup(PLAIN, linked=False).links == {}
    link = found.styles.index(LINK)
    assert found.cell_markup(PLAIN, linked=True).links[Kind.TEXT] == b'" s="%d"' % link


def test_a_cell_of_its_own_style_keeps_the_format_of_its_column() -> None:
    found = registry()
    red = sw.Style(color="#FF0000")
    marks = found.cell_markup(MONEY, linked=False).styled(red, Kind.NUMBER, linked=False)
    wanted = found.styles.index(sw.Style(color="#FF0000", format="0.00"))
    assert marks == b'" s="%d"' % wanted


def test_styles_do_not_depend_on_which_kinds_came_first() -> None:
    first, again = registry(), registry()
    for kind in (Kind.DATE, Kind.NUMBER):
        _ = first.cell_markup(MONEY, linked=False).plain[kind]
    again.cell_markup(MONEY, linked=False)
    assert first.styles.part() == again.styles.part()
