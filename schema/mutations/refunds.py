"""Mutations on refunds: the client's requests and the answers to them, and refunds that the freelancer gives unasked."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after, optional
from schema.inputs import MoneyInput, raw_money_or_none
from schema.mutations.disputes import dispute_answer
from schema.mutations.payloads import milestone_answer
from schema.mutations.running import Call, Payload, contract_after, milestone_held, on_contract
from schema.types.contracts import Contract
from schema.types.milestones import Milestone
from schema.types.refunds import RefundRequest, refund_request_of


@strawberry.type(description="The contract, the milestone and the refund request after the mutation.")
class RefundRequestPayload(Payload):
    contract: Contract | None = after("The contract")
    milestone: Milestone | None = after("The milestone")
    refund_request: RefundRequest | None = after("The refund request")


async def _answer(call: Call, outcome: ContractOutcome) -> RefundRequestPayload:
    contract, identifier = outcome.contract, outcome.result["refund_id"]
    found = contract.refunds.get(identifier)
    shown = (
        RefundRequest.of(found, contract_id=contract.id, currency=contract.currency)
        if found is not None
        # A repetition of the request finds that of the first call only in the database.
        else await refund_request_of(identifier, call.context)
    )
    milestone = milestone_held(outcome, shown.milestone_id) if shown is not None else None
    return RefundRequestPayload(contract=contract_after(outcome), milestone=milestone, refund_request=shown)


@strawberry.input(description="What the client asks back.")
class RequestRefundInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which holds money and has no hold.")
    amount: MoneyInput | None = optional("How much, without the client's fee; null for all that is held.")
    message: str | None = optional("Why, at most 5,000 characters.")


@on_contract(
    "Asks the freelancer to give back what a milestone holds, or part of it. The milestone is on hold and its review clock "
    "stands still. The freelancer accepts, declines (which opens a dispute) or stays silent, which refunds.",
    _answer,
)
def request_refund(given: RequestRefundInput) -> commands.RequestRefund:
    return commands.RequestRefund(
        milestone_id=given.milestone_id,
        refund_id=ids.new(Kind.REFUND_REQUEST),
        amount=raw_money_or_none(given.amount),
        message=given.message,
    )


@strawberry.input(description="Which refund request is taken back.")
class WithdrawRefundInput:
    refund_id: strawberry.ID = strawberry.field(description="The refund request, which is OPEN.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")


@on_contract(
    "Takes a refund request back. The review goes on, and the client may start no other hold on the milestone for 48 hours. "
    "Requests of an ending are taken back with `withdrawEnd`.",
    _answer,
)
def withdraw_refund(given: WithdrawRefundInput) -> commands.WithdrawRefund:
    return commands.WithdrawRefund(refund_id=given.refund_id, message=given.message)


@strawberry.input(description="Which refund request is accepted.")
class AcceptRefundInput:
    refund_id: strawberry.ID = strawberry.field(description="The refund request, which is OPEN.")
    message: str | None = optional("Words to the client, at most 5,000 characters.")


@on_contract("Gives back what a refund request asks for, by the freelancer.", _answer)
def accept_refund(given: AcceptRefundInput) -> commands.AcceptRefund:
    return commands.AcceptRefund(refund_id=given.refund_id, message=given.message)


@strawberry.input(description="Which refund request is declined, and why.")
class DeclineRefundInput:
    refund_id: strawberry.ID = strawberry.field(description="The refund request, which is OPEN.")
    reason: str = strawberry.field(description="Why, 1 to 5,000 characters: the dispute's reason.")
    claim: MoneyInput | None = optional("How much of what is held should go to the freelancer; null claims everything.")


@on_contract(
    "Declines a refund request, by the freelancer. That opens a dispute, which begins in MEDIATION and takes the hold over.",
    dispute_answer,
)
def decline_refund(given: DeclineRefundInput) -> commands.DeclineRefund:
    return commands.DeclineRefund(
        refund_id=given.refund_id,
        dispute_id=ids.new(Kind.DISPUTE),
        reason=given.reason,
        claim=raw_money_or_none(given.claim),
    )


@strawberry.input(description="What the freelancer gives back unasked.")
class GiveRefundInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which holds money.")
    amount: MoneyInput | None = optional(
        "How much, without the client's fee; null for all. A part only while nothing holds the milestone."
    )
    message: str | None = optional("Words to the client, at most 5,000 characters.")


@on_contract(
    "Gives back what a milestone holds, or part of it, at once. All of it can be given under any hold, and ends it.",
    milestone_answer,
)
def give_refund(given: GiveRefundInput) -> commands.GiveRefund:
    return commands.GiveRefund(
        milestone_id=given.milestone_id, amount=raw_money_or_none(given.amount), message=given.message
    )
