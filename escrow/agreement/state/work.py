"""A submission: work that was handed in for a milestone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.agreement.state.attachments import Attachment


@dataclass(frozen=True, slots=True)
class Submission:
    """Work that was handed in for a milestone; numbered from 1 within it."""

    id: str
    milestone_id: str
    number: int
    message: str
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    submitted_at: datetime
