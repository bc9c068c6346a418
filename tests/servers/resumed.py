"""An application whose downloads break in the middle, unless a part is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import streamware as sw

BROKEN_AFTER = 1_500_000
"""Bytes of a whole document after which the connection is cut, if the path is /broken."""


def rows() -> Iterator[tuple[int, str, float]]:
    return ((number, "text " * (number % 9), number * 1.5) for number in range(100_000))


EXPORT = sw.Export(
    rows, columns=["id", "text", "x"], formats=("csv", "xlsx"), compress="off", etag="v1"
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer as the export does; break what is asked for whole."""
    in_part = any(name == b"range" for name, _ in scope["headers"])
    sent = 0

    async def breaking(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if scope["path"] == "/broken" and not in_part and sent > BROKEN_AFTER:
            raise ConnectionError("broken on purpose")
        await send(message)

    await EXPORT.asgi(scope, receive, breaking)
