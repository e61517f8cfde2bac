"""Keeps orders to the payment provider, and folds the reports on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from escrow.agreement.state import Contract, Order
from escrow.states import OrderState
from escrow.values import replace


def with_order(state: Contract, order: Order) -> Contract:
    return replace(state, orders={**state.orders, order.id: order})


def order_becomes(to: OrderState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: Any, at: datetime) -> Contract:
        return with_order(state, replace(state.orders[event.order_id], state=to))

    return fold
