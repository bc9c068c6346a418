"""How cells tell their styles, shared by columns that look alike."""

from datetime import UTC

import streamware as sw
from streamware.formats.ods.style_registry import StyleRegistry
from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.look import LINK, ColumnStyle
from streamware.values.kinds import Kind

PLAIN = ColumnStyle.of(sw.Column("a"), UTC)
MONEY = ColumnStyle.of(sw.Column("a", format="0.00"), UTC)


def test_columns_that_look_alike_share_their_marks() -> None:
    found = StyleRegistry(Styles())
    marks = found.marks(MONEY, linked=False)
    assert found.marks(ColumnStyle.of(sw.Column("b", format="0.00"), UTC), linked=False) is marks
    assert found.marks(PLAIN, linked=False) is not marks


def test_a_plain_cell_names_no_style() -> None:
    plain = StyleRegistry(Styles()).marks(PLAIN, linked=False).plain
    assert plain[Kind.TEXT].marks == b""
    assert plain[Kind.NUMBER].number == b' office:value-type="float"'


def test_only_a_column_of_links_has_the_look_of_links() -> None:
    found = StyleRegistry(Styles())
    assert found.marks(PLAIN, linked=False).links == {}
    assert found.marks(PLAIN, linked=True).links[Kind.TEXT] == found.styled_markup(LINK)
