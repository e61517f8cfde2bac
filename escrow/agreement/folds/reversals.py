"""Folds reversals of deposits: what they stop, what comes again, and what goes on when they are resolved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.deadlines import RESUMED_AT_LEAST, limit_runs, resumed
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.deposits import with_deposit
from escrow.agreement.folds.holdings import with_lots
from escrow.agreement.folds.lookups import milestone_of, with_dispute, with_milestone, with_refund
from escrow.agreement.folds.orders import with_order
from escrow.agreement.state import Contract, Deposit, Milestone, Order, Reversal, place_of, with_reversal
from escrow.states import Hold, OrderKind, OrderState, ReversalOutcome, ReversalState
from escrow.values import replace


def _reversed(state: Contract, event: events.DepositReversed, at: datetime) -> Contract:
    deposit = state.deposits[event.deposit_id]
    if event.reversal_id is None:
        # As it was before reversals were kept: one for each deposit, of all that came.
        deposit = replace(deposit, reversal=ReversalState.OPEN, reversed_at=at)
    else:
        known = _known(deposit, event.reversal_id)
        reference = event.reversal_id or known.reference
        taken = replace(known, reference=reference, taken_minor=known.taken_minor + event.amount.minor)
        deposit = replace(_with(deposit, taken), reversed_at=deposit.reversed_at or at)
        deposit = replace(deposit, evidence_due_at=event.evidence_due_at or deposit.evidence_due_at)
    state = with_deposit(state, deposit)
    for milestone_id in event.milestone_ids:
        state = with_milestone(state, _frozen(milestone_of(state, milestone_id), at))
    return state


def _known(deposit: Deposit, reference: str) -> Reversal:
    place = place_of(deposit.known_reversals, reference)
    return Reversal(reference, 0) if place is None else deposit.known_reversals[place]


def _with(deposit: Deposit, *changed: Reversal) -> Deposit:
    """The deposit with what became of these reversals, and what all of them together come to."""
    reversals = deposit.known_reversals
    for one in changed:
        reversals = with_reversal(reversals, one)
    return replace(deposit, reversals=reversals, reversal=_together([one.outcome for one in reversals], deposit))


def _together(outcomes: Sequence[ReversalOutcome | None], deposit: Deposit) -> ReversalState:
    """One that is lost decides; else it is argued about as long as one goes on."""
    if ReversalOutcome.LOST in outcomes:
        return ReversalState.LOST
    if None in outcomes:
        was_given_up = deposit.reversal is ReversalState.FORFEITED
        return ReversalState.FORFEITED if was_given_up else ReversalState.OPEN
    return ReversalState.WON if ReversalOutcome.WON in outcomes else ReversalState.WITHDRAWN


def _reinstated(state: Contract, event: events.DepositReinstated, at: datetime) -> Contract:
    deposit = state.deposits[event.deposit_id]
    known = _known(deposit, event.reversal_id)
    given_back = replace(
        known,
        reference=event.reversal_id or known.reference,
        given_back_minor=known.given_back_minor + event.amount.minor,
    )
    deposit = _with(deposit, given_back)
    if event.to_client is not None:
        deposit = replace(deposit, restored_minor=deposit.restored_minor + event.to_client.minor)
    return _ordered(with_deposit(state, deposit), event)


def _ordered(state: Contract, event: events.DepositReinstated | events.DepositReversalResolved) -> Contract:
    """With the order that sends the client what it gets of the deposit."""
    if event.order_id is None or event.to_client is None:
        return state
    return with_order(
        state, Order(event.order_id, OrderKind.REFUND, OrderState.STARTED, event.to_client, event.deposit_id)
    )


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
    deposit = state.deposits[event.deposit_id]
    if event.outstanding is None:
        deposit = replace(deposit, reversal=ReversalState(event.outcome.value))
    else:
        known = deposit.known_reversals
        place = None if event.reversal_id is None else place_of(known, event.reversal_id)
        ended = [one for one in known if one.outcome is None] if place is None else [known[place]]
        deposit = _with(
            deposit,
            *(replace(one, reference=event.reversal_id or one.reference, outcome=event.outcome) for one in ended),
        )
    state = _ordered(with_deposit(state, deposit), event)
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
    state = with_milestone(state, _held_on(changed, at) if limit_runs(state, changed) else changed)
    if (refund := state.open_refund(milestone)) is not None:
        due_at = resumed(refund.due_at, stopped_at=max(stopped_at, refund.clock_started_at), at=at)
        state = with_refund(state, replace(refund, due_at=due_at, clock_started_at=at))
    if (dispute := state.open_dispute(milestone)) is not None:
        due_at = resumed(dispute.due_at, stopped_at=max(stopped_at, dispute.clock_started_at), at=at)
        state = with_dispute(state, replace(dispute, due_at=due_at, clock_started_at=at))
    return state


def _held_on(milestone: Milestone, at: datetime) -> Milestone:
    """With at least 48 hours until what it holds may be held no longer: the limit didn't stop, but its end had to wait."""
    if milestone.hold_until is None:
        return milestone
    least = at + RESUMED_AT_LEAST
    lots = tuple(
        lot if lot.hold_until is None else replace(lot, hold_until=max(lot.hold_until, least)) for lot in milestone.lots
    )
    return with_lots(milestone, lots, at)


FOLDS: Final[Folds] = {
    events.DepositReversed: _reversed,
    events.DepositReinstated: _reinstated,
    events.DepositReversalResolved: _reversal_resolved,
}
