import hashlib
import xml.etree.ElementTree as ET
from base64 import b64decode
from pathlib import Path

import pytest

import streamware as sw
from readers import libreoffice_csv, ooxml_errors, openpyxl_book
from streamware.formats.xlsx.protection import protection
from workbooks import workbook


def verified(element: str, password: str) -> bool:
    """Whether it is the password, as [MS-OFFCRYPTO] 2.4.2.4 has it."""
    attributes = ET.fromstring(element).attrib
    value = hashlib.new("sha512", b64decode(attributes["saltValue"]) + password.encode("utf-16-le"))
    for spin in range(int(attributes["spinCount"])):
        value = hashlib.new("sha512", value.digest() + spin.to_bytes(4, "little"))
    return b64decode(attributes["hashValue"]) == value.digest()


def test_a_sheet_is_not_protected_unless_asked() -> None:
    assert protection(False, "a") == ""


def test_a_sheet_may_be_protected_without_a_password() -> None:
    attributes = ET.fromstring(protection(True, "a")).attrib
    assert attributes["sheet"] == "1"
    assert "hashValue" not in attributes


def test_filter_and_sort_stay_allowed() -> None:
    attributes = ET.fromstring(protection(True, "a")).attrib
    assert (attributes["autoFilter"], attributes["sort"]) == ("0", "0")


def test_the_password_takes_the_protection_away_and_no_other_does() -> None:
    element = protection("geheim€😀", "a")
    assert verified(element, "geheim€😀")
    assert not verified(element, "geheim€")


def test_a_hash_cannot_be_looked_up_in_a_table_of_hashes() -> None:
    attributes = [ET.fromstring(protection("a", sheet)).attrib for sheet in ("Orders", "Customers")]
    assert attributes[0]["saltValue"] != attributes[1]["saltValue"]
    assert int(attributes[0]["spinCount"]) == 100_000


def test_equal_workbooks_have_equal_bytes() -> None:
    assert protection("a", "Orders") == protection("a", "Orders")


@pytest.mark.slow
def test_a_protected_sheet_can_be_read(tmp_path: Path) -> None:
    made = workbook([{"id": 1}], sw.Xlsx(protect="secret"))
    assert ooxml_errors(made.data, tmp_path) == []
    assert openpyxl_book(made.data).worksheets[0].protection.sheet is True
    assert libreoffice_csv(made.data, tmp_path) == [["id"], ["1"]]
    assert "secret" not in str(made.parts)
