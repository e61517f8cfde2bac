"""Commands on money that the parties disagree about: refund requests, refunds given, disputes and what ends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.agreement.state import Attachment
from escrow.lifecycle import Action
from escrow.money import RawMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefund:
    """Asks the freelancer to give back what a milestone holds, or ``amount`` of it."""

    action: ClassVar = Action.REQUEST_REFUND
    milestone_id: str
    refund_id: str
    amount: RawMoney | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawRefund:
    """Takes a refund request back."""

    action: ClassVar = Action.WITHDRAW_REFUND
    refund_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRefund:
    """Gives back what a refund request asks for."""

    action: ClassVar = Action.ACCEPT_REFUND
    refund_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineRefund:
    """Answers a refund request with a dispute, which begins in mediation; the claim is everything unless it is given."""

    action: ClassVar = Action.DECLINE_REFUND
    refund_id: str
    dispute_id: str
    reason: str
    claim: RawMoney | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveRefund:
    """Gives back what a milestone holds, or ``amount`` of it, without having been asked."""

    action: ClassVar = Action.GIVE_REFUND
    milestone_id: str
    amount: RawMoney | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDispute:
    """Claims how much of what a milestone holds should go to the freelancer. Under a refund request it answers that."""

    action: ClassVar = Action.OPEN_DISPUTE
    milestone_id: str
    dispute_id: str
    claim: RawMoney
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEvidence:
    """Brings something forward: a text, links, files' names with their sha256."""

    action: ClassVar = Action.ADD_EVIDENCE
    dispute_id: str
    text: str = ""
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptClaim:
    """Carries the other side's claim out."""

    action: ClassVar = Action.ACCEPT_CLAIM
    dispute_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectClaim:
    """Sends the dispute to mediation."""

    action: ClassVar = Action.REJECT_CLAIM
    dispute_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSettlement:
    """Offers that ``to_freelancer`` goes to the freelancer and the rest to the client; replaces one's own older offer."""

    action: ClassVar = Action.OFFER_SETTLEMENT
    dispute_id: str
    to_freelancer: RawMoney
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawSettlement:
    """Takes one's own offer back."""

    action: ClassVar = Action.WITHDRAW_SETTLEMENT
    dispute_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptSettlement:
    """Accepts the other side's offer, which ``to_freelancer`` names."""

    action: ClassVar = Action.ACCEPT_SETTLEMENT
    dispute_id: str
    to_freelancer: RawMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawDispute:
    """Takes a dispute back; in mediation it takes both sides."""

    action: ClassVar = Action.WITHDRAW_DISPUTE
    dispute_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideDispute:
    """Splits what the milestone holds: ``to_freelancer`` of it to the freelancer, the rest to the client."""

    action: ClassVar = Action.DECIDE_DISPUTE
    dispute_id: str
    to_freelancer: RawMoney
    reason: str
