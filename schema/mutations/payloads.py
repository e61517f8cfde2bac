"""Defines the payloads that several mutations on contracts share, and makes them from a command's outcome."""

from __future__ import annotations

import strawberry

from escrow.pipeline import Outcome
from schema.mutations.running import Call, Payload, contract_after, milestone_after
from schema.types.contracts import Contract
from schema.types.milestones import Milestone


@strawberry.type(description="The contract after the mutation.")
class ContractPayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None,
        description="The contract; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )


async def contract_answer(_: Call, outcome: Outcome) -> ContractPayload:
    """The contract as the command left it."""
    return ContractPayload(contract=contract_after(outcome))


@strawberry.type(description="The contract and the milestone after the mutation.")
class MilestonePayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None,
        description="The contract; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )
    milestone: Milestone | None = strawberry.field(
        default=None,
        description="The milestone; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.",
    )


async def milestone_answer(_: Call, outcome: Outcome) -> MilestonePayload:
    """The contract and the milestone as the command left them."""
    return MilestonePayload(contract=contract_after(outcome), milestone=milestone_after(outcome))
