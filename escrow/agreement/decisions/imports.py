"""Decides on imports: many planned milestones added and changed by one command, all or nothing.

A tool sends the milestones that it has, again and again; a row that says what is so already changes nothing, also of a
milestone that is locked. What a name stands for was looked up with the contract, so deciding asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from escrow.agreement import inputs
from escrow.agreement.commands import ImportMilestones, ImportRow, MilestoneDraft
from escrow.agreement.decisions.milestones import added, edited, says_the_same
from escrow.agreement.events import MilestoneAdded, MilestoneEdited
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import MILESTONES_MAX, Contract
from escrow.causes import Cause
from escrow.errors import DomainError, ErrorCode, InvalidInput, InvalidState, MilestoneLocked
from escrow.states import MilestoneState

T = TypeVar("T")

ROWS_MAX: Final = MILESTONES_MAX


def import_milestones(history: History, command: ImportMilestones) -> None:
    """`milestone.edited` and `milestone.added` for each row that says something new, in the order of the rows.

    The plan's version grows by one. The first event carries the message. Refuses with what is wrong with the first row that
    the law's order puts first, and all the other rows' refusals beside it.
    """
    if not 1 <= len(command.rows) <= ROWS_MAX:
        raise InvalidInput(
            f"From 1 to {ROWS_MAX} rows, not {len(command.rows)}.",
            field="rows",
            details={"most": ROWS_MAX, "given": len(command.rows)},
            cause=Cause.TOO_MANY if command.rows else Cause.NOTHING_GIVEN,
        )
    inputs.external_system(command.system)
    refusals: list[DomainError] = []
    try:
        message = inputs.message(command.message)
    except InvalidInput as refusal:
        message = None
        refusals.append(refusal)
    events = _facts(history.state, command.rows, message, refusals)
    _raise_first(refusals)
    for event in events:
        history.add(event)


def _facts(
    state: Contract, rows: Sequence[ImportRow], message: str | None, refusals: list[DomainError]
) -> Sequence[MilestoneAdded | MilestoneEdited]:
    """The events of the rows; what is wrong with rows is added to the refusals."""
    found: list[MilestoneAdded | MilestoneEdited] = []
    names: set[str] = set()
    places = len(state.milestones)
    for index, row in enumerate(rows):
        try:
            _check_name(row, names, place=f"rows.{index}.")
            said = message if not found else None
            event: MilestoneAdded | MilestoneEdited | None
            if state.milestone(row.milestone_id) is not None:
                event = _change(state, row, said, place=f"rows.{index}.")
            else:
                places += 1
                event = _addition(state, row, said, position=places, place=f"rows.{index}")
        except DomainError as refusal:
            refusal.details |= {"row": index, "externalId": row.external_id}
            refusals.append(refusal)
        else:
            found += [event] if event is not None else []
    return found


def _check_name(row: ImportRow, names: set[str], *, place: str) -> None:
    field = f"{place}externalId"
    inputs.external_id(row.external_id, field=field)
    if row.external_id in names:
        raise InvalidInput("Another row has the same external id.", field=field, cause=Cause.TWICE)
    names.add(row.external_id)
    if row.taken_by is not None:
        raise InvalidState(f"This external id stands for {row.taken_by} already.", field=field)
    if row.url is not None:
        inputs.link(row.url, field=f"{place}url")


def _change(state: Contract, row: ImportRow, message: str | None, *, place: str) -> MilestoneEdited | None:
    """The event that changes the milestone which the row's name stands for; none if the row says nothing new."""
    milestone = state.milestone(row.milestone_id)
    if milestone is None:
        raise ValueError(f"{row.milestone_id} was there and isn't")
    locked = None
    if milestone.state is not MilestoneState.PLANNED:
        locked = MilestoneLocked(
            f"The milestone is {milestone.state}; only PLANNED ones can be changed.",
            field=place.removesuffix("."),
            details={"milestoneId": milestone.id, "milestoneState": milestone.state.value},
        )
    try:
        event = edited(state, milestone, row, message=None, place=place)
    except InvalidInput as refusal:
        raise locked or refusal from None
    if says_the_same(milestone, event):
        return None
    if locked is not None:
        raise locked
    return replace(event, message=message)


def _addition(state: Contract, row: ImportRow, message: str | None, *, position: int, place: str) -> MilestoneAdded:
    """The event that adds the milestone of a row whose name is new."""
    if position > MILESTONES_MAX:
        raise InvalidInput(
            f"A contract has at most {MILESTONES_MAX} milestones, closed ones included.",
            field=place,
            details={"most": MILESTONES_MAX},
            cause=Cause.NO_MORE,
        )
    draft = MilestoneDraft(
        id=row.milestone_id,
        title=_needed(row.title, field=f"{place}.title"),
        purpose=_needed(row.purpose, field=f"{place}.purpose"),
        amount=_needed(row.amount, field=f"{place}.amount"),
        due_on=_needed(row.due_on, field=f"{place}.dueOn"),
        deliverables=row.deliverables or (),
    )
    checked, amount = inputs.draft(draft, currency=state.currency, field=place)
    return added(state, checked, amount, position=position, message=message, plan_version=state.plan_version + 1)


def _needed(value: T | None, *, field: str) -> T:
    if value is None:
        raise InvalidInput("A new milestone needs it.", field=field, cause=Cause.NEEDED)
    return value


_LATER: Final = frozenset({ErrorCode.INVALID_INPUT})
"""What the law puts after the state of objects."""


def _raise_first(refusals: Iterable[DomainError]) -> None:
    """Raise the first refusal by the law's order, then by row, with the others beside it."""
    ordered = sorted(refusals, key=lambda refusal: refusal.code in _LATER)
    if ordered:
        first = ordered[0]
        first.others = tuple(ordered[1:])
        raise first


DECISIONS: Final[Decisions] = {
    ImportMilestones: import_milestones,
}
