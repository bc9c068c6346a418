"""Every workbook before every reader; what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from conformance import mixtures
from conformance.books import BOOKS, Book, Form
from conformance.known import Known, known
from conformance.readers import JUDGES, READERS, Judge, Reader
from conformance.views import View, differences, untold

Word = Literal["yes", "not told", "differs", "fails"]


EXAMPLES = 8
MIXTURE = "random mixture"


class Place(NamedTuple):
    """A feature in a format."""

    form: Form
    feature: str


@dataclass
class Verdict:
    """Of a reader on a workbook.

    Attributes:
        word: In short.
        reasons: Of differences that are known, each with one of them as it was seen.
        unknown: Differences that nobody has given a reason for.
    """

    word: Word
    reasons: dict[Known, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@dataclass
class Results:
    """Attributes:
    readers: Those that were asked, with their versions.
    missing: Those that could not be, and what is needed.
    verdicts: By reader and place.
    complaints: By judge and place; empty where there is none.
    """

    readers: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    verdicts: dict[tuple[str, Place], Verdict] = field(default_factory=dict)
    complaints: dict[tuple[str, Place], str] = field(default_factory=dict)


def run(
    books: Mapping[str, Book],
    wanted: Iterable[Reader | Judge] = (*READERS, *JUDGES),
    tell: Callable[[str], None] = lambda _: None,
) -> Results:
    """Make the workbooks and show them to all; two readers at a time."""
    results = Results()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = dict(_written(books, folder))
        present = []
        for one in wanted:
            if needs := one.missing():
                results.missing[one.name] = needs
            else:
                results.readers[one.name] = one.version()
                present.append(one)
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(_ask, one, files, books, folder, results) for one in present]
            for one, future in zip(present, asked, strict=True):
                future.result()
                tell(one.name)
    return results


def all_books(examples: int = EXAMPLES) -> dict[str, Book]:
    """Every feature alone, then so many random mixtures."""
    alone = {name: make() for name, make in BOOKS.items()}
    mixed = {f"{MIXTURE} {n}": one for n, one in enumerate(mixtures.drawn(examples), 1)}
    return alone | mixed


def _written(books: Mapping[str, Book], folder: Path) -> Iterator[tuple[Place, Path]]:
    for number, (name, book) in enumerate(books.items()):
        for form in book.forms:
            path = folder / f"book{number}.{form}"
            path.write_bytes(book.made(form))
            yield Place(form, name), path


def _ask(
    one: Reader | Judge,
    files: Mapping[Place, Path],
    books: Mapping[str, Book],
    folder: Path,
    results: Results,
) -> None:
    own = folder / one.name.replace(" ", "-").replace(",", "")
    own.mkdir()
    for form in one.forms:
        places = [place for place in files if place.form == form]
        if not places:
            continue
        inner = own / form
        inner.mkdir()
        paths = [files[place] for place in places]
        if isinstance(one, Judge):
            for place, said in zip(places, one.complaints(paths, inner), strict=True):
                results.complaints[one.name, place] = said
            continue
        for place, view in zip(places, one.read(paths, inner), strict=True):
            results.verdicts[one.name, place] = verdict(one.name, place, view, books[place.feature])


def verdict(reader: str, place: Place, view: View, book: Book) -> Verdict:
    """What to call what a reader saw."""
    made = Verdict("yes")
    for difference in differences(view, book.sees):
        reason = known(reader, place, difference)
        if reason is None:
            made.unknown.append(str(difference))
        else:
            made.reasons.setdefault(reason, str(difference))
    if made.unknown or any(known.always for known in made.reasons):
        made.word = "fails" if view.error is not None else "differs"
    elif untold(view, book.sees):
        made.word = "not told"
    return made
