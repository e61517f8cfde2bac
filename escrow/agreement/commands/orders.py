"""What the payment provider reports of refunds and payouts."""

from __future__ import annotations

from escrow.agreement.commands.base import Report


class ConfirmOrder(Report):
    """The provider carried out a refund or a payout."""

    order_id: str


class FailOrder(Report):
    """The provider could not carry out a refund or a payout."""

    order_id: str
    reason: str
