"""Commands on refunds: requests and their answers, and refunds that nobody asked for."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.money import RawMoney
from escrow.rules import Action


class RequestRefund(PartyCommand):
    """Asks the freelancer to give back what a milestone holds, or `amount` of it."""

    action: ClassVar = Action.REQUEST_REFUND
    milestone_id: str
    refund_id: Made
    amount: RawMoney | None = None
    message: str | None = None


class WithdrawRefund(PartyCommand):
    """Takes a refund request back."""

    action: ClassVar = Action.WITHDRAW_REFUND
    refund_id: str
    message: str | None = None


class AcceptRefund(PartyCommand):
    """Gives back what a refund request asks for."""

    action: ClassVar = Action.ACCEPT_REFUND
    refund_id: str
    message: str | None = None


class DeclineRefund(PartyCommand):
    """Answers a refund request with a dispute, which begins in mediation; the claim is everything unless it is given."""

    action: ClassVar = Action.DECLINE_REFUND
    refund_id: str
    dispute_id: Made
    reason: str
    claim: RawMoney | None = None


class GiveRefund(PartyCommand):
    """Gives back what a milestone holds, or `amount` of it, without having been asked."""

    action: ClassVar = Action.GIVE_REFUND
    milestone_id: str
    amount: RawMoney | None = None
    message: str | None = None
