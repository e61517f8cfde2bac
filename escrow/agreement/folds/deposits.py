"""Folds events about deposits: how they start and end, and what is sent back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.lookups import milestone_of, with_milestone
from escrow.agreement.folds.orders import with_order
from escrow.agreement.state import Contract, Deposit, DepositPart, Order
from escrow.money import fee
from escrow.states import DepositState, MilestoneState, OrderKind, OrderState
from escrow.values import replace


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
    return with_order(with_deposit(state, deposit), order)


def _part(state: Contract, milestone_id: str) -> DepositPart:
    amount = milestone_of(state, milestone_id).amount_minor
    return DepositPart(milestone_id, amount, fee(amount, state.fees.client_bps))


def with_deposit(state: Contract, deposit: Deposit) -> Contract:
    return replace(state, deposits={**state.deposits, deposit.id: deposit})


def _action_required(state: Contract, event: events.DepositActionRequired, at: datetime) -> Contract:
    deposit = replace(state.deposits[event.deposit_id], action=event.kind, due_at=event.due_at, clock_started_at=at)
    return _announced_anew(with_deposit(state, deposit), deposit, at)


def _action_taken(state: Contract, event: events.DepositActionTaken, at: datetime) -> Contract:
    deposit = replace(state.deposits[event.deposit_id], action=None, due_at=event.due_at, clock_started_at=at)
    return _announced_anew(with_deposit(state, deposit), deposit, at)


def _announced_anew(state: Contract, deposit: Deposit, at: datetime) -> Contract:
    """The milestones that wait for the deposit wait for another end now."""
    for part in () if deposit.is_bonus else deposit.parts:
        milestone = milestone_of(state, part.milestone_id)
        if (milestone.reminded_hours, milestone.updated_at) != (None, at):
            state = with_milestone(state, replace(milestone, reminded_hours=None, updated_at=at))
    return state


def _confirmed(state: Contract, event: events.DepositConfirmed, at: datetime) -> Contract:
    closed = close(state, event.deposit_id, DepositState.CONFIRMED, OrderState.PAID)
    deposit = closed.deposits[event.deposit_id]
    if event.hold_until is not None:
        closed = with_deposit(closed, replace(deposit, hold_until=event.hold_until))
    return replace(closed, all_deposited=True) if deposit.is_for_everything else closed


def _hold_ending(state: Contract, event: events.DepositHoldEnding, at: datetime) -> Contract:
    """Remembers that it was told, and how long before the end; the milestone has not changed."""
    return with_milestone(state, replace(milestone_of(state, event.milestone_id), hold_told_hours=event.hours_left))


def _failed(state: Contract, event: events.DepositFailed, at: datetime) -> Contract:
    return _let_go(close(state, event.deposit_id, DepositState.FAILED, OrderState.FAILED), event.deposit_id, at)


def _abandoned(state: Contract, event: events.DepositAbandoned, at: datetime) -> Contract:
    return _let_go(close(state, event.deposit_id, DepositState.ABANDONED, OrderState.ABANDONED), event.deposit_id, at)


def close(state: Contract, deposit_id: str, to: DepositState, order_to: OrderState) -> Contract:
    deposit = state.deposits[deposit_id]
    order = state.orders[deposit.order_id]
    return with_order(with_deposit(state, replace(deposit, state=to, action=None)), replace(order, state=order_to))


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
    return with_order(with_deposit(state, replace(deposit, returned=(*deposit.returned, event.amount))), order)


FOLDS: Final[Folds] = {
    events.DepositStarted: _started,
    events.DepositActionRequired: _action_required,
    events.DepositActionTaken: _action_taken,
    events.DepositConfirmed: _confirmed,
    events.DepositHoldEnding: _hold_ending,
    events.DepositFailed: _failed,
    events.DepositAbandoned: _abandoned,
    events.DepositReturned: _returned,
}
