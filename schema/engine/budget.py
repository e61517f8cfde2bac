"""Says what an operation spends: points (`schema.engine.costs`) out of what whoever asks has left.

Who has how much is the transports' business. Reading a document that nobody has sent before is spent before it is read, the
rest before anything is done; what turns out dearer is charged afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

CROWDED_SECONDS: Final = 1.0
"""When to come back for whoever has too much waiting."""


class OverBudget(Exception):
    """Whoever asks hasn't enough left now; nothing was done."""

    def __init__(self, requested: float, retry_after_seconds: float) -> None:
        super().__init__(
            f"This costs {requested:.0f} points, which you have in {retry_after_seconds:.1f} seconds again."
        )
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def crowded(cls) -> OverBudget:
        """Whoever asks has points, but so much waiting already that no more is taken."""
        error = cls(0, CROWDED_SECONDS)
        error.args = ("Too much that you asked for waits already; ask again when some of it was answered.",)
        return error


class Budget(Protocol):
    """What whoever asks has left, for one operation."""

    async def spend(self, points: float) -> None:
        """Take so much of it, or raise `OverBudget`."""

    def charge(self, points: float) -> None:
        """Take what was used beyond that: it is made up for by waiting the next time."""

    def told(self) -> Mapping[str, Any]:
        """`extensions.cost` of the answer: what the operation requested, what is left, and how fast it is restored."""
