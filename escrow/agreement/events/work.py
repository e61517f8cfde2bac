"""Facts about the work of a milestone and its review."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import AttachmentList, Event, Text, TextList


class MilestoneActivated(Event):
    """Its turn came: work is under way."""

    type: ClassVar = "milestone.activated"
    milestone_id: str


class MilestoneSubmitted(Event):
    """Work was handed in; the client's review window runs until `review_due_at`."""

    type: ClassVar = "milestone.submitted"
    milestone_id: str
    submission_id: str
    number: int
    review_due_at: datetime
    message: Text
    links: TextList
    attachments: AttachmentList


class MilestoneChangesRequested(Event):
    """The client sent the work back; the review clock stopped."""

    type: ClassVar = "milestone.changes_requested"
    milestone_id: str
    number: int
    note: Text


class MilestoneDeadlineApproaching(Event):
    """Silence will have its effect in `hours_left` hours: `action` is the event that then happens. Nothing else changed."""

    type: ClassVar = "milestone.deadline_approaching"
    milestone_id: str
    deadline_at: datetime
    action: str
    in_favour_of: Side | None
    hours_left: int
