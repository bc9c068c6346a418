import pytest

from streamware.formats.spreadsheet.reference import column_letters, quoted


@pytest.mark.parametrize(
    ("at", "letters"),
    [
        (0, "A"),
        (25, "Z"),
        (26, "AA"),
        (51, "AZ"),
        (52, "BA"),
        (701, "ZZ"),
        (702, "AAA"),
        (16_383, "XFD"),
    ],
)
def test_columns_are_lettered(at: int, letters: str) -> None:
    assert column_letters(at) == letters


def test_the_name_of_a_sheet_is_quoted() -> None:
    assert quoted("it's") == "'it''s'"
