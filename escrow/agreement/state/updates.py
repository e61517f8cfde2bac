"""A progress update on a contract or on one of its milestones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement.state.attachments import Attachment

UPDATES_MAX: Final = 1_000
"""The most progress updates of one contract, those on its milestones counted."""


@dataclass(frozen=True, slots=True)
class Update:
    """A progress update on the contract or on one of its milestones; numbered from 1 within the contract."""

    number: int
    side: Side
    milestone_id: str | None
    message: str
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    posted_at: datetime

    @property
    def key(self) -> str:
        """Its name among the updates of a contract."""
        return str(self.number)
