"""The mutation by which the operator says how a reversed deposit ended."""

from __future__ import annotations

import strawberry

from escrow.agreement import commands
from escrow.pipeline import ContractOutcome
from escrow.states import ReversalOutcome
from schema.engine.context import Info
from schema.engine.fields import after, optional, resolved
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.contracts import Contract
from schema.types.deposits import Deposit, deposit_of


@strawberry.type(description="The contract and the deposit after the mutation.")
class ResolveReversalPayload(Payload):
    contract: Contract | None = after("The contract")
    deposit_id: strawberry.ID | None = after("The deposit")

    @resolved("The deposit; null if the mutation was refused.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None


async def _resolved(_: Call, outcome: ContractOutcome) -> ResolveReversalPayload:
    return ResolveReversalPayload(
        contract=contract_after(outcome), deposit_id=strawberry.ID(outcome.result["deposit_id"])
    )


@strawberry.input(description="How the argument about a reversed deposit ended.")
class ResolveReversalInput:
    deposit_id: strawberry.ID = strawberry.field(description="The deposit, which the payment provider took back.")
    outcome: ReversalOutcome = strawberry.field(description="Who has the money now.")
    message: str | None = optional("Words to both sides, at most 5,000 characters.")


@on_contract(
    "Says how the argument about a reversed deposit ended. WON: the milestones go on, each clock with at least 48 hours. LOST: "
    "what they held of it is gone, what else they held goes back to the client. For the operator.",
    _resolved,
)
def resolve_reversal(given: ResolveReversalInput) -> commands.ResolveReversal:
    return commands.ResolveReversal(deposit_id=given.deposit_id, outcome=given.outcome, message=given.message)
