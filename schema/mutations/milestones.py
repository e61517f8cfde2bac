"""Mutations on an active contract's plan: the client adds, edits, moves and removes milestones that are still planned."""

from __future__ import annotations

from datetime import date

import strawberry

from escrow.agreement import commands
from schema.engine.fields import optional
from schema.inputs import MilestoneInput, MoneyInput, draft, raw_money_or_none
from schema.mutations.payloads import milestone_answer
from schema.mutations.running import on_contract


@strawberry.input(description="A milestone to be added.")
class AddMilestoneInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    milestone: MilestoneInput = strawberry.field(description="The milestone.")
    position: int | None = optional("Its place in the plan, from 1, closed ones counted; null puts it at the end.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@on_contract("Adds a planned milestone to an active contract.", milestone_answer)
def add_milestone(given: AddMilestoneInput) -> commands.AddMilestone:
    return commands.AddMilestone(
        contract_id=given.contract_id,
        milestone=draft(given.milestone),
        position=given.position,
        message=given.message,
        expected_version=given.expected_version,
    )


@strawberry.input(description="What changes of a planned milestone. What is null stays as it is.")
class EditMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    title: str | None = optional("The new title, 1 to 200 characters.")
    purpose: str | None = optional("The new purpose, 1 to 2,000 characters.")
    amount: MoneyInput | None = optional("The new price.")
    due_on: date | None = optional("The new due date.")
    deliverables: list[str] | None = optional("The new deliverables, all of them.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@on_contract("Changes a planned milestone.", milestone_answer)
def edit_milestone(given: EditMilestoneInput) -> commands.EditMilestone:
    return commands.EditMilestone(
        milestone_id=given.milestone_id,
        title=given.title,
        purpose=given.purpose,
        amount=raw_money_or_none(given.amount),
        due_on=given.due_on,
        deliverables=tuple(given.deliverables) if given.deliverables is not None else None,
        message=given.message,
        expected_version=given.expected_version,
    )


@strawberry.input(description="Where a planned milestone goes.")
class MoveMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    position: int = strawberry.field(description="Its new place in the plan, from 1, closed ones counted.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@on_contract(
    "Gives a planned milestone another place in the order; the ones between move up or down by one.", milestone_answer
)
def move_milestone(given: MoveMilestoneInput) -> commands.MoveMilestone:
    return commands.MoveMilestone(
        milestone_id=given.milestone_id,
        position=given.position,
        message=given.message,
        expected_version=given.expected_version,
    )


@strawberry.input(description="Which planned milestone is taken out.")
class RemoveMilestoneInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    message: str | None = optional("Words to the freelancer, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


@on_contract("Takes a planned milestone out of the plan. It stays in its place as CANCELLED.", milestone_answer)
def remove_milestone(given: RemoveMilestoneInput) -> commands.RemoveMilestone:
    return commands.RemoveMilestone(
        milestone_id=given.milestone_id, message=given.message, expected_version=given.expected_version
    )
