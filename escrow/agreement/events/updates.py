"""The fact that a party said how it goes."""

from __future__ import annotations

from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import AttachmentList, Event, Text, TextList


class UpdatePosted(Event):
    """A party said how it goes, on the contract or on one of its milestones."""

    type: ClassVar = "update.posted"
    number: int
    posted_by: Side
    message: Text
    links: TextList
    attachments: AttachmentList
    milestone_id: str | None = None
