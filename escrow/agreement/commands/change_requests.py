"""Commands on change requests: what one side asks the other to agree to, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.agreement.commands.milestones import MilestoneDraft
from escrow.money import RawMoney
from escrow.rules import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChange:
    """Asks for a new milestone at `position`, by default at the end."""

    milestone: MilestoneDraft
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditChange:
    """Asks for other words, amount or date of a planned milestone; `None` leaves as it is."""

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


class FileChangeRequest(PartyCommand):
    """Asks the other side to accept changes of the plan, in this order, all of them or none."""

    action: ClassVar = Action.FILE_CHANGE_REQUEST
    contract_id: str
    change_request_id: Made
    changes: tuple[RequestedChange, ...]
    message: str
    expected_version: int | None = None

    @property
    def milestone_ids(self) -> tuple[str, ...]:
        """The milestones that the operations are about."""
        return tuple(change.milestone_id for change in self.changes if not isinstance(change, AddChange))


class AcceptChangeRequest(PartyCommand):
    """Carries all of a change request out."""

    action: ClassVar = Action.ACCEPT_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None
    expected_version: int | None = None


class DeclineChangeRequest(PartyCommand):
    """Leaves the plan as it is."""

    action: ClassVar = Action.DECLINE_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None


class WithdrawChangeRequest(PartyCommand):
    """Takes one's own change request back."""

    action: ClassVar = Action.WITHDRAW_CHANGE_REQUEST
    change_request_id: str
    message: str | None = None
