from collections.abc import Callable, Iterator, Sequence
from types import MemberDescriptorType
from typing import Self

SOURCES: int
VERSION: int

class Rules:
    def __new__(
        cls,
        *,
        text: tuple[bytes, tuple[bytes, ...], bytes | None, str, int, bool, bool],
        values: tuple[bytes, bytes, tuple[int, int, int] | None, int, int, str],
    ) -> Self: ...

class Plan:
    def __new__(
        cls,
        *,
        row: tuple[bytes, bytes | None, bytes],
        columns: Sequence[tuple[bytes | None, int, tuple[tuple[bytes, bytes], ...]]],
        rules: Rules,
    ) -> Self: ...
    def write(
        self,
        lines: Sequence[Sequence[object]],
        by_rows: bool,
        spliced: list[Sequence[bytes] | None] | None,
        first: int,
        count: int,
        ask: Callable[[int, int, object], bytes],
        /,
    ) -> bytes: ...

def columns(
    rows: list[object],
    kind: type,
    keys: tuple[object, ...],
    whole: bool,
    lenient: bool,
    /,
) -> list[list[object]] | None: ...
def pull(
    rows: Iterator[object],
    most: int,
    pending: list[object],
    room: int,
    due: list[float],
    clock: Callable[[], float],
    weightless: tuple[type, ...],
    cell_size: Callable[[object], int],
    row_size: Callable[[object], int],
    objects: tuple[type, tuple[MemberDescriptorType, ...]] | None,
    /,
) -> tuple[int, bool, bool]: ...
