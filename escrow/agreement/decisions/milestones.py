"""Decides on edits of an active contract's plan: the client adds, edits, moves and removes planned milestones."""

from __future__ import annotations

from typing import Final

from escrow.agreement import commands, inputs
from escrow.agreement.events import MilestoneAdded, MilestoneEdited, MilestoneMoved, MilestoneRemoved
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import MILESTONES_MAX, Contract, Milestone
from escrow.causes import Cause
from escrow.errors import InvalidInput, OutOfSequence
from escrow.money import Money, exact
from escrow.states import MilestoneState


def add_milestone(history: History, command: commands.AddMilestone) -> None:
    """`milestone.added` at the position that was asked for, by default the last."""
    state = history.state
    if len(state.milestones) >= MILESTONES_MAX:
        raise InvalidInput(
            f"A contract has at most {MILESTONES_MAX} milestones, closed ones included.",
            details={"most": MILESTONES_MAX},
            cause=Cause.NO_MORE,
        )
    draft, amount = inputs.draft(command.milestone, currency=state.currency, field="milestone")
    last = len(state.milestones) + 1
    position = _checked_position(command.position if command.position is not None else last, last=last)
    message = inputs.message(command.message)
    _check_place(state.milestones[position - 1 :])
    history.add(added(state, draft, amount, position=position, message=message, plan_version=state.plan_version + 1))


def added(
    state: Contract,
    draft: commands.MilestoneDraft,
    amount: Money,
    *,
    position: int,
    message: str | None = None,
    plan_version: int | None = None,
) -> MilestoneAdded:
    """The event that puts a checked draft into the plan."""
    return MilestoneAdded(
        milestone_id=draft.id,
        revision=state.revision,
        position=position,
        plan_version=state.plan_version if plan_version is None else plan_version,
        amount=amount,
        due_on=draft.due_on,
        title=draft.title,
        purpose=draft.purpose,
        deliverables=tuple(draft.deliverables),
        message=message,
    )


def edit_milestone(history: History, command: commands.EditMilestone) -> None:
    """`milestone.edited` with what changed; giving only what it says already changes nothing."""
    state, milestone = history.state, history.milestone(command.milestone_id)
    given = (command.title, command.purpose, command.amount, command.due_on, command.deliverables)
    if all(value is None for value in given):
        raise InvalidInput(
            "Give at least one of title, purpose, amount, dueOn or deliverables.", cause=Cause.NOTHING_GIVEN
        )
    event = edited(state, milestone, command, message=inputs.message(command.message))
    if not says_the_same(milestone, event):
        history.add(event)


def edited(
    state: Contract,
    milestone: Milestone,
    given: commands.EditMilestone | commands.ImportRow,
    *,
    message: str | None,
    place: str = "",
) -> MilestoneEdited:
    """The event that changes what is given of a milestone. `place` goes before the names of fields in refusals."""
    return MilestoneEdited(
        milestone_id=milestone.id,
        plan_version=state.plan_version + 1,
        title=None
        if given.title is None
        else inputs.line(given.title, field=f"{place}title", characters_max=inputs.TITLE_MAX),
        purpose=None
        if given.purpose is None
        else inputs.text(given.purpose, field=f"{place}purpose", characters_max=inputs.PURPOSE_MAX),
        deliverables=None
        if given.deliverables is None
        else inputs.deliverables(given.deliverables, field=f"{place}deliverables"),
        due_on=milestone.due_on if given.due_on is None else inputs.due_date(given.due_on, field=f"{place}dueOn"),
        amount=state.money(milestone.amount_minor)
        if given.amount is None
        else exact(given.amount, currency=state.currency, field=f"{place}amount"),
        message=message,
    )


def says_the_same(milestone: Milestone, event: MilestoneEdited) -> bool:
    """Whether the event would change nothing and tell nobody anything."""
    return (
        event.message is None
        and event.title in (None, milestone.title)
        and event.purpose in (None, milestone.purpose)
        and event.deliverables in (None, milestone.deliverables)
        and event.due_on == milestone.due_on
        and event.amount.minor == milestone.amount_minor
    )


def move_milestone(history: History, command: commands.MoveMilestone) -> None:
    """`milestone.moved`; moving it to where it stands changes nothing, unless that comes with a message."""
    state, milestone = history.state, history.milestone(command.milestone_id)
    position = _checked_position(command.position, last=len(state.milestones))
    message = inputs.message(command.message)
    if position != milestone.position:
        others = [other for other in state.milestones if other.id != milestone.id]
        _check_place(others[position - 1 :])
    if position != milestone.position or message is not None:
        event = MilestoneMoved(
            milestone_id=milestone.id, plan_version=state.plan_version + 1, position=position, message=message
        )
        history.add(event)


def remove_milestone(history: History, command: commands.RemoveMilestone) -> None:
    """`milestone.removed`: it stays in its place as a cancelled one."""
    event = MilestoneRemoved(
        milestone_id=command.milestone_id,
        plan_version=history.state.plan_version + 1,
        message=inputs.message(command.message),
    )
    history.add(event)


def _checked_position(position: int, *, last: int) -> int:
    if not 1 <= position <= last:
        raise InvalidInput(
            f"A position between 1 and {last}, not {position}.",
            field="position",
            details={"last": last},
            cause=Cause.POSITION,
        )
    return position


def _check_place(behind: list[Milestone] | tuple[Milestone, ...]) -> None:
    """Nothing may be placed before a milestone that is neither planned nor closed: docs/law.md, section 3."""
    for milestone in behind:
        if milestone.state is not MilestoneState.PLANNED and not milestone.is_closed:
            raise OutOfSequence(
                f"Nothing can be placed before milestone {milestone.position}, which is {milestone.state}.",
                field="position",
                details={"milestoneId": milestone.id},
            )


DECISIONS: Final[Decisions] = {
    commands.AddMilestone: add_milestone,
    commands.EditMilestone: edit_milestone,
    commands.MoveMilestone: move_milestone,
    commands.RemoveMilestone: remove_milestone,
}
