"""Reads orders to the payment provider, for those who handle the money of their contract."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database
from escrow.access import Actor, ActorKind
from escrow.database import Record, filled
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries import counts
from escrow.queries.counts import Counted
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


async def stuck_page(actor: Actor, *, limit: int, after: str | None, backwards: bool = False) -> list[OrderView]:
    """At most `limit` orders of all contracts whose money the actor may see that wait for a person, oldest first, those after
    the id `after`.

    `backwards` turns the order round: the newest first, those before the id.
    """
    return [_order(row) for row in await database.fetch(*_stuck(actor, limit=limit, after=after, backwards=backwards))]


async def stuck_counted(actor: Actor) -> Counted:
    """How many orders such a list has; one statement."""
    return await counts.counted(*_stuck(actor, limit=counts.COUNTED_MAX + 1, after=None, backwards=False))


def _stuck(actor: Actor, *, limit: int, after: str | None, backwards: bool) -> tuple[str, *tuple[object, ...]]:
    """The statement of a list of stuck orders, and its arguments."""
    statement, first = (_STUCK_BACKWARDS, "~") if backwards else (_STUCK, "")
    return statement.bind(limit=limit, after=after or first, **viewer(actor, money=True))


def _stuck_statement(further: str, direction: str) -> database.Statement:
    return database.Statement(f"""
        SELECT found.* FROM ({ORDERS.select} WHERE one.is_stuck AND one.id {further} :after) found
        LEFT JOIN contracts c ON c.id = found.contract_id WHERE {SEEN} ORDER BY found.id {direction} LIMIT :limit
        """)  # noqa: S608 - our own columns


_STUCK: Final = _stuck_statement(">", "ASC")
_STUCK_BACKWARDS: Final = _stuck_statement("<", "DESC")


async def explanations(actor: Actor, order_ids: Collection[str]) -> dict[str, str]:
    """What the provider said last of those of the orders whose money is the actor's, by order; of all for the operator.

    A bank's words are about whose account it is, and the other side of the contract has no business with them: of what the client
    pays and gets back they are the client's, of payouts the freelancer's.
    """
    is_operator = actor.kind is ActorKind.OPERATOR
    rows = await database.fetch(_EXPLANATIONS, list(order_ids), actor.account_id, is_operator)
    return {row["id"]: row["explanation"] for row in rows}


_EXPLANATIONS: Final = """
    SELECT one.id, one.explanation FROM payment_orders AS one JOIN contracts AS c ON c.id = one.contract_id
    WHERE one.id = ANY ($1::text[]) AND one.explanation IS NOT NULL
    AND ($3 OR $2 = CASE one.kind WHEN 'PAYOUT' THEN c.freelancer_id ELSE c.client_id END)
"""


async def stuck_count() -> int:
    """How many orders wait for a person, counted up to 10,000."""
    found: int = await database.fetch_value(
        "SELECT count(*) FROM (SELECT FROM payment_orders WHERE is_stuck LIMIT 10000) AS few"
    )
    return found
