"""Progress updates, which are part of the record, and the notice that a contract with money has fallen silent."""

from __future__ import annotations

from typing import Final

from escrow.access import CLOCK
from escrow.agreement import inputs
from escrow.agreement.commands import PostUpdate
from escrow.agreement.events import ContractDormant, UpdatePosted
from escrow.agreement.history import Decisions, Desk, History
from escrow.agreement.state import UPDATES_MAX
from escrow.errors import InvalidInput


def post(history: History, command: PostUpdate, desk: Desk) -> None:
    """`update.posted`, numbered within the contract."""
    state = history.state
    side = state.side_of(desk.actor.account_id)
    if side is None:
        raise ValueError("whoever posts an update is a party, as permit has found")
    event = UpdatePosted(
        number=state.updates_posted + 1,
        posted_by=side,
        message=inputs.text(command.message, field="message", characters_max=inputs.MESSAGE_MAX),
        links=inputs.links(command.links),
        attachments=inputs.attachments(command.attachments),
        milestone_id=command.milestone_id,
    )
    if event.number > UPDATES_MAX:
        raise InvalidInput(f"A contract has at most {UPDATES_MAX} updates.")
    history.add(event, at=desk.now, by=desk.actor)


def tell_of_silence(history: History, desk: Desk) -> None:
    """`contract.dormant`: money is held, no clock runs, and nothing has happened for a long time."""
    state = history.state
    event = ContractDormant(silent_since=state.updated_at, held=state.money(state.held_minor))
    history.add(event, at=desk.now, by=CLOCK)


DECISIONS: Final[Decisions] = {
    PostUpdate: post,
}
