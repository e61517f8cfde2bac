"""Commands on the plan of an active contract, which the client edits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand
from escrow.agreement.state import Contract
from escrow.money import RawMoney
from escrow.rules import Action


class AddMilestone(PartyCommand):
    """Adds a planned milestone at `position` (1-based, closed ones counted), by default at the end."""

    action: ClassVar = Action.ADD_MILESTONE
    contract_id: str
    milestone: MilestoneDraft
    position: int | None = None
    message: str | None = None
    expected_version: int | None = None

    def result(self, after: Contract) -> dict[str, str]:
        return super().result(after) | {"milestone_id": self.milestone.id}


class EditMilestone(PartyCommand):
    """Changes what is given of a planned milestone; `None` leaves as it is."""

    action: ClassVar = Action.EDIT_MILESTONE
    milestone_id: str
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None
    message: str | None = None
    expected_version: int | None = None


class MoveMilestone(PartyCommand):
    """Gives a planned milestone another place in the order."""

    action: ClassVar = Action.MOVE_MILESTONE
    milestone_id: str
    position: int
    message: str | None = None
    expected_version: int | None = None


class RemoveMilestone(PartyCommand):
    """Takes a planned milestone out of the plan."""

    action: ClassVar = Action.REMOVE_MILESTONE
    milestone_id: str
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneDraft:
    """A milestone as a plan describes it."""

    id: str
    title: str
    purpose: str
    amount: RawMoney
    due_on: date
    deliverables: tuple[str, ...] = ()
