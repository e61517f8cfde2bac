"""Decides on what the provider reports of refunds and payouts, and on what the operator says where it can't tell."""

from __future__ import annotations

from typing import Final

from escrow.access import Side
from escrow.agreement import events, inputs
from escrow.agreement.commands import ConfirmOrder, FailOrder, MarkStuck, OvertakeRefund, ResolveOrder
from escrow.agreement.decisions.deposits import deposit_of
from escrow.agreement.history import Decisions, History
from escrow.agreement.postings import payable_to
from escrow.agreement.state import Order
from escrow.errors import InvalidInput, NotFound
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import OrderKind, OrderOutcome, OrderState, ReversalState


def confirm_order(history: History, command: ConfirmOrder) -> None:
    """`refund.paid` or `payout.paid`, once, also after a failure had been reported."""
    order = _order(history, command.order_id)
    if order.state is not OrderState.PAID:
        _pay(history, order)
    elif order.is_stuck:
        history.add(events.OrderResolved(order_id=order.id, outcome=OrderOutcome.PAID))


def _pay(history: History, order: Order) -> None:
    after_failure = order.state is not OrderState.STARTED
    event = (events.RefundPaid if order.kind is OrderKind.REFUND else events.PayoutPaid)(
        order_id=order.id,
        amount=order.amount,
        after_failure=after_failure,
        shortfall=_shortfall(history, order) if after_failure else Money(0, order.amount.currency),
    )
    history.add(event)


def _shortfall(history: History, order: Order) -> Money:
    """What the payable no longer covers of an order that succeeded after all: docs/law.md, section 6. All of what was overtaken:
    it is payable no more."""
    if order.state is OrderState.ABANDONED:
        return order.amount
    side = Side.CLIENT if order.kind is OrderKind.REFUND else Side.FREELANCER
    payable = history.state.balances.get((payable_to(history.contract_id, side), order.amount.currency), 0)
    return Money(max(0, order.amount.minor - payable), order.amount.currency)


def fail_order(history: History, command: FailOrder) -> None:
    """`refund.failed` or `payout.failed`, once, also after it was reported as paid: the money came back. It is payable again."""
    order = _order(history, command.order_id)
    if command.expected not in (None, order.state):
        return
    if order.state in (OrderState.STARTED, OrderState.PAID):
        _fail(history, order, explanation=inputs.explanation(command.reason))
    elif order.is_stuck:
        history.add(events.OrderResolved(order_id=order.id, outcome=OrderOutcome.NEVER_HAPPENED))


def _fail(history: History, order: Order, *, explanation: str | None) -> None:
    event = (events.RefundFailed if order.kind is OrderKind.REFUND else events.PayoutFailed)(
        order_id=order.id,
        amount=order.amount,
        explanation=explanation,
        after_payment=True if order.state is OrderState.PAID else None,
    )
    history.add(event)


def mark_stuck(history: History, command: MarkStuck) -> None:
    """`order.stuck`, once: nobody calls the provider for it again before the operator has said what became of it."""
    order = _order(history, command.order_id)
    if not order.is_stuck:
        event = events.OrderStuck(
            order_id=order.id, kind=order.kind, amount=order.amount, explanation=inputs.explanation(command.reason)
        )
        history.add(event)


def resolve_order(history: History, command: ResolveOrder) -> None:
    """`order.resolved` and what follows: it was paid, or never happened; then a refund is tried anew, a payout is payable."""
    order = _order(history, command.order_id)
    message = inputs.message(command.message)
    history.add(events.OrderResolved(order_id=order.id, outcome=command.outcome, message=message))
    if command.outcome is OrderOutcome.PAID:
        if order.state is not OrderState.PAID:
            _pay(history, order)
    elif order.state in (OrderState.STARTED, OrderState.PAID):
        _fail(history, order, explanation=None)


def overtake_refund(history: History, command: OvertakeRefund) -> None:
    """`refund.overtaken`, once, of what the bank has taken of the deposit and nobody has given up yet: docs/law.md, section 3."""
    order, deposit = _order(history, command.order_id), deposit_of(history, command.deposit_id)
    open_ones = (OrderState.STARTED, OrderState.FAILED)
    if order.kind is not OrderKind.REFUND or order.state not in open_ones or order.is_stuck:
        return
    if order.deposit_id != deposit.id or deposit.reversal is not ReversalState.LOST:
        return
    amount, currency = order.amount, deposit.came_currency or history.state.currency
    taken_minor = min(amount.minor, deposit.at_risk_minor) if amount.currency == currency else 0
    if taken_minor:
        rest_minor = amount.minor - taken_minor
        event = events.RefundOvertaken(
            order_id=order.id,
            deposit_id=deposit.id,
            amount=Money(taken_minor, currency),
            after_failure=order.state is OrderState.FAILED,
            rest=Money(rest_minor, currency) if rest_minor else None,
            rest_order_id=history.fresh(Kind.ORDER) if rest_minor else None,
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
    MarkStuck: mark_stuck,
    OvertakeRefund: overtake_refund,
    ResolveOrder: resolve_order,
}
