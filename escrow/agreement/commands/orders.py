"""What the payment provider reports of refunds and payouts, and what the operator says of those that nobody knows about."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand, Report
from escrow.rules import Action
from escrow.states import OrderOutcome


class ResolveOrder(PartyCommand):
    """Says what became of an order that waits for a person."""

    action: ClassVar = Action.RESOLVE_ORDER
    order_id: str
    outcome: OrderOutcome
    message: str | None = None


class ConfirmOrder(Report):
    """The provider carried out a refund or a payout."""

    order_id: str


class FailOrder(Report):
    """The provider could not carry out a refund or a payout, or what it had carried out came back."""

    order_id: str
    reason: str


class MarkStuck(Report):
    """Nobody can find out what became of a refund or a payout by asking the provider: a person has to."""

    order_id: str
    reason: str
