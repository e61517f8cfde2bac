"""Mutations on work: submitting a milestone, approving it with or without a bonus, and requesting changes."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.agreement.state import Attachment
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.context import Info
from schema.engine.fields import after, optional, resolved
from schema.inputs import AttachmentInput, MoneyInput, raw_money_or_none
from schema.mutations.payloads import milestone_answer
from schema.mutations.running import Call, Payload, contract_after, milestone_after, on_contract
from schema.types.contracts import Contract
from schema.types.deposits import Deposit, deposit_of
from schema.types.milestones import Milestone
from schema.types.work import Submission, submission_of


@strawberry.type(description="The contract, the milestone and the submission after the mutation.")
class SubmitMilestonePayload(Payload):
    contract: Contract | None = after("The contract")
    milestone: Milestone | None = after("The milestone")
    submission: Submission | None = after("The submission")


async def _submitted(call: Call, outcome: ContractOutcome) -> SubmitMilestonePayload:
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


@strawberry.type(description="The contract, the milestone and its bonus after the mutation.")
class ApproveMilestonePayload(Payload):
    contract: Contract | None = after("The contract")
    milestone: Milestone | None = after("The milestone")

    @resolved(
        "The milestone's bonus that is on its way or was paid; null if there is none, or if the mutation was refused."
    )
    async def bonus(self, info: Info) -> Deposit | None:
        bonus_id = self.milestone.bonus_deposit_id if self.milestone is not None else None
        return await deposit_of(bonus_id, info.context) if bonus_id is not None else None


async def _approved(_: Call, outcome: ContractOutcome) -> ApproveMilestonePayload:
    return ApproveMilestonePayload(contract=contract_after(outcome), milestone=milestone_after(outcome))


@strawberry.input(description="Which milestone's work is approved.")
class ApproveMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(
        description="The milestone, which is ACTIVE, SUBMITTED or CHANGES_REQUESTED."
    )
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")
    amount: MoneyInput | None = strawberry.field(
        default=None,
        description=(
            "How much is released, if less than all that is held: the rest rolls forward to the next open milestone, which must "
            "be FUNDED."
        ),
    )
    bonus: MoneyInput | None = optional(
        "A bonus for the freelancer, a deposit of its own without fees. The release doesn't wait for it."
    )
    payment_token: str | None = optional("The payment provider's name for what the bonus is paid with.")


@on_contract(
    "Approves the work of a milestone and releases the money that is held for it, all of it unless `amount` says less. "
    "Approving again what is already released answers with the released milestone, and starts a bonus if one is given and "
    "none is on its way or paid.",
    _approved,
)
def approve_milestone(given: ApproveMilestoneInput) -> commands.Approve:
    with_bonus = given.bonus is not None
    return commands.Approve(
        milestone_id=given.milestone_id,
        message=given.message,
        amount=raw_money_or_none(given.amount),
        bonus=raw_money_or_none(given.bonus),
        bonus_deposit_id=ids.new(Kind.DEPOSIT) if with_bonus else None,
        bonus_order_id=ids.new(Kind.ORDER) if with_bonus else None,
        payment_token=given.payment_token,
    )


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
