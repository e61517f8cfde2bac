"""Work and money: deposits, submissions, approvals, payouts."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.agreement.state import Attachment
from escrow.commands import Outcome
from escrow.ids import Kind
from schema.context import Info
from schema.fields import resolved
from schema.inputs import AttachmentInput, MoneyInput, raw_money_or_none
from schema.mutations.payloads import milestone_answer
from schema.mutations.running import Call, Payload, contract_after, milestone_after, on_contract
from schema.types.contract import Contract
from schema.types.milestone import Milestone
from schema.types.money import Deposit, PaymentOrder, deposit_of, order_of
from schema.types.work import Submission, submission_of


@strawberry.type(description="The contract, the milestone and the deposit after the mutation.")
class FundMilestonePayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None,
        description="The contract; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )
    milestone: Milestone | None = strawberry.field(
        default=None,
        description="The milestone; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )
    deposit_id: strawberry.ID | None = strawberry.field(
        default=None, description="The deposit that was started; null if the mutation was refused."
    )

    @resolved("The deposit that was started; null if the mutation was refused.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None


async def _funded(_: Call, outcome: Outcome) -> FundMilestonePayload:
    return FundMilestonePayload(
        contract=contract_after(outcome),
        milestone=milestone_after(outcome),
        deposit_id=strawberry.ID(outcome.result["deposit_id"]),
    )


@strawberry.input(description="Which milestone is paid for, and with what.")
class FundMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone: the first PLANNED one.")
    payment_token: str | None = strawberry.field(
        default=None, description="The payment provider's name for the client's means of payment."
    )
    revision: int | None = strawberry.field(
        default=None,
        description="The revision that is meant; VERSION_CONFLICT if there is another. Not needed once ACTIVE.",
    )


@on_contract(
    "Starts the deposit for a milestone: its price and the client's fee. The payment provider confirms it later; "
    "until then the milestone is FUNDING.",
    _funded,
)
def fund_milestone(given: FundMilestoneInput) -> commands.Fund:
    return commands.Fund(
        milestone_id=given.milestone_id,
        deposit_id=ids.new(Kind.DEPOSIT),
        order_id=ids.new(Kind.ORDER),
        payment_token=given.payment_token,
        revision=given.revision,
    )


@strawberry.input(description="Which milestone's deposit is abandoned.")
class CancelFundingInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is FUNDING.")


@on_contract(
    "Abandons a deposit that the payment provider has not confirmed. Money that still comes is sent back.",
    milestone_answer,
)
def cancel_funding(given: CancelFundingInput) -> commands.CancelFunding:
    return commands.CancelFunding(milestone_id=given.milestone_id)


@strawberry.type(description="The contract, the milestone and the submission after the mutation.")
class SubmitMilestonePayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None, description="The contract; null if the mutation was refused."
    )
    milestone: Milestone | None = strawberry.field(
        default=None, description="The milestone; null if the mutation was refused."
    )
    submission: Submission | None = strawberry.field(
        default=None, description="The submission; null if the mutation was refused."
    )


async def _submitted(call: Call, outcome: Outcome) -> SubmitMilestonePayload:
    submission_id = outcome.result["submission_id"]
    made = outcome.contract.submissions.get(submission_id)
    return SubmitMilestonePayload(
        contract=contract_after(outcome),
        milestone=milestone_after(outcome),
        # A repetition finds the submission of the first call only in the database.
        submission=Submission.of(made) if made is not None else await submission_of(submission_id, call.context),
    )


@strawberry.input(description="Work that is handed in.")
class SubmitMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is ACTIVE or CHANGES_REQUESTED.")
    message: str = strawberry.field(description="What there is to say about it, 1 to 5,000 characters.")
    links: list[str] = strawberry.field(
        default_factory=list, description="Where the work is: at most 20 addresses that begin with https:// or http://."
    )
    attachments: list[AttachmentInput] = strawberry.field(
        default_factory=list, description="Files that belong to it, at most 20."
    )


@on_contract(
    "Hands in the work of a milestone. The client's review window starts; silence until its end releases the money.",
    _submitted,
)
def submit_milestone(given: SubmitMilestoneInput) -> commands.Submit:
    return commands.Submit(
        milestone_id=given.milestone_id,
        submission_id=ids.new(Kind.SUBMISSION),
        message=given.message,
        links=tuple(given.links),
        attachments=tuple(Attachment(one.name, one.sha256) for one in given.attachments),
    )


@strawberry.input(description="Which milestone's work is approved.")
class ApproveMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(
        description="The milestone, which is ACTIVE, SUBMITTED or CHANGES_REQUESTED."
    )
    message: str | None = strawberry.field(
        default=None, description="Words to the freelancer, at most 5,000 characters."
    )


@on_contract(
    "Approves the work of a milestone and releases all the money that is held for it. "
    "Approving again what is already released answers with the released milestone.",
    milestone_answer,
)
def approve_milestone(given: ApproveMilestoneInput) -> commands.Approve:
    return commands.Approve(milestone_id=given.milestone_id, message=given.message)


@strawberry.input(description="Which milestone's work is sent back, and why.")
class RequestChangesInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is SUBMITTED.")
    note: str = strawberry.field(description="What should be different, 1 to 5,000 characters.")


@on_contract(
    "Sends submitted work back with a note. The review clock stops; the next submission starts a fresh window.",
    milestone_answer,
)
def request_changes(given: RequestChangesInput) -> commands.RequestChanges:
    return commands.RequestChanges(milestone_id=given.milestone_id, note=given.note)


@strawberry.type(description="The contract and the order to the payment provider after the mutation.")
class RequestPayoutPayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None, description="The contract; null if the mutation was refused."
    )
    payment_order_id: strawberry.ID | None = strawberry.field(
        default=None, description="The order to the payment provider; null if the mutation was refused."
    )

    @resolved("The order to the payment provider; null if the mutation was refused.")
    async def payment_order(self, info: Info) -> PaymentOrder | None:
        return await order_of(self.payment_order_id, info.context) if self.payment_order_id is not None else None


async def _paid_out(_: Call, outcome: Outcome) -> RequestPayoutPayload:
    return RequestPayoutPayload(
        contract=contract_after(outcome), payment_order_id=strawberry.ID(outcome.result["order_id"])
    )


@strawberry.input(description="What is paid out, and of which contract.")
class RequestPayoutInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    amount: MoneyInput | None = strawberry.field(
        default=None, description="How much; null for all that is payable to the freelancer."
    )


@on_contract(
    "Has what is payable to the freelancer of a contract paid out. The payment provider carries it out later.",
    _paid_out,
)
def request_payout(given: RequestPayoutInput) -> commands.RequestPayout:
    return commands.RequestPayout(
        contract_id=given.contract_id, order_id=ids.new(Kind.ORDER), amount=raw_money_or_none(given.amount)
    )


FIELDS = [fund_milestone, cancel_funding, submit_milestone, approve_milestone, request_changes, request_payout]
