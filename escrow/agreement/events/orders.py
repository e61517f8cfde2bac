"""Facts about refunds and payouts of which nobody knows what became of them at the provider."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money
from escrow.states import OrderKind, OrderOutcome


class OrderStuck(Event):
    """Asking the provider doesn't tell what became of a refund or a payout, and asking it to pay again might pay twice: a
    person finds out, and the operator says so."""

    type: ClassVar = "order.stuck"
    order_id: str
    kind: OrderKind
    amount: Money
    explanation: OptionalText = None


class OrderResolved(Event):
    """The operator said what became of it. What follows from that is told by the events after this one."""

    type: ClassVar = "order.resolved"
    order_id: str
    outcome: OrderOutcome
    message: OptionalText = None
