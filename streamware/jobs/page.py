"""The page of a job: what a person sees of it while it runs, and afterwards.

It needs nothing but itself: no script, font or picture of others.  Without a script it loads itself
again every two seconds; with one, it asks for its next version every second, and puts what has
changed in place of what is there, so that neither the focus nor the scroll position is lost.  The
script knows no words and no states: all of it is made here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from streamware.http.headers import Header
from streamware.jobs import status
from streamware.jobs.record import JobState, Record
from streamware.jobs.words import Words

WATCHED = "watch"
"""The query of a page that is being watched: it is a page even when the job is done."""
_REFRESH = 2  # seconds between two loads of a page without a script

_FOLDER = files("streamware.jobs")
_STYLE = _FOLDER.joinpath("page.css").read_text("utf-8")
_SCRIPT = _FOLDER.joinpath("page.js").read_text("utf-8")

_Fact = tuple[str, str]
"""A term and what it is, the latter in HTML."""


def _hash(text: str) -> str:
    """Return the source expression that allows an inline element with this text (CSP 3 §2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src"
    " 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS: Sequence[Header] = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _POLICY),
    # The address is what permits to read it.  (With "no-referrer" a form would not say where it
    # comes from.)
    ("Referrer-Policy", "same-origin"),
    ("X-Robots-Tag", "noindex"),
)
"""The headers of a page that depend on nothing."""


def page(record: Record, words: Words, now: float) -> bytes:
    """Return the page of a job, which is to be sent for the address of its status.

    Its own links are relative, so they are right behind any proxy.

    Args:
        record: The job.
        words: Those of the reader's language.
        now: The time, in seconds since the epoch.
    """
    name = record.filename or record.name
    title, sentence = words.states[record.state.value]
    percent = _percent(record, words)
    parts = [
        f'<p class="kind">{escape(words.labels["export"])}</p>',
        f'<h1 id="name"><bdi>{escape(name)}</bdi></h1>',
        f'<p id="state" role="status"><span class="badge">{escape(title)}</span></p>',
        f'<p id="about">{escape(sentence)}</p>',
        _progress(record, words, percent),
        _facts(record, words, now),
        _actions(record, words),
        f'<p id="begun" role="status" hidden>{escape(words.labels["begun"])}</p>',
        f'<p id="lost" role="alert" hidden>{escape(words.labels["lost"])}</p>',
    ]
    is_open = record.is_open
    heading = " · ".join(filter(None, [percent if is_open else title, name]))
    main = f'<main data-state="{record.state.value}"{" data-open" if is_open else ""}>'
    again = f"{_REFRESH};url=?{WATCHED}" if is_open else None
    return _document(words, heading, "\n".join([main, *parts, "</main>"]), refresh=again)


def notice(words: Words, kind: str) -> bytes:
    """Return a page that says why there is nothing.

    Args:
        words: Those of the reader's language.
        kind: The name of the text in `Words.labels`, such as "missing".
    """
    title, text = words.labels[kind], words.labels[f"{kind} text"]
    main = f'<main data-state="none">\n<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>\n</main>'
    return _document(words, title, main)


def _document(words: Words, title: str, main: str, refresh: str | None = None) -> bytes:
    again = (
        f'<noscript><meta http-equiv="refresh" content="{refresh}"></noscript>\n' if refresh else ""
    )
    text = f"""\
<!doctype html>
<html lang="{words.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
{again}<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
{main}
<script>{_SCRIPT}</script>
</body>
</html>
"""
    return text.encode("utf-8", "replace")  # a name may have a lone surrogate


def _percent(record: Record, words: Words) -> str | None:
    done = status.share(record)
    if done is None:
        return None
    return words.labels["percent"].format(number=words.number(int(done * 100 + 1e-9)))


def _progress(record: Record, words: Words, percent: str | None) -> str:
    """Return the bar with the words below it; nothing for a job that has no file and gets none."""
    if not (record.is_open or record.state is JobState.DONE):
        return ""
    done = status.share(record)
    value = "" if done is None else f' value="{round(done * 1000)}"'
    label = escape(words.labels["progress"])
    bar = f'<progress id="bar" max="1000"{value} aria-label="{label}"></progress>'
    beside = "" if percent is None else f"<strong>{escape(percent)}</strong>"
    return f'{bar}\n<p id="count"><span>{escape(_rows(record, words))}</span>{beside}</p>'


def _rows(record: Record, words: Words) -> str:
    """Return how many rows there are so far, of how many."""
    if record.state is JobState.QUEUED:
        return ""
    if record.total and record.is_open:
        rows = words.count(max(record.total, record.rows), "rows")
        return words.labels["of"].format(done=words.number(record.rows), rows=rows)
    return words.count(record.rows, "rows")


def _facts(record: Record, words: Words, now: float) -> str:
    facts = _of_running(record, words, now) if record.is_open else _of_ended(record, words)
    items = "".join(
        f"<div><dt>{escape(words.labels[term])}</dt><dd>{shown}</dd></div>\n"
        for term, shown in facts
    )
    return f'<dl id="facts">\n{items}</dl>'


def _of_running(record: Record, words: Words, now: float) -> list[_Fact]:
    facts: list[_Fact] = []
    if (left := status.estimate(record, now)) is not None:
        duration = words.labels["about"].format(duration=words.duration(left))
        facts.append(("left", escape(duration)))
    if (pace := status.speed(record, now)) is not None:
        rows = words.labels["a second"].format(rows=words.count(pace, "rows"))
        facts.append(("speed", escape(rows)))
    if record.bytes:
        facts.append(("so far", escape(words.size(record.bytes))))
    return facts


def _of_ended(record: Record, words: Words) -> list[_Fact]:
    facts: list[_Fact] = []
    if record.state is not JobState.DONE and record.rows:
        facts.append(("rows", escape(words.number(record.rows))))
    if record.state in {JobState.DONE, JobState.EXPIRED} and record.size is not None:
        facts.append(("size", escape(words.size(record.size))))
    if record.ended is not None and (took := status.seconds(record, record.ended)) is not None:
        facts.append(("took", escape(words.duration(took))))
    if record.state is JobState.DONE and record.expires is not None:
        facts.append(("until", _time(record.expires, words)))
    if record.state is JobState.FAILED and record.problem:
        facts.append(("reason", f"<code>{escape(record.problem)}</code>"))
    return facts


def _time(moment: float, words: Words) -> str:
    """Return a time in UTC, which the script puts into the reader's zone."""
    return f'<time datetime="{status.moment(moment)}">{escape(words.time(moment))}</time>'


def _actions(record: Record, words: Words) -> str:
    inner = ""
    if record.state is JobState.DONE:
        label = escape(words.labels["download"])
        inner = f'<a class="button" id="download" href="{record.id}/file" download>{label}</a>'
    elif status.is_cancellable(record):
        label = escape(words.labels["cancel"])
        inner = (
            f'<form method="post" action="{record.id}/cancel">'
            f'<button class="quiet">{label}</button></form>'
        )
    return f'<div id="actions">{inner}</div>'
