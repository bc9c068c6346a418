"""The markup of cells for their styles, shared by columns that look alike."""

from datetime import UTC

import streamware as sw
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.column_style import LINK, ColumnStyle
from streamware.values.kinds import Kind

PLAIN = ColumnStyle.of(sw.Column("a"), UTC)
MONEY = ColumnStyle.of(sw.Column("a", format="0.00"), UTC)


def test_columns_that_look_alike_share_their_markup() -> None:
    found = StyleRegistry(Styles())
    markup = found.cell_markup(MONEY, linked=False)
    assert (
        found.cell_markup(ColumnStyle.of(sw.Column("b", format="0.00"), UTC), linked=False)
        is markup
    )
    assert found.cell_markup(PLAIN, linked=False) is not markup


def test_a_plain_cell_names_no_style() -> None:
    plain = StyleRegistry(Styles()).cell_markup(PLAIN, linked=False).plain
    assert plain[Kind.TEXT].style == b""
    assert plain[Kind.NUMBER].value_type == b' office:value-type="float"'


def test_only_a_column_of_links_has_the_look_of_links() -> None:
    found = StyleRegistry(Styles())
    assert found.cell_markup(PLAIN, linked=False).links == {}
    assert found.cell_markup(PLAIN, linked=True).links[Kind.TEXT] == found.styled_markup(LINK)
