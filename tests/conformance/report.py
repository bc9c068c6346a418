"""docs/readers.md, made from the results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import fill, wrap

from conformance.known import KNOWN, Known
from conformance.matrix import MIXTURE, Place, Results
from conformance.readers import JUDGES, READERS

WIDTH = 118
TITLES = {"xlsx": "XLSX", "ods": "ODS"}

SUITE = (
    "What other programs see of streamware's workbooks. Each feature is written into a workbook"
    " of its own. Each reader opens it, and what it sees is compared with what was meant: every"
    " cell with its type, and everything else that the reader can report (formats, widths, links,"
    " notes, …). Random mixtures of values and features follow. This page is measured and written"
    " by `python -m tests.conformance --write`. The tests do the same, and fail on any difference"
    " that has no reason below."
)
ABSENT = (
    "Excel, Google Sheets and Apple Numbers do not run on the test machines. Instead, the"
    " validator of Microsoft's Open XML SDK reads every XLSX file of the suite, and the archive is"
    " checked against the rules by which Office reads it."
)
COMPACT = (
    "`Xlsx(compact=True)` leaves out the references of cells, which the standard allows. Of"
    " the readers that are not in this suite, pyexcel, fastexcel and hucre read such files."
    " These readers do not:\n"
    "without an error, no rows or only one: xlsx2csv, luckyexcel, opensheet, SheetReader,"
    " Perl's Spreadsheet::XLSX\n"
    "never ending, or ending the process: xlsx-stream-reader, excel-row-stream\n"
    "with an error: xlsx-populate, R's openxlsx, read-excel-file, pylightxl, roo's stream,"
    " tealeg/xlsx\n"
    'Apache POI says "Zip bomb detected!" where the XML of a sheet is more than 100 times'
    " as large as it is compressed. 30,000 rows of twenty ones are 127 times as large (196"
    ' times with `compression="small"`), 30,000 equal rows of truth values and short texts'
    " 109 times. Rows with a number of their own are not: 33 times. With references it is"
    " 13, 14, 11 and 8 times."
)
INLINE = (
    "Texts stand in their cells, because a table of shared strings would have to hold all"
    ' of them. Some programs lose or spoil such texts. `Xlsx(strings="shared")` helps with'
    " all of these:\n"
    "Apple's programs show no texts, npm's excel shows no rows\n"
    "pylightxl and Perl's Spreadsheet::XLSX leave the texts out\n"
    "R's openxlsx does not decode `&amp;`, and shows `xml:space` before texts with outer"
    " blanks"
)
SNIFFING = (
    "`file` and whatever uses libmagic, Python's filetype and puremagic, Go's mimetype, wasmagic,"
    " magika, and npm's file-type from 22.1 on recognise XLSX and ODS. Older versions of file-type"
    " take XLSX of more than about 1 MB for an ordinary zip: they look for `[Content_Types].xml`."
    " It comes last, because it lists the parts, and whether a sheet has notes is known only at"
    " its end."
)
LEGEND = (
    "**yes**: the reader sees everything that was meant. **-**: the values are right, and the"
    " reader reports nothing of the feature itself. **A number**: the difference with this number"
    " below; everything else is as meant. Differences that occur only sometimes are in that list"
    " only."
)


def page(results: Results) -> str:
    """The whole page."""
    numbers = {known: number for number, known in enumerate(seen(results), 1)}
    parts = ["# Readers", _wrapped(SUITE), _wrapped(ABSENT)]
    parts += ["## The readers", "\n".join(_asked(results))]
    for form in ("xlsx", "ods"):
        lines = list(_matrix(results, form, numbers))
        if lines:
            parts += [f"## {TITLES[form]}", _wrapped(LEGEND), "\n".join(lines)]
    parts += ["## Differences", "\n".join(_differences(results, numbers))]
    parts += ["## Archives and XML", "\n".join(_judged(results))]
    parts += ["## compact=True", _listed(COMPACT), "## Inline strings", _listed(INLINE)]
    parts += ["## Recognising the files", _wrapped(SNIFFING)]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _listed(text: str) -> str:
    """Its first line, and the others as a list."""
    said, *points = text.split("\n")
    lines = [
        fill(f"- {point}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for point in points
    ]
    return "\n".join([_wrapped(said), "", *lines])


def seen(results: Results) -> list[Known]:
    """The known differences that were seen, or may be, in their order."""
    found = {known for verdict in results.verdicts.values() for known in verdict.reasons}
    return [known for known in KNOWN if known in found or not known.always]


def _asked(results: Results) -> Iterator[str]:
    yield "| reader | version | opens |"
    yield "| --- | --- | --- |"
    for one in READERS:
        version = results.readers.get(one.name) or f"skipped: needs {results.missing[one.name]}"
        opens = ", ".join(TITLES[form] for form in one.forms)
        yield f"| {one.name} | {version} | {opens} |"


def _matrix(results: Results, form: str, numbers: dict[Known, int]) -> Iterator[str]:
    places = list(dict.fromkeys(place for _, place in results.verdicts if place.form == form))
    readers = [one.name for one in READERS if form in one.forms and one.name in results.readers]
    if not places:
        return
    yield f"| feature | {' | '.join(readers)} |"
    yield "| --- |" + " --- |" * len(readers)
    mixed = [place for place in places if place.feature.startswith(MIXTURE)]
    for place in places:
        if place not in mixed:
            cells = [_word(results, reader, [place], numbers) for reader in readers]
            yield f"| {place.feature} | {' | '.join(cells)} |"
    if mixed:
        cells = [_word(results, reader, mixed, numbers) for reader in readers]
        yield f"| {len(mixed)} random mixtures | {' | '.join(cells)} |"


def _word(results: Results, reader: str, places: Sequence[Place], numbers: dict[Known, int]) -> str:
    """What comes only now and then is in the list, not in the table."""
    verdicts = [results.verdicts[reader, place] for place in places]
    if any(verdict.unknown for verdict in verdicts):
        return "**differs**"
    reasons = {known for verdict in verdicts for known in verdict.reasons if known.always}
    if reasons:
        return ", ".join(str(numbers[known]) for known in KNOWN if known in reasons)
    return "-" if all(verdict.word == "not told" for verdict in verdicts) else "yes"


def _differences(results: Results, numbers: dict[Known, int]) -> Iterator[str]:
    for known, number in numbers.items():
        text = f"{number}. {', '.join(_whose(results, known))}: {known.reason}"
        yield from wrap(
            text, WIDTH, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
        )
    for (reader, place), verdict in results.verdicts.items():
        for said in verdict.unknown:
            yield f"- **{reader}, {place.feature}, without a reason**: {said}"


def _whose(results: Results, known: Known) -> list[str]:
    """Those who were seen to differ so; or may, where it is only now and then."""
    seen = {name for (name, _), verdict in results.verdicts.items() if known in verdict.reasons}
    return [
        reader.name
        for reader in READERS
        if reader.name in seen or (not known.always and re.fullmatch(known.readers, reader.name))
    ]


def _judged(results: Results) -> Iterator[str]:
    yield "| judge | version | files | findings |"
    yield "| --- | --- | --- | --- |"
    for one in JUDGES:
        said = [text for (name, _), text in results.complaints.items() if name == one.name]
        version = results.readers.get(one.name) or f"skipped: needs {results.missing[one.name]}"
        findings = [text for text in said if text]
        yield f"| {one.name} | {version} | {len(said)} | {len(findings) or 'none'} |"
