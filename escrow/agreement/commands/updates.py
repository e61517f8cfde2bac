"""The command that posts a progress update."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand
from escrow.agreement.state import Attachment, Contract
from escrow.rules import Action


class PostUpdate(PartyCommand):
    """Says how it goes, on the contract or on one of its milestones."""

    action: ClassVar = Action.POST_UPDATE
    contract_id: str
    message: str
    milestone_id: str | None = None
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    def result(self, after: Contract) -> dict[str, str]:
        return super().result(after) | {"update_number": str(after.updates_posted)}
