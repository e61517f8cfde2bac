"""Commands on the plan of an active contract: the client edits it, the freelancer asks for changes, both may amend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from escrow.agreement.commands.contracts import MilestoneDraft
from escrow.lifecycle import Action
from escrow.money import RawMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMilestone:
    """Adds a planned milestone at ``position`` (1-based, closed ones counted), by default at the end."""

    action: ClassVar = Action.ADD_MILESTONE
    contract_id: str
    milestone: MilestoneDraft
    position: int | None = None
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMilestone:
    """Changes what is given of a planned milestone; ``None`` leaves as it is."""

    action: ClassVar = Action.EDIT_MILESTONE
    milestone_id: str
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMilestone:
    """Gives a planned milestone another place in the order."""

    action: ClassVar = Action.MOVE_MILESTONE
    milestone_id: str
    position: int
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMilestone:
    """Takes a planned milestone out of the plan."""

    action: ClassVar = Action.REMOVE_MILESTONE
    milestone_id: str
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A milestone as another system has it, under the name that it has there; ``None`` leaves as it is.

    ``milestone_id`` is that of the milestone which the name stands for already, else a fresh one. ``taken_by`` is what else
    the name stands for.
    """

    milestone_id: str
    external_id: str
    url: str | None = None
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None
    taken_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMilestones:
    """Changes the planned milestones that ``system`` knows already and adds the others at the end, all or nothing."""

    action: ClassVar = Action.IMPORT_MILESTONES
    contract_id: str
    system: str
    rows: tuple[ImportRow, ...]
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChange:
    """Asks for a new milestone at ``position``, by default at the end."""

    milestone: MilestoneDraft
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditChange:
    """Asks for other words, amount or date of a planned milestone; ``None`` leaves as it is."""

    milestone_id: str
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveChange:
    """Asks that a planned milestone be taken out of the plan."""

    milestone_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveChange:
    """Asks for another place of a planned milestone."""

    milestone_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendChange:
    """Asks for another due date or other deliverables of a milestone that holds money; never for another amount."""

    milestone_id: str
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None


RequestedChange = AddChange | EditChange | RemoveChange | MoveChange | AmendChange


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChangeRequest:
    """Asks the other side to accept changes of the plan, in this order, all of them or none."""

    action: ClassVar = Action.FILE_CHANGE_REQUEST
    contract_id: str
    change_request_id: str
    changes: tuple[RequestedChange, ...]
    message: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptChangeRequest:
    """Carries all of a change request out."""

    action: ClassVar = Action.ACCEPT_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineChangeRequest:
    """Leaves the plan as it is."""

    action: ClassVar = Action.DECLINE_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawChangeRequest:
    """Takes one's own change request back."""

    action: ClassVar = Action.WITHDRAW_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None
