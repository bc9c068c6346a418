"""The markup around the values of cells, shared by columns of one style."""

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


def test_columns_of_one_style_share_their_markup() -> None:
    found = registry()
    markup = found.cell_markup(MONEY, linked=False)
    assert (
        found.cell_markup(ColumnStyle.of(sw.Column("b", format="0.00"), UTC), linked=False)
        is markup
    )
    assert found.cell_markup(PLAIN, linked=False) is not markup
    assert found.cell_markup(MONEY, linked=True) is not markup


def test_a_plain_cell_names_no_format() -> None:
    markup = registry().cell_markup(PLAIN, linked=False)
    assert markup.plain[Kind.TEXT] == b'"'
    assert markup.around[Kind.NUMBER] == (b'"><v>', b"</v></c>")
    assert markup.around[Kind.TEXT] == (b'" t="inlineStr"><is><t>', b"</t></is></c>")


def test_a_cell_without_its_reference_ends_none() -> None:
    markup = registry(compact=True).cell_markup(PLAIN, linked=False)
    assert markup.around[Kind.BOOL] == (b' t="b"><v>', b"</v></c>")


def test_only_a_column_of_links_has_the_look_of_links() -> None:
    found = registry()
    assert found.cell_markup(PLAIN, linked=False).links == {}
    link = found.styles.index(LINK)
    assert found.cell_markup(PLAIN, linked=True).links[Kind.TEXT] == b'" s="%d"' % link


def test_a_cell_of_its_own_style_keeps_the_format_of_its_column() -> None:
    found = registry()
    red = sw.Style(color="#FF0000")
    markup = found.cell_markup(MONEY, linked=False).styled(red, Kind.NUMBER, linked=False)
    wanted = found.styles.index(sw.Style(color="#FF0000", format="0.00"))
    assert markup == b'" s="%d"' % wanted


def test_styles_do_not_depend_on_which_kinds_came_first() -> None:
    first, again = registry(), registry()
    for kind in (Kind.DATE, Kind.NUMBER):
        _ = first.cell_markup(MONEY, linked=False).plain[kind]
    again.cell_markup(MONEY, linked=False)
    assert first.styles.part() == again.styles.part()
