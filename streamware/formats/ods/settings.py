"""How the sheets are shown: frozen rows and columns, zoom.

Source: OpenDocument 1.3 Part 3 §3.10 (settings); the names are LibreOffice's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streamware.formats.ods.parts import attribute, opening

_FROZEN = 2  # 1 is a split that can be moved
_RIGHT_BELOW = 3  # the panes: 0 and 1 above, 2 and 3 below
_BELOW = 2
_PERCENT = 2  # how the zoom is meant... LibreOffice: 0 is by percent


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
        if frozen:
            items += _item(f"{axis}SplitMode", "short", _FROZEN)
            items += _item(f"{axis}SplitPosition", "int", frozen)
    if view.columns or view.rows:
        items += _item("ActiveSplitRange", "short", _active(view))
        items += _item("PositionRight", "int", view.columns)
        items += _item("PositionBottom", "int", view.rows)
    items += _item("ZoomType", "short", 0) + _item("ZoomValue", "int", view.zoom)
    name = attribute(view.name)
    return (
        f"<config:config-item-map-entry config:name={name}>{items}</config:config-item-map-entry>"
    )


def _active(view: View) -> int:
    if not view.rows:
        return 1
    return _RIGHT_BELOW if view.columns else _BELOW


def _item(name: str, type_: str, value: object) -> str:
    text = attribute(str(value))[1:-1]
    return (
        f'<config:config-item config:name="{name}" config:type="{type_}">{text}'
        "</config:config-item>"
    )
