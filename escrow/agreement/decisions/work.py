"""Decides on work and its review: submitted, sent back, approved (also with less, or with a bonus), and reminders."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from escrow.agreement import events, inputs
from escrow.agreement.commands import Approve, RequestChanges, Submit
from escrow.agreement.deadlines import Deadline
from escrow.agreement.decisions import bonuses, disputes, holdings
from escrow.agreement.decisions.holdings import release
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import Contract, Milestone
from escrow.agreement.subjects import is_released_again
from escrow.causes import Cause
from escrow.errors import InvalidInput, NextNotFunded
from escrow.money import Money, exact
from escrow.states import Hold, MilestoneState


def submit(history: History, command: Submit) -> None:
    """`milestone.submitted`: the next number, and a fresh review window."""
    milestone = history.milestone(command.milestone_id)
    event = events.MilestoneSubmitted(
        milestone_id=milestone.id,
        submission_id=command.submission_id,
        number=milestone.submissions + 1,
        review_due_at=history.now + timedelta(hours=history.state.windows.review_hours),
        message=inputs.text(command.message, field="message", characters_max=inputs.MESSAGE_MAX),
        links=inputs.links(command.links),
        attachments=inputs.attachments(command.attachments),
    )
    history.add(event)


def request_changes(history: History, command: RequestChanges) -> None:
    """`milestone.changes_requested`: the review clock stops."""
    milestone = history.milestone(command.milestone_id)
    note = inputs.text(command.note, field="note", characters_max=inputs.MESSAGE_MAX)
    history.add(events.MilestoneChangesRequested(milestone_id=milestone.id, number=milestone.submissions, note=note))


def approve(history: History, command: Approve) -> None:
    """`milestone.released` with all that is held, or with less: what that leaves rolls forward. Then the bonus, if there is
    one. What was released already stays as it is, and a bonus starts unless there is one.

    Refuses a smaller amount with `NextNotFunded` where nothing can take the rest.
    """
    message = inputs.message(command.message)
    milestone = history.milestone(command.milestone_id)
    amount = None
    if command.amount is not None:
        amount = exact(command.amount, currency=history.state.currency, field="amount")
    bonus = bonuses.checked(history, command)
    if not is_released_again(command.action, milestone):
        if amount is None or amount.minor == milestone.held_minor:
            disputes.concede(history, milestone, milestone.held_minor, events.DisputeOutcome.APPROVED)
            release(history, milestone, events.ReleaseReason.APPROVED, message=message)
        else:
            _release_less(history, milestone, amount, message=message)
    if bonus is not None:
        bonuses.start(history, command, bonus)


def _release_less(history: History, milestone: Milestone, amount: Money, *, message: str | None) -> None:
    """`milestone.rolled_forward` with the rest, then `milestone.released` with what is left."""
    held = history.money(milestone.held_minor)
    if amount.minor > held.minor:
        raise InvalidInput(
            f"The milestone holds {held}; {amount} is more.",
            field="amount.amount",
            details={"held": held.wire()},
            cause=Cause.MORE_THAN_HELD,
        )
    following = next_open(history.state, milestone)
    if following is None or not takes_more(following):
        raise NextNotFunded(
            "What a smaller approval leaves goes to the next open milestone, which must be FUNDED, without a hold and "
            "without a deposit under reversal.",
            field="amount",
            details={"milestoneId": following.id if following is not None else None},
        )
    holdings.roll_forward(history, milestone, following, held.minor - amount.minor)
    release(history, history.milestone(milestone.id), events.ReleaseReason.APPROVED, message=message)


def next_open(state: Contract, milestone: Milestone) -> Milestone | None:
    """The first milestone after this one that is not closed."""
    return next((one for one in state.milestones[milestone.position :] if not one.is_closed), None)


def takes_more(milestone: Milestone) -> bool:
    """Whether the rest of a smaller approval can roll forward into it."""
    return milestone.state is MilestoneState.FUNDED and milestone.hold is Hold.NONE and not milestone.is_frozen


def leave_unanswered(history: History, clock: Deadline) -> None:
    """The review window passed: silence releases the money."""
    holdings.release(history, history.milestone(clock.subject_id), events.ReleaseReason.AUTO_RELEASED)


def remind(history: History, clock: Deadline) -> None:
    """`milestone.deadline_approaching`: whoever listens is told, and nothing else changes."""
    if clock.announces is None:
        raise ValueError(f"{clock.kind} of {clock.subject_id} announces nothing")
    event = events.MilestoneDeadlineApproaching(
        milestone_id=clock.subject_id,
        deadline_at=clock.announces.due_at,
        action=clock.announces.action,
        in_favour_of=clock.announces.in_favour_of,
        hours_left=clock.hours_left,
    )
    history.add(event)


DECISIONS: Final[Decisions] = {
    Submit: submit,
    Approve: approve,
    RequestChanges: request_changes,
}
