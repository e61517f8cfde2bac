"""Folds events about bonuses."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.events import DepositFailure
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.deposits import close, with_deposit
from escrow.agreement.folds.lookups import milestone_of, with_milestone
from escrow.agreement.folds.orders import with_order
from escrow.agreement.state import Contract, Deposit, DepositPart, Order
from escrow.states import DepositState, OrderKind, OrderState
from escrow.values import replace


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
    return with_order(with_deposit(with_milestone(state, milestone), deposit), order)


def _bonus_paid(state: Contract, event: events.BonusPaid, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(milestone, bonus_minor=milestone.bonus_minor + event.amount.minor, updated_at=at)
    closed = close(state, event.deposit_id, DepositState.CONFIRMED, OrderState.PAID)
    return with_milestone(closed, changed)


def _bonus_failed(state: Contract, event: events.BonusFailed, at: datetime) -> Contract:
    if event.reason is DepositFailure.UNANSWERED:
        closed = close(state, event.deposit_id, DepositState.ABANDONED, OrderState.ABANDONED)
    else:
        closed = close(state, event.deposit_id, DepositState.FAILED, OrderState.FAILED)
    return with_milestone(
        closed, replace(milestone_of(state, event.milestone_id), bonus_deposit_id=None, updated_at=at)
    )


FOLDS: Final[Folds] = {
    events.BonusStarted: _bonus_started,
    events.BonusPaid: _bonus_paid,
    events.BonusFailed: _bonus_failed,
}
