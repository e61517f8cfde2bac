"""Proposals and what becomes of them."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.ids import Kind
from schema.inputs import MilestoneInput, MoneyInput, WindowsInput, draft, hours, raw_money_or_none
from schema.mutations.running import Call, Payload, contract_after, mutation
from schema.scalars import CurrencyCode
from schema.types.contract import Contract


@strawberry.type(description="The contract after the mutation.")
class ContractPayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None,
        description="The contract; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )


@strawberry.input(description="A proposal: the terms and the plan. Either party may write it.")
class ProposeContractInput:
    client_id: strawberry.ID = strawberry.field(description="The account that pays.")
    freelancer_id: strawberry.ID = strawberry.field(description="The account that delivers.")
    title: str = strawberry.field(description="What the contract is called, 1 to 200 characters.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its amounts.")
    milestones: list[MilestoneInput] = strawberry.field(description="The plan, in order: 1 to 200 milestones.")
    description: str = strawberry.field(default="", description="What it is about, at most 10,000 characters.")
    time_zone: str | None = strawberry.field(
        default=None, description="The IANA time zone of due dates, such as `Europe/Lisbon`; UTC unless said."
    )
    budget: MoneyInput | None = strawberry.field(default=None, description="What the client means to spend in all.")
    windows: WindowsInput | None = strawberry.field(default=None, description="How long silence may last.")
    message: str | None = strawberry.field(
        default=None, description="Words to the other side, at most 5,000 characters."
    )


@mutation("Puts the first revision of a new contract on the table. The other side then has the turn.")
async def propose_contract(call: Call, given: ProposeContractInput) -> ContractPayload:
    outcome = await call.run(
        commands.Propose(
            contract_id=ids.new(Kind.CONTRACT),
            client_id=given.client_id,
            freelancer_id=given.freelancer_id,
            terms=commands.Terms(
                title=given.title,
                description=given.description,
                currency=given.currency,
                time_zone=given.time_zone,
                budget=raw_money_or_none(given.budget),
                windows=hours(given.windows),
            ),
            plan=tuple(draft(one) for one in given.milestones),
            message=given.message,
        )
    )
    return ContractPayload(contract=contract_after(outcome))


@strawberry.input(description="A counter-offer: what changes of the terms, and the whole new plan.")
class ReviseContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    milestones: list[MilestoneInput] = strawberry.field(
        description="The new plan, in order: 1 to 200 milestones. They replace the ones before."
    )
    title: str | None = strawberry.field(default=None, description="The new title; null leaves it as it is.")
    description: str | None = strawberry.field(
        default=None, description="The new description; null leaves it as it is."
    )
    time_zone: str | None = strawberry.field(default=None, description="The new time zone; null leaves it as it is.")
    budget: MoneyInput | None = strawberry.field(default=None, description="The new budget; null leaves it as it is.")
    windows: WindowsInput | None = strawberry.field(
        default=None, description="New windows; null leaves them as they are."
    )
    message: str | None = strawberry.field(
        default=None, description="Words to the other side, at most 5,000 characters."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@mutation(
    "Answers a proposal with other terms and a new plan. The turn passes to the other side; the offer window starts anew."
)
async def revise_contract(call: Call, given: ReviseContractInput) -> ContractPayload:
    outcome = await call.run(
        commands.Revise(
            contract_id=given.contract_id,
            terms=commands.Terms(
                title=given.title,
                description=given.description,
                time_zone=given.time_zone,
                budget=raw_money_or_none(given.budget),
                windows=hours(given.windows),
            ),
            plan=tuple(draft(one) for one in given.milestones),
            message=given.message,
            expected_version=given.expected_version,
        )
    )
    return ContractPayload(contract=contract_after(outcome))


@strawberry.input(description="Which revision is accepted.")
class AcceptContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    revision: int = strawberry.field(
        description="The revision that is meant; VERSION_CONFLICT if there is another by now."
    )
    message: str | None = strawberry.field(
        default=None, description="Words to the other side, at most 5,000 characters."
    )


@mutation("Agrees to the revision that is on the table. The contract is ACTIVE then, and its terms are frozen.")
async def accept_contract(call: Call, given: AcceptContractInput) -> ContractPayload:
    outcome = await call.run(
        commands.Accept(contract_id=given.contract_id, revision=given.revision, message=given.message)
    )
    return ContractPayload(contract=contract_after(outcome))


@strawberry.input(description="Which proposal is turned down.")
class DeclineContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    message: str | None = strawberry.field(
        default=None, description="Words to the other side, at most 5,000 characters."
    )


@mutation("Turns a proposal down, by the side whose turn it is.")
async def decline_contract(call: Call, given: DeclineContractInput) -> ContractPayload:
    outcome = await call.run(commands.Decline(contract_id=given.contract_id, message=given.message))
    return ContractPayload(contract=contract_after(outcome))


@strawberry.input(description="Which proposal is taken back.")
class WithdrawContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    message: str | None = strawberry.field(
        default=None, description="Words to the other side, at most 5,000 characters."
    )


@mutation("Takes a proposal back, by the side that wrote its latest revision.")
async def withdraw_contract(call: Call, given: WithdrawContractInput) -> ContractPayload:
    outcome = await call.run(commands.Withdraw(contract_id=given.contract_id, message=given.message))
    return ContractPayload(contract=contract_after(outcome))


FIELDS = [propose_contract, revise_contract, accept_contract, decline_contract, withdraw_contract]
