"""Mutations on deposits: funding a milestone or a whole contract, and cancelling that."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.context import Info
from schema.engine.fields import after, after_conflicts, optional, resolved
from schema.mutations.payloads import milestone_answer
from schema.mutations.running import Call, Payload, contract_after, milestone_after, on_contract
from schema.types.contracts import Contract
from schema.types.deposits import Deposit, deposit_of
from schema.types.milestones import Milestone


@strawberry.type(description="The contract, the milestone and the deposit after the mutation.")
class FundMilestonePayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    milestone: Milestone | None = after_conflicts("The milestone")
    deposit_id: strawberry.ID | None = after("The deposit that was started")

    @resolved("The deposit that was started; null if the mutation was refused.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None


async def _funded(_: Call, outcome: ContractOutcome) -> FundMilestonePayload:
    return FundMilestonePayload(
        contract=contract_after(outcome),
        milestone=milestone_after(outcome),
        deposit_id=strawberry.ID(outcome.result["deposit_id"]),
    )


@strawberry.input(description="Which milestone is paid for, and with what.")
class FundMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone: the first PLANNED one.")
    payment_token: str | None = optional("The payment provider's name for the client's means of payment.")
    revision: int | None = optional(
        "The revision that is meant; VERSION_CONFLICT if there is another. Not needed once ACTIVE."
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


@strawberry.type(description="The contract and the deposit after the mutation.")
class FundContractPayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    deposit_id: strawberry.ID | None = after("The deposit that was started")

    @resolved("The deposit that was started; null if the mutation was refused.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None


async def _all_funded(_: Call, outcome: ContractOutcome) -> FundContractPayload:
    return FundContractPayload(contract=contract_after(outcome), deposit_id=strawberry.ID(outcome.result["deposit_id"]))


@strawberry.input(description="Which contract is paid for as a whole, and with what.")
class FundContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    payment_token: str | None = optional("The payment provider's name for the client's means of payment.")
    revision: int | None = optional(
        "The revision that is meant; VERSION_CONFLICT if there is another. Not needed once ACTIVE."
    )


@on_contract(
    "Starts one deposit for all PLANNED milestones: their prices and the client's fees as one charge, which is confirmed or "
    "fails as a whole. No milestone may be FUNDING.",
    _all_funded,
)
def fund_contract(given: FundContractInput) -> commands.FundContract:
    return commands.FundContract(
        contract_id=given.contract_id,
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
