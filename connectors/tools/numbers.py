"""Names that are numbers, given one after the other: an item that a lagging listing left out is found around the last of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from connectors.sides import Theirs

BACK: Final = 20
"""So far back from the last number a listing may have left one out and not the next."""
BEYOND: Final = 5
"""So many may have been given since, and taken away again."""


def of(key: str) -> int:
    """The number of a key like SHOP-12."""
    return int(key.rpartition("-")[2])


def unlisted(listed: Iterable[int]) -> list[int]:
    """The numbers around the last known one that weren't listed, the newest first."""
    known = set(listed)
    last = max(known, default=0)
    return [number for number in range(last + BEYOND, max(last - BACK, 0), -1) if number not in known]


async def marked(mark: str, look: Callable[[str], Awaitable[Theirs | None]], names: Iterable[str]) -> Theirs | None:
    """The first of the items of these names that bears the mark; None if none does."""
    for name in names:
        item = await look(name)
        if item is not None and item.mark == mark:
            return item
    return None
