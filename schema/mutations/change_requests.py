"""Mutations on change requests: filing, accepting, declining and withdrawing them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.errors import InvalidInput
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after, after_conflicts, optional
from schema.inputs import MilestoneInput, MoneyInput, draft, raw_money_or_none
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.change_requests import ChangeRequest, change_request_of
from schema.types.contracts import Contract


@strawberry.type(description="The contract and the change request after the mutation.")
class ChangeRequestPayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    change_request: ChangeRequest | None = after("The change request")


async def _answer(call: Call, outcome: ContractOutcome) -> ChangeRequestPayload:
    identifier = outcome.result["change_request_id"]
    found = outcome.contract.change_requests.get(identifier)
    shown = (
        ChangeRequest.of(found, contract_id=outcome.contract.id, currency=outcome.contract.currency)
        if found is not None
        # A repetition of the filing finds the request of the first call only in the database.
        else await change_request_of(identifier, call.context)
    )
    return ChangeRequestPayload(contract=contract_after(outcome), change_request=shown)


@strawberry.input(description="A new milestone.")
class AddChangeInput:
    milestone: MilestoneInput = strawberry.field(description="The milestone.")
    position: int | None = optional("Its place in the plan, from 1, closed ones counted; null puts it at the end.")


@strawberry.input(description="Changes of a planned milestone. What is null stays as it is.")
class EditChangeInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is PLANNED.")
    title: str | None = optional("The new title, 1 to 200 characters.")
    purpose: str | None = optional("The new purpose, 1 to 2,000 characters.")
    amount: MoneyInput | None = optional("The new price.")
    due_on: date | None = optional("The new due date.")
    deliverables: list[str] | None = optional("The new deliverables, all of them.")


@strawberry.input(description="A planned milestone that is taken out.")
class RemoveChangeInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is PLANNED.")


@strawberry.input(description="Another place for a planned milestone.")
class MoveChangeInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which is PLANNED.")
    position: int = strawberry.field(description="Its new place in the plan, from 1, closed ones counted.")


@strawberry.input(
    description="Another due date or other deliverables for a milestone that holds money; never another amount."
)
class AmendChangeInput:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone, which holds money.")
    due_on: date | None = optional("The new due date.")
    deliverables: list[str] | None = optional("The new deliverables, all of them.")


@strawberry.input(one_of=True, description="One operation on the plan: exactly one of these.")
class ChangeInput:
    add: AddChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="Adds a milestone. Only the freelancer asks for it: the client does it."
    )
    edit: EditChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="Changes a planned milestone. Only the freelancer asks for it."
    )
    remove: RemoveChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="Removes a planned milestone. Only the freelancer asks for it."
    )
    move: MoveChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="Moves a planned milestone. Only the freelancer asks for it."
    )
    amend: AmendChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="Amends a milestone that holds money. Either side may ask for it."
    )


@strawberry.input(description="Changes of the plan that the other side is asked to accept.")
class FileChangeRequestInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract, which is ACTIVE.")
    changes: list[ChangeInput] = strawberry.field(
        description="What should change, in this order, 1 to 50 operations: all are carried out, or none."
    )
    message: str = strawberry.field(description="Why, 1 to 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that it is based on; VERSION_CONFLICT if it moved on since."
    )


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values is not None else None


def _change(given: Any) -> commands.RequestedChange:
    """The operation that was given, as the domain has it."""
    match given:
        case AddChangeInput():
            return commands.AddChange(milestone=draft(given.milestone), position=given.position)
        case EditChangeInput():
            return commands.EditChange(
                milestone_id=given.milestone_id,
                title=given.title,
                purpose=given.purpose,
                amount=raw_money_or_none(given.amount),
                due_on=given.due_on,
                deliverables=_tuple(given.deliverables),
            )
        case RemoveChangeInput():
            return commands.RemoveChange(milestone_id=given.milestone_id)
        case MoveChangeInput():
            return commands.MoveChange(milestone_id=given.milestone_id, position=given.position)
        case AmendChangeInput():
            return commands.AmendChange(
                milestone_id=given.milestone_id, due_on=given.due_on, deliverables=_tuple(given.deliverables)
            )
    raise InvalidInput("Give one of add, edit, remove, move or amend.", field="changes")


_KINDS: Final = ("add", "edit", "remove", "move", "amend")


def _given(operation: ChangeInput) -> object:
    """The one member that is set; validation has seen to it that it is one."""
    members = (getattr(operation, kind) for kind in _KINDS)
    return next((one for one in members if one is not strawberry.UNSET and one is not None), None)


@on_contract(
    "Asks the other side to accept changes of the plan. The client edits planned milestones directly, so it asks only to amend "
    "ones that hold money. Requests do not expire and stop no clock.",
    _answer,
)
def file_change_request(given: FileChangeRequestInput) -> commands.FileChangeRequest:
    return commands.FileChangeRequest(
        contract_id=given.contract_id,
        change_request_id=ids.new(Kind.CHANGE_REQUEST),
        changes=tuple(_change(_given(one)) for one in given.changes),
        message=given.message,
        expected_version=given.expected_version,
    )


@strawberry.input(description="Which change request is accepted.")
class AcceptChangeRequestInput:
    change_request_id: strawberry.ID = strawberry.field(description="The change request, which is OPEN.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")
    expected_version: int | None = optional(
        "The `planVersion` that was looked at; VERSION_CONFLICT if it moved on since."
    )


@on_contract(
    "Carries all operations of a change request out. If one no longer fits the plan, none is: STALE_CHANGE_REQUEST says which "
    "and why, and the request is STALE from then on.",
    _answer,
)
def accept_change_request(given: AcceptChangeRequestInput) -> commands.AcceptChangeRequest:
    return commands.AcceptChangeRequest(
        change_request_id=given.change_request_id, message=given.message, expected_version=given.expected_version
    )


@strawberry.input(description="Which change request is declined.")
class DeclineChangeRequestInput:
    change_request_id: strawberry.ID = strawberry.field(description="The change request, which is OPEN.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Declines a change request. The plan stays as it is.", _answer)
def decline_change_request(given: DeclineChangeRequestInput) -> commands.DeclineChangeRequest:
    return commands.DeclineChangeRequest(change_request_id=given.change_request_id, message=given.message)


@strawberry.input(description="Which change request is taken back.")
class WithdrawChangeRequestInput:
    change_request_id: strawberry.ID = strawberry.field(description="The change request, which is OPEN.")
    message: str | None = optional("Words to the other side, at most 5,000 characters.")


@on_contract("Takes a change request back, by the side that filed it.", _answer)
def withdraw_change_request(given: WithdrawChangeRequestInput) -> commands.WithdrawChangeRequest:
    return commands.WithdrawChangeRequest(change_request_id=given.change_request_id, message=given.message)
