"""Decides where the money that a milestone holds goes: released, refunded, split, rolled forward, lost.

Every event that lowers what a milestone holds is made here, so that the fee beside it is always reckoned in one way: a refund
or a roll-forward takes its difference along, a release earns the rest, and where both happen the refund's share goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.history import History
from escrow.agreement.state import Milestone
from escrow.agreement.state.holdings import Holding, Lot, take, totals
from escrow.ids import Kind
from escrow.money import fee

RETURNS_MAX: Final = 60
"""The most orders that one refund writes: an event is at most 16 KiB."""


def release(
    history: History,
    milestone: Milestone,
    reason: events.ReleaseReason,
    *,
    message: str | None = None,
) -> None:
    """`milestone.released`: all that is held goes to the freelancer, less the fee of the contract's snapshot."""
    event = events.MilestoneReleased(
        milestone_id=milestone.id,
        reason=reason,
        amount=history.money(milestone.held_minor),
        freelancer_fee=history.money(fee(milestone.held_minor, history.state.fees.freelancer_bps)),
        client_fee=history.money(milestone.held_fee_minor),
        message=message,
    )
    history.add(event)


def roll_forward(history: History, milestone: Milestone, to: Milestone, amount_minor: int) -> None:
    """`milestone.rolled_forward`: that much of what is held, and its fee, belongs to the milestone `to` from now on."""
    event = events.MilestoneRolledForward(
        milestone_id=milestone.id,
        to_milestone_id=to.id,
        amount=history.money(amount_minor),
        fee=history.money(_holding(milestone).fee_of(amount_minor)),
    )
    history.add(event)


def refund(
    history: History,
    milestone: Milestone,
    reason: events.RefundReason,
    *,
    refund_id: str | None = None,
    dispute_id: str | None = None,
    message: str | None = None,
) -> None:
    """`milestone.refunded`: all that is held goes back to the client; money of deposits that the provider took back goes to the
    chargeback account instead."""
    lost, back = history.state.lost_and_kept(milestone.lots)
    (lost_minor, lost_fee_minor), (amount_minor, fee_minor) = totals(lost), totals(back)
    event = events.MilestoneRefunded(
        milestone_id=milestone.id,
        reason=reason,
        amount=history.money(amount_minor),
        client_fee=history.money(fee_minor),
        returns=_returns(history, back),
        refund_id=refund_id,
        dispute_id=dispute_id,
        lost=history.money(lost_minor) if lost else None,
        lost_fee=history.money(lost_fee_minor) if lost else None,
        message=message,
    )
    history.add(event)


def unfund(history: History, milestone: Milestone, *, by_hold_limit: bool | None = None) -> None:
    """`milestone.unfunded`: on a proposal a reversal was lost, or the money could be held no longer; the milestone is planned
    again, holding nothing."""
    lost, back = history.state.lost_and_kept(milestone.lots)
    (lost_minor, lost_fee_minor), (amount_minor, fee_minor) = totals(lost), totals(back)
    event = events.MilestoneUnfunded(
        milestone_id=milestone.id,
        lost=history.money(lost_minor),
        lost_fee=history.money(lost_fee_minor),
        amount=history.money(amount_minor),
        client_fee=history.money(fee_minor),
        returns=_returns(history, back),
        by_hold_limit=by_hold_limit,
    )
    history.add(event)


def refund_part(
    history: History,
    milestone: Milestone,
    amount_minor: int,
    reason: events.RefundReason,
    *,
    refund_id: str | None = None,
    review_due_at: datetime | None = None,
    client_barred_until: datetime | None = None,
    message: str | None = None,
) -> None:
    """`milestone.partly_refunded`: less than is held goes back to the client, with its difference of the fee."""
    fee_minor = _holding(milestone).fee_of(amount_minor)
    taken, _ = take(milestone.lots, amount_minor, fee_minor)
    event = events.MilestonePartlyRefunded(
        milestone_id=milestone.id,
        reason=reason,
        amount=history.money(amount_minor),
        client_fee=history.money(fee_minor),
        returns=_returns(history, taken),
        refund_id=refund_id,
        review_due_at=review_due_at,
        client_barred_until=client_barred_until,
        message=message,
    )
    history.add(event)


def split(
    history: History,
    milestone: Milestone,
    to_freelancer_minor: int,
    *,
    dispute_id: str,
    reason: events.SplitReason,
) -> None:
    """That much of what is held goes to the freelancer, the rest to the client: `milestone.settled`, or `released` or
    `refunded` where one of them gets everything."""
    if to_freelancer_minor == milestone.held_minor:
        release(history, milestone, events.ReleaseReason(reason.value))
    elif to_freelancer_minor == 0:
        refund(history, milestone, events.RefundReason(reason.value), dispute_id=dispute_id)
    else:
        _settle(history, milestone, to_freelancer_minor, dispute_id=dispute_id, reason=reason)


def _settle(
    history: History,
    milestone: Milestone,
    to_freelancer_minor: int,
    *,
    dispute_id: str,
    reason: events.SplitReason,
) -> None:
    refunded_minor = milestone.held_minor - to_freelancer_minor
    refunded_fee_minor = _holding(milestone).fee_of(refunded_minor)
    taken, _ = take(milestone.lots, refunded_minor, refunded_fee_minor)
    event = events.MilestoneSettled(
        milestone_id=milestone.id,
        dispute_id=dispute_id,
        reason=reason,
        released=history.money(to_freelancer_minor),
        freelancer_fee=history.money(fee(to_freelancer_minor, history.state.fees.freelancer_bps)),
        client_fee=history.money(milestone.held_fee_minor - refunded_fee_minor),
        refunded=history.money(refunded_minor),
        refunded_fee=history.money(refunded_fee_minor),
        returns=_returns(history, taken),
    )
    history.add(event)


def _holding(milestone: Milestone) -> Holding:
    return Holding(milestone.held_minor, milestone.base_minor, milestone.base_fee_minor)


def _returns(history: History, lots: Sequence[Lot]) -> tuple[events.Return, ...]:
    """One order for each deposit, so that each of the client's charges gets back what came from it.

    More than an event can hold are never made: what is beyond goes with the last one.
    """
    apart, rest = lots[: RETURNS_MAX - 1], lots[RETURNS_MAX - 1 :]
    sums = [(lot.deposit_id, lot.whole_minor) for lot in apart]
    if rest:
        sums.append((rest[-1].deposit_id, sum(lot.whole_minor for lot in rest)))
    return tuple(
        events.Return(order_id=history.fresh(Kind.ORDER), deposit_id=deposit_id, amount=history.money(minor))
        for deposit_id, minor in sums
    )
