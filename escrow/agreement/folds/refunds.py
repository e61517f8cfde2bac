"""Folds events about refund requests."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.holds import hold_ended, on_hold
from escrow.agreement.folds.lookups import milestone_of, with_milestone, with_refund
from escrow.agreement.folds.orders import order_becomes
from escrow.agreement.state import Contract, RefundRequest
from escrow.states import Hold, OrderState, RefundState
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


FOLDS: Final[Folds] = {
    events.RefundRequested: _refund_requested,
    events.RefundAccepted: _refund_accepted,
    events.RefundDeclined: _refund_declined,
    events.RefundRequestWithdrawn: _refund_withdrawn,
    events.RefundPaid: order_becomes(OrderState.PAID),
    events.RefundFailed: order_becomes(OrderState.FAILED),
}
