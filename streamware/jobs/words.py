"""Words: what the page of a job says, in the languages that we know, and how numbers look there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from streamware.http.negotiation import preferred_language

_KILO = 1000
_UNITS = ("kB", "MB", "GB", "TB")
_STEPS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
"""Seconds of each unit of a duration, and its name in `Words.units`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The texts of one language; what is in braces is filled in.

    Attributes:
        language: Its tag.
        marks: What separates thousands, and what decimals.
        states: A title and a sentence for each state.
        units: Singular and plural of each unit, by its plural in English.
        months: The names of the months.
        moment: A date and time in UTC.
        labels: Other texts, by their names.
    """

    language: str
    marks: tuple[str, str]
    states: Mapping[str, tuple[str, str]]
    units: Mapping[str, tuple[str, str]]
    months: tuple[str, ...]
    moment: str
    labels: Mapping[str, str]

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with this many decimals."""
        thousands, decimal = self.marks
        plain = f"{value:,.{digits}f}"
        return plain.translate({ord(","): thousands, ord("."): decimal})

    def count(self, value: float, unit: str) -> str:
        """Return a number with its unit, such as "1 row"."""
        return f"{self.number(value)} {self.units[unit][round(value) != 1]}"

    def size(self, size: int) -> str:
        """Return a number of bytes, such as "12.3 MB"."""
        if size < _KILO:
            return self.count(size, "bytes")
        scaled, unit = float(size), 0
        while scaled >= _KILO - 0.05 and unit < len(_UNITS):
            scaled, unit = scaled / _KILO, unit + 1
        return f"{self.number(scaled, 1)} {_UNITS[unit - 1]}"

    def duration(self, seconds: float) -> str:
        """Return a duration in its largest unit, such as "3 minutes"; at least one second."""
        whole = max(1, round(seconds))
        # From 90 seconds on in minutes, from 90 minutes on in hours: "2 hours" is never 61 minutes.
        length, unit = next(
            (step for step in _STEPS if whole >= 1.5 * step[0] or step[0] == 1), _STEPS[-1]
        )
        return self.count(round(whole / length), unit)

    def time(self, moment: float) -> str:
        """Return a time, given in seconds since the epoch, in UTC."""
        at = datetime.fromtimestamp(moment, UTC)
        return self.moment.format(at=at, month=self.months[at.month - 1])


ENGLISH: Final = Words(
    language="en",
    marks=(",", "."),
    states={
        "queued": ("Waiting", "It starts as soon as it is its turn."),
        "running": ("Running", "You can close this page and come back to it later."),
        "cancelling": ("Being cancelled", "It ends in a moment."),
        "done": ("Ready", "The file is complete."),
        "failed": ("Failed", "Something went wrong, and there is no file. Please start it again."),
        "cancelled": ("Cancelled", "It was cancelled before its end, and there is no file."),
        "expired": ("Expired", "The file was removed. Please start the export again."),
    },
    units={
        "bytes": ("byte", "bytes"),
        "rows": ("row", "rows"),
        "seconds": ("second", "seconds"),
        "minutes": ("minute", "minutes"),
        "hours": ("hour", "hours"),
        "days": ("day", "days"),
    },
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    moment="{at.day} {month} {at.year}, {at:%H:%M} UTC",
    labels={
        "export": "Export",
        "progress": "Progress",
        "of": "{done} of {rows}",
        "percent": "{number}%",
        "left": "Time left",
        "about": "about {duration}",
        "speed": "Speed",
        "a second": "{rows} a second",
        "rows": "Rows",
        "size": "Size",
        "so far": "Size so far",
        "took": "Time taken",
        "until": "Kept until",
        "reason": "Reason",
        "cancel": "Cancel",
        "download": "Download",
        "begun": "The download has begun.",
        "lost": "The server cannot be reached. This page keeps trying.",
        "missing": "Not found",
        "missing text": "There is no such export, or it is not kept any more.",
        "conflict": "No file",
        "conflict text": "This export has no file, or none yet.",
        "forbidden": "Not allowed",
        "forbidden text": "Use the button on the page of the export.",
        "down": "Try again",
        "down text": "The file cannot be reached at the moment. Please try again later.",
        "gone": "Removed",
        "gone text": "The file of this export was removed. Please start the export again.",
    },
)

GERMAN: Final = Words(
    language="de",
    marks=(".", ","),
    states={
        "queued": ("Wartet", "Der Export beginnt, sobald er an der Reihe ist."),
        "running": ("Läuft", "Sie können diese Seite schließen und später wiederkommen."),
        "cancelling": ("Wird abgebrochen", "Das dauert nur einen Augenblick."),
        "done": ("Fertig", "Die Datei ist vollständig."),
        "failed": (
            "Fehlgeschlagen",
            "Es gab einen Fehler, und es gibt keine Datei. Bitte starten Sie den Export neu.",
        ),
        "cancelled": (
            "Abgebrochen",
            "Der Export wurde vor seinem Ende abgebrochen, und es gibt keine Datei.",
        ),
        "expired": (
            "Abgelaufen",
            "Die Datei wurde entfernt. Bitte starten Sie den Export neu.",
        ),
    },
    units={
        "bytes": ("Byte", "Bytes"),
        "rows": ("Zeile", "Zeilen"),
        "seconds": ("Sekunde", "Sekunden"),
        "minutes": ("Minute", "Minuten"),
        "hours": ("Stunde", "Stunden"),
        "days": ("Tag", "Tage"),
    },
    months=(
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    moment="{at.day}. {month} {at.year}, {at:%H:%M} UTC",
    labels={
        "export": "Export",
        "progress": "Fortschritt",
        "of": "{done} von {rows}",
        "percent": "{number}\u202f%",
        "left": "Restzeit",
        "about": "etwa {duration}",
        "speed": "Tempo",
        "a second": "{rows} je Sekunde",
        "rows": "Zeilen",
        "size": "Größe",
        "so far": "Bisherige Größe",
        "took": "Dauer",
        "until": "Verfügbar bis",
        "reason": "Grund",
        "cancel": "Abbrechen",
        "download": "Herunterladen",
        "begun": "Der Download hat begonnen.",
        "lost": "Der Server ist nicht erreichbar. Diese Seite versucht es weiter.",
        "missing": "Nicht gefunden",
        "missing text": "Diesen Export gibt es nicht, oder er wird nicht mehr aufbewahrt.",
        "conflict": "Keine Datei",
        "conflict text": "Dieser Export hat keine Datei, oder noch keine.",
        "forbidden": "Nicht erlaubt",
        "forbidden text": "Verwenden Sie die Schaltfläche auf der Seite des Exports.",
        "down": "Später versuchen",
        "down text": "Die Datei ist gerade nicht erreichbar. Bitte versuchen Sie es später.",
        "gone": "Entfernt",
        "gone text": "Die Datei dieses Exports wurde entfernt. Bitte starten Sie den Export neu.",
    },
)

_WORDS: Final[Mapping[str, Words]] = {words.language: words for words in (ENGLISH, GERMAN)}


def choose(accepted: str | None) -> Words:
    """Return the words of the language that an `Accept-Language` header prefers, else English."""
    return _WORDS[preferred_language(accepted, _WORDS) or ENGLISH.language]
