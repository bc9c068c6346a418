"""Negotiation: which format and language a request asks for, and whether it accepts gzip.

No header stops a download.  What cannot be parsed is skipped; a header of which nothing can be
parsed counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

from streamware.formats.language import fallbacks

# A comma or semicolon inside quotes is text, and no quoted text matters here.  Every part of the
# pattern also matches at the end of the header, so that no header makes it backtrack.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)
_MEDIA_RANGE = re.compile(r"[^\s/]+/[^\s/]+")
_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII)
_KEPT = 32  # headers whose meaning is kept, because most clients send the same ones
_LANGUAGE_LENGTH = 35  # RFC 5646 §4.4.1: implementations must accept at least this
_WEIGHT = re.compile(r"\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}", re.ASCII)


@lru_cache(_KEPT)
def media_ranges(header: str) -> Mapping[str, float]:
    """Return the media ranges of an `Accept` header in lower case, with their weights, 0 to 1.

    Parameters other than `q` are ignored: `text/csv;header=present` means `text/csv`.  If that
    makes ranges equal, the highest weight counts.

    Source: RFC 9110 §12.5.1, §12.4.2.
    """
    ranges = _weights(header)
    if "*" in ranges:  # java.net.HttpURLConnection sends `*; q=.2`
        ranges.setdefault("*/*", ranges["*"])
    return {name: weight for name, weight in ranges.items() if _MEDIA_RANGE.fullmatch(name)}


def choose(
    offers: Sequence[tuple[str, Sequence[str]]], *, query_value: str | None, accept: str | None
) -> int | None:
    """Return the index of the offer that the request asks for; None if there is no such offer.

    A name in the query decides.  Without one the `Accept` header does: the highest weight, and
    among equal weights the first offer.  A header that is missing, or that a browser sent (it
    asks for `text/html`), states no preference and gets the first offer.  The range
    `application/octet-stream` means any format, as `*/*` does.  A sole offer is sent whatever the
    header says: clients generated from an API description ask for `application/json` everywhere.

    Args:
        offers: (name, media types) of at least one format, each with its own media type before
            the other names of it; the first is the default.
        query_value: The name in the query, such as `csv`; None or empty if there is none.
        accept: The `Accept` header, several of them joined by commas.

    Source: RFC 9110 §12.4.1 (a server may disregard the header), §12.5.1.
    """
    if query_value:
        names = [name.lower() for name, _ in offers]
        wanted = query_value.lower()
        return names.index(wanted) if wanted in names else None
    ranges = media_ranges(accept or "")
    if len(offers) == 1 or not ranges or ranges.get("text/html"):
        return 0
    weights = [_weight_of(media_types, ranges) for _, media_types in offers]
    best = max(weights)
    return weights.index(best) if best else None


@lru_cache(_KEPT)
def accepts_gzip(header: str | None) -> bool:
    """Return whether an `Accept-Encoding` header allows gzip, by name or by `*`.

    By the RFC a missing header allows any coding; but clients that send none often decode none.

    Source: RFC 9110 §12.5.3; §8.4.1.3 for `x-gzip`.
    """
    codings = _weights(header or "")
    named = [codings[name] for name in ("gzip", "x-gzip") if name in codings]
    return max(named, default=codings.get("*", 0)) > 0


def accepts_coding(header: str | None) -> bool:
    """Return whether an `Accept-Encoding` header allows any content coding."""
    codings = _weights(header or "")
    return any(weight for name, weight in codings.items() if name not in ("", "identity"))


def preferred_language(header: str | None, known: Container[str]) -> str | None:
    """Return the known language that an `Accept-Language` header prefers; None if it has none.

    An unknown range is shortened from its end: `de-AT-1996` to `de-AT` to `de`.  Among equal
    weights the first counts.  `*` asks for no particular language.

    Args:
        header: The header, several of them joined by commas.
        known: Language tags in their usual case, such as `de` and `de-CH`.

    Source: RFC 9110 §12.5.4; RFC 4647 §3.4 (lookup).
    """
    weights = _weights(header or "")
    ranges = [
        name
        for name, weight in weights.items()
        if weight and len(name) <= _LANGUAGE_LENGTH and _LANGUAGE.fullmatch(name)
    ]
    for name in sorted(ranges, key=lambda name: -weights[name]):
        for tag in fallbacks(name):
            if weights.get(tag.lower(), 1) and tag in known:
                return tag
    return None


def query_value(query: str, name: str) -> str | None:
    """Return the first non-empty value of `name` in a query, decoded; None if there is none."""
    if not query:
        return None
    pairs = parse_qsl(query, errors="replace")
    return next((value for key, value in pairs if key == name), None)


def _weight_of(media_types: Sequence[str], ranges: Mapping[str, float]) -> float:
    """Return the weight of the most specific range that matches (RFC 9110 §12.5.1)."""
    exact = [media_type.partition(";")[0].strip().lower() for media_type in media_types]
    group = exact[0].partition("/")[0] + "/*"
    candidates = (*exact, group, "application/octet-stream", "*/*")
    return next((ranges[each] for each in candidates if each in ranges), 0.0)


def _weights(header: str) -> dict[str, float]:
    """Return the elements of a list with their weights; leave out those with a bad `q`."""
    weights: dict[str, float] = {}
    for element in _QUOTED.sub("", header).lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        # RFC 9110 §12.4.2: without `q` the weight is 1.
        weight = next((value.strip() for key, _, value in pairs if key.strip() == "q"), "1")
        if _WEIGHT.fullmatch(weight):
            weights[name] = max(min(float(weight), 1.0), weights.get(name, 0.0))
    return weights
