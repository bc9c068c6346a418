"""How the sheets are shown: frozen rows and columns, zoom.

Source: OpenDocument 1.3 Part 3 §3.10 (settings); the names are LibreOffice's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streamware.formats.ods.parts import attribute, opening

_FROZEN = 2  # 1 is a split that can be moved
_RIGHT, _BELOW = 1, 2  # the panes: 0 and 1 above, 2 and 3 below
_BY_PERCENT = 0  # how zoom is meant


class View(NamedTuple):
    """How one sheet is shown.

    Attributes:
        name: The sheet's.
        columns: So many of the first columns stay in sight.
        rows: So many of the first rows stay in sight.
        zoom: Percent.
    """

    name: str
    columns: int
    rows: int
    zoom: int


def settings(views: Iterable[View]) -> bytes:
    """`settings.xml`."""
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
        items += _item(f"{axis}SplitMode", "short", _FROZEN if frozen else 0)
        items += _item(f"{axis}SplitPosition", "int", frozen)
    items += _item("ActiveSplitRange", "short", _active(view))
    items += _item("PositionRight", "int", view.columns)
    items += _item("PositionBottom", "int", view.rows)
    items += _item("ZoomType", "short", _BY_PERCENT) + _item("ZoomValue", "int", view.zoom)
    name = attribute(view.name)
    return (
        f"<config:config-item-map-entry config:name={name}>{items}</config:config-item-map-entry>"
    )


def _active(view: View) -> int:
    """The pane that the cursor is in; without any it is the one at the left and below."""
    if not view.columns:
        return _BELOW
    return _RIGHT + _BELOW if view.rows else _RIGHT


def _item(name: str, type_: str, value: object) -> str:
    text = attribute(str(value))[1:-1]
    return (
        f'<config:config-item config:name="{name}" config:type="{type_}">{text}'
        "</config:config-item>"
    )
