"""Conditional: what a client that has a copy of a document, or a part of one, still needs.

It names its copy by an entity tag or a date, and the rest by a range.  A field that cannot be
parsed counts as missing, where RFC 9110 allows it: a bad header costs no download.

Source: RFC 9110 §8.8 (validators), §13 (conditions), §14 (ranges), §5.6.7 (dates).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus

from streamware.http.headers import Header
from streamware.http.request import Request

# RFC 9110 §8.8.3: any visible character but the quotation mark.  0x80 to 0xFF are Latin-1.
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
# Commas may stand alone, because of the list syntax (§5.6.1.2).
_TAGS = re.compile(rf"[ \t,]*(?:{_TAG.pattern}[ \t]*(?:,[ \t,]*|$))+")
_RANGE = re.compile(r"bytes=[ \t,]*(\d*)-(\d*)[ \t,]*", re.ASCII | re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_TIME = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
_DIGITS = 20
"""More digits than the size of any document has."""
_FUTURE = 50
"""Years from now; a date with two digits of its year that seems later is in the past."""
_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The document that a request would get, were it not for its conditions.

    Attributes:
        etag: Its entity tag, quotes included; None if it has none.
        modified: When it changed last, in seconds since the epoch; None if that is not known, or if
            it may change twice in a second (§8.8.2.2).
        size: Its bytes; None if they are not counted yet.
    """

    etag: str | None = None
    modified: float | None = None
    size: int | None = None

    @property
    def headers(self) -> list[Header]:
        """Its validators as header fields."""
        tag = [] if self.etag is None else [("ETag", self.etag)]
        date = [] if self.modified is None else [("Last-Modified", http_date(self.modified))]
        return tag + date


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The bytes of a document that a client wants, by their positions.

    Attributes:
        first: The position of the first.
        last: The position of the last; None for the end of a document of unknown size.
    """

    first: int
    last: int | None

    @property
    def size(self) -> int | None:
        """The number of bytes; None if that depends on the document's size."""
        return None if self.last is None else self.last - self.first + 1

    def content_range(self, size: int | None) -> str:
        """Return the `Content-Range` of this part of a document of `size` bytes."""
        return f"bytes {self.first}-{self.last}/{'*' if size is None else size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a request gets.

    Attributes:
        status: 200 for the whole document, 206 for `part` of it, 304, 412 or 416 for none of it.
        part: The bytes that a 206 has.
    """

    status: HTTPStatus
    part: Part | None = None

    @property
    def has_content(self) -> bool:
        """Whether bytes of the document are sent."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    def headers(self, selected: Selected) -> list[Header]:
        """Return the header fields that depend on the decision, for the document it is about.

        These are the validators, the length and the range of what is sent.  A 304 has only the
        validators, and what the 200 would tell caches is to be added (§15.4.5).
        """
        size = selected.size
        match self.status:
            case HTTPStatus.OK:
                length = [] if size is None else [("Content-Length", str(size))]
                return [*selected.headers, *length, ("Accept-Ranges", "bytes")]
            case HTTPStatus.PARTIAL_CONTENT if self.part is not None:
                shown = [("Content-Range", self.part.content_range(size))]
                if self.part.size is not None:
                    shown.append(("Content-Length", str(self.part.size)))
                return [*selected.headers, *shown, ("Accept-Ranges", "bytes")]
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return [("Content-Range", f"bytes */{'*' if size is None else size}")]
            case HTTPStatus.NOT_MODIFIED:
                return selected.headers
        return []


WHOLE = Decision(status=HTTPStatus.OK)
"""The decision of a request without conditions."""


def decide(request: Request, selected: Selected) -> Decision:
    """Return what a request gets of a document that could be sent as a 200.

    Several ranges in one request get the whole document, which §14.2 allows.

    Source: RFC 9110 §13.2.2, the order of conditions.
    """
    if (status := _precondition(request, selected)) is not None:
        return Decision(status=status)
    return WHOLE if request.method != "GET" else _ranged(request, selected)


def asks_for_part(request: Request, selected: Selected) -> bool:
    """Return whether a request may get a part of a document, once its size is known."""
    found = request.method == "GET" and request.range and _RANGE.fullmatch(request.range.strip())
    return bool(found) and _is_of(request.if_range, selected)


def entity_tags(field: str) -> list[str] | None:
    """Return the entity tags of a list, quotes included; None if it is no such list, as `*`."""
    return _TAG.findall(field) if _TAGS.fullmatch(field.strip()) else None


def is_strong_match(one: str | None, other: str | None) -> bool:
    """Return whether both tags stand for the same bytes (§8.8.3.2)."""
    return one is not None and one == other and not one.startswith("W/")


def is_weak_match(one: str | None, other: str | None) -> bool:
    """Return whether one document may stand for the other (§8.8.3.2)."""
    if one is None or other is None:
        return False
    return one.removeprefix("W/") == other.removeprefix("W/")


def http_date(seconds: float) -> str:
    """Return a time since the epoch as header fields show it; parts of a second are cut off."""
    return formatdate(int(seconds // 1), usegmt=True)


def parse_date(field: str) -> int | None:
    """Return a date in seconds since the epoch; None if it is none (§5.6.7)."""
    found = next(filter(None, (date.fullmatch(field.strip()) for date in _DATES)), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        now = datetime.now(UTC).year
        year += now - now % 100
        if year > now + _FUTURE:
            year -= 100
    try:
        day = datetime(year, _MONTHS.index(found["month"]) + 1, int(found["day"]), tzinfo=UTC)
    except ValueError:  # there is no such day
        return None
    minutes = int(found["hour"]) * 60 + int(found["minute"])
    return int(day.timestamp()) + minutes * 60 + int(found["second"])


def _precondition(request: Request, selected: Selected) -> HTTPStatus | None:
    """Return the status of a request whose condition is false; None if it goes on."""
    safe = request.method in _SAFE
    if request.if_match is not None:
        if not _lists(request.if_match, selected, is_strong_match):
            return HTTPStatus.PRECONDITION_FAILED
    elif _is_later(selected.modified, request.if_unmodified_since):
        return HTTPStatus.PRECONDITION_FAILED
    if request.if_none_match is not None:
        if _lists(request.if_none_match, selected, is_weak_match):
            return HTTPStatus.NOT_MODIFIED if safe else HTTPStatus.PRECONDITION_FAILED
    elif safe and _is_later(selected.modified, request.if_modified_since) is False:
        return HTTPStatus.NOT_MODIFIED
    return None


def _lists(field: str, selected: Selected, matches: Callable[[str, str | None], bool]) -> bool:
    """Return whether a condition lists the tag of a document; `*` lists that of any."""
    if field.strip() == "*":
        return True
    return any(matches(tag, selected.etag) for tag in entity_tags(field) or ())


def _is_later(modified: float | None, field: str | None) -> bool | None:
    """Return whether a document changed after the date in a field; None if that is not known."""
    date = None if field is None else parse_date(field)
    return None if date is None or modified is None else modified // 1 > date


def _ranged(request: Request, selected: Selected) -> Decision:
    size = selected.size
    found = None if request.range is None else _RANGE.fullmatch(request.range.strip())
    if found is None or size == 0 or not _is_of(request.if_range, selected):
        return WHOLE
    first, last = map(_position, found.groups())
    if first is None:
        if last is None or size is None:
            return WHOLE
        first, last = max(size - last, 0), size - 1
    elif last is not None and last < first:
        return WHOLE
    if size is not None:
        last = size - 1 if last is None else min(last, size - 1)
        if first >= size:
            return Decision(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return Decision(status=HTTPStatus.PARTIAL_CONTENT, part=Part(first=first, last=last))


def _position(digits: str) -> int | None:
    """Return a number, or one beyond any document if it is so large; None without digits."""
    return int(digits.lstrip("0")[:_DIGITS] or 0) if digits else None


def _is_of(if_range: str | None, selected: Selected) -> bool:
    """Return whether a range counts: what the client has is a part of this very document."""
    if if_range is None:
        return True
    tag = if_range.strip()
    if _TAG.fullmatch(tag):
        return is_strong_match(tag, selected.etag)
    date = parse_date(tag)
    return date is not None and selected.modified is not None and date == selected.modified // 1
