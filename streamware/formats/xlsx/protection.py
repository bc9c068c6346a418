"""Protection of a sheet: it keeps from mistakes, and no secret.

Source: ECMA-376 Part 1 §18.3.1.85 (sheetProtection), which tells how the password is hashed.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode

SPINS = 100_000

# Filter and sort are no changes: "0" says that they are not locked.
_LOCKED = ' sheet="1" objects="1" scenarios="1" sort="0" autoFilter="0"'
_SALT_BYTES = 16


def protection(protect: bool | str, sheet: str) -> str:
    """`sheetProtection` as the option `protect` asks for it; empty where it does not.

    A password takes about a tenth of a second.

    Args:
        protect: Whether, or the password.
        sheet: Name of the sheet.
    """
    if not protect:
        return ""
    hashed = "" if protect is True else _hashed(str(protect), sheet)
    return f"<sheetProtection{hashed}{_LOCKED}/>"


def _hashed(password: str, sheet: str) -> str:
    # Equal workbooks have equal bytes: the salt comes from the name.  Made from the password, it
    # would be a shortcut to it.
    salt = hashlib.sha512(sheet.encode("utf-8", "replace")).digest()[:_SALT_BYTES]
    value = hashlib.sha512(salt + password.encode("utf-16-le", "replace")).digest()
    for spin in range(SPINS):
        value = hashlib.sha512(value + spin.to_bytes(4, "little")).digest()
    return (
        f' algorithmName="SHA-512" hashValue="{b64encode(value).decode()}"'
        f' saltValue="{b64encode(salt).decode()}" spinCount="{SPINS}"'
    )
