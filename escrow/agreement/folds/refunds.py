"""Folds events about refund requests."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.deposits import with_deposit
from escrow.agreement.folds.holds import hold_ended, on_hold
from escrow.agreement.folds.lookups import milestone_of, with_milestone, with_refund
from escrow.agreement.folds.orders import order_becomes, with_order
from escrow.agreement.state import Contract, Order, RefundRequest
from escrow.states import Hold, OrderKind, OrderState, RefundState
from escrow.values import replace


def _refund_requested(state: Contract, event: events.RefundRequested, at: datetime) -> Contract:
    refund = RefundRequest(
        id=event.refund_id,
        milestone_id=event.milestone_id,
        state=RefundState.OPEN,
        amount_minor=event.amount.minor,
        by_ending=event.by_ending,
        requested_at=at,
        due_at=event.due_at,
        clock_started_at=at,
        message=event.message or "",
    )
    milestone = milestone_of(state, event.milestone_id)
    held = with_milestone(state, on_hold(milestone, Hold.REFUND_REQUEST, refund.id, at))
    return with_refund(held, refund)


def _refund_accepted(state: Contract, event: events.RefundAccepted, at: datetime) -> Contract:
    return with_refund(state, replace(state.refunds[event.refund_id], state=RefundState.ACCEPTED))


def _refund_declined(state: Contract, event: events.RefundDeclined, at: datetime) -> Contract:
    return with_refund(state, replace(state.refunds[event.refund_id], state=RefundState.DECLINED, answer=event.reason))


def _refund_withdrawn(state: Contract, event: events.RefundRequestWithdrawn, at: datetime) -> Contract:
    return hold_ended(
        state,
        event.milestone_id,
        at,
        review_due_at=event.review_due_at,
        barred=Side.CLIENT,
        barred_until=event.client_barred_until,
        answered=RefundState.WITHDRAWN,
    )


def _refund_overtaken(state: Contract, event: events.RefundOvertaken, at: datetime) -> Contract:
    """What the bank gave the client of it was given up as what milestones give up is: it is the client's if it comes again."""
    state = order_becomes(OrderState.ABANDONED)(state, event, at)
    deposit = state.deposits[event.deposit_id]
    state = with_deposit(state, replace(deposit, forfeited_minor=deposit.forfeited_minor + event.amount.minor))
    if event.rest is None or event.rest_order_id is None:
        return state
    order = Order(event.rest_order_id, OrderKind.REFUND, OrderState.STARTED, event.rest, event.deposit_id)
    return with_order(state, order)


FOLDS: Final[Folds] = {
    events.RefundRequested: _refund_requested,
    events.RefundAccepted: _refund_accepted,
    events.RefundDeclined: _refund_declined,
    events.RefundRequestWithdrawn: _refund_withdrawn,
    events.RefundPaid: order_becomes(OrderState.PAID),
    events.RefundFailed: order_becomes(OrderState.FAILED),
    events.RefundOvertaken: _refund_overtaken,
}
