"""Format and Encoder, the protocols of a format; an encoder's Context; how rows are assembled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import BinaryIO, Protocol

from streamware.limits import Limits
from streamware.model.columns import Batch, Column
from streamware.receipt import Receipt
from streamware.values import Values

Part = bytes | Sequence[bytes]
"""A piece of every row: bytes that are the same in all rows, or a sequence with those of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an encoder knows of its export.

    Attributes:
        values: The caller's choices for values.
        limits: The caller's limits.
        receipt: The receipt of the export; the encoder counts conversions in `receipt.converted`.
        open_spool: Opens a binary scratch file for data that must wait; None if there is no place
            for such files.
        locale: Language tag of the reader, such as "de-DE", if it is known.
        interleaved: Whether the rows of several sheets come in one pass, so that heads come back.
    """

    values: Values
    limits: Limits
    receipt: Receipt
    open_spool: Callable[[], BinaryIO] | None = None
    locale: str | None = None
    interleaved: bool = False


class Encoder(Protocol):
    """Turns rows into bytes without I/O of its own: only `Context.open_spool` gives it a file.

    The calls come in this order: `start` once, `feed` and `flush` any number of times, `finish`
    once; or `abort` at any point, and nothing after it.  Every call may return no bytes.
    """

    def start(self) -> bytes:
        """Return everything before the first row."""

    def feed(self, batch: Batch) -> bytes:
        """Return the rows of `batch`, as far as they are ready; a new head begins a new sheet.

        A head comes back after another one only if `Context.interleaved` is true.
        """

    def flush(self) -> bytes:
        """Return the bytes that were held back, as far as possible; called for a slow source."""

    def finish(self) -> bytes | Iterator[bytes]:
        """Return everything after the last row; in pieces, some possibly empty, if it is long."""

    def abort(self) -> None:
        """Release everything; the document stays incomplete."""


class Format(Protocol):
    """A document format with its options: a frozen value.

    Three attributes are optional.  `interleaves` is true if rows of several sheets may come in one
    pass, in any order.  `other_media_types` are further names by which clients ask for the format
    in `Accept`.  `languages` is for a format that depends on the reader's language: a container of
    language tags, such as "de" and "de-CH".  `Context.locale` is then the one that suits the
    reader, which over HTTP `Accept-Language` decides.
    """

    @property
    def name(self) -> str:
        """The short name, as in `?format=`."""

    @property
    def media_type(self) -> str:
        """The media type, as in `Content-Type`."""

    @property
    def extension(self) -> str:
        """The file name extension, with the dot."""

    @property
    def several_sheets(self) -> bool:
        """Whether a document can have more than one sheet."""

    @property
    def self_terminating(self) -> bool:
        """Whether a reader notices that a document was cut off."""

    @property
    def compressible(self) -> bool:
        """Whether a content coding makes documents smaller."""

    def encoder(self, columns: Sequence[Column], context: Context) -> Encoder:
        """Return a new encoder for rows with these columns."""


def pieces(finished: bytes | Iterator[bytes]) -> Iterator[bytes]:
    """Return the result of `Encoder.finish` as an iterator."""
    return iter((finished,)) if isinstance(finished, bytes) else finished


def media_types(format_: Format) -> tuple[str, ...]:
    """Return the media types by which clients ask for the format, its own first."""
    return (format_.media_type, *getattr(format_, "other_media_types", ()))


def interleaves(format_: Format) -> bool:
    """Return whether rows of several sheets may come in one pass, in any order."""
    return bool(getattr(format_, "interleaves", False))


def joined(parts: Iterable[Part], count: int) -> list[bytes]:
    """Return what each of `count` rows has of some parts."""
    each = (repeat(part, count) if isinstance(part, bytes) else part for part in parts)
    return list(map(b"".join, zip(*each, strict=True)))


def interleave(parts: Iterable[Part], count: int) -> bytes:
    """Return `count` rows, each made of its piece of every part.

    Each column is assigned to every n-th element of one list, which is then joined.  This takes
    about half the time of zipping the columns row by row.

    Args:
        parts: The parts of a row in their order; a sequence has `count` elements.
        count: The number of rows.
    """
    row: list[bytes] = [b""]  # of one row; an empty element for each column
    places: list[tuple[int, Sequence[bytes]]] = []  # the columns, and their elements in a row
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
