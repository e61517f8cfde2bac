"""Orders to the payment provider as an actor may see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.money_views import by_id, pages_of
from escrow.states import OrderKind, OrderState


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order to the payment provider, as far as parties are concerned."""

    id: str
    contract_id: str
    kind: OrderKind
    state: OrderState
    amount: Money
    deposit_id: str | None
    created_at: datetime


_ORDERS: Final = """
SELECT o.id, o.contract_id, o.kind, o.state, o.amount_minor, o.currency, o.deposit_id, o.created_at, o.contract_id AS owner_id
FROM payment_orders o"""


async def orders_pages(contract_ids: Collection[str], *, limit: int, after: str | None) -> dict[str, list[OrderView]]:
    """For each contract at most `limit` orders in order of their making, those after the id `after`; one statement."""
    scan = f"{_ORDERS} WHERE o.contract_id = asked.id AND o.id > $3 ORDER BY o.id"
    return await pages_of(scan, _order, contract_ids, limit, after or "")


async def orders_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, OrderView]:
    """Those of the orders that exist and that the actor may see, by identifier; one statement."""
    return await by_id(actor, identifiers, Kind.ORDER, _ORDERS, "o", _order)


def _order(row: Record) -> OrderView:
    return OrderView(
        id=row["id"],
        contract_id=row["contract_id"],
        kind=OrderKind(row["kind"]),
        state=OrderState(row["state"]),
        amount=Money(row["amount_minor"], row["currency"]),
        deposit_id=row["deposit_id"],
        created_at=row["created_at"],
    )
