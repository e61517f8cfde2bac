"""Reads orders to the payment provider, for those who handle the money of their contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.database import Record, filled
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.views import Objects
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


def _order(row: Record) -> OrderView:
    return filled(
        OrderView,
        row,
        kind=OrderKind(row["kind"]),
        state=OrderState(row["state"]),
        amount=Money(row["amount_minor"], row["currency"]),
    )


ORDERS: Final = Objects(
    select="""SELECT one.id, one.contract_id, one.kind, one.state, one.amount_minor, one.currency, one.deposit_id, one.created_at
        FROM payment_orders one""",
    read=_order,
    kind=Kind.ORDER,
    is_money=True,
)
