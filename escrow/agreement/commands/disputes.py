"""Commands on disputes: claims, evidence, answers, settlements, decisions, and taking them back."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.agreement.state import Attachment
from escrow.money import RawMoney
from escrow.rules import Action


class OpenDispute(PartyCommand):
    """Claims how much of what a milestone holds should go to the freelancer. Under a refund request it answers that."""

    action: ClassVar = Action.OPEN_DISPUTE
    milestone_id: str
    dispute_id: Made
    claim: RawMoney
    reason: str


class AddEvidence(PartyCommand):
    """Brings something forward: a text, links, files' names with their sha256."""

    action: ClassVar = Action.ADD_EVIDENCE
    dispute_id: str
    text: str = ""
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class AcceptClaim(PartyCommand):
    """Carries the other side's claim out."""

    action: ClassVar = Action.ACCEPT_CLAIM
    dispute_id: str
    message: str | None = None


class RejectClaim(PartyCommand):
    """Sends the dispute to mediation."""

    action: ClassVar = Action.REJECT_CLAIM
    dispute_id: str
    message: str | None = None


class OfferSettlement(PartyCommand):
    """Offers that `to_freelancer` goes to the freelancer and the rest to the client; replaces one's own older offer."""

    action: ClassVar = Action.OFFER_SETTLEMENT
    dispute_id: str
    to_freelancer: RawMoney
    message: str | None = None


class WithdrawSettlement(PartyCommand):
    """Takes one's own offer back."""

    action: ClassVar = Action.WITHDRAW_SETTLEMENT
    dispute_id: str


class AcceptSettlement(PartyCommand):
    """Accepts the other side's offer, which `to_freelancer` names."""

    action: ClassVar = Action.ACCEPT_SETTLEMENT
    dispute_id: str
    to_freelancer: RawMoney


class WithdrawDispute(PartyCommand):
    """Takes a dispute back; in mediation it takes both sides."""

    action: ClassVar = Action.WITHDRAW_DISPUTE
    dispute_id: str
    message: str | None = None


class DecideDispute(PartyCommand):
    """Splits what the milestone holds: `to_freelancer` of it to the freelancer, the rest to the client."""

    action: ClassVar = Action.DECIDE_DISPUTE
    dispute_id: str
    to_freelancer: RawMoney
    reason: str
