"""Folds events about disputes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.folds.base import Folds, as_it_was
from escrow.agreement.folds.holds import hold_ended, on_hold
from escrow.agreement.folds.lookups import milestone_of, with_dispute, with_milestone, with_refund
from escrow.agreement.state import Contract, Dispute, Evidence
from escrow.states import DisputeState, Hold, RefundState
from escrow.values import replace


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
        by_hold_limit=bool(event.by_hold_limit),
    )
    milestone = milestone_of(state, event.milestone_id)
    if (refund := state.open_refund(milestone)) is not None:
        # Nobody answered it: the law took what it is about to mediation.
        state = with_refund(state, replace(refund, state=RefundState.OVERTAKEN))
    held = with_milestone(state, on_hold(milestone, Hold.DISPUTE, dispute.id, at))
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
    return with_dispute(state, _offer(event.offered_by, event.to_freelancer.minor, state.disputes[event.dispute_id]))


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
    return with_dispute(state, replace(state.disputes[event.dispute_id], overdue=event.times, due_at=event.next_at))


FOLDS: Final[Folds] = {
    events.DisputeOpened: _dispute_opened,
    events.DisputeEvidenceAdded: _evidence_added,
    events.DisputeClaimAccepted: as_it_was,
    events.DisputeRejected: as_it_was,
    events.DisputeMediationStarted: _mediation_started,
    events.DisputeSettlementOffered: _settlement_offered,
    events.DisputeSettlementWithdrawn: _settlement_withdrawn,
    events.DisputeWithdrawalAgreed: _withdrawal_agreed,
    events.DisputeResolved: _resolved,
    events.DisputeWithdrawn: _withdrawn,
    events.DisputeOverdue: _overdue,
}
