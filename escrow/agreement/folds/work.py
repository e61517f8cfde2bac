"""Folds events about work and its review: a milestone's turn, submissions, and the clock of the review."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.lookups import milestone_of, with_milestone
from escrow.agreement.state import Contract, Submission
from escrow.states import MilestoneState
from escrow.values import replace


def _activated(state: Contract, event: events.MilestoneActivated, at: datetime) -> Contract:
    changed = replace(milestone_of(state, event.milestone_id), state=MilestoneState.ACTIVE, updated_at=at)
    return with_milestone(state, changed)


def _submitted(state: Contract, event: events.MilestoneSubmitted, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(
        milestone,
        state=MilestoneState.SUBMITTED,
        reminded_hours=None,
        submissions=event.number,
        review_due_at=event.review_due_at,
        # While a reversal stops its clocks, this one starts stopped, with its whole window left.
        review_frozen_at=at if milestone.is_frozen else None,
        review_resumed_at=None,
        updated_at=at,
    )
    submission = Submission(
        id=event.submission_id,
        milestone_id=event.milestone_id,
        number=event.number,
        message=event.message,
        links=event.links,
        attachments=event.attachments,
        submitted_at=at,
    )
    return replace(with_milestone(state, changed), submissions={**state.submissions, submission.id: submission})


def _changes_requested(state: Contract, event: events.MilestoneChangesRequested, at: datetime) -> Contract:
    changed = replace(
        milestone_of(state, event.milestone_id),
        state=MilestoneState.CHANGES_REQUESTED,
        review_due_at=None,
        review_frozen_at=None,
        review_resumed_at=None,
        reminded_hours=None,
        updated_at=at,
    )
    return with_milestone(state, changed)


def _deadline_approaching(state: Contract, event: events.MilestoneDeadlineApproaching, at: datetime) -> Contract:
    """Remembers that it was told, and for which of the running window's announcements; the milestone has not changed."""
    return with_milestone(state, replace(milestone_of(state, event.milestone_id), reminded_hours=event.hours_left))


FOLDS: Final[Folds] = {
    events.MilestoneActivated: _activated,
    events.MilestoneSubmitted: _submitted,
    events.MilestoneChangesRequested: _changes_requested,
    events.MilestoneDeadlineApproaching: _deadline_approaching,
}
