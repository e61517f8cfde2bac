"""Decides on what the provider reports of refunds and payouts."""

from __future__ import annotations

from typing import Final

from escrow.access import Side
from escrow.agreement import events, inputs
from escrow.agreement.commands import ConfirmOrder, FailOrder
from escrow.agreement.history import Decisions, History
from escrow.agreement.postings import payable_to
from escrow.agreement.state import Order
from escrow.errors import InvalidInput, NotFound
from escrow.money import Money
from escrow.states import OrderKind, OrderState


def confirm_order(history: History, command: ConfirmOrder) -> None:
    """`refund.paid` or `payout.paid`, once, also after a failure had been reported."""
    order = _order(history, command.order_id)
    if order.state not in (OrderState.STARTED, OrderState.FAILED):
        return
    after_failure = order.state is OrderState.FAILED
    event = (events.RefundPaid if order.kind is OrderKind.REFUND else events.PayoutPaid)(
        order_id=order.id,
        amount=order.amount,
        after_failure=after_failure,
        shortfall=_shortfall(history, order) if after_failure else Money(0, order.amount.currency),
    )
    history.add(event)


def _shortfall(history: History, order: Order) -> Money:
    """What the payable no longer covers of an order that succeeded after all: docs/law.md, section 6."""
    side = Side.CLIENT if order.kind is OrderKind.REFUND else Side.FREELANCER
    payable = history.state.balances.get((payable_to(history.contract_id, side), order.amount.currency), 0)
    return Money(max(0, order.amount.minor - payable), order.amount.currency)


def fail_order(history: History, command: FailOrder) -> None:
    """`refund.failed` or `payout.failed`, once; the sum is payable again."""
    order = _order(history, command.order_id)
    if order.state is OrderState.STARTED:
        event = (events.RefundFailed if order.kind is OrderKind.REFUND else events.PayoutFailed)(
            order_id=order.id, amount=order.amount, explanation=inputs.explanation(command.reason)
        )
        history.add(event)


def _order(history: History, order_id: str) -> Order:
    order = history.state.orders.get(order_id)
    if order is None:
        raise NotFound(f"There is no order {order_id}.", field="orderId")
    if order.kind is OrderKind.DEPOSIT:
        raise InvalidInput("A deposit is reported by its own command.", field="orderId")
    return order


DECISIONS: Final[Decisions] = {
    ConfirmOrder: confirm_order,
    FailOrder: fail_order,
}
