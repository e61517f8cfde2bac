"""Folds events about the plan: milestones added, edited, amended, moved, removed, cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.folds.lookups import milestone_of, with_milestone
from escrow.agreement.state import Contract, Milestone
from escrow.states import MilestoneState
from escrow.values import replace


def _in_order(milestones: list[Milestone], at: datetime) -> tuple[Milestone, ...]:
    """Positions as the list gives them; a milestone that stays in its place stays the same object."""
    return tuple(
        milestone if milestone.position == place else replace(milestone, position=place, updated_at=at)
        for place, milestone in enumerate(milestones, start=1)
    )


def _added(state: Contract, event: events.MilestoneAdded, at: datetime) -> Contract:
    milestone = Milestone(
        id=event.milestone_id,
        revision=event.revision,
        position=event.position,
        state=MilestoneState.PLANNED,
        title=event.title,
        purpose=event.purpose,
        deliverables=event.deliverables,
        due_on=event.due_on,
        amount_minor=event.amount.minor,
        updated_at=at,
    )
    milestones = list(state.milestones)
    milestones.insert(event.position - 1, milestone)
    return replace(state, milestones=_in_order(milestones, at), plan_version=event.plan_version)


def _edited(state: Contract, event: events.MilestoneEdited, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(
        milestone,
        amount_minor=event.amount.minor,
        due_on=event.due_on,
        title=milestone.title if event.title is None else event.title,
        purpose=milestone.purpose if event.purpose is None else event.purpose,
        deliverables=milestone.deliverables if event.deliverables is None else event.deliverables,
        updated_at=at,
    )
    return replace(with_milestone(state, changed), plan_version=event.plan_version)


def _amended(state: Contract, event: events.MilestoneAmended, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(
        milestone,
        due_on=event.due_on,
        deliverables=milestone.deliverables if event.deliverables is None else event.deliverables,
        updated_at=at,
    )
    return replace(with_milestone(state, changed), plan_version=event.plan_version)


def _moved(state: Contract, event: events.MilestoneMoved, at: datetime) -> Contract:
    moving = milestone_of(state, event.milestone_id)
    milestones = [milestone for milestone in state.milestones if milestone.id != moving.id]
    milestones.insert(event.position - 1, moving)
    return replace(state, milestones=_in_order(milestones, at), plan_version=event.plan_version)


def _removed(state: Contract, event: events.MilestoneRemoved, at: datetime) -> Contract:
    changed = replace(milestone_of(state, event.milestone_id), state=MilestoneState.CANCELLED, updated_at=at)
    return replace(with_milestone(state, changed), plan_version=event.plan_version)


def _cancelled(state: Contract, event: events.MilestoneCancelled, at: datetime) -> Contract:
    changed = replace(milestone_of(state, event.milestone_id), state=MilestoneState.CANCELLED, updated_at=at)
    return with_milestone(state, changed)


FOLDS: Final[Folds] = {
    events.MilestoneAdded: _added,
    events.MilestoneEdited: _edited,
    events.MilestoneAmended: _amended,
    events.MilestoneMoved: _moved,
    events.MilestoneRemoved: _removed,
    events.MilestoneCancelled: _cancelled,
}
