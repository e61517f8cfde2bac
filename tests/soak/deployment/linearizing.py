"""Tells whether a history of concurrent operations is linearizable: whether each can have happened at one moment between its
beginning and its end, one after the other, as the sequential specification says.

The search is Wing and Gong's with Lowe's memory: it tries every operation that may come next, and never comes twice to the same
state by the same operations. What nobody knows whether it happened may come at any time after it began, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

S = TypeVar("S")
A = TypeVar("A")

NEVER_ENDED: Final = math.inf


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """What was asked and answered, as the specification reads it, and between which moments of one clock."""

    said: A
    began: float
    ended: float = NEVER_ENDED
    """`NEVER_ENDED` if nobody knows whether it happened."""

    @property
    def is_sure(self) -> bool:
        """Whether it happened for certain."""
        return self.ended != NEVER_ENDED


Specification = Callable[[S, A], S | None]
"""The state after an operation; `None` where it can't have happened in this state, or not with this answer."""


@dataclass(frozen=True, slots=True)
class Verdict(Generic[A]):
    """What the search found."""

    order: Sequence[Operation[A]]
    """The order in which it can have happened; if there is none, the longest beginning of one."""
    stuck: Sequence[Operation[A]]
    """Of these one had to come next, and none could; empty if the history is linearizable."""

    @property
    def is_linearizable(self) -> bool:
        return not self.stuck


@dataclass(slots=True)
class _Place(Generic[S]):
    """Where the search stands: what has happened, the state after it, and what is still to be tried from here."""

    happened: int
    state: S
    untried: list[int]
    by: int = -1


def check(state: S, history: Sequence[Operation[A]], specification: Specification[S, A]) -> Verdict[A]:
    """Search from `state` for an order in which all that is sure happened. Exponential at worst: for some dozens of operations,
    of which a few at a time overlap."""
    operations = sorted(history, key=lambda one: one.began)
    sure = sum(1 << number for number, one in enumerate(operations) if one.is_sure)
    seen: dict[int, list[S]] = {0: [state]}
    path = [_Place(0, state, _next_ones(operations, 0))]
    longest: list[int] = []
    stuck = path[0].untried.copy()
    while path:
        place = path[-1]
        if place.happened & sure == sure:
            return Verdict([operations[one.by] for one in path[1:]], ())
        if not place.untried:
            path.pop()
            continue
        number = place.untried.pop()
        after = specification(place.state, operations[number].said)
        happened = place.happened | 1 << number
        if after is None or after in seen.setdefault(happened, []):
            continue
        seen[happened].append(after)
        path.append(_Place(happened, after, _next_ones(operations, happened), number))
        if len(path) > len(longest) + 1:
            longest, stuck = [one.by for one in path[1:]], path[-1].untried.copy()
    return Verdict([operations[number] for number in longest], [operations[number] for number in stuck])


def _next_ones(operations: Sequence[Operation[A]], happened: int) -> list[int]:
    """Those that may come next: none of the others had ended when they began. The earliest stand last, to be tried first."""
    waiting = [number for number in range(len(operations)) if not happened >> number & 1]
    first_end = min((operations[number].ended for number in waiting), default=NEVER_ENDED)
    found = [number for number in waiting if operations[number].began <= first_end]
    return sorted(found, key=lambda number: -operations[number].ended)
