"""Work and its review: submit, request changes, approve, and what silence does: first reminders, then its effect."""

from __future__ import annotations

from datetime import timedelta

from escrow.access import Actor
from escrow.agreement import inputs
from escrow.agreement.commands import Approve, RequestChanges, Submit
from escrow.agreement.deadlines import Deadline
from escrow.agreement.events import (
    MilestoneChangesRequested,
    MilestoneDeadlineApproaching,
    MilestoneReleased,
    MilestoneSubmitted,
    ReleaseReason,
)
from escrow.agreement.history import Desk, History
from escrow.agreement.permit import is_released_again
from escrow.agreement.plan import planned
from escrow.agreement.state import Milestone
from escrow.money import fee


def submit(history: History, command: Submit, desk: Desk) -> None:
    """``milestone.submitted``: the next number, and a fresh review window."""
    milestone = planned(history, command.milestone_id)
    event = MilestoneSubmitted(
        milestone_id=milestone.id,
        submission_id=command.submission_id,
        number=milestone.submissions + 1,
        review_due_at=desk.now + timedelta(hours=history.state.windows.review_hours),
        message=inputs.text(command.message, field="message", characters_max=inputs.MESSAGE_MAX),
        links=inputs.links(command.links),
        attachments=inputs.attachments(command.attachments),
    )
    history.add(event, at=desk.now, by=desk.actor)


def request_changes(history: History, command: RequestChanges, desk: Desk) -> None:
    """``milestone.changes_requested``: the review clock stops."""
    milestone = planned(history, command.milestone_id)
    note = inputs.text(command.note, field="note", characters_max=inputs.MESSAGE_MAX)
    event = MilestoneChangesRequested(milestone_id=milestone.id, number=milestone.submissions, note=note)
    history.add(event, at=desk.now, by=desk.actor)


def approve(history: History, command: Approve, desk: Desk) -> None:
    """``milestone.released`` with all that is held; nothing where that happened already."""
    message = inputs.message(command.message)
    milestone = planned(history, command.milestone_id)
    if not is_released_again(command.action, milestone):
        release(history, milestone, ReleaseReason.APPROVED, desk, by=desk.actor, message=message)


def remind(history: History, clock: Deadline, desk: Desk) -> None:
    """``milestone.deadline_approaching``: whoever listens is told, and nothing else changes."""
    if clock.announces is None:
        raise ValueError(f"{clock.kind} of {clock.subject_id} announces nothing")
    event = MilestoneDeadlineApproaching(
        milestone_id=clock.subject_id,
        deadline_at=clock.announces.due_at,
        action=clock.announces.action,
        in_favour_of=clock.announces.in_favour_of,
        hours_left=clock.hours_left,
    )
    history.add(event, at=desk.now, by=desk.actor)


def release(
    history: History, milestone: Milestone, reason: ReleaseReason, desk: Desk, *, by: Actor, message: str | None = None
) -> None:
    """Pays the whole of a milestone to the freelancer, less the fee of the contract's snapshot."""
    event = MilestoneReleased(
        milestone_id=milestone.id,
        reason=reason,
        amount=history.money(milestone.held_minor),
        freelancer_fee=history.money(fee(milestone.held_minor, history.state.fees.freelancer_bps)),
        client_fee=history.money(milestone.held_fee_minor),
        message=message,
    )
    history.add(event, at=desk.now, by=by)
