"""Mutations on external references: setting and removing an account's own names for contracts and milestones."""

from __future__ import annotations

import strawberry

from escrow import references
from escrow.access import Scope
from schema.engine.context import Context
from schema.engine.fields import optional
from schema.mutations.running import Call, Payload, mutation
from schema.types.contracts import Contract, contract_found
from schema.types.milestones import Milestone, milestone_found
from schema.types.references import ExternalReference


@strawberry.type(description="What was named, and its name after the mutation.")
class ExternalReferencePayload(Payload):
    contract: Contract | None = optional("The contract, for keys that may read; null if refused.")
    milestone: Milestone | None = optional("The milestone, if it was one, for keys that may read; null if refused.")
    external_reference: ExternalReference | None = optional(
        "What it is called in the system now; null if refused or removed."
    )


@strawberry.input(description="What a contract or a milestone is called elsewhere.")
class SetExternalReferenceInput:
    subject_id: strawberry.ID = strawberry.field(description="The contract or the milestone.")
    system: str = strawberry.field(description="Where it is called so: 1 to 50 of `a-z`, `0-9`, `.`, `_` and `-`.")
    external_id: str = strawberry.field(description="What it is called there, 1 to 255 characters.")
    url: str | None = optional("Where it is seen there, if that helps a person.")


@mutation(
    "Keeps what the account's own system calls a contract or a milestone, instead of what it was called there before. Only "
    "the account itself sees it; `byExternalId` finds it again. A name that stands for something else is INVALID_STATE."
)
async def set_external_reference(call: Call, given: SetExternalReferenceInput) -> ExternalReferencePayload:
    noted = await references.set_reference(
        given.subject_id,
        by=call.actor,
        system=given.system,
        external_id=given.external_id,
        url=given.url,
        idempotency=call.idempotency,
    )
    return await _payload(call, noted)


@strawberry.input(description="Which name is forgotten.")
class RemoveExternalReferenceInput:
    subject_id: strawberry.ID = strawberry.field(description="The contract or the milestone.")
    system: str = strawberry.field(description="The system whose name for it is forgotten.")


@mutation("Forgets what a system of the account calls a contract or a milestone. What has no name there is no error.")
async def remove_external_reference(call: Call, given: RemoveExternalReferenceInput) -> ExternalReferencePayload:
    noted = await references.remove_reference(
        given.subject_id, by=call.actor, system=given.system, idempotency=call.idempotency
    )
    return await _payload(call, noted)


async def _payload(call: Call, noted: references.Noted) -> ExternalReferencePayload:
    call.replayed = noted.replayed
    reference = ExternalReference.of(noted.reference) if noted.reference is not None else None
    contract, milestone = await _named(noted, call.context)
    return ExternalReferencePayload(contract=contract, milestone=milestone, external_reference=reference)


async def _named(noted: references.Noted, context: Context) -> tuple[Contract | None, Milestone | None]:
    if Scope.CONTRACTS_READ not in context.known().scopes:
        return None, None
    milestone = await milestone_found(noted.milestone_id, context) if noted.milestone_id is not None else None
    return await contract_found(noted.contract_id, context), milestone
