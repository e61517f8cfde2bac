"""Reads orders to the payment provider, for those who handle the money of their contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.database import Record, filled
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.views import Objects
from escrow.queries.visibility import SEEN, viewer
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
    is_stuck: bool
    created_at: datetime


def _order(row: Record) -> OrderView:
    return filled(
        OrderView,
        row,
        kind=OrderKind(row["kind"]),
        state=OrderState(row["state"]),
        amount=Money(row["amount_minor"], row["currency"]),
    )


ORDERS: Final = Objects(
    select="""SELECT one.id, one.contract_id, one.kind, one.state, one.amount_minor, one.currency, one.deposit_id,
        one.is_stuck, one.created_at FROM payment_orders one""",
    read=_order,
    kind=Kind.ORDER,
    is_money=True,
)


async def stuck_page(actor: Actor, *, limit: int, after: str | None) -> list[OrderView]:
    """At most `limit` orders of all contracts whose money the actor may see that wait for a person, oldest first, those after
    the id `after`."""
    bound = _STUCK.bind(limit=limit, after=after or "", **viewer(actor, money=True))
    return [_order(row) for row in await database.fetch(*bound)]


_STUCK: Final = database.Statement(f"""
    SELECT found.* FROM ({ORDERS.select} WHERE one.is_stuck AND one.id > :after) found
    LEFT JOIN contracts c ON c.id = found.contract_id WHERE {SEEN} ORDER BY found.id LIMIT :limit
    """)  # noqa: S608 - our own columns


async def stuck_count() -> int:
    """How many orders wait for a person, counted up to 10,000."""
    found: int = await database.fetch_value(
        "SELECT count(*) FROM (SELECT FROM payment_orders WHERE is_stuck LIMIT 10000) AS few"
    )
    return found
