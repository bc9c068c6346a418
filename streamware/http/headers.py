"""Response headers as pure functions: the name of a download, and what may be sent at all.

Whoever calls us may take a file name from a form field and a header from a database, and four of
the WSGI servers we know (uWSGI, wsgiref, werkzeug's and cheroot) pass CR LF in a value straight
to the client.  So nothing that was not looked at here is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from unicodedata import category, normalize
from urllib.parse import quote

Header = tuple[str, str]
Headers = Mapping[str, str] | Iterable[Header]

DEFAULTS: tuple[Header, ...] = (
    ("Cache-Control", "private, no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # A document that is made anew for each request has no parts to come back for.
    ("Accept-Ranges", "none"),
)

_STEM = "export"
# File systems hold 255 bytes; browsers add " (1)" and ".crdownload" to what we send.
_STEM_BYTES = 200
_EXTENSION_BYTES = 16

# What Windows refuses in a name; Chromium replaces the same.
_ILLEGAL = str.maketrans(dict.fromkeys('"*/:<>?\\|', "_"))
# Some user agents decode percent signs inside quotes (RFC 6266 appendix D) or split there at `;`.
_MISREAD = str.maketrans(dict.fromkeys("%;", "_"))
# The one kind of invisible character that scripts need: Persian and Indic ones, and emoji.
_JOINERS = "\u200c\u200d"
_ENDS = " ." + _JOINERS
# A device on Windows, whatever the extension: NUL.tar.gz is NUL.
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)", re.IGNORECASE
)
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1, besides letters and digits

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 §5.5.  0x80 to 0x9F are in: PEP 3333 carries UTF-8 as Latin-1.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN = frozenset(
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


def disposition(filename: str) -> str:
    """The `Content-Disposition` of a download that is saved as `filename`.

    Only the last part of a path is used.  Controls, lone surrogates and invisible characters
    are dropped, what Windows refuses becomes `_`, an empty stem `export`, and a stem is cut at
    200 bytes; the extension is kept.  A name that is not plain ASCII is sent twice: as near as
    ASCII comes, for old clients, and as it is.

    Source: RFC 6266 §4.3 and appendix D, RFC 8187 §3.2.
    """
    name = _settled(_basename(filename))
    plain = _plain(name)
    value = f'attachment; filename="{plain}"'
    if plain == name:
        return value
    return f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def with_extension(filename: str, extension: str, known: Collection[str]) -> str:
    """The safe form of `filename`, ending in `extension` in place of the known ones it ends in.

    Args:
        filename: A name, with or without an extension.
        extension: What it is to end in, such as `.csv`.
        known: The extensions that are replaced rather than kept, in lower case.
    """
    endings = [each for each in (*known, extension.lower()) if each]
    stem = _settled(_basename(filename))
    while ending := next((each for each in endings if stem.lower().endswith(each)), None):
        stem = stem[: -len(ending)].rstrip(_ENDS)
    return (_cut(stem) or _STEM) + extension


def checked(headers: Headers) -> list[Header]:
    """The headers, if all of them may be sent as they are; blanks around a value are taken off.

    Raises:
        TypeError: What is no pair of texts.
        ValueError: A name that is no token, a value with controls or characters beyond Latin-1,
            a header of the connection, or one that only the export can know.  The message
            names the header and never holds its value.

    Source: RFC 9110 §5.5, §5.6.2 and §7.6.1; PEP 3333, "Other HTTP Features".
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [_checked(*_pair(header)) for header in pairs]


def bodied(status: int) -> HTTPStatus:
    """The status of a response that has a body.

    Raises:
        ValueError: There is no such status, or its responses have none (RFC 9110 §6.4.1).
    """
    known = HTTPStatus(status)
    if known < HTTPStatus.OK or known in _BODILESS:
        raise ValueError(f"a response of status {status} has no body, and so cannot be a download")
    return known


_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED)


def merged(defaults: Sequence[Header], extra: Sequence[Header]) -> list[Header]:
    """Both, where a header in `extra` replaces the default of the same name.

    A header may stand in `extra` several times, as Set-Cookie does.  `Vary` is added to and
    not replaced: without our part of it a cache would hand one format to who asked for another.
    """
    given = {name.lower() for name, _ in extra}
    kept = [header for header in defaults if header[0].lower() not in given]
    if "vary" not in given:
        return [*kept, *extra]
    varies = [value for name, value in (*defaults, *extra) if name.lower() == "vary"]
    others = [header for header in extra if header[0].lower() != "vary"]
    return [*kept, *others, ("Vary", ", ".join(varies))]


def _basename(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _settled(text: str) -> str:
    """A name that every file system can hold, from text that has no path in it."""
    name = " ".join(_visible(text).translate(_ILLEGAL).split()).rstrip(_ENDS)
    stem, extension = _split(name)
    stem = stem.strip(_ENDS) or _STEM
    if _DEVICE.match(stem):
        stem = f"_{stem}"
    return _cut(stem) + extension


def _visible(text: str) -> str:
    """The text without controls, format characters such as bidi overrides, and surrogates."""
    return "".join(
        char
        for char in text
        if char.isspace() or char in _JOINERS or category(char) not in {"Cc", "Cf", "Cs"}
    )


def _split(name: str) -> tuple[str, str]:
    """Stem and extension; what is too long for an extension belongs to the stem."""
    stem, dot, ending = name.rpartition(".")
    if not ending or not dot or len(ending.encode()) > _EXTENSION_BYTES:
        return name, ""
    return stem, dot + ending


def _cut(stem: str) -> str:
    return stem.encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(_ENDS)


def _plain(name: str) -> str:
    """As near as ASCII comes.  Settled again, since NFKD makes a solidus of a fullwidth one."""
    text = normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, extension = _split(text)
    if not any(map(str.isalnum, stem)):
        text = _STEM + extension
    return _settled(text).translate(_MISREAD)


def _pair(header: object) -> Header:
    # A text of two characters could be unpacked, too.
    if not isinstance(header, (tuple, list)) or len(header) != 2:
        raise TypeError(f"headers are pairs of a name and a value, not {type(header).__name__}")
    name, value = header
    if not isinstance(name, str):
        raise TypeError(f"the name of a header is a str, not {type(name).__name__}")
    if not isinstance(value, str):
        raise TypeError(f"the value of {name!r} is a str, not {type(value).__name__}")
    return name, value.strip(" \t")


def _checked(name: str, value: str) -> Header:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    if name.lower() in _OWN:
        raise ValueError(f"{name} is not for the caller to set: the export knows it")
    if name.lower() in _HOP_BY_HOP:
        raise ValueError(f"{name} is between the server and its client; an application sets none")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} has control characters or is beyond Latin-1")
    return name, value
