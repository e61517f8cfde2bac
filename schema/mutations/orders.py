"""The mutation by which the operator says what became of an order that nobody could find out about."""

from __future__ import annotations

import strawberry

from escrow.agreement import commands
from escrow.pipeline import ContractOutcome
from escrow.states import OrderOutcome
from schema.engine.context import Info
from schema.engine.fields import after, optional, resolved
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.contracts import Contract
from schema.types.orders import PaymentOrder, order_of


@strawberry.type(description="The contract and the order after the mutation.")
class ResolveOrderPayload(Payload):
    contract: Contract | None = after("The contract")
    order_id: strawberry.ID | None = after("The order")

    @resolved("The order; null if the mutation was refused.")
    async def order(self, info: Info) -> PaymentOrder | None:
        return await order_of(self.order_id, info.context) if self.order_id is not None else None


async def _resolved(_: Call, outcome: ContractOutcome) -> ResolveOrderPayload:
    return ResolveOrderPayload(contract=contract_after(outcome), order_id=strawberry.ID(outcome.result["order_id"]))


@strawberry.input(description="What became of a refund or a payout.")
class ResolveOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The order, which waits for a person.")
    outcome: OrderOutcome = strawberry.field(description="What was found out, at the provider and at the bank.")
    message: str | None = optional("Words to both sides, at most 5,000 characters.")


@on_contract(
    "Says what became of a refund or a payout that waits for a person. PAID: it is booked as paid. NEVER_HAPPENED: a payout's "
    "sum is payable again, and a refund is tried anew, so be sure. For the operator.",
    _resolved,
)
def resolve_order(given: ResolveOrderInput) -> commands.ResolveOrder:
    return commands.ResolveOrder(order_id=given.order_id, outcome=given.outcome, message=given.message)
