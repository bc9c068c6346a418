"""The Encoder and Format protocols, and the Context an encoder works in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from streamware.limits import Limits
from streamware.model.columns import Batch, Column
from streamware.receipt import Receipt
from streamware.values import Values

Part = bytes | Sequence[bytes]
"""What stands in every row: the same bytes in each, or the bytes of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an encoder is given of the export it works for.

    Attributes:
        values: The caller's choices.
        limits: The caller's bounds.
        receipt: Counted into.
        open_spool: Opens a binary scratch file, for what has to wait; None where there is none.
        locale: Language tag of the reader, such as "de-DE", where it is known.
        interleaved: Whether heads come back: the sheets' rows come in one pass, in any order.
    """

    values: Values
    limits: Limits
    receipt: Receipt
    open_spool: Callable[[], BinaryIO] | None = None
    locale: str | None = None
    interleaved: bool = False


class Encoder(Protocol):
    """Rows to bytes, without I/O: it never reads, waits or opens.

    Called in this order: `start` once, `feed` and `flush` any number of times, `finish` once; or
    `abort` at any point, after which nothing else.  Every call may return no bytes.
    """

    def start(self) -> bytes:
        """What stands before the first row."""

    def feed(self, batch: Batch) -> bytes:
        """The rows of `batch`, as far as they are ready; a new head begins a new sheet.

        A head that was left comes back only where they are interleaved.
        """

    def flush(self) -> bytes:
        """Everything fed so far that can be handed out: the clock wants it."""

    def finish(self) -> bytes | Iterator[bytes]:
        """What stands after the last row; in pieces, some of them empty, where it is long."""

    def abort(self) -> None:
        """Gives up; what was handed out stays incomplete."""


class Format(Protocol):
    """A document format and its options: a frozen value.

    One whose sheets can be written in one pass, their rows in any order, says
    `interleaves = True`; others need not say anything.  One that writes otherwise for readers of
    other languages has `languages`, a container of their tags, such as "de" and "de-CH": its
    `Context` names the reader's among them, which over HTTP `Accept-Language` asks for.
    """

    @property
    def name(self) -> str:
        """Its short name, as in `?format=`."""

    @property
    def media_type(self) -> str:
        """Its media type, as in `Content-Type`."""

    @property
    def extension(self) -> str:
        """Its file name extension, with the dot."""

    @property
    def several_sheets(self) -> bool:
        """Whether it can hold more than one sheet."""

    @property
    def self_terminating(self) -> bool:
        """Whether a document that was cut shows it."""

    @property
    def compressible(self) -> bool:
        """Whether a content coding makes it smaller."""

    def encoder(self, columns: Sequence[Column], context: Context) -> Encoder:
        """A fresh encoder of rows with these columns."""


def pieces(finished: bytes | Iterator[bytes]) -> Iterator[bytes]:
    """What `Encoder.finish` gave, by pieces."""
    return iter((finished,)) if isinstance(finished, bytes) else finished


def interleaves(format_: Format) -> bool:
    """Whether its encoder takes rows of several sheets in one pass, in any order."""
    return bool(getattr(format_, "interleaves", False))


def interleave(parts: Iterable[Part], count: int) -> bytes:
    """`count` rows, each made of its share of every part, in one join.

    One list of all the pieces, in which a column's go to every n-th place at once: that takes
    about half the time of zipping the columns row by row.
    """
    row: list[bytes] = [b""]
    places: list[tuple[int, Sequence[bytes]]] = []
    for part in parts:
        if isinstance(part, bytes):
            row[-1] += part
        else:
            places.append((len(row), part))
            row += (b"", b"")
    pieces = row * count
    for at, column in places:
        pieces[at :: len(row)] = column
    return b"".join(pieces)
