"""Decides on refund requests and their answers, and on refunds that nobody asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from escrow.agreement import events, inputs
from escrow.agreement.commands import AcceptRefund, DeclineRefund, GiveRefund, RequestRefund, WithdrawRefund
from escrow.agreement.deadlines import Deadline
from escrow.agreement.decisions import disputes, holdings, holds
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import Milestone, RefundRequest


def request_refund(history: History, command: RequestRefund) -> None:
    """`refund.requested` for all or a part of what the milestone holds, which is on hold from now on."""
    milestone = history.milestone(command.milestone_id)
    message = inputs.message(command.message)
    amount = holds.part(command.amount, history.state, milestone, field="amount")
    ask(history, milestone, command.refund_id, amount, by_ending=False, message=message)


def ask(
    history: History,
    milestone: Milestone,
    refund_id: str,
    amount_minor: int,
    *,
    by_ending: bool,
    message: str | None = None,
) -> None:
    """`refund.requested`, by the client or by its ending of the contract; an answer is due within the window."""
    event = events.RefundRequested(
        refund_id=refund_id,
        milestone_id=milestone.id,
        amount=history.money(amount_minor),
        by_ending=by_ending,
        due_at=history.now + timedelta(hours=history.state.windows.refund_answer_hours),
        message=message,
    )
    history.add(event)


def withdraw_refund(history: History, command: WithdrawRefund) -> None:
    """`refund.request_withdrawn`: the milestone goes on as before."""
    take_back(history, history.state.refunds[command.refund_id], message=inputs.message(command.message))


def take_back(history: History, refund: RefundRequest, *, message: str | None = None) -> None:
    """`refund.request_withdrawn`, and the client is barred from another hold on the milestone for a while."""
    milestone = history.milestone(refund.milestone_id)
    event = events.RefundRequestWithdrawn(
        refund_id=refund.id,
        milestone_id=milestone.id,
        client_barred_until=history.now + holds.BAR,
        review_due_at=holds.review_goes_on(milestone, history.now),
        message=message,
    )
    history.add(event)


def accept_refund(history: History, command: AcceptRefund) -> None:
    """`refund.accepted`, and what was asked for goes back."""
    refund = history.state.refunds[command.refund_id]
    event = events.RefundAccepted(
        refund_id=refund.id, milestone_id=refund.milestone_id, message=inputs.message(command.message)
    )
    history.add(event)
    _carry_out(history, refund, events.RefundReason.REQUEST_ACCEPTED)


def leave_unanswered(history: History, clock: Deadline) -> None:
    """The answer's window passed: what was asked for goes back."""
    _carry_out(history, history.state.refunds[clock.subject_id], events.RefundReason.REQUEST_UNANSWERED)


def _carry_out(history: History, refund: RefundRequest, reason: events.RefundReason) -> None:
    milestone = history.milestone(refund.milestone_id)
    if refund.amount_minor == milestone.held_minor:
        holdings.refund(history, milestone, reason, refund_id=refund.id)
        return
    holdings.refund_part(
        history,
        milestone,
        refund.amount_minor,
        reason,
        refund_id=refund.id,
        review_due_at=holds.review_goes_on(milestone, history.now),
        client_barred_until=history.now + holds.BAR,
    )


def decline_refund(history: History, command: DeclineRefund) -> None:
    """`refund.declined`, and a dispute in mediation in its place; the claim is everything unless it says otherwise."""
    refund = history.state.refunds[command.refund_id]
    milestone = history.milestone(refund.milestone_id)
    reason = inputs.text(command.reason, field="reason", characters_max=inputs.MESSAGE_MAX)
    claim = milestone.held_minor
    if command.claim is not None:
        claim = holds.share(command.claim, history.state, milestone, field="claim")
    disputes.answer(history, milestone, refund, dispute_id=command.dispute_id, claim_minor=claim, reason=reason)


def give_refund(history: History, command: GiveRefund) -> None:
    """`milestone.refunded` with all that is held, under any hold, which it ends; or `milestone.partly_refunded`."""
    milestone = history.milestone(command.milestone_id)
    message = inputs.message(command.message)
    amount = holds.part(command.amount, history.state, milestone, field="amount")
    if amount < milestone.held_minor:
        holdings.refund_part(history, milestone, amount, events.RefundReason.GIVEN, message=message)
        return
    disputes.concede(history, milestone, 0, events.DisputeOutcome.REFUND_GIVEN)
    holdings.refund(history, milestone, events.RefundReason.GIVEN, message=message)


DECISIONS: Final[Decisions] = {
    RequestRefund: request_refund,
    WithdrawRefund: withdraw_refund,
    AcceptRefund: accept_refund,
    DeclineRefund: decline_refund,
    GiveRefund: give_refund,
}
