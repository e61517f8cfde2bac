"""Deposits, bonuses and orders to the provider: how they start and end, and what a reversal stops and lets go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.deadlines import resumed
from escrow.agreement.events import DepositFailure
from escrow.agreement.folds.lookups import milestone_of, with_dispute, with_milestone, with_refund
from escrow.agreement.state import Contract, Deposit, DepositPart, Milestone, Order
from escrow.lifecycle import DepositState, Hold, MilestoneState, OrderKind, OrderState, ReversalState
from escrow.money import fee


def _started(state: Contract, event: events.DepositStarted, at: datetime) -> Contract:
    parts = tuple(_part(state, milestone_id) for milestone_id in event.milestone_ids)
    deposit = Deposit(
        id=event.deposit_id,
        order_id=event.order_id,
        revision=event.revision,
        state=DepositState.STARTED,
        parts=parts,
        started_at=at,
        due_at=event.due_at,
        is_for_everything=bool(event.is_for_everything),
    )
    order = Order(event.order_id, OrderKind.DEPOSIT, OrderState.STARTED, event.charge, deposit.id, event.payment_token)
    for part in parts:
        waiting = replace(
            milestone_of(state, part.milestone_id), state=MilestoneState.FUNDING, deposit_id=deposit.id, updated_at=at
        )
        state = with_milestone(state, waiting)
    return with_order(_with_deposit(state, deposit), order)


def _part(state: Contract, milestone_id: str) -> DepositPart:
    amount = milestone_of(state, milestone_id).amount_minor
    return DepositPart(milestone_id, amount, fee(amount, state.fees.client_bps))


def _with_deposit(state: Contract, deposit: Deposit) -> Contract:
    return replace(state, deposits={**state.deposits, deposit.id: deposit})


def with_order(state: Contract, order: Order) -> Contract:
    return replace(state, orders={**state.orders, order.id: order})


def _confirmed(state: Contract, event: events.DepositConfirmed, at: datetime) -> Contract:
    closed = _close(state, event.deposit_id, DepositState.CONFIRMED, OrderState.PAID)
    deposit = closed.deposits[event.deposit_id]
    return replace(closed, all_deposited=True) if deposit.is_for_everything else closed


def _failed(state: Contract, event: events.DepositFailed, at: datetime) -> Contract:
    return _let_go(_close(state, event.deposit_id, DepositState.FAILED, OrderState.FAILED), event.deposit_id, at)


def _abandoned(state: Contract, event: events.DepositAbandoned, at: datetime) -> Contract:
    closed = _close(state, event.deposit_id, DepositState.ABANDONED, OrderState.ABANDONED)
    return _let_go(closed, event.deposit_id, at)


def _close(state: Contract, deposit_id: str, to: DepositState, order_to: OrderState) -> Contract:
    deposit = state.deposits[deposit_id]
    order = state.orders[deposit.order_id]
    return with_order(_with_deposit(state, replace(deposit, state=to)), replace(order, state=order_to))


def _let_go(state: Contract, deposit_id: str, at: datetime) -> Contract:
    """The milestones that waited for this deposit are planned again."""
    for part in state.deposits[deposit_id].parts:
        planned = replace(
            milestone_of(state, part.milestone_id),
            state=MilestoneState.PLANNED,
            deposit_id=None,
            reminded_hours=None,
            updated_at=at,
        )
        state = with_milestone(state, planned)
    return state


def _returned(state: Contract, event: events.DepositReturned, at: datetime) -> Contract:
    deposit = state.deposits[event.deposit_id]
    order = Order(event.order_id, OrderKind.REFUND, OrderState.STARTED, event.amount, deposit.id)
    return with_order(_with_deposit(state, replace(deposit, returned=(*deposit.returned, event.amount))), order)


def _bonus_started(state: Contract, event: events.BonusStarted, at: datetime) -> Contract:
    deposit = Deposit(
        id=event.deposit_id,
        order_id=event.order_id,
        revision=state.revision,
        state=DepositState.STARTED,
        parts=(DepositPart(event.milestone_id, event.amount.minor, 0),),
        started_at=at,
        due_at=event.due_at,
        is_bonus=True,
    )
    order = Order(event.order_id, OrderKind.DEPOSIT, OrderState.STARTED, event.amount, deposit.id, event.payment_token)
    milestone = replace(milestone_of(state, event.milestone_id), bonus_deposit_id=deposit.id, updated_at=at)
    return with_order(_with_deposit(with_milestone(state, milestone), deposit), order)


def _bonus_paid(state: Contract, event: events.BonusPaid, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(milestone, bonus_minor=milestone.bonus_minor + event.amount.minor, updated_at=at)
    closed = _close(state, event.deposit_id, DepositState.CONFIRMED, OrderState.PAID)
    return with_milestone(closed, changed)


def _bonus_failed(state: Contract, event: events.BonusFailed, at: datetime) -> Contract:
    if event.reason is DepositFailure.UNANSWERED:
        closed = _close(state, event.deposit_id, DepositState.ABANDONED, OrderState.ABANDONED)
    else:
        closed = _close(state, event.deposit_id, DepositState.FAILED, OrderState.FAILED)
    return with_milestone(
        closed, replace(milestone_of(state, event.milestone_id), bonus_deposit_id=None, updated_at=at)
    )


def _reversed(state: Contract, event: events.DepositReversed, at: datetime) -> Contract:
    deposit = replace(state.deposits[event.deposit_id], reversal=ReversalState.OPEN, reversed_at=at)
    state = _with_deposit(state, deposit)
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
    state = _with_deposit(state, deposit)
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
            review_due_at=resumed(milestone.review_due_at, frozen_at, at),
            review_frozen_at=None,
            review_resumed_at=at,
        )
    state = with_milestone(state, changed)
    if (refund := state.open_refund(milestone)) is not None:
        due_at = resumed(refund.due_at, max(stopped_at, refund.clock_started_at), at)
        state = with_refund(state, replace(refund, due_at=due_at, clock_started_at=at))
    if (dispute := state.open_dispute(milestone)) is not None:
        due_at = resumed(dispute.due_at, max(stopped_at, dispute.clock_started_at), at)
        state = with_dispute(state, replace(dispute, due_at=due_at, clock_started_at=at))
    return state


def _payout_started(state: Contract, event: events.PayoutStarted, at: datetime) -> Contract:
    return with_order(state, Order(event.order_id, OrderKind.PAYOUT, OrderState.STARTED, event.amount))


def _payouts_changed(state: Contract, event: events.PayoutsChanged, at: datetime) -> Contract:
    return replace(state, payouts_are_automatic=event.automatic)


def _order_becomes(to: OrderState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: Any, at: datetime) -> Contract:
        return with_order(state, replace(state.orders[event.order_id], state=to))

    return fold


FOLDS: Final[dict[type[events.Event], Callable[[Contract, Any, datetime], Contract]]] = {
    events.DepositStarted: _started,
    events.DepositConfirmed: _confirmed,
    events.DepositFailed: _failed,
    events.DepositAbandoned: _abandoned,
    events.DepositReturned: _returned,
    events.DepositReversed: _reversed,
    events.DepositReversalResolved: _reversal_resolved,
    events.BonusStarted: _bonus_started,
    events.BonusPaid: _bonus_paid,
    events.BonusFailed: _bonus_failed,
    events.RefundPaid: _order_becomes(OrderState.PAID),
    events.RefundFailed: _order_becomes(OrderState.FAILED),
    events.PayoutStarted: _payout_started,
    events.PayoutPaid: _order_becomes(OrderState.PAID),
    events.PayoutFailed: _order_becomes(OrderState.FAILED),
    events.PayoutsChanged: _payouts_changed,
}
