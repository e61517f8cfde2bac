"""Decides on disputes from the claim to the split: evidence, answers, silence, settlements, mediation, withdrawal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from escrow import writing
from escrow.access import Side
from escrow.agreement import commands, events, inputs
from escrow.agreement.deadlines import Deadline
from escrow.agreement.decisions import holdings, holds
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import EVIDENCE_MAX, Dispute, Milestone, RefundRequest
from escrow.agreement.state.holdings import totals
from escrow.causes import Cause
from escrow.errors import InvalidInput
from escrow.ids import Kind
from escrow.states import DisputeState

OVERDUE_AGAIN: Final = timedelta(days=1)
"""How long after a notice the operator is told again that a dispute waits for a decision."""

NO_LONGER_HELD: Final = (
    "The payment provider may hold this money no longer. Agree on a settlement, or a mediator decides."
)
"""The reason of a dispute that nobody opened but the law."""


def open_dispute(history: History, command: commands.OpenDispute) -> None:
    """`dispute.opened`; under a refund request it declines that, and begins in mediation."""
    milestone, side = history.milestone(command.milestone_id), history.side
    reason = inputs.text(command.reason, field="reason", characters_max=inputs.MESSAGE_MAX)
    claim = holds.share(command.claim, history.state, milestone, field="claim")
    refund = history.state.open_refund(milestone)
    if refund is not None:
        answer(history, milestone, refund, dispute_id=command.dispute_id, claim_minor=claim, reason=reason)
        return
    due_at = history.now + timedelta(hours=history.state.windows.dispute_answer_hours)
    review_ends_at = holds.review_would_end(milestone, history.now)
    if side is Side.FREELANCER and review_ends_at is not None:
        due_at = max(due_at, review_ends_at)
    event = events.DisputeOpened(
        dispute_id=command.dispute_id,
        milestone_id=milestone.id,
        opened_by=side,
        claim=history.money(claim),
        held=history.money(milestone.held_minor),
        state=DisputeState.OPEN,
        due_at=due_at,
        silence_pays=side is Side.CLIENT or review_ends_at is not None,
        reason=reason,
    )
    history.add(event)


def answer(
    history: History,
    milestone: Milestone,
    refund: RefundRequest,
    *,
    dispute_id: str,
    claim_minor: int,
    reason: str,
) -> None:
    """The freelancer's answer to a refund request: `refund.declined`, and a dispute that begins in mediation."""
    declined = events.RefundDeclined(
        refund_id=refund.id, milestone_id=milestone.id, dispute_id=dispute_id, reason=reason
    )
    history.add(declined)
    opened = events.DisputeOpened(
        dispute_id=dispute_id,
        milestone_id=milestone.id,
        opened_by=Side.FREELANCER,
        claim=history.money(claim_minor),
        held=history.money(milestone.held_minor),
        state=DisputeState.MEDIATION,
        due_at=_overdue_at(history),
        silence_pays=False,
        answers_refund_id=refund.id,
        reason=reason,
    )
    history.add(opened)
    _start_mediation(history, history.state.disputes[dispute_id])


def begin_by_limit(history: History, milestone: Milestone) -> None:
    """What the milestone holds may be held no longer, and somebody was asked about it: a mediator decides. A dispute that is
    open goes to mediation; else one begins that nobody opened but the law, in the freelancer's name, for all that is held."""
    dispute = history.state.open_dispute(milestone)
    if dispute is None:
        refund = history.state.open_refund(milestone)
        event = events.DisputeOpened(
            dispute_id=history.fresh(Kind.DISPUTE),
            milestone_id=milestone.id,
            opened_by=Side.FREELANCER,
            claim=history.money(milestone.held_minor),
            held=history.money(milestone.held_minor),
            state=DisputeState.MEDIATION,
            due_at=_overdue_at(history),
            silence_pays=False,
            answers_refund_id=refund.id if refund is not None else None,
            by_hold_limit=True,
            reason=NO_LONGER_HELD,
        )
        history.add(event)
        dispute = history.state.disputes[event.dispute_id]
    _start_mediation(history, dispute)


def add_evidence(history: History, command: commands.AddEvidence) -> None:
    """`dispute.evidence_added`, the next of that side."""
    dispute, side = history.state.disputes[command.dispute_id], history.side
    text = inputs.optional_text(command.text, field="text", characters_max=inputs.EVIDENCE_TEXT_MAX)
    links, attachments = inputs.links(command.links), inputs.attachments(command.attachments)
    if writing.shows_nothing(text) and not (links or attachments):
        raise InvalidInput("Evidence is a text, a link or an attachment: give at least one.", cause=Cause.NOTHING_GIVEN)
    count = dispute.evidence_of(side)
    if count >= EVIDENCE_MAX:
        raise InvalidInput(
            f"Each side brings forward at most {EVIDENCE_MAX} pieces of evidence.",
            details={"most": EVIDENCE_MAX},
            cause=Cause.NO_MORE,
        )
    event = events.DisputeEvidenceAdded(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        side=side,
        number=count + 1,
        text=text,
        links=links,
        attachments=attachments,
    )
    history.add(event)


def accept_claim(history: History, command: commands.AcceptClaim) -> None:
    """`dispute.claim_accepted`, and the claim is carried out."""
    dispute = history.state.disputes[command.dispute_id]
    event = events.DisputeClaimAccepted(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        accepted_by=history.side,
        message=inputs.message(command.message),
    )
    history.add(event)
    _resolve(history, dispute, dispute.claim_minor, events.SplitReason.CLAIM_ACCEPTED)


def reject_claim(history: History, command: commands.RejectClaim) -> None:
    """`dispute.rejected`, and mediation starts."""
    dispute = history.state.disputes[command.dispute_id]
    event = events.DisputeRejected(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        rejected_by=history.side,
        message=inputs.message(command.message),
    )
    history.add(event)
    _start_mediation(history, dispute)


def leave_unanswered(history: History, clock: Deadline) -> None:
    """The answer's window passed: the claim is carried out where silence pays, else mediation starts."""
    dispute = history.state.disputes[clock.subject_id]
    if dispute.silence_pays:
        _resolve(history, dispute, dispute.claim_minor, events.SplitReason.CLAIM_UNANSWERED)
    else:
        _start_mediation(history, dispute)


def tell_overdue(history: History, clock: Deadline) -> None:
    """`dispute.overdue`: the operator is told that mediation takes too long, today and every day."""
    dispute = history.state.disputes[clock.subject_id]
    event = events.DisputeOverdue(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        times=dispute.overdue + 1,
        next_at=history.now + OVERDUE_AGAIN,
    )
    history.add(event)


def offer_settlement(history: History, command: commands.OfferSettlement) -> None:
    """`dispute.settlement_offered` in place of that side's older one; the same offer again, without a word, is no event."""
    dispute, side = history.state.disputes[command.dispute_id], history.side
    milestone, message = history.milestone(dispute.milestone_id), inputs.message(command.message)
    to_freelancer = holds.share(command.to_freelancer, history.state, milestone, field="toFreelancer")
    if dispute.offer_of(side) == to_freelancer and message is None:
        return
    event = events.DisputeSettlementOffered(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        offered_by=side,
        to_freelancer=history.money(to_freelancer),
        message=message,
    )
    history.add(event)


def withdraw_settlement(history: History, command: commands.WithdrawSettlement) -> None:
    """`dispute.settlement_withdrawn`."""
    dispute = history.state.disputes[command.dispute_id]
    event = events.DisputeSettlementWithdrawn(
        dispute_id=dispute.id, milestone_id=dispute.milestone_id, withdrawn_by=history.side
    )
    history.add(event)


def accept_settlement(history: History, command: commands.AcceptSettlement) -> None:
    """The other side's offer is carried out, if it is the one that is named."""
    dispute = history.state.disputes[command.dispute_id]
    milestone = history.milestone(dispute.milestone_id)
    to_freelancer = holds.share(command.to_freelancer, history.state, milestone, field="toFreelancer")
    _resolve(history, dispute, to_freelancer, events.SplitReason.SETTLEMENT)


def withdraw_dispute(history: History, command: commands.WithdrawDispute) -> None:
    """`dispute.withdrawn` by its opener; in mediation only once the other side has agreed to it, too."""
    dispute, side = history.state.disputes[command.dispute_id], history.side
    message = inputs.message(command.message)
    if dispute.state is DisputeState.MEDIATION and not dispute.is_withdrawn_by(side.other):
        if not dispute.is_withdrawn_by(side):
            agreed = events.DisputeWithdrawalAgreed(
                dispute_id=dispute.id, milestone_id=dispute.milestone_id, agreed_by=side, message=message
            )
            history.add(agreed)
        return
    milestone = history.milestone(dispute.milestone_id)
    event = events.DisputeWithdrawn(
        dispute_id=dispute.id,
        milestone_id=milestone.id,
        opened_by=dispute.opened_by,
        barred_until=history.now + holds.BAR,
        review_due_at=holds.review_goes_on(milestone, history.now),
        message=message,
    )
    history.add(event)


def decide_dispute(history: History, command: commands.DecideDispute) -> None:
    """`dispute.resolved` with the split and its reason, by a mediator or the operator."""
    dispute = history.state.disputes[command.dispute_id]
    milestone = history.milestone(dispute.milestone_id)
    to_freelancer = holds.share(command.to_freelancer, history.state, milestone, field="toFreelancer")
    reason = inputs.text(command.reason, field="reason", characters_max=inputs.MESSAGE_MAX)
    _resolve(history, dispute, to_freelancer, events.SplitReason.DECIDED, explanation=reason)


def concede(history: History, milestone: Milestone, to_freelancer_minor: int, outcome: events.DisputeOutcome) -> None:
    """`dispute.resolved` for the dispute on a milestone, if there is one, whose money goes one way without it."""
    dispute = history.state.open_dispute(milestone)
    if dispute is not None:
        _close(history, dispute, to_freelancer_minor, outcome)


def _resolve(
    history: History,
    dispute: Dispute,
    to_freelancer_minor: int,
    reason: events.SplitReason,
    *,
    explanation: str | None = None,
) -> None:
    """Ends the dispute and sends all that is held where it says."""
    _close(history, dispute, to_freelancer_minor, events.DisputeOutcome(reason.value), reason=explanation)
    milestone = history.milestone(dispute.milestone_id)
    holdings.split(history, milestone, to_freelancer_minor, dispute_id=dispute.id, reason=reason)


def _close(
    history: History,
    dispute: Dispute,
    to_freelancer_minor: int,
    outcome: events.DisputeOutcome,
    *,
    reason: str | None = None,
) -> None:
    milestone = history.milestone(dispute.milestone_id)
    lost, _ = history.state.lost_and_kept(milestone.lots)
    lost_minor, _ = totals(lost)
    event = events.DisputeResolved(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        outcome=outcome,
        to_freelancer=history.money(to_freelancer_minor),
        to_client=history.money(milestone.held_minor - to_freelancer_minor - lost_minor),
        reason=reason,
    )
    history.add(event)


def _start_mediation(history: History, dispute: Dispute) -> None:
    event = events.DisputeMediationStarted(
        dispute_id=dispute.id,
        milestone_id=dispute.milestone_id,
        overdue_at=_overdue_at(history),
    )
    history.add(event)


def _overdue_at(history: History) -> datetime:
    """When the operator is told that mediation which begins now takes too long."""
    return history.now + timedelta(hours=history.state.windows.mediation_hours)


DECISIONS: Final[Decisions] = {
    commands.OpenDispute: open_dispute,
    commands.AddEvidence: add_evidence,
    commands.AcceptClaim: accept_claim,
    commands.RejectClaim: reject_claim,
    commands.OfferSettlement: offer_settlement,
    commands.WithdrawSettlement: withdraw_settlement,
    commands.AcceptSettlement: accept_settlement,
    commands.WithdrawDispute: withdraw_dispute,
    commands.DecideDispute: decide_dispute,
}
