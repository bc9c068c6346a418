"""What a contender is, and how rows are put together for those that do not take an iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import paths

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from benchmarks.workloads import Row

Stream: TypeAlias = "Callable[[Any, Sequence[str]], Iterator[bytes]]"
Write: TypeAlias = "Callable[[Any, Sequence[str], Path], None]"
Prepare: TypeAlias = "Callable[[Iterable[Row], Sequence[str]], object]"

BATCH = 500


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to write a document.

    Attributes:
        name: Its name in the tables.
        format: "xlsx", "csv", "xml" or "json".
        takes: What its interface takes: an iterator ("iter"), "batches" of one schema, or a whole
            "table"; "given" means that it is given a table which was made before the clock started.
        needs: The modules that it imports.
        stream: Yields the document in chunks; None if it cannot.
        write: Writes the document to a path; None if it can be streamed.
        prepare: Makes the table that it is given.
        path: The path that its process is to take; None for that of all.
    """

    name: str
    format: str
    takes: str
    needs: tuple[str, ...] = ()
    stream: Stream | None = None
    write: Write | None = None
    prepare: Prepare | None = None
    path: str | None = None

    @property
    def missing(self) -> str | None:
        """What it needs and is not here, or None."""
        if self.path == paths.PURE and len(paths.available()) == 1:
            return "a compiled kernel, without which the other line is the same"
        return next((name for name in self.needs if find_spec(name) is None), None)

    @property
    def ours(self) -> bool:
        """Whether it is streamware."""
        return self.name.startswith("streamware")

    def source(self, rows: Iterable[Row], titles: Sequence[str]) -> Any:
        """Return what it is given."""
        return rows if self.prepare is None else self.prepare(rows, titles)

    def save(self, rows: Iterable[Row], titles: Sequence[str], path: Path) -> None:
        """Write the document to `path`, streamed or not."""
        source = self.source(rows, titles)
        if self.stream is None:
            assert self.write is not None
            self.write(source, titles, path)
        else:
            with path.open("wb") as file:
                file.writelines(self.stream(source, titles))


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows in lists of `size`; the last one may be shorter."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


def record_batches(
    rows: Iterable[Row], titles: Sequence[str], size: int
) -> Iterator[pa.RecordBatch]:
    """Yield Arrow record batches; the first one decides the types of the columns."""
    import pyarrow as pa

    schema = None
    for batch in batches(rows, size):
        columns = list(zip(*batch, strict=True))
        if schema is None:
            arrays = [pa.array(column) for column in columns]
            schema = pa.schema(zip(titles, (array.type for array in arrays), strict=True))
        else:
            arrays = [pa.array(*pair) for pair in zip(columns, schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def arrow_table(rows: Iterable[Row], titles: Sequence[str]) -> pa.Table:
    """Return an Arrow table."""
    import pyarrow as pa

    return pa.Table.from_batches(list(record_batches(rows, titles, 5000)))


def polars_frame(rows: Iterable[Row], titles: Sequence[str]) -> pl.DataFrame:
    """Return a frame of Polars."""
    import polars as pl

    return pl.DataFrame(list(rows), schema=list(titles), orient="row")
