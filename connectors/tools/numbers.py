"""Names that are numbers, given one after the other: which of them a listing that lags behind may have left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BACK: Final = 20
"""So far back from the last number a listing may have left one out and not the next."""
BEYOND: Final = 5
"""So many may have been given since, and taken away again."""


def unlisted(listed: Iterable[int], *, last: int = 0) -> list[int]:
    """The numbers around the last known one that weren't listed, the newest first."""
    known = set(listed)
    last = max([last, *known])
    return [number for number in range(last + BEYOND, max(last - BACK, 0), -1) if number not in known]
