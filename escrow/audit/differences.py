"""Defines what an audit reports, a difference between what should be and what is, and compares two sets of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the log has it: of what (`ctr_…`), which part of it, what it should be and is."""

    subject: str
    what: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}: expected {self.expected!r}, found {self.found!r}"


def compare(table: str, expected: Iterable[Row], found: Iterable[Row], *, by: Sequence[str]) -> Iterator[Difference]:
    """Rows that are missing, that nothing explains, and columns of the expected rows that have another value."""
    wanted = {tuple(row[name] for name in by): row for row in expected}
    there = {tuple(row[name] for name in by): row for row in found}
    for key in sorted(wanted.keys() | there.keys(), key=str):
        subject = ":".join(str(part) for part in key)
        if key not in there:
            yield Difference(subject, table, "a row", "none")
        elif key not in wanted:
            yield Difference(subject, table, "no row", "one")
        else:
            yield from compare_row(table, subject, wanted[key], there[key])


def compare_row(table: str, subject: str, expected: Row, found: Row) -> Iterator[Difference]:
    """The columns of an expected row that have another value."""
    for name, value in expected.items():
        if found[name] != value:
            yield Difference(subject, f"{table}.{name}", value, found[name])
