"""Folds reversals of deposits: what they stop, and what goes on when they are resolved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.deadlines import resumed
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.deposits import with_deposit
from escrow.agreement.folds.lookups import milestone_of, with_dispute, with_milestone, with_refund
from escrow.agreement.folds.orders import with_order
from escrow.agreement.state import Contract, Deposit, Milestone, Order
from escrow.states import Hold, OrderKind, OrderState, ReversalState
from escrow.values import replace


def _reversed(state: Contract, event: events.DepositReversed, at: datetime) -> Contract:
    deposit = replace(state.deposits[event.deposit_id], reversal=ReversalState.OPEN, reversed_at=at)
    state = with_deposit(state, deposit)
    for milestone_id in event.milestone_ids:
        state = with_milestone(state, _frozen(milestone_of(state, milestone_id), at))
    return state


def _frozen(milestone: Milestone, at: datetime) -> Milestone:
    if milestone.is_frozen:
        return milestone
    runs = milestone.review_due_at is not None and milestone.review_frozen_at is None
    return replace(
        milestone,
        frozen_at=at,
        review_frozen_at=at if runs else milestone.review_frozen_at,
        reminded_hours=None,
        updated_at=at,
    )


def _reversal_resolved(state: Contract, event: events.DepositReversalResolved, at: datetime) -> Contract:
    deposit = replace(state.deposits[event.deposit_id], reversal=ReversalState(event.outcome.value))
    state = with_deposit(state, deposit)
    if event.order_id is not None and event.to_client is not None:
        order = Order(event.order_id, OrderKind.REFUND, OrderState.STARTED, event.to_client, deposit.id)
        state = with_order(state, order)
    for milestone in state.milestones:
        if milestone.is_frozen and not _holds_any(milestone, state.deposits.values()):
            state = _thawed(state, milestone, at)
    return state


def _holds_any(milestone: Milestone, deposits: Iterable[Deposit]) -> bool:
    """Whether it holds money of a deposit that was taken back and not won."""
    taken_back = {deposit.id for deposit in deposits if deposit.is_taken_back}
    return any(lot.deposit_id in taken_back for lot in milestone.lots)


def _thawed(state: Contract, milestone: Milestone, at: datetime) -> Contract:
    """No reversal stops it any more: each of its clocks goes on with what was left of it, and at least 48 hours."""
    stopped_at = milestone.frozen_at or at
    changed = replace(milestone, frozen_at=None, reminded_hours=None, updated_at=at)
    frozen_at = milestone.review_frozen_at
    if milestone.hold is Hold.NONE and milestone.review_due_at is not None and frozen_at is not None:
        changed = replace(
            changed,
            review_due_at=resumed(milestone.review_due_at, stopped_at=frozen_at, at=at),
            review_frozen_at=None,
            review_resumed_at=at,
        )
    state = with_milestone(state, changed)
    if (refund := state.open_refund(milestone)) is not None:
        due_at = resumed(refund.due_at, stopped_at=max(stopped_at, refund.clock_started_at), at=at)
        state = with_refund(state, replace(refund, due_at=due_at, clock_started_at=at))
    if (dispute := state.open_dispute(milestone)) is not None:
        due_at = resumed(dispute.due_at, stopped_at=max(stopped_at, dispute.clock_started_at), at=at)
        state = with_dispute(state, replace(dispute, due_at=due_at, clock_started_at=at))
    return state


FOLDS: Final[Folds] = {
    events.DepositReversed: _reversed,
    events.DepositReversalResolved: _reversal_resolved,
}
