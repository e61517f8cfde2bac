"""The mutation that imports a plan from another system in one command."""

from __future__ import annotations

from datetime import date

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after_conflicts, optional
from schema.inputs import MoneyInput, raw_money_or_none
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.contracts import Contract
from schema.types.milestones import Milestone


@strawberry.type(description="The contract after the import, and the milestones of its rows.")
class ImportMilestonesPayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    milestones: list[Milestone] | None = optional(
        "The milestone of each row, in the order of the rows; null if refused."
    )


@strawberry.input(
    description=(
        "A milestone as the other system has it. For a name that is new there must be a title, a purpose, an amount and a due "
        "date; of a milestone that is known already, what is null stays as it is."
    )
)
class ImportRowInput:
    external_id: str = strawberry.field(description="What the system calls it, 1 to 255 characters.")
    url: str | None = optional("Where it is seen there.")
    title: str | None = optional("What it is called, 1 to 200 characters.")
    purpose: str | None = optional("What it is for, 1 to 2,000 characters.")
    amount: MoneyInput | None = optional("Its price, in the contract's currency.")
    due_on: date | None = optional("When it is due, a calendar date in the contract's time zone.")
    deliverables: list[str] | None = optional("What will be delivered, all of it, at most 20 short texts.")


@strawberry.input(description="Milestones as another system has them.")
class ImportMilestonesInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    system: str = strawberry.field(
        description="The system that the names are of: 1 to 50 of `a-z`, `0-9`, `.`, `_` and `-`."
    )
    rows: list[ImportRowInput] = strawberry.field(description="The milestones, 1 to 200.")
    message: str | None = optional(
        "Words to the freelancer, at most 5,000 characters. They come with the first change, if there is one."
    )
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


async def _answer(call: Call, outcome: ContractOutcome) -> ImportMilestonesPayload:
    contract = contract_after(outcome)
    found = [outcome.contract.milestone(milestone_id) for milestone_id in outcome.result["milestone_ids"].split()]
    milestones = [
        Milestone.of(one, contract_id=contract.id, currency=contract.currency) for one in found if one is not None
    ]
    return ImportMilestonesPayload(contract=contract, milestones=milestones)


@on_contract(
    "Adds and changes planned milestones of an active contract by what another system calls them, all or nothing. Names that "
    "are known change their milestones in their places, new ones add milestones at the end in the order of the rows. A row "
    "that says what is so already changes nothing, also of a milestone that is locked. Each row at fault has a user error, "
    "whose `details.row` counts from 0.",
    _answer,
)
def import_milestones(given: ImportMilestonesInput) -> commands.ImportMilestones:
    return commands.ImportMilestones(
        contract_id=given.contract_id,
        system=given.system,
        rows=tuple(_row(row) for row in given.rows),
        message=given.message,
        expected_version=given.expected_version,
    )


def _row(given: ImportRowInput) -> commands.ImportRow:
    return commands.ImportRow(
        milestone_id=ids.new(Kind.MILESTONE),
        external_id=given.external_id,
        url=given.url,
        title=given.title,
        purpose=given.purpose,
        amount=raw_money_or_none(given.amount),
        due_on=given.due_on,
        deliverables=tuple(given.deliverables) if given.deliverables is not None else None,
    )
