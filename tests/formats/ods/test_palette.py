"""How cells tell their styles, shared by columns that look alike."""

from datetime import UTC

import streamware as sw
from streamware.formats.ods.palette import Palette
from streamware.formats.ods.styles import Styles
from streamware.formats.spreadsheet.look import LINK, Look
from streamware.values.kinds import Kind

PLAIN = Look.of(sw.Column("a"), UTC)
MONEY = Look.of(sw.Column("a", format="0.00"), UTC)


def test_columns_that_look_alike_share_their_marks() -> None:
    found = Palette(Styles())
    marks = found.marks(MONEY, linked=False)
    assert found.marks(Look.of(sw.Column("b", format="0.00"), UTC), linked=False) is marks
    assert found.marks(PLAIN, linked=False) is not marks


def test_a_plain_cell_names_no_style() -> None:
    plain = Palette(Styles()).marks(PLAIN, linked=False).plain
    assert plain[Kind.TEXT].marks == b""
    assert plain[Kind.NUMBER].number == b' office:value-type="float"'


def test_only_a_column_of_links_has_the_look_of_links() -> None:
    found = Palette(Styles())
    assert found.marks(PLAIN, linked=False).links == {}
    assert found.marks(PLAIN, linked=True).links[Kind.TEXT] == found.marked(LINK)
