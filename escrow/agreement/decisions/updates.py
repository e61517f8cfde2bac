"""Decides on progress updates, and tells the operator of a contract that has fallen silent."""

from __future__ import annotations

from typing import Final

from escrow.agreement import inputs
from escrow.agreement.commands import PostUpdate
from escrow.agreement.deadlines import Deadline
from escrow.agreement.events import ContractDormant, UpdatePosted
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import UPDATES_MAX
from escrow.causes import Cause
from escrow.errors import InvalidInput


def post_update(history: History, command: PostUpdate) -> None:
    """`update.posted`, numbered within the contract."""
    state = history.state
    event = UpdatePosted(
        number=state.updates_posted + 1,
        posted_by=history.side,
        message=inputs.text(command.message, field="message", characters_max=inputs.MESSAGE_MAX),
        links=inputs.links(command.links),
        attachments=inputs.attachments(command.attachments),
        milestone_id=command.milestone_id,
    )
    if event.number > UPDATES_MAX:
        raise InvalidInput(
            f"A contract has at most {UPDATES_MAX} updates.", details={"most": UPDATES_MAX}, cause=Cause.NO_MORE
        )
    history.add(event)


def tell_of_silence(history: History, clock: Deadline) -> None:
    """`contract.dormant`: money is held, no clock runs, and nothing has happened for a long time."""
    state = history.state
    history.add(ContractDormant(silent_since=state.updated_at, held=state.money(state.held_minor)))


DECISIONS: Final[Decisions] = {
    PostUpdate: post_update,
}
