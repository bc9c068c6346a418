"""WorkbookOptions: the options that every spreadsheet format has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from inspect import cleandoc
from typing import ClassVar, Literal, TypeVar

from streamware.formats.spreadsheet.names import defined_names
from streamware.formats.spreadsheet.properties import Property, checked
from streamware.model.sheet_options import SheetOptions
from streamware.model.style import expect

_ATTRIBUTES = re.compile(r"^Attributes:\n((?: .*\n?|\n)+)", re.MULTILINE)
_Options = TypeVar("_Options", bound=SheetOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookOptions(SheetOptions):
    """The options of a workbook, whatever its format.

    Its `SheetOptions` apply to every sheet that has none of its own.

    Attributes:
        sheet: Name of the sheet if the rows come without one.
        compression: "fast", or "small" (a fifth smaller, in several times the time).
        title: Document property.
        author: Document property.
        company: Document property.
        created: Document property; left out by default, so that equal rows give equal bytes.
        properties: More document properties: texts of up to 255 characters, numbers, bools, dates.
            A callable is called with the `Receipt` after the last row, so that
            `{"Rows": lambda receipt: receipt.rows}` gives the number of rows.
        names: Names for formulas, valid in the whole workbook, such as
            `{"VAT": "0.19", "Amounts": "Orders!$C$2:$C$900"}`.

    Raises:
        TypeError: An attribute has a wrong type.
        ValueError: An attribute has a value that is not one of its choices, or that Excel refuses.
    """

    sheet: str = "Sheet1"
    compression: Literal["fast", "small"] = "fast"
    title: str | None = None
    author: str | None = None
    company: str | None = None
    created: datetime | None = None
    properties: Mapping[str, Property] | None = field(default=None, hash=False)
    names: Mapping[str, str] | None = field(default=None, hash=False)

    several_sheets: ClassVar[bool] = True
    self_terminating: ClassVar[bool] = True
    compressible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        SheetOptions.__post_init__(self)  # super() does not work in a dataclass with slots
        expect(self, "a str", str, "sheet")
        expect(self, "a str", str | None, "title", "author", "company")
        expect(self, "a datetime", datetime | None, "created")
        expect(self, "a mapping", Mapping | None, "properties", "names")
        if self.compression not in ("fast", "small"):
            raise ValueError(f"compression must be 'fast' or 'small', not {self.compression!r}")
        if self.properties is not None:
            object.__setattr__(self, "properties", checked(self.properties))
        if self.names is not None:
            object.__setattr__(self, "names", defined_names(self.names))


def explained(options: type[_Options]) -> type[_Options]:
    """Return the class, with what its bases say of their attributes in its own docstring."""
    own, *others = [cleandoc(each.__doc__ or "") for each in options.__mro__]
    found = zip(options.__mro__[1:], map(_ATTRIBUTES.search, others), strict=True)
    docs = [f"Attributes of `{base.__name__}`:\n{part[1].rstrip()}" for base, part in found if part]
    options.__doc__ = "\n\n".join([own, *docs])
    return options
