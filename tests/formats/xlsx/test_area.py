import pytest

from streamware.formats.xlsx.area import Area


@pytest.mark.parametrize(
    ("area", "reference"),
    [
        (Area(1, 1, 1), "A1:A1"),
        (Area(3, 2, 9), "A2:C9"),
        (Area(16_384, 1, 1_048_576), "A1:XFD1048576"),
        (Area(0, 1, 5), "A1:A5"),
    ],
)
def test_an_area_has_a_reference(area: Area, reference: str) -> None:
    assert area.reference() == reference


def test_a_reference_may_be_absolute() -> None:
    assert Area(3, 2, 9).reference(dollar="$") == "$A$2:$C$9"


def test_a_column_of_an_area_has_one_too() -> None:
    assert Area(30, 2, 9).column(26) == "AA2:AA9"
