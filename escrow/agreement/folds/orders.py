"""Keeps orders to the payment provider, and folds the reports on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.state import Contract, Order
from escrow.states import OrderState
from escrow.values import replace


def with_order(state: Contract, order: Order) -> Contract:
    return replace(state, orders={**state.orders, order.id: order})


def order_becomes(to: OrderState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: Any, at: datetime) -> Contract:
        return with_order(state, replace(state.orders[event.order_id], state=to, is_stuck=False))

    return fold


def _stuck(state: Contract, event: events.OrderStuck, at: datetime) -> Contract:
    return with_order(state, replace(state.orders[event.order_id], is_stuck=True))


def _resolved(state: Contract, event: events.OrderResolved, at: datetime) -> Contract:
    return with_order(state, replace(state.orders[event.order_id], is_stuck=False))


FOLDS: Final[Folds] = {
    events.OrderStuck: _stuck,
    events.OrderResolved: _resolved,
}
