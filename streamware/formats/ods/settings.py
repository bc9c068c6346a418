"""How the sheets are shown: their frozen rows and columns, and their zoom.

Source: OpenDocument 1.3 Part 3 §3.10 (settings); the names are LibreOffice's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streamware.formats.ods.parts import attribute, opening

_NOT_SPLIT, _FROZEN = 0, 2  # 1 is a split that users can move
_TOP_RIGHT, _BOTTOM_LEFT, _BOTTOM_RIGHT = 1, 2, 3  # panes
_PERCENT = 0  # the type of zoom


class View(NamedTuple):
    """How one sheet is shown.

    Attributes:
        name: Name of the sheet.
        columns: Number of frozen columns.
        rows: Number of frozen rows.
        zoom: Zoom in percent.
    """

    name: str
    columns: int
    rows: int
    zoom: int


def settings(views: Iterable[View]) -> bytes:
    """Return `settings.xml`; the first sheet is the active one."""
    shown = list(views)
    tables = "".join(map(_table, shown))
    active = _item("ActiveTable", "string", shown[0].name) if shown else ""
    return (
        opening("document-settings", "office", "config")
        + '<office:settings><config:config-item-set config:name="ooo:view-settings">'
        '<config:config-item-map-indexed config:name="Views"><config:config-item-map-entry>'
        + _item("ViewId", "string", "view1")
        + f'<config:config-item-map-named config:name="Tables">{tables}'
        "</config:config-item-map-named>"
        + active
        + "</config:config-item-map-entry></config:config-item-map-indexed>"
        "</config:config-item-set></office:settings></office:document-settings>"
    ).encode()


def _table(view: View) -> str:
    items = ""
    for axis, frozen in (("Horizontal", view.columns), ("Vertical", view.rows)):
        items += _item(f"{axis}SplitMode", "short", _FROZEN if frozen else _NOT_SPLIT)
        items += _item(f"{axis}SplitPosition", "int", frozen)
    active = _BOTTOM_LEFT  # the pane with the cursor, even in a sheet without panes
    if view.columns:
        active = _BOTTOM_RIGHT if view.rows else _TOP_RIGHT
    items += _item("ActiveSplitRange", "short", active)
    items += _item("PositionRight", "int", view.columns)
    items += _item("PositionBottom", "int", view.rows)
    items += _item("ZoomType", "short", _PERCENT) + _item("ZoomValue", "int", view.zoom)
    name = attribute(view.name)
    return (
        f"<config:config-item-map-entry config:name={name}>{items}</config:config-item-map-entry>"
    )


def _item(name: str, type_: str, value: object) -> str:
    text = attribute(str(value))[1:-1]
    return (
        f'<config:config-item config:name="{name}" config:type="{type_}">{text}'
        "</config:config-item>"
    )
