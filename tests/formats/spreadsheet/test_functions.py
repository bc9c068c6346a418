from openpyxl.utils import FORMULAE

from streamware.formats.spreadsheet.functions import LATER


def test_none_is_among_the_functions_of_the_first_edition_of_the_format() -> None:
    assert {"SUM", "ERROR.TYPE", "NETWORKDAYS.INTL", "IFERROR"} <= FORMULAE
    assert LATER.isdisjoint(FORMULAE)


def test_names_are_as_excel_shows_them() -> None:
    assert {"IFS", "STDEV.S", "T.INV.2T", "XLOOKUP"} < LATER
    assert all(name.replace(".", "").isalnum() and name.isupper() for name in LATER)
