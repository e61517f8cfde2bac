"""Mutations on proposals: proposing, revising, accepting, declining and withdrawing a contract."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.agreement.state import DepositTerm
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after_conflicts, optional
from schema.inputs import MilestoneInput, MoneyInput, WindowsInput, draft, hours, raw_money_or_none
from schema.mutations.payloads import contract_answer
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.scalars import CurrencyCode
from schema.types.contracts import Contract


@strawberry.input(description="A proposal: the terms and the plan. Either party may write it.")
class ProposeContractInput:
    client_id: strawberry.ID = strawberry.field(description="The account that pays.")
    freelancer_id: strawberry.ID = strawberry.field(description="The account that delivers.")
    title: str = strawberry.field(description="What the contract is called, 1 to 200 characters.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its amounts.")
    milestones: list[MilestoneInput] = strawberry.field(description="The plan, in order: 1 to 200 milestones.")
    description: str = strawberry.field(default="", description="What it is about, at most 10,000 characters.")
    time_zone: str | None = optional("The IANA time zone of due dates, such as `Europe/Lisbon`; UTC unless said.")
    budget: MoneyInput | None = optional("What the client means to spend in all.")
    windows: WindowsInput | None = optional("How long silence may last.")
    deposit_term: DepositTerm | None = optional(
        "Whether the first deposit covers the FIRST milestone or ALL; FIRST unless said."
    )
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract(
    "Puts the first revision of a new contract on the table. The other side then has the turn.", contract_answer
)
def propose_contract(given: ProposeContractInput) -> commands.Propose:
    return commands.Propose(
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
            deposit_term=given.deposit_term,
        ),
        plan=tuple(draft(one) for one in given.milestones),
        message=given.message,
    )


@strawberry.input(description="A counter-offer: what changes of the terms, and the whole new plan.")
class ReviseContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    milestones: list[MilestoneInput] = strawberry.field(
        description="The new plan, in order: 1 to 200 milestones. They replace the ones before."
    )
    title: str | None = optional("The new title; null leaves it as it is.")
    description: str | None = optional("The new description; null leaves it as it is.")
    time_zone: str | None = optional("The new time zone; null leaves it as it is.")
    budget: MoneyInput | None = optional("The new budget; null leaves it as it is.")
    windows: WindowsInput | None = optional("New windows; null leaves them as they are.")
    deposit_term: DepositTerm | None = optional("What the first deposit covers; null leaves it as it is.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@on_contract(
    "Answers a proposal with other terms and a new plan. The turn passes to the other side; the offer window starts anew.",
    contract_answer,
)
def revise_contract(given: ReviseContractInput) -> commands.Revise:
    return commands.Revise(
        contract_id=given.contract_id,
        terms=commands.Terms(
            title=given.title,
            description=given.description,
            time_zone=given.time_zone,
            budget=raw_money_or_none(given.budget),
            windows=hours(given.windows),
            deposit_term=given.deposit_term,
        ),
        plan=tuple(draft(one) for one in given.milestones),
        message=given.message,
        expected_version=given.expected_version,
    )


@strawberry.input(description="Which revision is accepted.")
class AcceptContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    revision: int = strawberry.field(
        description="The revision that is meant; VERSION_CONFLICT if there is another by now."
    )
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@strawberry.type(description="The contract after it was accepted, and what to think of next.")
class AcceptContractPayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    payee_hint: str | None = optional(
        "For the freelancer: that the payment provider can't pay their account yet (`connectPayee`). It keeps nothing from "
        "happening. Null if there is nothing to think of, and for everybody else."
    )


async def _accepted(call: Call, outcome: ContractOutcome) -> AcceptContractPayload:
    freelancer = outcome.around.freelancer
    is_unpayable = outcome.around.terms.needs_payees and freelancer is not None and not freelancer.can_be_paid
    is_theirs = call.actor.account_id == outcome.contract.freelancer_id
    hint = "The payment provider can't pay your account yet: have an owner connect it (connectPayee)."
    return AcceptContractPayload(
        contract=contract_after(outcome), payee_hint=hint if is_unpayable and is_theirs else None
    )


@on_contract(
    "Agrees to the revision that is on the table. The contract is ACTIVE then, and its terms are frozen.",
    _accepted,
)
def accept_contract(given: AcceptContractInput) -> commands.Accept:
    return commands.Accept(contract_id=given.contract_id, revision=given.revision, message=given.message)


@strawberry.input(description="Which proposal is turned down.")
class DeclineContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Turns a proposal down, by the side whose turn it is.", contract_answer)
def decline_contract(given: DeclineContractInput) -> commands.Decline:
    return commands.Decline(contract_id=given.contract_id, message=given.message)


@strawberry.input(description="Which proposal is taken back.")
class WithdrawContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Takes a proposal back, by the side that wrote its latest revision.", contract_answer)
def withdraw_contract(given: WithdrawContractInput) -> commands.Withdraw:
    return commands.Withdraw(contract_id=given.contract_id, message=given.message)
