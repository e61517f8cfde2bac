"""What the payment provider reports of refunds and payouts, and what the operator says of those that nobody knows about."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand, Report
from escrow.rules import Action
from escrow.states import OrderOutcome, OrderState


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
    """The provider could not carry out a refund or a payout, or what it had carried out came back.

    `expected` is the state of the order for which it was asked: if a person said meanwhile what became of it, that was another
    question.
    """

    order_id: str
    reason: str
    expected: OrderState | None = None


class MarkStuck(Report):
    """Nobody can find out what became of a refund or a payout by asking the provider: a person has to."""

    order_id: str
    reason: str


class OvertakeRefund(Report):
    """A refund would be asked for now, and its deposit was lost to a reversal: the client may have the money from the bank."""

    order_id: str
    deposit_id: str
