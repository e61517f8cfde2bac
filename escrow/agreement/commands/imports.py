"""The command that imports a plan from another system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand
from escrow.agreement.state import Contract
from escrow.money import RawMoney
from escrow.rules import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A milestone as another system has it, under the name that it has there; `None` leaves as it is.

    `milestone_id` is that of the milestone which the name stands for already, else a fresh one. `taken_by` is what else
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


class ImportMilestones(PartyCommand):
    """Changes the planned milestones that `system` knows already and adds the others at the end, all or nothing."""

    action: ClassVar = Action.IMPORT_MILESTONES
    contract_id: str
    system: str
    rows: tuple[ImportRow, ...]
    message: str | None = None
    expected_version: int | None = None

    def result(self, after: Contract) -> dict[str, str]:
        milestone_ids = " ".join(row.milestone_id for row in self.rows)
        return super().result(after) | {"milestone_ids": milestone_ids}
