"""Counts lists, up to a bound: of a longer one it is only known that it is longer."""

# ruff: noqa: S608 - statements are filled with our own ones

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow import database

COUNTED_MAX: Final = 10_000
"""Up to so many entries a list is counted."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many entries a list has, `COUNTED_MAX` at most, and whether there are more, or may be."""

    entries: int
    has_more: bool = False


def bounded(found: int) -> Counted:
    """What it means that so many were found when one more than `COUNTED_MAX` were looked for."""
    return Counted(min(found, COUNTED_MAX), found > COUNTED_MAX)


async def counted(sql: str, *arguments: object) -> Counted:
    """How many rows a statement finds that looks for one more than `COUNTED_MAX`; one statement."""
    return bounded(await database.fetch_value(f"SELECT count(*) FROM ({sql}) AS counted", *arguments))
