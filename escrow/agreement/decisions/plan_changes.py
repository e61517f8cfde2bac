"""Carries out the operations of a change request on a plan, keeps them in an event, and reads them back.

Adding, editing, moving and removing are the client's own edits, told by `decisions.milestones`; *amend* is the one change of
a milestone that holds money: its due date or its deliverables, never its amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from escrow.agreement import commands, inputs
from escrow.agreement.decisions import milestones
from escrow.agreement.events import MilestoneAmended
from escrow.agreement.history import History
from escrow.agreement.state import ChangeKind, ChangeRequest, ChangeWords, Contract, Milestone, PlanChange
from escrow.causes import Cause
from escrow.errors import InvalidInput, InvalidState, MilestoneLocked, NotFound
from escrow.money import Money, RawMoney, exact
from escrow.states import MilestoneState

_ERASED: Final = ChangeWords(title="", purpose="", deliverables=("",))
"""What stands for the words of an operation that were erased: no plan takes it."""


def carry_out(history: History, change: commands.RequestedChange) -> None:
    """The events of one operation; refuses with a `DomainError` where it doesn't fit the plan as it is."""
    match change:
        case commands.AddChange(milestone=draft, position=position):
            if history.state.ending is not None:
                raise InvalidState("The contract is being ended; nothing is added any more.")
            milestones.add_milestone(
                history,
                commands.AddMilestone(contract_id=history.contract_id, milestone=draft, position=position),
            )
        case commands.EditChange():
            _open_for_edits(history.state, change.milestone_id)
            milestones.edit_milestone(history, _edit(change))
        case commands.RemoveChange(milestone_id=milestone_id):
            _open_for_edits(history.state, milestone_id)
            milestones.remove_milestone(history, commands.RemoveMilestone(milestone_id=milestone_id))
        case commands.MoveChange(milestone_id=milestone_id, position=position):
            _open_for_edits(history.state, milestone_id)
            milestones.move_milestone(history, commands.MoveMilestone(milestone_id=milestone_id, position=position))
        case commands.AmendChange():
            _amend(history, change)


def _edit(change: commands.EditChange) -> commands.EditMilestone:
    return commands.EditMilestone(
        milestone_id=change.milestone_id,
        title=change.title,
        purpose=change.purpose,
        amount=change.amount,
        due_on=change.due_on,
        deliverables=change.deliverables,
    )


def _open_for_edits(state: Contract, milestone_id: str) -> None:
    milestone = named(state, milestone_id)
    if milestone.state is not MilestoneState.PLANNED:
        raise MilestoneLocked(
            f"The milestone is {milestone.state}; only PLANNED ones can be changed.",
            details={"milestoneId": milestone.id, "milestoneState": milestone.state.value},
        )


def named(state: Contract, milestone_id: str) -> Milestone:
    """The milestone of that id, or `NotFound`."""
    milestone = state.milestone(milestone_id)
    if milestone is None:
        raise NotFound(f"There is no milestone {milestone_id}.", field="milestoneId")
    return milestone


def _amend(history: History, change: commands.AmendChange) -> None:
    """`milestone.amended`; giving only what it says already changes nothing."""
    state = history.state
    milestone = named(state, change.milestone_id)
    if not milestone.is_held:
        raise MilestoneLocked(
            f"The milestone is {milestone.state}; only one that holds money is amended.",
            details={"milestoneId": milestone.id, "milestoneState": milestone.state.value},
        )
    if change.due_on is None and change.deliverables is None:
        raise InvalidInput("Give a dueOn, deliverables, or both.", cause=Cause.NOTHING_GIVEN)
    due_on = milestone.due_on if change.due_on is None else inputs.due_date(change.due_on, field="dueOn")
    if change.deliverables is not None:
        inputs.deliverables(change.deliverables, field="deliverables")
    if due_on == milestone.due_on and change.deliverables in (None, milestone.deliverables):
        return
    event = MilestoneAmended(
        milestone_id=milestone.id,
        plan_version=state.plan_version + 1,
        due_on=due_on,
        deliverables=None if change.deliverables is None else tuple(change.deliverables),
    )
    history.add(event)


def kept(change: commands.RequestedChange, *, currency: str) -> tuple[PlanChange, ChangeWords]:
    """An operation that was found to fit, as an event keeps it: what is plain, and its words."""
    match change:
        case commands.AddChange(milestone=draft, position=position):
            return (
                PlanChange(
                    kind=ChangeKind.ADD,
                    milestone_id=draft.id,
                    position=position,
                    amount=exact(draft.amount, currency=currency, field="milestone.amount"),
                    due_on=draft.due_on,
                ),
                ChangeWords(title=draft.title, purpose=draft.purpose, deliverables=tuple(draft.deliverables)),
            )
        case commands.EditChange():
            amount = None if change.amount is None else exact(change.amount, currency=currency, field="amount")
            return (
                PlanChange(kind=ChangeKind.EDIT, milestone_id=change.milestone_id, amount=amount, due_on=change.due_on),
                ChangeWords(title=change.title, purpose=change.purpose, deliverables=_tuple(change.deliverables)),
            )
        case commands.RemoveChange(milestone_id=milestone_id):
            return PlanChange(kind=ChangeKind.REMOVE, milestone_id=milestone_id), ChangeWords()
        case commands.MoveChange(milestone_id=milestone_id, position=position):
            return PlanChange(kind=ChangeKind.MOVE, milestone_id=milestone_id, position=position), ChangeWords()
        case commands.AmendChange():
            return (
                PlanChange(kind=ChangeKind.AMEND, milestone_id=change.milestone_id, due_on=change.due_on),
                ChangeWords(deliverables=_tuple(change.deliverables)),
            )


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def asked(request: ChangeRequest) -> tuple[commands.RequestedChange, ...]:
    """The operations of a request as they were asked for. Words that were erased are empty, and won't be found good.

    Whether an edit had any isn't known any more, so none of an edit is carried out then, not only what is left of it.
    """
    words = request.words or (_ERASED,) * len(request.changes)
    return tuple(_asked(change, said) for change, said in zip(request.changes, words, strict=True))


def _asked(change: PlanChange, words: ChangeWords) -> commands.RequestedChange:
    match change.kind:
        case ChangeKind.ADD:
            if change.amount is None or change.due_on is None:
                raise ValueError(f"a request adds {change.milestone_id} without an amount or a due date")
            draft = commands.MilestoneDraft(
                id=change.milestone_id,
                title=words.title or "",
                purpose=words.purpose or "",
                amount=_raw(change.amount),
                due_on=change.due_on,
                deliverables=words.deliverables or (),
            )
            return commands.AddChange(milestone=draft, position=change.position)
        case ChangeKind.EDIT:
            return commands.EditChange(
                milestone_id=change.milestone_id,
                title=words.title,
                purpose=words.purpose,
                amount=None if change.amount is None else _raw(change.amount),
                due_on=change.due_on,
                deliverables=words.deliverables,
            )
        case ChangeKind.REMOVE:
            return commands.RemoveChange(milestone_id=change.milestone_id)
        case ChangeKind.MOVE:
            if change.position is None:
                raise ValueError(f"a request moves {change.milestone_id} nowhere")
            return commands.MoveChange(milestone_id=change.milestone_id, position=change.position)
        case ChangeKind.AMEND:
            return commands.AmendChange(
                milestone_id=change.milestone_id, due_on=change.due_on, deliverables=words.deliverables
            )


def _raw(money: Money) -> RawMoney:
    return RawMoney(Decimal(money.amount), money.currency)
