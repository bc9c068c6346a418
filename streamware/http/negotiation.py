"""Which format a request asks for, in which language, and whether it takes gzip.

No header stops a download: what cannot be read in one is passed over, and a header in which
nothing can be read is as good as none.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from urllib.parse import parse_qsl

from streamware.formats.language import fallbacks

# A comma or semicolon inside quotes is text; no quoted text matters to us.  Every part of the
# pattern may end the header, so that it is read once whatever stands in it.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)
_RANGE = re.compile(r"[^\s/]+/[^\s/]+")
_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII)
_LANGUAGE_LENGTH = 35  # RFC 5646 §4.4.1: what an implementation must at least take
_WEIGHT = re.compile(r"\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}", re.ASCII)


def accepts(header: str) -> dict[str, float]:
    """The media ranges of an `Accept` header in lower case, each with its weight, 0 to 1.

    Parameters other than `q` are passed over: `text/csv;header=present` stands for `text/csv`.
    Of ranges that are the same then, the weightiest counts.

    Source: RFC 9110 §12.5.1, §12.4.2.
    """
    ranges = _weights(header)
    if "*" in ranges:  # java.net.HttpURLConnection sends `*; q=.2`
        ranges.setdefault("*/*", ranges["*"])
    return {name: weight for name, weight in ranges.items() if _RANGE.fullmatch(name)}


def choose(
    offers: Sequence[tuple[str, str]], *, query_value: str | None, accept: str | None
) -> int | None:
    """The index of the offer that the request asks for, or None when there is no such offer.

    A name in the query decides.  Then the `Accept` header does, by weight and where weights are
    equal by the order of the offers.  A header that is missing or that a browser sent (it asks
    for `text/html`) states no preference and gets the first offer.

    Args:
        offers: (name, media type) of at least one format; the first is the default.
        query_value: What the query says, such as `csv`; empty is nothing said.
        accept: The `Accept` header, several of them joined by commas.
    """
    if query_value:
        return _named(offers, query_value.lower())
    ranges = accepts(accept or "")
    if not ranges or ranges.get("text/html"):
        return 0
    weights = [_weight_of(media_type, ranges) for _, media_type in offers]
    best = max(weights)
    return weights.index(best) if best else None


def accepts_gzip(header: str | None) -> bool:
    """Whether an `Accept-Encoding` header allows gzip, by name or by `*`.

    A missing header would allow any coding, but it comes from clients that can undo none.

    Source: RFC 9110 §12.5.3; §8.4.1.3 for `x-gzip`.
    """
    codings = _weights(header or "")
    named = [codings[name] for name in ("gzip", "x-gzip") if name in codings]
    return max(named, default=codings.get("*", 0)) > 0


def preferred_language(header: str | None, known: Container[str]) -> str | None:
    """The known language that an `Accept-Language` header asks for most; None without any.

    A range that is not known as it is is shortened from its end, `de-AT-1996` to `de-AT` to `de`.
    Where weights are equal, the first counts.  `*` asks for no language in particular.

    Args:
        header: The header, several of them joined by commas.
        known: Language tags in their usual case, such as `de` and `de-CH`.

    Source: RFC 9110 §12.5.4; RFC 4647 §3.4 (lookup).
    """
    weights = _weights(header or "")
    ranges = [name for name in weights if weights[name] and _is_language(name)]
    for name in sorted(ranges, key=lambda name: -weights[name]):
        for tag in fallbacks(name):
            if weights.get(tag.lower(), 1) and tag in known:
                return tag
    return None


def query_value(query: str, name: str) -> str | None:
    """Return the first value of `name` in a query that is not empty, decoded; None without one."""
    pairs = parse_qsl(query, errors="replace")
    return next((value for key, value in pairs if key == name), None)


def _named(offers: Sequence[tuple[str, str]], wanted: str) -> int | None:
    names = [name.lower() for name, _ in offers]
    return names.index(wanted) if wanted in names else None


def _weight_of(media_type: str, ranges: Mapping[str, float]) -> float:
    """The weight of the most specific range that holds the type (RFC 9110 §12.5.1)."""
    exact = media_type.partition(";")[0].strip().lower()
    group = exact.partition("/")[0] + "/*"
    return next((ranges[each] for each in (exact, group, "*/*") if each in ranges), 0.0)


def _is_language(name: str) -> bool:
    return len(name) <= _LANGUAGE_LENGTH and _LANGUAGE.fullmatch(name) is not None


def _weights(header: str) -> dict[str, float]:
    """The elements of a weighted list without their parameters; one with a bad `q` is left out."""
    weights: dict[str, float] = {}
    for element in _QUOTED.sub("", header).lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        weight = _weight(parameters)
        if weight is not None:
            weights[name] = max(weight, weights.get(name, 0.0))
    return weights


def _weight(parameters: Sequence[str]) -> float | None:
    """What `q` says, 1 without one, None when it is no number (RFC 9110 §12.4.2)."""
    pairs = (parameter.partition("=") for parameter in parameters)
    text = next((value.strip() for key, _, value in pairs if key.strip() == "q"), "1")
    return min(float(text), 1.0) if _WEIGHT.fullmatch(text) else None
