"""Facts about deposits that the provider took back."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money
from escrow.states import ReversalOutcome


class DepositReversed(Event):
    """The provider took a deposit or a bonus back that had come. The milestones that hold its money are frozen until the
    operator says how the argument ended; there are none if it was sent back before."""

    type: ClassVar = "deposit.reversed"
    deposit_id: str
    amount: Money
    milestone_ids: tuple[str, ...]
    explanation: OptionalText = None


class DepositReversalResolved(Event):
    """The argument about a reversed deposit ended. What is won after milestones gave it up, `to_client`, goes to the client
    by the order `order_id`."""

    type: ClassVar = "deposit.reversal_resolved"
    deposit_id: str
    outcome: ReversalOutcome
    amount: Money
    milestone_ids: tuple[str, ...]
    to_client: Money | None = None
    order_id: str | None = None
    message: OptionalText = None
