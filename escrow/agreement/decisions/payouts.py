"""Money on its way out: payouts, asked for or by themselves, and what the provider reports of payouts and refunds."""

from __future__ import annotations

from typing import Final

from escrow.access import Side
from escrow.agreement import inputs
from escrow.agreement.commands import ConfirmOrder, FailOrder, RequestPayout, SetPayouts
from escrow.agreement.events import (
    BonusPaid,
    MilestonePartlyReleased,
    MilestoneReleased,
    MilestoneSettled,
    PayoutFailed,
    PayoutPaid,
    PayoutsChanged,
    PayoutStarted,
    RefundFailed,
    RefundPaid,
)
from escrow.agreement.history import Desk, History
from escrow.agreement.permit import last_refusal
from escrow.agreement.postings import payable_to
from escrow.agreement.state import Order
from escrow.errors import InsufficientFunds, InvalidInput, NotFound
from escrow.ids import Kind
from escrow.lifecycle import OrderKind, OrderState
from escrow.money import Money, exact


def request_payout(history: History, command: RequestPayout, desk: Desk) -> None:
    """``payout.started`` with all that is payable to the freelancer, or with the part that was named."""
    state = history.state
    payable = state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0)
    amount = state.money(payable)
    if command.amount is not None:
        amount = exact(command.amount, currency=state.currency, field="amount")
    if refusal := last_refusal(state, command.action, None):
        raise refusal
    if amount.minor > payable:
        raise InsufficientFunds(
            f"{state.money(payable)} is payable, not {amount}.",
            field="amount",
            details={"payable": state.money(payable).wire()},
        )
    history.add(PayoutStarted(order_id=command.order_id, amount=amount), at=desk.now, by=desk.actor)


def set_payouts(history: History, command: SetPayouts, desk: Desk) -> None:
    """``payouts.changed``; asking for what already is changes nothing. What is payable now goes out with it."""
    if command.automatic != history.state.payouts_are_automatic:
        history.add(PayoutsChanged(automatic=command.automatic), at=desk.now, by=desk.actor)


def pay_out_by_itself(history: History, desk: Desk) -> None:
    """``payout.started`` with all that is payable, if the freelancer has it so and was just paid something.

    A payout that failed is not started anew by its failure: it would be tried for ever.
    """
    state = history.state
    payable = state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0)
    if state.payouts_are_automatic and payable > 0 and _was_just_paid(history):
        event = PayoutStarted(order_id=desk.fresh(Kind.ORDER), amount=state.money(payable))
        history.add(event, at=desk.now, by=desk.actor)


def _was_just_paid(history: History) -> bool:
    for recorded in reversed(history.recorded):
        if isinstance(recorded.event, PayoutStarted):
            return False
        if isinstance(recorded.event, _PAYING):
            return True
    return False


_PAYING: Final = (MilestoneReleased, MilestonePartlyReleased, MilestoneSettled, BonusPaid, PayoutsChanged)
"""What makes a payout start by itself."""


def confirm_order(history: History, command: ConfirmOrder, desk: Desk) -> None:
    """``refund.paid`` or ``payout.paid``, once, also after a failure had been reported."""
    order = _order(history, command.order_id)
    if order.state not in (OrderState.STARTED, OrderState.FAILED):
        return
    after_failure = order.state is OrderState.FAILED
    event = (RefundPaid if order.kind is OrderKind.REFUND else PayoutPaid)(
        order_id=order.id,
        amount=order.amount,
        after_failure=after_failure,
        shortfall=_shortfall(history, order) if after_failure else Money(0, order.amount.currency),
    )
    history.add(event, at=desk.now, by=desk.actor)


def _shortfall(history: History, order: Order) -> Money:
    """What the payable no longer covers of an order that succeeded after all (section 6)."""
    side = Side.CLIENT if order.kind is OrderKind.REFUND else Side.FREELANCER
    payable = history.state.balances.get((payable_to(history.contract_id, side), order.amount.currency), 0)
    return Money(max(0, order.amount.minor - payable), order.amount.currency)


def fail_order(history: History, command: FailOrder, desk: Desk) -> None:
    """``refund.failed`` or ``payout.failed``, once; the sum is payable again."""
    order = _order(history, command.order_id)
    if order.state is OrderState.STARTED:
        event = (RefundFailed if order.kind is OrderKind.REFUND else PayoutFailed)(
            order_id=order.id, amount=order.amount, explanation=inputs.explanation(command.reason)
        )
        history.add(event, at=desk.now, by=desk.actor)


def _order(history: History, order_id: str) -> Order:
    order = history.state.orders.get(order_id)
    if order is None:
        raise NotFound(f"There is no order {order_id}.", field="orderId")
    if order.kind is OrderKind.DEPOSIT:
        raise InvalidInput("A deposit is reported by its own command.", field="orderId")
    return order
