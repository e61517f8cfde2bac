"""Commands on reversed deposits: the provider reports what becomes of one, the operator says how it counts."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand, Report
from escrow.money import Money
from escrow.rules import Action
from escrow.states import ReversalOutcome


class ResolveReversal(PartyCommand):
    """Says how the argument about a reversed deposit counts from now on, whatever the provider says later."""

    action: ClassVar = Action.RESOLVE_REVERSAL
    deposit_id: str
    outcome: ReversalOutcome
    message: str | None = None


class ReverseDeposit(Report):
    """What the provider says of a reversal: `amount` of a deposit that had come was taken back. It says all that is, not what is
    new, so that a report that comes twice, late or in the wrong order does no harm."""

    deposit_id: str
    amount: Money
    """While it goes on: what was taken. `WON` or `WITHDRAWN`: what came again. `LOST`: what stays away."""
    reason: str
    reference: str = ""
    """The provider's name for it, which tells a second one of the same deposit from the first; empty if it gives none."""
    outcome: ReversalOutcome | None = None
    """`None` while it goes on."""
    evidence_due_at: datetime | None = None
    """Until when the provider takes evidence, in real time."""
