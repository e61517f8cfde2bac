"""A reversal: money of a deposit that the provider took back after it had come (a chargeback), as it tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from escrow.states import ReversalOutcome


@dataclass(frozen=True, slots=True)
class Reversal:
    """One argument about a deposit. Sums are minor units of the currency in which the deposit came."""

    reference: str
    """The provider's name for it; empty where it gave none."""
    taken_minor: int
    """What the provider took."""
    given_back_minor: int = 0
    """What of that came again."""
    outcome: ReversalOutcome | None = None
    """How it ended, by the provider's word or the operator's; `None` while it goes on."""

    @property
    def outstanding_minor(self) -> int:
        """What the provider has taken and not given back."""
        return self.taken_minor - self.given_back_minor


def place_of(reversals: Sequence[Reversal], reference: str) -> int | None:
    """Where among a deposit's reversals the one of that reference is; `None` if it is another one.

    A report without a reference is about the latest, and the latest without one gets its name by the next report.
    """
    for place, one in enumerate(reversals):
        if one.reference == reference:
            return place
    last = len(reversals) - 1
    return last if reversals and (not reference or not reversals[last].reference) else None


def with_reversal(reversals: Sequence[Reversal], changed: Reversal) -> tuple[Reversal, ...]:
    """All of them, with this one in the place of the one that it is, or at the end."""
    place = place_of(reversals, changed.reference)
    if place is None:
        return (*reversals, changed)
    named = replace(changed, reference=changed.reference or reversals[place].reference)
    return (*reversals[:place], named, *reversals[place + 1 :])
