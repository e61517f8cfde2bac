"""Facts about the plan: milestones that come, change, move and go."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText, OptionalTextList, Text, TextList
from escrow.money import Money


class MilestoneAdded(Event):
    """A milestone joined the plan, by a proposal or by the client."""

    type: ClassVar = "milestone.added"
    milestone_id: str
    revision: int
    position: int
    plan_version: int
    amount: Money
    due_on: date
    title: Text
    purpose: Text
    deliverables: TextList
    message: OptionalText = None


class MilestoneEdited(Event):
    """A planned milestone changed; texts that are absent stayed as they were."""

    type: ClassVar = "milestone.edited"
    milestone_id: str
    plan_version: int
    amount: Money
    due_on: date
    title: OptionalText = None
    purpose: OptionalText = None
    deliverables: OptionalTextList = None
    message: OptionalText = None


class MilestoneMoved(Event):
    """A planned milestone took another place; the ones between moved up or down by one."""

    type: ClassVar = "milestone.moved"
    milestone_id: str
    plan_version: int
    position: int
    message: OptionalText = None


class MilestoneRemoved(Event):
    """The client took a planned milestone out of the plan."""

    type: ClassVar = "milestone.removed"
    milestone_id: str
    plan_version: int
    message: OptionalText = None


class MilestoneCancelled(Event):
    """A milestone without money went with its revision or its contract."""

    type: ClassVar = "milestone.cancelled"
    milestone_id: str


class MilestoneAmended(Event):
    """Both sides agreed on another due date or other deliverables of a milestone that holds money. Clocks are unaffected."""

    type: ClassVar = "milestone.amended"
    milestone_id: str
    plan_version: int
    due_on: date
    deliverables: OptionalTextList = None
