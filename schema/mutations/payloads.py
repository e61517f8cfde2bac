"""Defines the payloads that several mutations on contracts share, and makes them from a command's outcome."""

from __future__ import annotations

import strawberry

from escrow.pipeline import ContractOutcome
from schema.engine.fields import after_conflicts
from schema.mutations.running import Call, Payload, contract_after, milestone_after
from schema.types.contracts import Contract
from schema.types.milestones import Milestone


@strawberry.type(description="The contract after the mutation.")
class ContractPayload(Payload):
    contract: Contract | None = after_conflicts("The contract")


async def contract_answer(_: Call, outcome: ContractOutcome) -> ContractPayload:
    """The contract as the command left it."""
    return ContractPayload(contract=contract_after(outcome))


@strawberry.type(description="The contract and the milestone after the mutation.")
class MilestonePayload(Payload):
    contract: Contract | None = after_conflicts("The contract")
    milestone: Milestone | None = after_conflicts("The milestone")


async def milestone_answer(_: Call, outcome: ContractOutcome) -> MilestonePayload:
    """The contract and the milestone as the command left them."""
    return MilestonePayload(contract=contract_after(outcome), milestone=milestone_after(outcome))
