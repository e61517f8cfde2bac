"""Folds events about what a milestone holds: money comes in, and each way out lowers it, oldest deposit first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.deadlines import told_before
from escrow.agreement.events import RefundReason
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.holds import closing, hold_ended
from escrow.agreement.folds.lookups import milestone_of, with_milestone
from escrow.agreement.state import Contract, Deposit, Milestone, Order
from escrow.agreement.state.holdings import Lot, put, take
from escrow.states import MilestoneState, OrderKind, OrderState, RefundState, ReversalState
from escrow.values import replace


def _funded(state: Contract, event: events.MilestoneFunded, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    deposit = state.deposits.get(event.deposit_id)
    hold_until = deposit.hold_until if deposit is not None else None
    came = Lot(event.deposit_id, event.amount.minor, event.fee.minor, hold_until)
    changed = replace(
        _filled(milestone, put(milestone.lots, (came,)), at),
        state=MilestoneState.FUNDED,
        reminded_hours=None,
        deposit_id=event.deposit_id,
        updated_at=at,
    )
    return with_milestone(state, changed)


def _filled(milestone: Milestone, lots: tuple[Lot, ...], at: datetime) -> Milestone:
    """The milestone right after money was put in: what it holds now is what fees are reckoned from."""
    held, fee = sum(lot.amount_minor for lot in lots), sum(lot.fee_minor for lot in lots)
    return replace(
        with_lots(milestone, lots, at), held_minor=held, held_fee_minor=fee, base_minor=held, base_fee_minor=fee
    )


def with_lots(milestone: Milestone, lots: tuple[Lot, ...], at: datetime) -> Milestone:
    """The milestone with other lots, and with the limit that ends first; another limit is announced anew."""
    hold_until = min((lot.hold_until for lot in lots if lot.hold_until is not None), default=None)
    if hold_until == milestone.hold_until:
        return replace(milestone, lots=lots)
    told = told_before(hold_until, at) if hold_until is not None else None
    return replace(milestone, lots=lots, hold_until=hold_until, hold_told_hours=told)


def _without(milestone: Milestone, amount_minor: int, fee_minor: int, at: datetime) -> Milestone:
    """The milestone after that much left it, oldest deposit first."""
    _, left = take(milestone.lots, amount_minor, fee_minor)
    return replace(
        with_lots(milestone, left, at),
        held_minor=milestone.held_minor - amount_minor,
        held_fee_minor=milestone.held_fee_minor - fee_minor,
    )


def _released(
    state: Contract, event: events.MilestoneReleased | events.MilestonePartlyReleased, at: datetime
) -> Contract:
    state = closing(state, event.milestone_id)
    milestone = _without(milestone_of(state, event.milestone_id), event.amount.minor, event.client_fee.minor, at)
    changed = replace(
        milestone,
        state=MilestoneState.RELEASED,
        released_minor=milestone.released_minor + event.amount.minor,
        freelancer_fee_minor=milestone.freelancer_fee_minor + event.freelancer_fee.minor,
        client_fee_minor=milestone.client_fee_minor + event.client_fee.minor,
        updated_at=at,
    )
    return with_milestone(state, changed)


def _rolled_forward(state: Contract, event: events.MilestoneRolledForward, at: datetime) -> Contract:
    milestone, to = milestone_of(state, event.milestone_id), milestone_of(state, event.to_milestone_id)
    taken, _ = take(milestone.lots, event.amount.minor, event.fee.minor)
    left = replace(
        _without(milestone, event.amount.minor, event.fee.minor, at),
        amount_minor=milestone.amount_minor - event.amount.minor,
        rolled_minor=milestone.rolled_minor + event.amount.minor,
        updated_at=at,
    )
    # What rolls on is older: milestones are funded in the order of the plan.
    filled = _filled(to, put(taken, to.lots), at)
    grown = replace(filled, amount_minor=to.amount_minor + event.amount.minor, updated_at=at)
    return with_milestone(with_milestone(state, left), grown)


def _refunded(state: Contract, event: events.MilestoneRefunded, at: datetime) -> Contract:
    if event.planned_again:
        return _unfunded(state, event, at)
    state = closing(state, event.milestone_id, answered=_ANSWERS.get(event.reason, RefundState.OVERTAKEN))
    return _emptied(state, replace(milestone_of(state, event.milestone_id), state=MilestoneState.REFUNDED), event, at)


def _unfunded(state: Contract, event: events.MilestoneUnfunded | events.MilestoneRefunded, at: datetime) -> Contract:
    state = closing(state, event.milestone_id)
    milestone = milestone_of(state, event.milestone_id)
    return _emptied(state, replace(milestone, state=MilestoneState.PLANNED, deposit_id=None), event, at)


def _emptied(
    state: Contract,
    milestone: Milestone,
    event: events.MilestoneUnfunded | events.MilestoneRefunded,
    at: datetime,
) -> Contract:
    """`state` after all that the milestone held left it, to the client or to the chargeback account."""
    lost_minor, lost_fee_minor = (0 if lost is None else lost.minor for lost in (event.lost, event.lost_fee))
    changed = replace(
        with_lots(milestone, (), at),
        held_minor=milestone.held_minor - event.amount.minor - lost_minor,
        held_fee_minor=milestone.held_fee_minor - event.client_fee.minor - lost_fee_minor,
        refunded_minor=milestone.refunded_minor + event.amount.minor,
        lost_minor=milestone.lost_minor + lost_minor,
        updated_at=at,
    )
    return _ordered(_forfeited(with_milestone(state, changed), milestone.lots), event.returns)


_ANSWERS: Final = {
    RefundReason.REQUEST_ACCEPTED: RefundState.ACCEPTED,
    RefundReason.REQUEST_UNANSWERED: RefundState.UNANSWERED,
}


def _forfeited(state: Contract, lots: Iterable[Lot]) -> Contract:
    """Remembers what a milestone gave up of deposits that the provider took back: the client's, as far as it comes again."""
    deposits = dict(state.deposits)
    lost = {lot.deposit_id: lot.whole_minor for lot in state.lost_and_kept(lots)[0]}
    for lot in lots:
        deposit = deposits.get(lot.deposit_id)
        # Before reversals were kept one by one, what was lost had no way back.
        if deposit is not None and (deposit.is_argued_about or (deposit.is_taken_back and deposit.reversals)):
            deposits[deposit.id] = replace(
                deposit,
                reversal=_given_up(state, deposit),
                forfeited_minor=deposit.forfeited_minor + lost.get(deposit.id, 0),
            )
    return replace(state, deposits=deposits)


def _given_up(state: Contract, deposit: Deposit) -> ReversalState | None:
    """What is still argued about is forfeited once no milestone holds any of it."""
    held = any(one.deposit_id == deposit.id for milestone in state.milestones for one in milestone.lots)
    return ReversalState.FORFEITED if deposit.is_argued_about and not held else deposit.reversal


def _partly_refunded(state: Contract, event: events.MilestonePartlyRefunded, at: datetime) -> Contract:
    milestone = _without(milestone_of(state, event.milestone_id), event.amount.minor, event.client_fee.minor, at)
    changed = replace(
        milestone,
        amount_minor=milestone.amount_minor - event.amount.minor,
        refunded_minor=milestone.refunded_minor + event.amount.minor,
        updated_at=at,
    )
    state = _ordered(with_milestone(state, changed), event.returns)
    if event.refund_id is None:
        return state
    return hold_ended(
        state,
        event.milestone_id,
        at,
        review_due_at=event.review_due_at,
        barred=Side.CLIENT,
        barred_until=event.client_barred_until,
        answered=_ANSWERS.get(event.reason, RefundState.OVERTAKEN),
    )


def _settled(state: Contract, event: events.MilestoneSettled, at: datetime) -> Contract:
    state = closing(state, event.milestone_id)
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(
        _without(
            milestone,
            event.released.minor + event.refunded.minor,
            event.client_fee.minor + event.refunded_fee.minor,
            at,
        ),
        state=MilestoneState.SETTLED,
        released_minor=milestone.released_minor + event.released.minor,
        refunded_minor=milestone.refunded_minor + event.refunded.minor,
        freelancer_fee_minor=milestone.freelancer_fee_minor + event.freelancer_fee.minor,
        client_fee_minor=milestone.client_fee_minor + event.client_fee.minor,
        updated_at=at,
    )
    return _ordered(with_milestone(state, changed), event.returns)


def _ordered(state: Contract, returns: Iterable[events.Return]) -> Contract:
    """The orders that send money back to the client, written with the refund itself."""
    orders = {
        one.order_id: Order(one.order_id, OrderKind.REFUND, OrderState.STARTED, one.amount, one.deposit_id)
        for one in returns
    }
    return replace(state, orders={**state.orders, **orders})


FOLDS: Final[Folds] = {
    events.MilestoneFunded: _funded,
    events.MilestoneReleased: _released,
    events.MilestonePartlyReleased: _released,
    events.MilestoneRolledForward: _rolled_forward,
    events.MilestoneRefunded: _refunded,
    events.MilestoneUnfunded: _unfunded,
    events.MilestonePartlyRefunded: _partly_refunded,
    events.MilestoneSettled: _settled,
}
