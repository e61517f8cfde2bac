"""Folds events about payouts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.orders import order_becomes, with_order
from escrow.agreement.state import Contract, Order
from escrow.states import OrderKind, OrderState
from escrow.values import replace


def _payout_started(state: Contract, event: events.PayoutStarted, at: datetime) -> Contract:
    return with_order(state, Order(event.order_id, OrderKind.PAYOUT, OrderState.STARTED, event.amount))


def _payouts_changed(state: Contract, event: events.PayoutsChanged, at: datetime) -> Contract:
    return replace(state, payouts_are_automatic=event.automatic)


FOLDS: Final[Folds] = {
    events.PayoutStarted: _payout_started,
    events.PayoutPaid: order_becomes(OrderState.PAID),
    events.PayoutFailed: order_becomes(OrderState.FAILED),
    events.PayoutsChanged: _payouts_changed,
}
