"""Says to which part of an upgrade a step of the tables belongs, and what a step may be made of.

Steps *before* are taken while the former release still serves, and only add what that one needn't know. Steps *after* take
away what only the former release used, once its last process is gone. A step is either plain SQL, in one short transaction, or
work that lasts (`InBatches`, `Concurrently`), which may be killed at any point and begun again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from tortoise import migrations
from tortoise.migrations.operations import Operation

FIRST_RELEASE: Final = "1.0.0"
"""Steps that declare nothing are older than it: whoever upgraded from there stopped everything meanwhile."""


class Part(StrEnum):
    """When a step may be taken."""

    BEFORE = "before"
    """Beside processes of the former release, before those of this one start."""
    AFTER = "after"
    """When no process of the former release is left."""


class Before(migrations.Migration):
    """What a step is made of that the former release's processes don't notice: `class Migration(Before)`."""

    part: ClassVar[Part] = Part.BEFORE
    release: ClassVar[str]
    """The release that brings the step: "1.1.0"."""
    excused: ClassVar[Mapping[str, str]] = {}
    """What the test that reads steps objects to, by the name that it gives: why it does no harm."""


class After(migrations.Migration):
    """What a step is made of that the former release's processes would fail by."""

    part: ClassVar[Part] = Part.AFTER
    release: ClassVar[str]
    excused: ClassVar[Mapping[str, str]] = {}


@dataclass
class InBatches(Operation):
    """A statement that changes a bounded number of rows (a `LIMIT` in it), taken again until it changes none.

    Each time is a transaction of its own, so that commands wait for a moment at most. A killed run goes on where it was, since
    what is done is known by the rows themselves.
    """

    sql: str

    def describe(self) -> str:
        return "Fills what rows lack, some at a time"


@dataclass
class Concurrently(Operation):
    """An index that is built while rows are written. What a killed run left of it is dropped first.

    `sql` begins with `CREATE INDEX CONCURRENTLY` or `CREATE UNIQUE INDEX CONCURRENTLY`, and makes the index of that name.
    """

    index: str
    sql: str

    def describe(self) -> str:
        return f"Builds the index {self.index} beside everything else"


def part_of(step: migrations.Migration) -> Part:
    """When this step may be taken."""
    part: Part = getattr(step, "part", Part.BEFORE)
    return part


def release_of(step: migrations.Migration) -> str:
    """The release that brought this step."""
    release: str = getattr(step, "release", FIRST_RELEASE)
    return release


def turn_of(step: migrations.Migration) -> tuple[tuple[int, ...], bool]:
    """When it is this step's turn, as something to sort by: the packages' steps are counted each for themselves."""
    release = tuple(int(number) for number in release_of(step).split("."))
    return release, part_of(step) is Part.AFTER
