"""The type of orders to the payment provider, as far as parties may see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.queries import orders
from escrow.states import OrderKind, OrderState
from schema.connections import Connection, Window
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Money, Node, as_id, money_of
from schema.types.paging import pages_of


@strawberry.type(description="An order to the payment provider, carried out once.")
class PaymentOrder(Node):
    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    kind: OrderKind = strawberry.field(description="What the provider is asked to do.")
    state: OrderState = strawberry.field(description="What is known of it.")
    amount: Money = strawberry.field(description="How much.")
    deposit_id: strawberry.ID | None = strawberry.field(
        description="The deposit that it takes or sends back, if it is one's."
    )
    created_at: datetime = strawberry.field(description="When it was written, in real time.")

    @classmethod
    def of(cls, view: orders.OrderView) -> PaymentOrder:
        return cls(
            id=strawberry.ID(view.id),
            contract_id=strawberry.ID(view.contract_id),
            kind=view.kind,
            state=view.state,
            amount=money_of(view.amount.minor, view.amount.currency),
            deposit_id=as_id(view.deposit_id),
            created_at=view.created_at,
        )


@data_loader
async def order_of(order_ids: Sequence[str], context: Context) -> list[PaymentOrder | None]:
    """Orders by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await orders.ORDERS.by_id(context.known(), order_ids)
    return [PaymentOrder.of(found[order_id]) if order_id in found else None for order_id in order_ids]


@data_loader
async def orders_of(contract_ids: Sequence[str], _: Context, window: Window) -> list[Connection[PaymentOrder]]:
    """A page of the orders of each contract: one statement for all that are asked for."""
    return await pages_of(
        orders.ORDERS, PaymentOrder.of, contract_ids, "contract_id", order="orders_pages", window=window
    )
