"""What refund requests, disputes and endings make of a contract: how a hold begins, passes on and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.folds.lookups import milestone_of, with_dispute, with_milestone, with_refund
from escrow.agreement.state import Contract, Dispute, Ending, Evidence, Milestone, RefundRequest
from escrow.lifecycle import ContractState, DisputeState, Hold, RefundState


def closing(state: Contract, milestone_id: str, *, answered: RefundState = RefundState.OVERTAKEN) -> Contract:
    """``state`` before a milestone closes: its hold and its clocks are gone, a request that nobody answered is ``answered``."""
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
    """``state`` after a hold ended with money still held: the review goes on until ``review_due_at``, if that is given."""
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


def _on_hold(milestone: Milestone, hold: Hold, hold_id: str, at: datetime) -> Milestone:
    """The milestone under a hold that begins or takes over; the review clock stands still from the first moment on."""
    frozen_at = milestone.review_frozen_at
    if frozen_at is None and milestone.review_due_at is not None:
        frozen_at = at
    return replace(
        milestone, hold=hold, hold_id=hold_id, review_frozen_at=frozen_at, reminded_hours=None, updated_at=at
    )


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
    held = with_milestone(state, _on_hold(milestone, Hold.REFUND_REQUEST, refund.id, at))
    return with_refund(held, refund)


def _refund_accepted(state: Contract, event: events.RefundAccepted, at: datetime) -> Contract:
    return with_refund(state, replace(state.refunds[event.refund_id], state=RefundState.ACCEPTED))


def _refund_declined(state: Contract, event: events.RefundDeclined, at: datetime) -> Contract:
    refund = replace(state.refunds[event.refund_id], state=RefundState.DECLINED, answer=event.reason)
    return with_refund(state, refund)


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


def _dispute_opened(state: Contract, event: events.DisputeOpened, at: datetime) -> Contract:
    dispute = Dispute(
        id=event.dispute_id,
        milestone_id=event.milestone_id,
        state=event.state,
        opened_by=event.opened_by,
        claim_minor=event.claim.minor,
        opened_at=at,
        due_at=event.due_at,
        clock_started_at=at,
        silence_pays=event.silence_pays,
        answers_refund_id=event.answers_refund_id,
        reason=event.reason,
    )
    milestone = milestone_of(state, event.milestone_id)
    held = with_milestone(state, _on_hold(milestone, Hold.DISPUTE, dispute.id, at))
    return replace(with_dispute(held, dispute), was_disputed=True)


def _mediation_started(state: Contract, event: events.DisputeMediationStarted, at: datetime) -> Contract:
    dispute = replace(
        state.disputes[event.dispute_id],
        state=DisputeState.MEDIATION,
        due_at=event.overdue_at,
        clock_started_at=at,
        silence_pays=False,
    )
    milestone = milestone_of(state, event.milestone_id)
    if milestone.reminded_hours is not None:
        state = with_milestone(state, replace(milestone, reminded_hours=None))
    return with_dispute(state, dispute)


def _evidence_added(state: Contract, event: events.DisputeEvidenceAdded, at: datetime) -> Contract:
    dispute = state.disputes[event.dispute_id]
    if event.side is Side.CLIENT:
        dispute = replace(dispute, client_evidence=event.number)
    else:
        dispute = replace(dispute, freelancer_evidence=event.number)
    piece = Evidence(dispute.id, event.side, event.number, event.text, event.links, event.attachments, at)
    return replace(with_dispute(state, dispute), evidence={**state.evidence, piece.key: piece})


def _offer(side: Side, minor: int | None, dispute: Dispute) -> Dispute:
    if side is Side.CLIENT:
        return replace(dispute, client_offer_minor=minor)
    return replace(dispute, freelancer_offer_minor=minor)


def _settlement_offered(state: Contract, event: events.DisputeSettlementOffered, at: datetime) -> Contract:
    dispute = state.disputes[event.dispute_id]
    return with_dispute(state, _offer(event.offered_by, event.to_freelancer.minor, dispute))


def _settlement_withdrawn(state: Contract, event: events.DisputeSettlementWithdrawn, at: datetime) -> Contract:
    return with_dispute(state, _offer(event.withdrawn_by, None, state.disputes[event.dispute_id]))


def _withdrawal_agreed(state: Contract, event: events.DisputeWithdrawalAgreed, at: datetime) -> Contract:
    dispute = state.disputes[event.dispute_id]
    if event.agreed_by is Side.CLIENT:
        return with_dispute(state, replace(dispute, client_withdraws=True))
    return with_dispute(state, replace(dispute, freelancer_withdraws=True))


def _resolved(state: Contract, event: events.DisputeResolved, at: datetime) -> Contract:
    dispute = replace(
        state.disputes[event.dispute_id],
        state=DisputeState.RESOLVED,
        to_freelancer_minor=event.to_freelancer.minor,
        explanation=event.reason or "",
    )
    return with_dispute(state, dispute)


def _withdrawn(state: Contract, event: events.DisputeWithdrawn, at: datetime) -> Contract:
    dispute = replace(state.disputes[event.dispute_id], state=DisputeState.WITHDRAWN)
    return hold_ended(
        with_dispute(state, dispute),
        event.milestone_id,
        at,
        review_due_at=event.review_due_at,
        barred=event.opened_by,
        barred_until=event.barred_until,
    )


def _overdue(state: Contract, event: events.DisputeOverdue, at: datetime) -> Contract:
    """The operator was told; the milestone has not changed."""
    dispute = state.disputes[event.dispute_id]
    return with_dispute(state, replace(dispute, overdue=event.times, due_at=event.next_at))


def _as_it_was(state: Contract, event: events.Event, at: datetime) -> Contract:
    """What the event says is carried out by the ones that follow it."""
    return state


def _end_requested(state: Contract, event: events.ContractEndRequested, at: datetime) -> Contract:
    return replace(state, ending=Ending(event.requested_by, at))


def _end_withdrawn(state: Contract, event: events.ContractEndWithdrawn, at: datetime) -> Contract:
    return replace(state, ending=None)


def _ended(state: Contract, event: events.ContractEnded, at: datetime) -> Contract:
    return replace(state, state=ContractState.ENDED)


FOLDS: Final[dict[type[events.Event], Callable[[Contract, Any, datetime], Contract]]] = {
    events.RefundRequested: _refund_requested,
    events.RefundAccepted: _refund_accepted,
    events.RefundDeclined: _refund_declined,
    events.RefundRequestWithdrawn: _refund_withdrawn,
    events.DisputeOpened: _dispute_opened,
    events.DisputeEvidenceAdded: _evidence_added,
    events.DisputeClaimAccepted: _as_it_was,
    events.DisputeRejected: _as_it_was,
    events.DisputeMediationStarted: _mediation_started,
    events.DisputeSettlementOffered: _settlement_offered,
    events.DisputeSettlementWithdrawn: _settlement_withdrawn,
    events.DisputeWithdrawalAgreed: _withdrawal_agreed,
    events.DisputeResolved: _resolved,
    events.DisputeWithdrawn: _withdrawn,
    events.DisputeOverdue: _overdue,
    events.ContractEndRequested: _end_requested,
    events.ContractEndWithdrawn: _end_withdrawn,
    events.ContractEnded: _ended,
}
