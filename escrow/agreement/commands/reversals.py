"""Commands on reversed deposits: the provider reports one, the operator resolves it."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand, Report
from escrow.money import Money
from escrow.rules import Action
from escrow.states import ReversalOutcome


class ResolveReversal(PartyCommand):
    """Says how the argument about a reversed deposit ended."""

    action: ClassVar = Action.RESOLVE_REVERSAL
    deposit_id: str
    outcome: ReversalOutcome
    message: str | None = None


class ReverseDeposit(Report):
    """The provider took `amount` of a deposit back that had come: a chargeback."""

    deposit_id: str
    amount: Money
    reason: str
