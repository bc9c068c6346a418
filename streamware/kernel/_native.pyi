from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from types import MemberDescriptorType
from typing import Any, Self

SOURCES: int
VERSION: int

class Rules:
    def __new__(
        cls,
        *,
        text: tuple[bytes, tuple[bytes, ...], tuple[str, bytes, bool] | None, int, bool, bool],
        values: tuple[bytes, bytes, tuple[int, int, int, bool] | None, int, int, str, bool, bool],
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
    ) -> tuple[bytes, tuple[int, ...] | None]: ...
    def write_arrow(
        self,
        columns: tuple[ArrowColumn, ...],
        spliced: list[Sequence[bytes] | None] | None,
        first: int,
        count: int,
        ask: Callable[[int, int, object], bytes],
        /,
    ) -> tuple[bytes, tuple[int, ...] | None]: ...

class ArrowColumn:
    format: str
    def __len__(self) -> int: ...
    def __getitem__(self, at: int, /) -> object: ...
    def tolist(self) -> list[object]: ...
    def slice(self, start: int, stop: int, /) -> ArrowColumn: ...
    def weigh(self, start: int, stop: int, /) -> int: ...

class ArrowStream:
    names: list[str]
    def __new__(
        cls,
        capsule: object,
        zone_of: Callable[[str], tzinfo | None],
        fine: Callable[[object], object],
        span: Callable[[int, int, int, bool], object],
        /,
    ) -> Self: ...
    def next(self) -> tuple[int, tuple[ArrowColumn, ...]] | None: ...
    def close(self) -> None: ...

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
    objects: tuple[type, tuple[MemberDescriptorType, ...] | None] | None,
    /,
) -> tuple[int, bool, bool]: ...
def alike(rows: list[Any], kind: type, width: int, /) -> bool: ...
