"""Facts about deposits that the provider took back."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money
from escrow.states import ReversalOutcome


class DepositReversed(Event):
    """The provider took `amount` of a deposit or a bonus back that had come. The milestones that hold its money are frozen until
    the argument has ended; there are none if it was sent back before."""

    type: ClassVar = "deposit.reversed"
    deposit_id: str
    amount: Money
    milestone_ids: tuple[str, ...]
    reversal_id: str | None = None
    """The provider's name for it; empty if it gave none, absent in logs from before reversals were kept one by one."""
    evidence_due_at: datetime | None = None
    """Until when the provider takes evidence, in real time, if it said so."""
    explanation: OptionalText = None


class DepositReinstated(Event):
    """The provider gave `amount` of a reversed deposit back. What milestones had given up of it, `to_client`, goes to the client
    by the order `order_id`."""

    type: ClassVar = "deposit.reinstated"
    deposit_id: str
    reversal_id: str
    amount: Money
    to_client: Money | None = None
    order_id: str | None = None


class DepositReversalResolved(Event):
    """The argument about a reversed deposit ended, by the provider's word or the operator's.

    It moves nothing at the provider: `deposit.reinstated` tells of money that came again. In logs from before that event
    `outstanding` is absent, and what was won came again with it, `to_client` by the order `order_id`.
    """

    type: ClassVar = "deposit.reversal_resolved"
    deposit_id: str
    outcome: ReversalOutcome
    amount: Money
    """What was argued about."""
    milestone_ids: tuple[str, ...]
    to_client: Money | None = None
    order_id: str | None = None
    reversal_id: str | None = None
    """The one that the provider speaks of; absent if the operator speaks, of all that go on."""
    outstanding: Money | None = None
    """What the provider has taken of the deposit and not given back."""
    message: OptionalText = None
