"""Puts milestones on hold and ends that again, for refund requests, disputes and endings."""

from __future__ import annotations

from datetime import datetime

from escrow.access import Side
from escrow.agreement.folds.lookups import milestone_of, with_milestone, with_refund
from escrow.agreement.state import Contract, Milestone
from escrow.states import Hold, RefundState
from escrow.values import replace


def closing(state: Contract, milestone_id: str, *, answered: RefundState = RefundState.OVERTAKEN) -> Contract:
    """`state` before a milestone closes: its hold and its clocks are gone, a request that nobody answered is `answered`."""
    milestone = milestone_of(state, milestone_id)
    refund = state.open_refund(milestone)
    if refund is not None:
        state = with_refund(state, replace(refund, state=answered))
    changed = replace(
        milestone,
        hold=Hold.NONE,
        hold_id=None,
        review_due_at=None,
        review_frozen_at=None,
        review_resumed_at=None,
        reminded_hours=None,
        frozen_at=None,
    )
    return with_milestone(state, changed)


def hold_ended(
    state: Contract,
    milestone_id: str,
    at: datetime,
    *,
    review_due_at: datetime | None,
    barred: Side,
    barred_until: datetime | None,
    answered: RefundState = RefundState.UNANSWERED,
) -> Contract:
    """`state` after a hold ended with money still held: the review goes on until `review_due_at`, if that is given."""
    milestone = milestone_of(state, milestone_id)
    refund = state.open_refund(milestone)
    if refund is not None:
        state = with_refund(state, replace(refund, state=answered))
    changed = replace(milestone, hold=Hold.NONE, hold_id=None, reminded_hours=None, updated_at=at)
    if review_due_at is not None:
        changed = replace(changed, review_due_at=review_due_at, review_frozen_at=None, review_resumed_at=at)
    if barred is Side.CLIENT:
        changed = replace(changed, client_barred_until=barred_until)
    else:
        changed = replace(changed, freelancer_barred_until=barred_until)
    return with_milestone(state, changed)


def on_hold(milestone: Milestone, hold: Hold, hold_id: str, at: datetime) -> Milestone:
    """The milestone under a hold that begins or takes over; the review clock stands still from the first moment on."""
    frozen_at = milestone.review_frozen_at
    if frozen_at is None and milestone.review_due_at is not None:
        frozen_at = at
    return replace(
        milestone, hold=hold, hold_id=hold_id, review_frozen_at=frozen_at, reminded_hours=None, updated_at=at
    )
