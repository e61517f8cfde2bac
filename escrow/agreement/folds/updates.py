"""Folds updates that were posted."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.state import Contract, Update
from escrow.values import replace


def _update_posted(state: Contract, event: events.UpdatePosted, at: datetime) -> Contract:
    update = Update(
        number=event.number,
        side=event.posted_by,
        milestone_id=event.milestone_id,
        message=event.message,
        links=event.links,
        attachments=event.attachments,
        posted_at=at,
    )
    return replace(state, updates={**state.updates, update.key: update}, updates_posted=event.number)


FOLDS: Final[Folds] = {
    events.UpdatePosted: _update_posted,
}
