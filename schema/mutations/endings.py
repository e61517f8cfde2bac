"""Mutations that end a contract early, and take that back."""

from __future__ import annotations

import strawberry

from escrow.agreement import commands
from schema.engine.fields import optional
from schema.inputs import MoneyInput, raw_money_or_none
from schema.mutations.payloads import contract_answer
from schema.mutations.running import on_contract


@strawberry.input(description="Which contract is ended.")
class EndContractInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract, which is ACTIVE.")
    giving_up: MoneyInput | None = strawberry.field(
        default=None,
        description=(
            "The freelancer names what is held for all milestones together, without fees, and gives it up; another sum is "
            "VERSION_CONFLICT. Null for the client, and where nothing is held."
        ),
    )
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract(
    "Ends a contract early. The client's ending asks back what is held, milestone by milestone, and the contract ends when "
    "nothing is held any more. The freelancer's gives everything back and ends it at once.",
    contract_answer,
)
def end_contract(given: EndContractInput) -> commands.End:
    return commands.End(
        contract_id=given.contract_id, giving_up=raw_money_or_none(given.giving_up), message=given.message
    )


@strawberry.input(description="Which ending is taken back.")
class WithdrawEndInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract, which its client is ending.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")


@on_contract(
    "Takes the client's ending back, until money of the contract's escrow went to the client since it began. The refund "
    "requests that it made are withdrawn.",
    contract_answer,
)
def withdraw_end(given: WithdrawEndInput) -> commands.WithdrawEnd:
    return commands.WithdrawEnd(contract_id=given.contract_id, message=given.message)
