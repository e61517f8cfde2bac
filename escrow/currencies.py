"""Knows the currencies that money is in: those of ISO 4217's list one, as its maintenance agency last published it.

The list is that of the package `iso4217`, whose version is the day of its publication. Funds, metals and codes for testing
are no money here: the list calls them funds, or gives them no minor units.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import iso4217

PUBLISHED: Final[date] = iso4217.__published__
"""The day of the list."""


def _listed() -> dict[str, int]:
    found = {}
    for entry in iso4217.raw_xml.iter("CcyNtry"):
        code, units, name = entry.findtext("Ccy"), entry.findtext("CcyMnrUnts", ""), entry.find("CcyNm")
        is_fund = name is not None and name.get("IsFund", "").lower() == "true"
        if code is not None and units.isdigit() and not is_fund:
            found[code] = int(units)
    return found


CURRENT: Final[dict[str, int]] = _listed()
"""The decimals of each currency that a new contract may be in."""

FORMER: Final[dict[str, int]] = {"BGN": 2}
"""The decimals of what left the list after contracts could be in it: their money is read, moved and paid out as ever."""

EXPONENTS: Final[dict[str, int]] = FORMER | CURRENT
"""The decimals of every currency that some contract may be in."""
