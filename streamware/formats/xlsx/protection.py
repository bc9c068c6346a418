"""Writes the protection of a sheet, which prevents mistakes but keeps nothing secret.

Source: ECMA-376 Part 1 §18.3.1.85 (sheetProtection), which says how the password is hashed.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode

SPINS = 100_000  # rounds of hashing

# "0" means not locked: users may still sort and filter.
_LOCKED = ' sheet="1" objects="1" scenarios="1" sort="0" autoFilter="0"'
_SALT_BYTES = 16


def protection(protect: bool | str, sheet: str) -> str:
    """Return the element `sheetProtection`; empty if the sheet is not protected.

    Hashing a password takes about a tenth of a second.

    Args:
        protect: Whether the sheet is protected, or the password.
        sheet: Name of the sheet.
    """
    if not protect:
        return ""
    if protect is True:
        return f"<sheetProtection{_LOCKED}/>"
    # The salt is made from the name, and is not random, so that equal workbooks have equal bytes.
    # If it were made from the password, it would help to guess that.
    salt = hashlib.sha512(sheet.encode("utf-8", "replace")).digest()[:_SALT_BYTES]
    value = hashlib.sha512(salt + protect.encode("utf-16-le", "replace")).digest()
    for spin in range(SPINS):
        value = hashlib.sha512(value + spin.to_bytes(4, "little")).digest()
    return (
        f'<sheetProtection algorithmName="SHA-512" hashValue="{b64encode(value).decode()}"'
        f' saltValue="{b64encode(salt).decode()}" spinCount="{SPINS}"{_LOCKED}/>'
    )
