"""What the payment provider reports of refunds and payouts."""

from __future__ import annotations

from dataclasses import dataclass

from escrow.agreement.commands.base import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder(Report):
    """The provider carried out a refund or a payout."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOrder(Report):
    """The provider could not carry out a refund or a payout."""

    order_id: str
    reason: str
