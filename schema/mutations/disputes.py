"""Mutations on disputes: opening them, evidence, claims and offers, withdrawal, and the mediator's decision."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.agreement.state import Attachment
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after, after_conflicts, optional
from schema.inputs import AttachmentInput, MoneyInput, raw_money
from schema.mutations.running import Call, Payload, contract_after, milestone_held, on_contract
from schema.types.contracts import Contract
from schema.types.disputes import Dispute, dispute_of
from schema.types.milestones import Milestone


@strawberry.type(description="The contract, the milestone and the dispute after the mutation.")
class DisputePayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    milestone: Milestone | None = after("The milestone")
    dispute: Dispute | None = after("The dispute")


async def dispute_answer(call: Call, outcome: ContractOutcome) -> DisputePayload:
    """The contract, the milestone and the dispute as the command left them."""
    contract, identifier = outcome.contract, outcome.result["dispute_id"]
    found = contract.disputes.get(identifier)
    shown = (
        Dispute.of(found, contract_id=contract.id, currency=contract.currency)
        if found is not None
        # A repetition of the opening finds the dispute of the first call only in the database.
        else await dispute_of(identifier, call.context)
    )
    milestone = milestone_held(outcome, shown.milestone_id) if shown is not None else None
    return DisputePayload(contract=contract_after(outcome), milestone=milestone, dispute=shown)


@strawberry.input(description="What is argued about, and how it should end.")
class OpenDisputeInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which holds money.")
    claim: MoneyInput = strawberry.field(
        description="How much of what is held should go to the freelancer, from zero to all of it."
    )
    reason: str = strawberry.field(description="Why, 1 to 5,000 characters.")


@on_contract(
    "Opens a dispute about what a milestone holds. The milestone is on hold and its review clock stands still. The other side "
    "accepts the claim, rejects it, or stays silent. A freelancer who opens one under a refund request answers that.",
    dispute_answer,
)
def open_dispute(given: OpenDisputeInput) -> commands.OpenDispute:
    return commands.OpenDispute(
        milestone_id=given.milestone_id,
        dispute_id=ids.new(Kind.DISPUTE),
        claim=raw_money(given.claim),
        reason=given.reason,
    )


@strawberry.input(description="What a side brings forward. At least one of text, links and attachments.")
class AddEvidenceInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")
    text: str = strawberry.field(default="", description="What there is to say, at most 5,000 characters.")
    links: list[str] = strawberry.field(
        default_factory=list,
        description="Where it can be seen: at most 20 addresses that begin with https:// or http://.",
    )
    attachments: list[AttachmentInput] = strawberry.field(
        default_factory=list, description="Files that belong to it, at most 20."
    )


@on_contract("Brings something forward in a dispute. Each side has 250 pieces at most.", dispute_answer)
def add_evidence(given: AddEvidenceInput) -> commands.AddEvidence:
    return commands.AddEvidence(
        dispute_id=given.dispute_id,
        text=given.text,
        links=tuple(given.links),
        attachments=tuple(Attachment(one.name, one.sha256) for one in given.attachments),
    )


@strawberry.input(description="Whose claim is accepted.")
class AcceptClaimInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Accepts the claim of the side that opened the dispute. It is carried out at once.", dispute_answer)
def accept_claim(given: AcceptClaimInput) -> commands.AcceptClaim:
    return commands.AcceptClaim(dispute_id=given.dispute_id, message=given.message)


@strawberry.input(description="Whose claim is rejected.")
class RejectClaimInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Rejects the claim of the side that opened the dispute. Mediation begins.", dispute_answer)
def reject_claim(given: RejectClaimInput) -> commands.RejectClaim:
    return commands.RejectClaim(dispute_id=given.dispute_id, message=given.message)


@strawberry.input(description="How a side would settle.")
class OfferSettlementInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")
    to_freelancer: MoneyInput = strawberry.field(
        description="How much of what is held should go to the freelancer; the rest goes to the client."
    )
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Offers a settlement. A newer offer replaces that side's older one.", dispute_answer)
def offer_settlement(given: OfferSettlementInput) -> commands.OfferSettlement:
    return commands.OfferSettlement(
        dispute_id=given.dispute_id, to_freelancer=raw_money(given.to_freelancer), message=given.message
    )


@strawberry.input(description="Which offer is taken back: the one's own.")
class WithdrawSettlementInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")


@on_contract("Takes one's own settlement offer back.", dispute_answer)
def withdraw_settlement(given: WithdrawSettlementInput) -> commands.WithdrawSettlement:
    return commands.WithdrawSettlement(dispute_id=given.dispute_id)


@strawberry.input(description="Which offer is accepted.")
class AcceptSettlementInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")
    to_freelancer: MoneyInput = strawberry.field(
        description="What the other side offered for the freelancer; VERSION_CONFLICT if it offers something else by now."
    )


@on_contract("Accepts the other side's settlement offer. It is carried out at once.", dispute_answer)
def accept_settlement(given: AcceptSettlementInput) -> commands.AcceptSettlement:
    return commands.AcceptSettlement(dispute_id=given.dispute_id, to_freelancer=raw_money(given.to_freelancer))


@strawberry.input(description="Which dispute is taken back.")
class WithdrawDisputeInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is OPEN or in MEDIATION.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract(
    "Takes a dispute back. While it is OPEN its opener does so; in MEDIATION it is withdrawn once both sides have asked for it.",
    dispute_answer,
)
def withdraw_dispute(given: WithdrawDisputeInput) -> commands.WithdrawDispute:
    return commands.WithdrawDispute(dispute_id=given.dispute_id, message=given.message)


@strawberry.input(description="How a dispute ends, and why.")
class DecideDisputeInput:
    dispute_id: strawberry.ID = strawberry.field(description="The dispute, which is in MEDIATION.")
    to_freelancer: MoneyInput = strawberry.field(
        description="How much of what is held goes to the freelancer, from zero to all of it; the rest goes to the client."
    )
    reason: str = strawberry.field(description="Why, 1 to 5,000 characters. Both sides read it.")


@on_contract(
    "Decides a dispute in mediation. For mediators who share no member with a party, and for the operator.",
    dispute_answer,
)
def decide_dispute(given: DecideDisputeInput) -> commands.DecideDispute:
    return commands.DecideDispute(
        dispute_id=given.dispute_id, to_freelancer=raw_money(given.to_freelancer), reason=given.reason
    )
