"""The command that posts a progress update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand
from escrow.agreement.state import Attachment, Contract
from escrow.rules import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class PostUpdate(PartyCommand):
    """Says how it goes, on the contract or on one of its milestones."""

    action: ClassVar = Action.POST_UPDATE
    contract_id: str
    message: str
    milestone_id: str | None = None
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    def result(self, after: Contract) -> dict[str, str]:
        return PartyCommand.result(self, after) | {"update_number": str(after.updates_posted)}
