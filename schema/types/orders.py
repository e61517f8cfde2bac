"""The type of orders to the payment provider, as far as parties may see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import Scope
from escrow.agreement import state as domain
from escrow.queries import orders
from escrow.rules import Subject
from escrow.states import OrderKind, OrderState
from schema.connections import Connection, Window, once, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.scalars import print_cursor
from schema.types.common import Money, Node, as_id, money_of
from schema.types.paging import pages_of, place_of
from schema.types.standing import AllowedAction, standing_of


@strawberry.type(description="An order to the payment provider, carried out once.")
class PaymentOrder(Node):
    whole: strawberry.Private[domain.Order]
    """As the domain knows it."""

    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    kind: OrderKind = strawberry.field(description="What the provider is asked to do.")
    state: OrderState = strawberry.field(description="What is known of it.")
    amount: Money = strawberry.field(description="How much.")
    deposit_id: strawberry.ID | None = strawberry.field(
        description="The deposit that it takes or sends back, if it is one's."
    )
    is_stuck: bool = strawberry.field(
        description="Whether nobody knows what became of it, so that it waits for a person: the operator resolves it."
    )
    created_at: datetime = strawberry.field(description="When it was written, in real time.")

    @read(
        "What the payment provider said of it last: why it failed, or what it waits for. Null if it said nothing, and for "
        "everybody but the side whose bank it is about (the client of a deposit or a refund, the freelancer of a payout) and the "
        "operator."
    )
    async def explanation(self, info: Info) -> str | None:
        return await explanation_of(self.id, info.context)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.ORDER, self.whole)

    @classmethod
    def of(cls, view: orders.OrderView) -> PaymentOrder:
        whole = domain.Order(view.id, view.kind, view.state, view.amount, view.deposit_id, is_stuck=view.is_stuck)
        return cls(
            whole=whole,
            id=strawberry.ID(view.id),
            contract_id=strawberry.ID(view.contract_id),
            kind=view.kind,
            state=view.state,
            amount=money_of(view.amount.minor, view.amount.currency),
            deposit_id=as_id(view.deposit_id),
            is_stuck=view.is_stuck,
            created_at=view.created_at,
        )


@data_loader
async def order_of(order_ids: Sequence[str], context: Context) -> list[PaymentOrder | None]:
    """Orders by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await orders.ORDERS.by_id(context.known(), order_ids)
    return [PaymentOrder.of(found[order_id]) if order_id in found else None for order_id in order_ids]


@data_loader
async def explanation_of(order_ids: Sequence[str], context: Context) -> list[str | None]:
    """What the viewer may read of the provider's words on each order: one statement for all that are asked for."""
    found = await orders.explanations(context.known(), order_ids)
    return [found.get(order_id) for order_id in order_ids]


@data_loader
async def orders_of(contract_ids: Sequence[str], _: Context, window: Window) -> list[Connection[PaymentOrder]]:
    """A page of the orders of each contract: one statement for all that are asked for."""
    return await pages_of(
        orders.ORDERS, PaymentOrder.of, contract_ids, "contract_id", order="orders_pages", window=window
    )


async def stuck_orders_list(context: Context, window: Window) -> Connection[PaymentOrder]:
    """A page of the orders that wait for a person, of all contracts that the viewer may see."""
    actor = context.reader(Scope.CONTRACTS_READ)
    found = await orders.stuck_page(
        actor, limit=window.size + 1, after=place_of(window.place, "stuck_orders"), backwards=window.backwards
    )
    shown = [(PaymentOrder.of(view), print_cursor("stuck_orders", view.id)) for view in found]
    return windowed(shown, window, once(lambda: orders.stuck_counted(actor)))
