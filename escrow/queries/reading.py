"""Says what a statement reads of its rows: all that an object is made of, or just the columns that an answer asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from escrow.database import Record

T = TypeVar("T")

SELECTIONS_MAX: Final = 32
"""So many sets of columns of one kind of row have statements of their own: connections keep what they have prepared, and
clients may ask for any set. Whoever comes with another one reads all columns."""

STATEMENTS_MAX: Final = SELECTIONS_MAX**2
"""So many statements are kept of a kind: each set of columns, also beside each of another kind of row."""

CONTRACT_BESIDE: Final = {"currency": "c.currency"}
"""What milestones are answered with of their contract `c`."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The columns that are read of each row, in order, and what is made of the row."""

    columns: tuple[str, ...]
    make: Callable[[Record], T]

    def sql(self, alias: str, *keys: str, beside: Mapping[str, str] = MappingProxyType({})) -> str:
        """The columns of the row called `alias`, with the keys by which a list is ordered; `beside` are other rows'."""
        names = (*self.columns, *(key for key in keys if key not in self.columns))
        return ", ".join(beside.get(name) or f"{alias}.{name}" for name in names)


@dataclass(frozen=True, slots=True)
class Selections:
    """The readings of rows as they are, by the columns that were asked for."""

    every: frozenset[str]
    _known: dict[frozenset[str], Reading[Record]] = field(default_factory=dict)

    def reading(self, columns: frozenset[str]) -> Reading[Record]:
        """The reading of at least these columns; the same sets share their statements."""
        known = self._known.get(columns)
        if known is None:
            if len(self._known) >= SELECTIONS_MAX:
                return _of(self.every)
            self._known[columns] = known = _of(columns)
        return known


def _of(columns: frozenset[str]) -> Reading[Record]:
    return Reading(tuple(sorted(columns)), itself)


def itself(row: Record) -> Record:
    """The row as it is."""
    return row
