"""Response headers: the name of a download, and which headers may be sent.

An application may take a file name from a form field and a header from a database.  Four WSGI
servers (uWSGI, wsgiref, werkzeug's and cheroot) pass CR LF in a value straight to the client.  So
every header that is sent has been validated here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from unicodedata import category, normalize
from urllib.parse import quote

Header = tuple[str, str]
Headers = Mapping[str, str] | Iterable[Header]

DEFAULT_HEADERS: tuple[Header, ...] = (
    ("Cache-Control", "private, no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # A document that is made anew for each request cannot be resumed.
    ("Accept-Ranges", "none"),
)
REVALIDATED_HEADERS: tuple[Header, ...] = (
    # A copy that is not stored could not be asked about.
    ("Cache-Control", "private, no-cache"),
    *DEFAULT_HEADERS[1:],
)
"""Those of a download that has an entity tag."""

_STEM = "export"
# File systems hold 255 bytes; browsers add " (1)" and ".crdownload" to what we send.
_STEM_BYTES = 200
_EXTENSION_BYTES = 16

# Windows forbids these in a name; Chromium replaces the same ones.
_ILLEGAL = str.maketrans(dict.fromkeys('"*/:<>?\\|', "_"))
# Some user agents decode percent signs inside quotes (RFC 6266 appendix D) or split there at `;`.
_MISREAD = str.maketrans(dict.fromkeys("%;", "_"))
# The only invisible characters that scripts need: Persian and Indic ones, and emoji.
_JOINERS = "\u200c\u200d"
_TRIMMED = " ." + _JOINERS
# A device on Windows, with any extension: NUL.tar.gz is NUL.
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)", re.IGNORECASE
)
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1, besides letters and digits

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 §5.5.  0x80 to 0x9F are allowed, because PEP 3333 carries UTF-8 as Latin-1.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SET_BY_EXPORT = frozenset(
    {
        "content-digest",
        "content-encoding",
        "content-length",
        "content-range",
        "digest",
        "repr-digest",
        "status",
    }
)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)


def content_disposition(filename: str) -> str:
    """Return the `Content-Disposition` of a download that is saved as `filename`.

    Only the last part of a path is used.  Controls, lone surrogates and invisible characters
    are dropped, what Windows forbids becomes `_`, and an empty stem becomes `export`.  A stem is
    cut at 200 bytes; the extension is kept.  A name that is not plain ASCII is sent twice: in
    similar ASCII characters for old clients, and as it is.

    Source: RFC 6266 §4.3 and appendix D, RFC 8187 §3.2.
    """
    name = _safe_name(_basename(filename))
    plain = _ascii_name(name)
    value = f'attachment; filename="{plain}"'
    if plain == name:
        return value
    return f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def with_extension(filename: str, extension: str, known: Collection[str]) -> str:
    """Return the safe form of `filename`, with `extension` in place of known extensions.

    Args:
        filename: A name, with or without an extension.
        extension: Such as `.csv`.
        known: The extensions that are replaced rather than kept, in lower case.
    """
    endings = [each for each in (*known, extension.lower()) if each]
    stem = _safe_name(_basename(filename))
    while ending := next((each for each in endings if stem.lower().endswith(each)), None):
        stem = stem[: -len(ending)].rstrip(_TRIMMED)
    return (_shorten(stem) or _STEM) + extension


def check_filename(filename: str) -> str:
    """Return the name of a download; raise TypeError for a path or a value that is no text."""
    # A lazy translation can be of any class.
    if isinstance(filename, os.PathLike) or (
        type(filename).__module__ == "builtins" and not isinstance(filename, str)
    ):
        raise TypeError(f"filename must be a str, not {type(filename).__name__}")
    return filename


def validate_headers(headers: Headers) -> list[Header]:
    """Return the headers as a list, without blanks around the values.

    Raises:
        TypeError: One of them is not a pair of str.
        ValueError: A name is not a token; a value has controls or characters beyond Latin-1; a
            header belongs to the connection, or only the export can know its value.  The message
            names the header and never contains its value.

    Source: RFC 9110 §5.5, §5.6.2 and §7.6.1; PEP 3333, "Other HTTP Features".
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [_validated(header) for header in pairs]


def check_status(status: int) -> HTTPStatus:
    """Return the status, if its responses have a body.

    Raises:
        ValueError: There is no such status, or its responses have no body (RFC 9110 §6.4.1).
    """
    known = HTTPStatus(status)
    if known < HTTPStatus.OK or known in _BODILESS:
        raise ValueError(f"a response of status {status} has no body, and so cannot be a download")
    return known


_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED)


def merge_headers(defaults: Sequence[Header], extra: Sequence[Header]) -> list[Header]:
    """Return both lists, without the defaults that `extra` replaces by name.

    A header may be in `extra` several times, as `Set-Cookie` often is.  `Vary` is combined instead
    of replaced: without our part a cache would answer with the wrong format.
    """
    if not extra:
        return list(defaults)
    replaced = {name.lower() for name, _ in extra}
    kept = [header for header in defaults if header[0].lower() not in replaced]
    if "vary" not in replaced:
        return [*kept, *extra]
    varies = [value for name, value in (*defaults, *extra) if name.lower() == "vary"]
    others = [header for header in extra if header[0].lower() != "vary"]
    return [*kept, *others, ("Vary", ", ".join(varies))]


def _basename(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _safe_name(text: str) -> str:
    """Return a name that every file system can hold, from text without a path."""
    name = " ".join(_drop_invisible(text).translate(_ILLEGAL).split()).rstrip(_TRIMMED)
    stem, extension = _split_extension(name)
    stem = stem.strip(_TRIMMED) or _STEM
    if _DEVICE.match(stem):
        stem = f"_{stem}"
    return _shorten(stem) + extension


def _drop_invisible(text: str) -> str:
    """Return the text without controls, surrogates and format characters (bidi overrides)."""
    if text.isprintable():
        return text
    return "".join(
        char
        for char in text
        if char.isspace() or char in _JOINERS or category(char) not in {"Cc", "Cf", "Cs"}
    )


def _split_extension(name: str) -> tuple[str, str]:
    """Return stem and extension; an ending that is too long is part of the stem."""
    stem, dot, ending = name.rpartition(".")
    if not ending or not dot or len(ending.encode()) > _EXTENSION_BYTES:
        return name, ""
    return stem, dot + ending


def _shorten(stem: str) -> str:
    return stem.encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(_TRIMMED)


def _ascii_name(name: str) -> str:
    """Return the name in similar ASCII characters.

    It is made safe again, as NFKD turns a fullwidth solidus into a solidus.
    """
    text = normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, extension = _split_extension(text)
    if not any(map(str.isalnum, stem)):
        text = _STEM + extension
    return _safe_name(text).translate(_MISREAD)


def _validated(header: object) -> Header:
    # A str of two characters could be unpacked, too.
    if not isinstance(header, (tuple, list)) or len(header) != 2:
        kind = type(header).__name__
        raise TypeError(f"headers must be pairs of a name and a value, not {kind}")
    name, value = header
    if not isinstance(name, str):
        raise TypeError(f"the name of a header must be a str, not {type(name).__name__}")
    if not isinstance(value, str):
        raise TypeError(f"the value of {name!r} must be a str, not {type(value).__name__}")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid header name")
    if name.lower() in _SET_BY_EXPORT:
        raise ValueError(f"{name} cannot be set: the export sets it itself")
    if name.lower() in _HOP_BY_HOP:
        raise ValueError(f"{name} cannot be set: it belongs to the connection, and to the server")
    stripped = value.strip(" \t")
    if not _VALUE.fullmatch(stripped):
        raise ValueError(
            f"the value of {name} must be Latin-1 without control characters; this one is not"
        )
    return name, stripped
